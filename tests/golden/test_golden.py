"""A refactoring changes no result: every small model keeps the bits recorded in values.json.

On a machine whose libraries and instructions are recorded the hashes must be equal; on another one
the 2-norms of weights and answers must agree, and a warning says that this is all that was seen.
A change that means to change results records anew: `python tests/golden/models.py --write`.
"""

import inspect
import math
import warnings

import numpy as np
import pytest
from golden.models import models, read_values, results_of, variants
from tolerances import tolerance

import rnnkit
from rnnkit import energy, training

VALUES = read_values()
# dtype -> how its rounding is taken: one rounded factor of bfloat16 may fall the other way.
ROUNDING = {"f4": (np.float32, 10_000), "f8": (np.float64, 10_000), "bf16": (np.float16, 2)}
ESTIMATORS = [
    item
    for module in (rnnkit, energy)
    for item in (getattr(module, name) for name in module.__all__)
    if hasattr(item, "hidden_states")
]
MODELS = models()
# What no golden model can vary: where it computes, its seed and what it prints.
ELSEWHERE = {"device", "random_state", "verbose"}


def agrees(size, recorded, dtype):
    real, accumulations = ROUNDING[dtype]
    return math.isclose(size, recorded, rel_tol=tolerance(real, accumulations))


@pytest.mark.parametrize("variant", variants())
def test_every_model_keeps_its_bits(variant):
    machine, results = results_of(variant)
    assert set(results) == set(VALUES["sizes"]), "other models than those recorded"
    recorded = VALUES["bits"].get(variant, {}).get(machine)
    if recorded is None:
        warnings.warn(f"{variant}: no bits are recorded for this machine", stacklevel=1)
    else:
        changed = [name for name, bits in recorded.items() if results[name].bits != bits]
        assert not changed, f"{len(changed)} of {len(recorded)} models changed: {changed}"
        if len(recorded) < len(results):
            missing = sorted(set(results) - set(recorded))
            warnings.warn(f"{variant}: no bits are recorded here of {missing}", stacklevel=1)
    for name, result in results.items():
        dtype, weights, answers = VALUES["sizes"][name].split()
        assert result.dtype == dtype
        assert agrees(result.weights_size, float(weights), dtype), name
        assert agrees(result.answers_size, float(answers), dtype), name


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda item: item.__name__)
def test_every_estimator_has_a_model(estimator):
    assert any(type(model.estimator) is estimator for model in MODELS.values())


def parameters_of_all():
    return sorted({name for e in ESTIMATORS for name in e().get_params()} - ELSEWHERE)


@pytest.mark.parametrize("parameter", parameters_of_all())
def test_some_model_has_another_value_than_the_default(parameter):
    for model in MODELS.values():
        defaults, given = type(model.estimator)().get_params(), model.estimator.get_params()
        if parameter in given and given[parameter] != defaults[parameter]:
            return
    raise AssertionError(f"no model sets {parameter}")


@pytest.mark.parametrize(
    "parameter, base, make",
    [
        ("solver", training.Solver, training.make_solver),
        ("learning_rate", training.Schedule, training.make_schedule),
    ],
)
def test_every_solver_and_schedule_has_a_model(parameter, base, make):
    listed = (getattr(training, name) for name in training.__all__)
    named = {item for item in listed if inspect.isclass(item) and issubclass(item, base)} - {base}
    given = [model.estimator.get_params().get(parameter) for model in MODELS.values()]
    used = {type(make(value)) for value in given if value is not None}  # None: that of the task
    assert named <= used

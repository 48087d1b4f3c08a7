"""NumPy scalars as parameters: each is the number that it is, whatever its type."""

import copy
import dataclasses
import numbers
import pickle
import warnings

import numpy as np
import pytest
from golden.models import models
from persistence.trained import trained
from sklearn.base import clone

import rnnkit
from rnnkit.energy import DeepBeliefNetwork, DeepBoltzmannMachine, HopfieldNetwork
from rnnkit.estimators.parameters.field import entries_of
from rnnkit.training import SCHEDULES, SOLVERS

MODELS = models()
TYPES = [
    (np.int8, np.float16),
    (np.uint8, np.float32),
    (np.int32, np.float16),
    (np.uint64, np.float64),
]


def converted(value, number):
    """A value with NumPy scalars of the number's types for numbers, alone or in a container."""
    whole, real = number
    if isinstance(value, bool):
        return np.bool_(value)
    if isinstance(value, numbers.Integral):
        return whole(value) if np.iinfo(whole).min <= value <= np.iinfo(whole).max else value
    if isinstance(value, numbers.Real):
        return real(value)
    if isinstance(value, (tuple, list)):
        return type(value)(converted(entry, number) for entry in value)
    if isinstance(value, dict):
        return {key: converted(entry, number) for key, entry in value.items()}
    return value


def plain(value):
    """The same with the numbers that the scalars are."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (tuple, list)):
        return type(value)(map(plain, value))
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    return value


def numeric(estimator):
    names = entries_of(type(estimator)) if dataclasses.is_dataclass(estimator) else {}
    skipped = ("embedding_init", "random_state", "vocabulary")
    return {name: getattr(estimator, name) for name in names if name not in skipped}


def bits_of(estimator, data, fit):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = fit(estimator, data)
        if hasattr(model, "perplexity"):
            more = {} if data.y is None else {"context": data.y}
            answer = model.score(data.X, **more)
        elif hasattr(model, "sample") and hasattr(model, "discriminator_loss_curve_"):
            answer = model.discriminator_loss_curve_
        else:
            answer = model.score(data.X, data.y, **data.call)
    return model, model.network_.parameters.flat.tobytes(), np.asarray(answer).tobytes()


@pytest.mark.parametrize("types", TYPES)
@pytest.mark.parametrize("name", [name for name in MODELS if "X as" not in name])
def test_a_numpy_scalar_is_the_number_that_it_is(name, types, tmp_path):
    estimator, data, fit = MODELS[name]
    given = {name: converted(value, types) for name, value in numeric(estimator).items()}
    odd, usual = clone(estimator).set_params(**given), clone(estimator)
    usual.set_params(**{name: plain(value) for name, value in given.items()})
    model, *bits = bits_of(odd, data, fit)
    assert all(getattr(model, name) is value for name, value in given.items())
    assert clone(model).get_params(deep=False).keys() >= given.keys()
    assert tuple(bits) == bits_of(usual, data, fit)[1:]
    rnnkit.save(model, tmp_path / "model.safetensors")


@pytest.mark.parametrize("types", TYPES[1::2])  # epsilon is 0 in float16
@pytest.mark.parametrize(
    ("part", "name"),
    [("solver", name) for name in SOLVERS] + [("learning_rate", name) for name in SCHEDULES],
)
def test_so_it_is_within_a_solver_and_a_schedule(part, name, types, tmp_path):
    rng = np.random.RandomState(0)
    X, y = rng.randn(20, 5, 2), np.arange(20) % 2
    cls = {**SOLVERS, **SCHEDULES}[name]
    given = {key: converted(value, types) for key, value in cls().get_params().items()}
    odd, usual = cls(**given), cls(**{key: plain(value) for key, value in given.items()})
    found = []
    for one in (odd, usual):
        estimator = rnnkit.GRUClassifier(3, max_iter=5, random_state=0, **{part: one})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = estimator.fit(X, y)
        assert getattr(model, part) is one
        assert one.get_params() == (given if one is odd else usual.get_params())
        rnnkit.save(model, tmp_path / "model.safetensors")
        found.append(model.network_.parameters.flat.tobytes())
    assert found[0] == found[1]


@pytest.mark.parametrize("number", [np.uint8, np.int64])
def test_what_is_asked_of_a_fitted_one_may_be_a_numpy_scalar(number):
    for name in ("beam_width", "writes what is likeliest"):
        model, data = trained(name)
        usual, odd = copy.copy(model).set_params(beam_width=3), copy.copy(model)
        odd.set_params(beam_width=number(3))
        for one, other in zip(usual.predict(data.X), odd.predict(data.X)):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("whole", "real"), TYPES)
def test_forecasters_and_energies_take_numpy_scalars(whole, real, tmp_path):
    rng = np.random.RandomState(0)
    patterns = np.sign(rng.randn(12, 8))
    for cls, options, data in (
        (rnnkit.GRUForecaster, {"horizon": 2, "window": 6, "n_estimators": 2}, rng.randn(60)),
        (HopfieldNetwork, {}, patterns),
        (DeepBoltzmannMachine, {"n_particles": 4}, patterns > 0),
        (DeepBeliefNetwork, {}, patterns > 0),
    ):
        names = cls().get_params(deep=False)
        if "max_iter" in names:
            options = {"max_iter": 2, **options}
        if "hidden_size" in names:
            options = {"hidden_size": 3, **options}
        values = {name: getattr(cls(**options), name) for name in names if name != "random_state"}
        given = {name: converted(value, (whole, real)) for name, value in values.items()}
        found, y = [], np.arange(12) % 2 if cls is DeepBeliefNetwork else None
        for of in (given, {name: plain(value) for name, value in given.items()}):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = cls(**of)
                model.set_params(**({"random_state": 0} if "random_state" in names else {}))
                found.append(pickle.dumps(learnt(model.fit(data, y))))
            rnnkit.save(model, tmp_path / "model.safetensors")
        assert found[0] == found[1], cls


def learnt(model):
    """What a fit learnt that is an array, a number or a list of them."""
    kinds = (np.ndarray, float, int, list)
    return {n: v for n, v in vars(model).items() if n.endswith("_") and isinstance(v, kinds)}

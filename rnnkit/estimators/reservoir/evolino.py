"""Evolino: recurrent weights by evolution, and a readout in closed form for each candidate.

Letters: N sequences, T steps, ΣT steps of all sequences, H hidden units, I features of a step,
K outputs.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import StrOptions

from rnnkit.backends import get_backend
from rnnkit.backends.interface import Backend
from rnnkit.estimators.applying import refuse_long_sequences
from rnnkit.estimators.base import recurrent_estimator
from rnnkit.estimators.building import build, initialize
from rnnkit.estimators.examples import Examples
from rnnkit.estimators.parameters.checks import check_parameters
from rnnkit.estimators.parameters.documentation import TaskText
from rnnkit.estimators.parameters.field import (
    NON_NEGATIVE,
    fixed,
    integer,
    like,
    parameter,
    parameters,
)
from rnnkit.estimators.parameters.network import LSTMParameters
from rnnkit.estimators.parameters.training import TrainingParameters
from rnnkit.estimators.reader import Reader
from rnnkit.estimators.regressor import NumberPrediction, RecurrentRegressor
from rnnkit.estimators.reservoir.candidates import Candidates, Genome, Rows, Run, runs_of
from rnnkit.estimators.reservoir.echo_state import StatePooling
from rnnkit.estimators.reservoir.evolution import EVOLUTIONS, evolve
from rnnkit.estimators.reservoir.moments import GRID, GRID_OF_STEPS
from rnnkit.estimators.reservoir.readout import FORECASTS, OF_POOLED, OF_STEPS, ClosedForm, Washout
from rnnkit.estimators.sequence_regressor import RecurrentSequenceRegressor
from rnnkit.network import Network
from rnnkit.training.ordered_sums import ordered_sums

__all__ = ["Evolino", "EvolinoRegressor", "EvolinoSequenceRegressor"]

_EVOLVED = (
    "Nothing is trained by gradients: the weights of the layer are evolved, and each candidate "
    "gets the readout with the smallest squared error, by the pseudo-inverse or with a penalty. A "
    "fit runs the network over X population times generations times. Small weights of the inputs "
    "keep the cells nearly linear: right for sums of sines, 1e-4 say, in float64."
)
_SOURCE = (
    "Schmidhuber, Wierstra, Gagliolo & Gomez (2007), Training recurrent networks by Evolino; Gomez "
    "& Miikkulainen (1997) for enforced subpopulations; Storn & Price (1997) for differential "
    "evolution; Hochreiter & Schmidhuber (1997) for the cell"
)
_EQUATIONS = (
    "``i, f, o = σ(W x_t + U h_{t-1} + b)``, ``g = φ(W x_t + U h_{t-1} + b)``, "
    "``c_t = f c_{t-1} + i g``, ``h_t = o φ(c_t)`` with W, U and b evolved"
)


@parameters
@fixed(loss="squared", huber_delta=1.0, quantile=0.5)
class Evolino(LSTMParameters, ClosedForm, NumberPrediction):
    """What evolves the recurrent weights, whatever the task."""

    _attributes: ClassVar[tuple[str, ...]] = (*ClosedForm._attributes, "error_curve_")

    hidden_size: int = parameter(
        20,
        [integer(1)],
        "int",
        "Hidden units H of the layer, in each direction.",
        part="network",
        positional=True,
    )
    evolution: str = parameter(
        "subpopulations",
        [StrOptions(set(EVOLUTIONS))],
        '{"subpopulations", "differential"}',
        "How candidates come about. With subpopulations each hidden unit has a population of its "
        "own, and a candidate takes a member of each: the better quarter of a unit's members, each "
        "judged by the network that it was part of, is crossed over and mutated to take the place "
        "of the worse half. Differential evolution (SciPy's) moves whole candidates by differences "
        "of others.",
    )
    population: int = parameter(
        40,
        [integer(8)],
        "int",
        "Candidates of a generation.",
    )
    generations: int = parameter(
        50,
        [integer(1)],
        "int",
        "Generations, the first random one among them.",
    )
    mutation: float = parameter(
        1e-3,
        [NON_NEGATIVE],
        "float",
        "Scale of the Cauchy noise that is added to descendants, in units of the scalings. Only "
        "used with subpopulations.",
    )
    input_scaling: float = parameter(
        0.1,
        [NON_NEGATIVE],
        "float",
        "W of the first candidates is drawn uniformly between minus this and this; evolution "
        "changes it in this unit. The larger, the less linear are the cells. Scale the features "
        "first.",
    )
    recurrent_scaling: float = parameter(
        1.0,
        [NON_NEGATIVE],
        "float",
        "The same for U, and for the weights of peepholes.",
    )
    bias_scaling: float = parameter(
        1.0,
        [NON_NEGATIVE],
        "float",
        "The same for b, which is drawn around `forget_bias` and `gate_bias`.",
    )

    def _refuse_partial_fit(self) -> Any:
        raise AttributeError(
            f"{type(self).__name__} has no partial_fit: every candidate is judged by all data"
        )

    partial_fit = property(_refuse_partial_fit)

    def _learn(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        lengths: Any,
        *,
        first: bool,
        classes: Any = None,
    ) -> None:
        check_parameters(self)
        self._check_alpha()
        reader, codec, output, examples = self._read_training(
            X, y, sample_weight, lengths, first=True
        )
        backend = get_backend(self.device)
        rng = check_random_state(self.random_state)
        network = build(self, reader, output, examples.sequences, np.zeros(output.width))
        initialize(network, self, reader, rng)
        layer = network.recurrent_layers[0]
        scales = {
            "weight_ih": self.input_scaling,
            "weight_hh": self.recurrent_scaling,
            "bias": self.bias_scaling,
        }
        genome = Genome(layer, network.parameters, scales)
        inputs, offsets = reader.inputs(examples.sequences), examples.sequences.offsets
        weights = self._weights_of_rows(output, codec, examples)
        if weights is None:
            weights = np.ones(len(examples.targets))
        with ordered_sums(), backend.active(give_back=True):
            refuse_long_sequences(network, offsets, backend)
            runs = self._runs(network, reader, examples, weights, backend)
            learnt, held = (None, None) if runs else self._parts(examples, weights)
            candidates = Candidates(
                network,
                genome,
                inputs,
                offsets,
                Rows(self._codes(output, examples.targets), weights, learnt, held),
                backend,
                alpha=None if isinstance(self.alpha, str) else self.alpha,
                grid=GRID_OF_STEPS if self._per_step else GRID,
                pooling=None if self._per_step else self.pooling,
                runs=runs,
            )
            best = evolve(
                self.evolution,
                candidates.worth,
                genome.units,
                population=self.population,
                generations=self.generations,
                mutation=self.mutation,
                rng=rng,
            )
            readout = candidates.solve(best.genes)
        self._built_with = self.get_params(deep=False)
        self._keep(
            reader,
            codec,
            network,
            readout,
            examples,
            backend,
            anew=True,
            n_epochs=self.generations,
        )
        self.error_curve_ = best.curve

    # What a task defines.

    def _runs(
        self,
        network: Network,
        reader: Reader,
        examples: Examples,
        weights: np.ndarray,
        backend: Backend,
    ) -> list[Run]:
        """Return what candidates are judged by that go on alone; none if they do not."""
        return []

    def _parts(
        self, examples: Examples, weights: np.ndarray
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Return the weights of what a candidate learns from, and of what it is judged by."""
        return None, None


@recurrent_estimator
class EvolinoRegressor(Evolino, RecurrentRegressor):
    """Predict a number, or K numbers, for a sequence with an LSTM evolved by Evolino."""

    pooling: str = like("pooling", StatePooling, default="last")
    _text: ClassVar[TaskText] = TaskText(
        equations=_EQUATIONS,
        source=_SOURCE,
        remarks=(
            f"{_EVOLVED} A candidate is judged by its error by generalized cross-validation, which "
            "needs more sequences than hidden units or a penalty."
        ),
        notes=OF_POOLED,
        example="""
>>> import numpy as np
>>> from rnnkit import {name}
>>> rng = np.random.RandomState(0)
>>> y = rng.uniform(0.2, 0.6, 80)
>>> X = [np.sin(np.arange(n) * f) for n, f in zip(rng.randint(20, 40, 80), y)]
>>> regressor = {name}(10, generations=10, pooling="mean", random_state=0).fit(X[:60], y[:60])
>>> regressor.score(X[60:], y[60:]) > 0.9
True
""",
    )
    score = NumberPrediction.score


@recurrent_estimator
class EvolinoSequenceRegressor(Evolino, Washout, RecurrentSequenceRegressor):
    """Predict a number, or K numbers, for every step with an LSTM evolved by Evolino."""

    alpha: Any = like("alpha", ClosedForm, default=0.0)
    judged_by: str = parameter(
        "auto",
        [StrOptions({"auto", "forecast", "next"})],
        '{"auto", "forecast", "next"}',
        'By which squared error a candidate is judged. "forecast": that of the network that goes '
        "on alone, each output its next input, over the last `horizon` steps of each sequence. "
        '"next": that of its predictions of the last `validation_fraction` of each sequence\'s '
        'steps, from a readout of those before. "auto" is "forecast" where y holds the next step '
        'of X, y[t] = X[t + 1], else "next".',
    )
    horizon: int | None = parameter(
        None,
        [integer(1), None],
        "int or None",
        "Steps at the end of every sequence that a candidate goes on alone. None: all after the "
        "washout, as in the paper; long ones say little where errors grow, as in chaos.",
    )
    validation_fraction: float = like("validation_fraction", TrainingParameters, default=0.25)
    _text: ClassVar[TaskText] = TaskText(
        equations=_EQUATIONS,
        source=_SOURCE,
        remarks=f"{_EVOLVED} {FORECASTS}",
        notes=OF_STEPS,
        example="""
>>> import numpy as np
>>> from rnnkit import {name}
>>> t = np.arange(700)
>>> wave = np.sin(0.2 * t) + np.sin(0.311 * t)
>>> model = {name}(10, input_scaling=1e-4, washout=100, generations=5, random_state=0)
>>> model = model.fit([wave[:399]], [wave[1:400]])
>>> forecast = model.forecast([wave[:400]], n_steps=300)
>>> bool(abs(forecast[0] - wave[400:]).max() < 0.01)
True
""",
    )

    def _runs(
        self,
        network: Network,
        reader: Reader,
        examples: Examples,
        weights: np.ndarray,
        backend: Backend,
    ) -> list[Run]:
        if self.judged_by == "next":
            return []
        inputs, sequences = reader.inputs(examples.sequences), examples.sequences
        name = f"judged_by={self.judged_by!r}"
        fits = network.is_causal and examples.targets.shape[1] == inputs.numeric.shape[1]
        if self.judged_by == "auto" and not (fits and _holds_next(inputs.numeric, examples)):
            return []
        if not network.is_causal:
            raise ValueError(f"{name} needs {network.cut_needs}")
        if not fits:
            raise ValueError(
                f"{name} feeds outputs back as inputs and needs as many: y has "
                f"{examples.targets.shape[1]} columns and X {inputs.numeric.shape[1]} features "
                "per step"
            )
        lengths = sequences.lengths
        n_read = np.full(len(lengths), max(1, self.washout))
        if self.horizon is not None:
            n_read = np.maximum(n_read, lengths - self.horizon)
        runs = runs_of(network, inputs, sequences.offsets, n_read, backend)
        counted = sum((weights[run.rows].sum(axis=0) for run in runs), np.zeros(1))
        if np.all(counted > 0):
            return runs
        if self.judged_by == "auto":
            return []
        raise ValueError(
            f"{name} with washout={self.washout!r} leaves no step with a target and a weight to "
            f"go on alone; the longest sequence has {int(lengths.max())} steps"
        )

    def _parts(
        self, examples: Examples, weights: np.ndarray
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Hold the last steps of each sequence; none where either part would have no weight."""
        sequences = examples.sequences
        lengths = sequences.lengths
        n_held = np.maximum(np.rint(self.validation_fraction * lengths), 1)
        first = np.repeat(sequences.offsets[1:] - n_held, lengths)
        is_held = np.arange(len(weights)) >= first
        held, learnt = ((weights.T * part).T for part in (is_held, ~is_held))
        if np.all(held.sum(axis=0) > 0) and np.all(learnt.sum(axis=0) > 0):
            return learnt, held
        return None, None


def _holds_next(numeric: np.ndarray, examples: Examples) -> bool:
    """Whether every target that is known is the next step of its sequence, and there are some."""
    offsets = examples.sequences.offsets
    has_next = np.ones(len(numeric), bool)
    has_next[offsets[1:] - 1] = False
    places = np.flatnonzero(has_next)
    known = examples.labelled
    if known is not None:
        places = places[known[places] if known.ndim == 1 else known[places].all(axis=1)]
    targets = examples.targets[places].astype(numeric.dtype)
    return len(places) > 0 and bool(np.array_equal(targets, numeric[places + 1]))

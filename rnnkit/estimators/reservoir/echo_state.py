"""Echo state networks: a reservoir that is drawn, and a readout in closed form.

Letters: N sequences, T steps, H hidden units, D directions, K outputs.
"""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from rnnkit.estimators.base import recurrent_estimator
from rnnkit.estimators.classifier import RecurrentClassifier
from rnnkit.estimators.codecs import Codec, Indicators
from rnnkit.estimators.devices import answers, takes_device_arrays
from rnnkit.estimators.label_learning import LabelPrediction
from rnnkit.estimators.parameters.documentation import TaskText
from rnnkit.estimators.parameters.field import (
    NON_NEGATIVE,
    Number,
    fixed,
    integer,
    like,
    parameter,
    parameters,
)
from rnnkit.estimators.parameters.network import RNNParameters
from rnnkit.estimators.regressor import NumberPrediction, RecurrentRegressor
from rnnkit.estimators.reservoir.readout import FORECASTS, OF_POOLED, OF_STEPS, ClosedForm, Washout
from rnnkit.estimators.sequence_regressor import RecurrentSequenceRegressor
from rnnkit.estimators.tagger import RecurrentSequenceTagger
from rnnkit.estimators.transaction import learning
from rnnkit.network import Output
from rnnkit.network.least_squares import LeastSquaresAnswers, LeastSquaresClasses
from rnnkit.network.reservoir import build_reservoir
from rnnkit.sequences import Sequences

__all__ = [
    "EchoState",
    "EchoStateClassifier",
    "EchoStateLabels",
    "EchoStateNumbers",
    "EchoStateRegressor",
    "EchoStateSequenceRegressor",
    "EchoStateSequenceTagger",
    "StatePooling",
]

_CLOSED = (
    "Nothing is trained by gradients: W, U and b are drawn from `random_state` and stay as they "
    "are. The readout minimizes the squared error plus `alpha` times the squared weights; the sums "
    "that it follows from are additive, so that `partial_fit` in parts is `fit` of all of them, up "
    "to rounding, and memory does not grow with the data. The sums are kept in float64."
)
_EQUATIONS = "``h_t = (1 - a) h_{t-1} + a φ(W x_t + U h_{t-1} + b)`` with a the leak and h_0 = 0"
_SOURCE = (
    "Jaeger (2001), The echo state approach to analysing and training recurrent neural networks; "
    "Jaeger & Haas (2004); Lukoševičius (2012), A practical guide to applying echo state networks"
)
_SHARE = Number(Real, 0, 1, closed="right")


@parameters
class EchoState(RNNParameters, ClosedForm):
    """The reservoir, whatever the task."""

    _build_layers: ClassVar[Any] = staticmethod(build_reservoir)

    hidden_size: int = parameter(
        300,
        [integer(1)],
        "int",
        "Hidden units H of the reservoir, in each direction.",
        part="network",
        positional=True,
    )
    spectral_radius: float = parameter(
        0.9,
        [NON_NEGATIVE],
        "float",
        "Size of the largest eigenvalue of U. Below 1 the states usually forget what they began "
        "with (the echo state property); the larger, the longer inputs are remembered.",
        part="network",
    )
    leak: float = parameter(
        1.0,
        [Number(Real, 1e-6, 1, closed="both")],
        "float",
        "The leaking rate a, in [1e-6, 1]: how fast a unit follows its input. 1 is the Elman cell; "
        "small ones suit inputs that change slowly beside the steps.",
        part="network",
    )
    density: float = parameter(
        0.1,
        [_SHARE],
        "float",
        "Share of the units that each unit reads, in (0, 1]; at least one.",
        part="network",
    )
    input_scaling: float = parameter(
        1.0,
        [NON_NEGATIVE],
        "float",
        "W is drawn uniformly between minus this and this; the larger, the less linear are the "
        "units. Scale the features first.",
        part="network",
    )
    bias_scaling: float = parameter(
        0.1,
        [NON_NEGATIVE],
        "float",
        "b is drawn uniformly between minus this and this. At 0 the states are odd functions of "
        "the inputs, which cannot tell a square from its negative.",
        part="network",
    )


@parameters
@fixed(label_smoothing=0.0)
class EchoStateLabels(EchoState, LabelPrediction):
    """What learns labels by least squares."""

    _attributes: ClassVar[tuple[str, ...]] = ("classes_", *ClosedForm._attributes)

    @takes_device_arrays
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None, lengths: Any = None
    ) -> Any:
        """Learn the readout of the given data and of all before, those of `fit` included.

        Parameters
        ----------
        X, y : array-like
            As in `fit`.
        classes : array-like of shape (K,), default=None
            All classes that will ever come; needed in the first call where y holds labels.
        sample_weight, lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            As in `fit`; if the first call has no `classes`, or a later one others; if a parameter
            of the reservoir changed; and with ``class_weight="balanced"``. The estimator stays as
            it was.
        """
        self._check_classes(y, classes, first=not hasattr(self, "network_"))
        if isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight='balanced' is not supported for partial_fit; "
                "pass a dict of weights instead"
            )
        with learning(self) as draft:
            first = not hasattr(draft, "network_")
            draft._learn(X, y, sample_weight, lengths, first=first, classes=classes)
        return self

    def _refuse_probabilities(self) -> Any:
        raise AttributeError(
            f"{type(self).__name__} has no probabilities: its scores are those of least squares; "
            "see decision_function"
        )

    predict_proba = property(_refuse_probabilities)
    predict_log_proba = property(_refuse_probabilities)

    def _scored_by_row(self, codec: Codec) -> Output:
        if isinstance(codec, Indicators):
            return LeastSquaresAnswers(codec.width)
        return LeastSquaresClasses(codec.width)

    def _scores(self, sequences: Sequences) -> np.ndarray:
        """Return (n,) of two classes, else (n, K)."""
        scores = self._apply(
            sequences, lambda bound, plan, x: bound.forward(plan, x), per_step=self._per_step
        )
        if scores.shape[1] == 2 and not isinstance(self._codec, Indicators):
            return np.asarray((scores[:, 1] - scores[:, 0]) / 2)
        return scores


@parameters
@fixed(loss="squared", huber_delta=1.0, quantile=0.5)
class EchoStateNumbers(EchoState, NumberPrediction):
    """What learns numbers by least squares."""

    @takes_device_arrays
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, lengths: Any = None) -> Any:
        """Learn the readout of the given data and of all before, those of `fit` included.

        Parameters
        ----------
        X, y, sample_weight, lengths
            As in `fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            As in `fit`; and if a parameter of the reservoir changed. The estimator stays as it
            was.
        """
        with learning(self) as draft:
            first = not hasattr(draft, "network_")
            draft._learn(X, y, sample_weight, lengths, first=first)
        return self


@parameters
class StatePooling:
    """How a reservoir makes one vector of a sequence."""

    pooling: str = parameter(
        "mean",
        [StrOptions({"last", "mean", "max"})],
        '{"last", "mean", "max"}',
        "How the states of a sequence become one vector: the state after the last step (of both "
        "directions), mean or maximum over the steps.",
        part="network",
    )


@recurrent_estimator
class EchoStateClassifier(StatePooling, EchoStateLabels, RecurrentClassifier):
    """Classify sequences with an echo state network."""

    _text: ClassVar[TaskText] = TaskText(
        equations=_EQUATIONS,
        source=_SOURCE,
        remarks=f"{_CLOSED} As with RidgeClassifier there are scores and no probabilities.",
        notes=(
            "the scores of the classes are an affine function of the pooled states, that of the "
            "right class fitted to 1 and the others to -1; the largest decides."
        ),
        example="""
>>> import numpy as np
>>> from rnnkit import {name}
>>> rng = np.random.RandomState(0)
>>> X = [np.sin(np.arange(n) * f) for n, f in zip(rng.randint(20, 40, 60), [0.3, 0.5] * 30)]
>>> y = ["slow", "fast"] * 30
>>> classifier = {name}(50, random_state=0).fit(X[:40], y[:40])
>>> classifier.score(X[40:], y[40:])
1.0
>>> classifier.decision_function(X[40:]).shape
(20,)
""",
    )
    score = LabelPrediction.score

    @answers
    def decision_function(self, X: Any, lengths: Any = None) -> np.ndarray:
        """Return the scores of the classes.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As in `fit`.
        lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (N,) or (N, K)
            Of two classes one score, above 0 for ``classes_[1]``; otherwise one for each class,
            or for each of several yes-or-no labels, above 0 for yes.

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`.
        """
        check_is_fitted(self)
        sequences, _ = self._read_new(X, lengths)
        return self._scores(sequences)


@recurrent_estimator
class EchoStateRegressor(StatePooling, EchoStateNumbers, RecurrentRegressor):
    """Predict a number, or K numbers, for a sequence with an echo state network."""

    _text: ClassVar[TaskText] = TaskText(
        equations=_EQUATIONS,
        source=_SOURCE,
        remarks=_CLOSED,
        notes=OF_POOLED,
        example="""
>>> import numpy as np
>>> from rnnkit import {name}
>>> rng = np.random.RandomState(0)
>>> y = rng.uniform(0.2, 0.6, 80)
>>> X = [np.sin(np.arange(n) * f) for n, f in zip(rng.randint(20, 40, 80), y)]
>>> regressor = {name}(50, random_state=0).fit(X[:60], y[:60])
>>> regressor.score(X[60:], y[60:]) > 0.9
True
""",
    )
    score = NumberPrediction.score


@recurrent_estimator
class EchoStateSequenceRegressor(EchoStateNumbers, Washout, RecurrentSequenceRegressor):
    """Predict a number, or K numbers, for every step with an echo state network."""

    leak: float = like("leak", EchoState, default=0.3)
    input_scaling: float = like("input_scaling", EchoState, default=0.5)
    _text: ClassVar[TaskText] = TaskText(
        equations=_EQUATIONS,
        source=_SOURCE,
        remarks=f"{_CLOSED} {FORECASTS}",
        notes=OF_STEPS,
        example="""
>>> import numpy as np
>>> from rnnkit import {name}
>>> wave = np.sin(np.arange(400) / 5)
>>> model = {name}(50, washout=50, random_state=0).fit([wave[:299]], [wave[1:300]])
>>> forecast = model.forecast([wave[:300]], n_steps=100)
>>> bool(abs(forecast[0] - wave[300:]).max() < 0.01)
True
""",
    )


@recurrent_estimator
@fixed(output="softmax", forbidden_transitions=None)
class EchoStateSequenceTagger(EchoStateLabels, Washout, RecurrentSequenceTagger):
    """Label every step of a sequence with an echo state network."""

    _text: ClassVar[TaskText] = TaskText(
        equations=_EQUATIONS,
        source=_SOURCE,
        remarks=f"{_CLOSED} As with RidgeClassifier there are scores and no probabilities.",
        notes=(
            "the scores of the labels are an affine function of the state of a step, that of the "
            "right label fitted to 1 and the others to -1; the largest decides."
        ),
        example="""
>>> import numpy as np
>>> from rnnkit import {name}
>>> rng = np.random.RandomState(0)
>>> X = [rng.randn(length) for length in rng.randint(10, 20, size=40)]
>>> y = [np.where(x + np.append(0, x[:-1]) > 0, "up", "down") for x in X]
>>> tagger = {name}(50, random_state=0).fit(X[:30], y[:30])
>>> tagger.score(X[30:], y[30:]) > 0.9
True
""",
    )

    @answers
    def decision_function(self, X: Any, lengths: Any = None) -> Any:
        """Return the scores of the labels at every step.

        Parameters
        ----------
        X : array-like, data frame, list of arrays or Sequences
            As in `fit`.
        lengths : array-like of shape (N,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (N, T) or (N, T, K), or N arrays (T_i,) or (T_i, K) for a ragged X
            Of two labels one score, above 0 for ``classes_[1]``; otherwise one for each; zero
            beyond a sequence's length.

        Raises
        ------
        ValueError, TypeError
            If X is not as in `fit`.
        """
        check_is_fitted(self)
        sequences, form = self._read_new(X, lengths)
        return form.restore(self._scores(sequences), sequences.offsets)

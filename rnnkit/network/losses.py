"""Output objects: what the raw scores of a network mean, and the loss they are trained with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from rnnkit.backends.interface import Array, Backend, Scalar
from rnnkit.sequences import Plan

__all__ = [
    "AbsoluteError",
    "Bernoulli",
    "HuberLoss",
    "Output",
    "PoissonLoss",
    "QuantileLoss",
    "RowOutput",
    "SoftmaxCrossEntropy",
    "SquaredError",
]


class Output(Protocol):
    """The last part of a network: raw scores in, loss, predictions and probabilities out.

    Score rows are the P packed rows of a minibatch when the network answers for every step,
    its B sequences (in packed order) when it answers for every sequence. An output object is
    plain data: it pickles, compares by value and holds no arrays of a fit; what it learns lives
    in the network's parameters under the names of `parameter_shapes`.

    Attributes
    ----------
    targets_per_sequence : bool
        Whether targets are given one per sequence although scores come one per step (CTC).
    weights_per_sequence : bool
        Whether weights are given one per sequence although scores come one per step (CRF, CTC).
        The trainer divides the loss by the sum of the weights.
    whole_sequences : bool
        Whether the loss needs all steps of a sequence at once, so that truncated
        backpropagation is impossible (CRF, CTC).
    on_host : bool
        Whether the loss is computed on the host whatever the backend (CRF, CTC).
    """

    targets_per_sequence: ClassVar[bool]
    weights_per_sequence: ClassVar[bool]
    whole_sequences: ClassVar[bool]
    on_host: ClassVar[bool]

    @property
    def width(self) -> int:
        """K, the number of raw scores in a row."""
        ...

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full names (as "crf.transitions") and shapes of its own parameters."""
        ...

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Fill its own parameters; `rng` is a numpy RandomState."""
        ...

    def loss(
        self,
        backend: Backend,
        scores: Array,
        targets: Array,
        weights: Array | None,
        plan: Plan,
        parameters: Mapping[str, Array],
        gradients: Mapping[str, Array],
    ) -> tuple[Scalar, Array]:
        """Return the weighted sum of the losses and its gradient by the raw scores.

        scores (P, K) or (B, K); targets and weights are arranged like the score rows (or like
        the plan's sequences, see the attributes); weights None means ones. The gradient of its
        own parameters is added to `gradients`. `parameters` and `gradients` hold the whole
        network's arrays by full name.
        """
        ...

    def decision(
        self,
        backend: Backend,
        scores: Array,
        plan: Plan,
        parameters: Mapping[str, Array],
    ) -> Array:
        """Return predictions, one per score row (class indices, or values)."""
        ...

    def probabilities(
        self,
        backend: Backend,
        scores: Array,
        plan: Plan,
        parameters: Mapping[str, Array],
    ) -> Array:
        """Return probabilities (P, K) or (B, K); AttributeError where there are none."""
        ...


class RowOutput(ABC):
    """Base of the outputs whose loss is a sum over score rows; they have no parameters."""

    targets_per_sequence: ClassVar[bool] = False
    weights_per_sequence: ClassVar[bool] = False
    whole_sequences: ClassVar[bool] = False
    on_host: ClassVar[bool] = False

    @property
    @abstractmethod
    def width(self) -> int:
        """K, the number of raw scores in a row."""

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return no names: there are no parameters of its own."""
        return {}

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw nothing: there are no parameters of its own."""
        return None

    @abstractmethod
    def loss(
        self,
        backend: Backend,
        scores: Array,
        targets: Array,
        weights: Array | None,
        plan: Plan,
        parameters: Mapping[str, Array],
        gradients: Mapping[str, Array],
    ) -> tuple[Scalar, Array]:
        """Return the weighted sum of the losses and its gradient by the raw scores."""

    @abstractmethod
    def decision(
        self, backend: Backend, scores: Array, plan: Plan, parameters: Mapping[str, Array]
    ) -> Array:
        """Return predictions, one per score row."""

    def probabilities(
        self, backend: Backend, scores: Array, plan: Plan, parameters: Mapping[str, Array]
    ) -> Array:
        """Raise AttributeError: there are no probabilities."""
        raise AttributeError(f"{type(self).__name__} has no probabilities")


@dataclass(frozen=True)
class SoftmaxCrossEntropy(RowOutput):
    """One of K classes; targets are class indices (intp), the loss is in nats.

    Parameters
    ----------
    n_classes : int
        K.
    label_smoothing : float, default=0.0
        Share s of the target distribution that is spread over all classes, in [0, 1).

    Raises
    ------
    ValueError
        If `label_smoothing` is out of range.

    Notes
    -----
    ``loss = -sum_k t_k log softmax(scores)_k`` with ``t = (1 - s) onehot + s / K``.
    """

    n_classes: int
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must lie in [0, 1), got {self.label_smoothing!r}")

    @property
    def width(self) -> int:
        """K, the number of raw scores in a row."""
        return self.n_classes

    def loss(
        self,
        backend: Backend,
        scores: Array,
        targets: Array,
        weights: Array | None,
        plan: Plan,
        parameters: Mapping[str, Array],
        gradients: Mapping[str, Array],
    ) -> tuple[Scalar, Array]:
        """Return the weighted sum of the losses and its gradient by the raw scores."""
        return backend.softmax_cross_entropy(scores, targets, weights, self.label_smoothing)

    def decision(
        self, backend: Backend, scores: Array, plan: Plan, parameters: Mapping[str, Array]
    ) -> Array:
        """Return the index of the largest score in each row."""
        return scores.argmax(axis=1)

    def probabilities(
        self, backend: Backend, scores: Array, plan: Plan, parameters: Mapping[str, Array]
    ) -> Array:
        """Return the softmax of each row."""
        return backend.softmax(scores)


@dataclass(frozen=True)
class _Elementwise(RowOutput):
    """Base of the outputs that compare scores (·, K) with targets (·, K) entry by entry."""

    n_outputs: int

    @property
    def width(self) -> int:
        """K, the number of raw scores in a row."""
        return self.n_outputs

    def loss(
        self,
        backend: Backend,
        scores: Array,
        targets: Array,
        weights: Array | None,
        plan: Plan,
        parameters: Mapping[str, Array],
        gradients: Mapping[str, Array],
    ) -> tuple[Scalar, Array]:
        """Return the weighted sum of the losses and its gradient by the raw scores."""
        losses, slopes = self.compare(scores, targets, backend.xp)
        if weights is not None:
            losses *= weights[:, None]
            slopes *= weights[:, None]
        return backend.scalar(losses.sum()), slopes

    @abstractmethod
    def compare(self, scores: Array, targets: Array, xp: Any) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""

    def decision(
        self, backend: Backend, scores: Array, plan: Plan, parameters: Mapping[str, Array]
    ) -> Array:
        """Return the predicted values."""
        return scores


@dataclass(frozen=True)
class SquaredError(_Elementwise):
    """Numbers; ``loss = mean over k of (score_k - y_k)² / 2``, as in scikit-learn's MLP.

    Parameters
    ----------
    n_outputs : int
        K.
    """

    def compare(self, scores: Array, targets: Array, xp: Any) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""
        errors = scores - targets
        slopes = errors / self.n_outputs
        errors *= slopes
        errors *= 0.5
        return errors, slopes


@dataclass(frozen=True)
class AbsoluteError(_Elementwise):
    """Numbers; ``loss = mean over k of |score_k - y_k|``: predicts medians.

    Parameters
    ----------
    n_outputs : int
        K.
    """

    def compare(self, scores: Array, targets: Array, xp: Any) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""
        errors = scores - targets
        return xp.abs(errors) / self.n_outputs, xp.sign(errors) / self.n_outputs


@dataclass(frozen=True)
class HuberLoss(_Elementwise):
    """Numbers; squared error near the target, absolute error beyond `delta`.

    Parameters
    ----------
    n_outputs : int
        K.
    delta : float, default=1.0
        Where the one becomes the other, above 0, in the targets' unit.

    Raises
    ------
    ValueError
        If `delta` is not positive.

    Notes
    -----
    With ``e = score - y``: ``e² / 2`` if ``|e| <= delta`` else ``delta (|e| - delta / 2)``,
    mean over k.
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        if not self.delta > 0:
            raise ValueError(f"delta of HuberLoss must be positive, got {self.delta!r}")

    def compare(self, scores: Array, targets: Array, xp: Any) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""
        errors = scores - targets
        slopes = xp.clip(errors, -self.delta, self.delta)
        losses = slopes * (errors - 0.5 * slopes)
        return losses / self.n_outputs, slopes / self.n_outputs


@dataclass(frozen=True)
class QuantileLoss(_Elementwise):
    """Numbers; the pinball loss, whose minimum is a quantile.

    Parameters
    ----------
    n_outputs : int
        K.
    quantile : float, default=0.5
        Which quantile q, in (0, 1).

    Raises
    ------
    ValueError
        If `quantile` is out of range.

    Notes
    -----
    ``q (y - score)`` if ``y > score`` else ``(1 - q) (score - y)``, mean over k.
    """

    quantile: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.quantile < 1:
            raise ValueError(f"quantile of QuantileLoss must lie in (0, 1), got {self.quantile!r}")

    def compare(self, scores: Array, targets: Array, xp: Any) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""
        errors = scores - targets
        above, below = (1.0 - self.quantile) / self.n_outputs, -self.quantile / self.n_outputs
        slopes = xp.where(errors > 0, above, xp.where(errors < 0, below, 0.0))
        slopes = slopes.astype(errors.dtype)
        return errors * slopes, slopes


@dataclass(frozen=True)
class PoissonLoss(_Elementwise):
    """Counts; the score is the logarithm of the predicted mean.

    Parameters
    ----------
    n_outputs : int
        K.

    Notes
    -----
    ``exp(score) - y score``, mean over k: the negative log-likelihood in nats without the term
    ``log y!``, which does not depend on the score.
    """

    def compare(self, scores: Array, targets: Array, xp: Any) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""
        means = xp.exp(scores)
        return (means - targets * scores) / self.n_outputs, (means - targets) / self.n_outputs

    def decision(
        self, backend: Backend, scores: Array, plan: Plan, parameters: Mapping[str, Array]
    ) -> Array:
        """Return the predicted means."""
        return backend.xp.exp(scores)


@dataclass(frozen=True)
class Bernoulli(_Elementwise):
    """K yes-or-no labels at once; targets are 0 and 1, the loss is in nats, summed over k.

    Parameters
    ----------
    n_outputs : int
        K.

    Notes
    -----
    ``log(1 + exp(score)) - y score``; the probability of yes is ``1 / (1 + exp(-score))``.
    """

    def compare(self, scores: Array, targets: Array, xp: Any) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""
        losses = xp.logaddexp(scores, xp.zeros_like(scores)) - targets * scores
        return losses, _sigmoid(scores, xp) - targets

    def decision(
        self, backend: Backend, scores: Array, plan: Plan, parameters: Mapping[str, Array]
    ) -> Array:
        """Return 0 or 1 for every label."""
        return (scores > 0).astype(scores.dtype)

    def probabilities(
        self, backend: Backend, scores: Array, plan: Plan, parameters: Mapping[str, Array]
    ) -> Array:
        """Return the probability of yes for every label."""
        return _sigmoid(scores, backend.xp)


def _sigmoid(scores: Array, xp: Any) -> Array:
    """Return ``1 / (1 + exp(-scores))`` without overflow."""
    e = xp.exp(-xp.abs(scores))
    return xp.where(scores >= 0, xp.ones_like(e), e) / (1.0 + e)

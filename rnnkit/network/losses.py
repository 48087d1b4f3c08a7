"""Outputs for numbers: the losses of regression, each with the value that training starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rnnkit.backends.interface import Array
from rnnkit.network.outputs import ElementwiseOutput, OutputContext

__all__ = [
    "AbsoluteError",
    "HuberLoss",
    "PoissonLoss",
    "QuantileLoss",
    "SquaredError",
    "weighted_quantile",
]


def weighted_quantile(
    values: np.ndarray, quantile: float, weights: np.ndarray | None = None
) -> np.ndarray:
    """Return the quantile of each column of values, every row counting by its weight.

    Parameters
    ----------
    values : ndarray of shape (n, K)
        Numbers.
    quantile : float
        q, in (0, 1).
    weights : ndarray of shape (n,), default=None
        At least 0, not all 0; None means ones.

    Returns
    -------
    ndarray of shape (K,), float64
        The number that has the share q of the weight at or below it: the smallest one, or the
        middle between it and the next larger value where that has the very share too. Each
        minimizes the pinball loss; without weights and with q = 1/2 it is `numpy.median`.
    """
    n = len(values)
    weights = np.ones(n) if weights is None else np.asarray(weights, np.float64)
    quantiles = np.empty(values.shape[1])
    for column, numbers in enumerate(values.T):
        order = np.argsort(numbers, kind="stable")
        below = np.cumsum(weights[order])
        share = quantile * below[-1]
        first, last = (
            min(int(np.searchsorted(below, share, side)), n - 1) for side in ("left", "right")
        )
        quantiles[column] = 0.5 * numbers[order[first]] + 0.5 * numbers[order[last]]
    return quantiles


@dataclass(frozen=True)
class SquaredError(ElementwiseOutput):
    """Numbers; ``loss = mean over k of (score_k - y_k)² / 2``, as in scikit-learn's MLP.

    Parameters
    ----------
    n_outputs : int
        K.
    """

    spoken_name: ClassVar[str] = "loss='squared'"

    def compare(self, scores: Array, targets: Array, xp: Any) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""
        errors = scores - targets
        slopes = errors / self.n_outputs
        errors *= slopes
        errors *= 0.5
        return errors, slopes

    def start(self, targets: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the mean of the targets."""
        return np.asarray(np.average(targets, axis=0, weights=weights))


@dataclass(frozen=True)
class AbsoluteError(ElementwiseOutput):
    """Numbers; ``loss = mean over k of |score_k - y_k|``: predicts medians.

    Parameters
    ----------
    n_outputs : int
        K.
    """

    spoken_name: ClassVar[str] = "loss='absolute'"

    def compare(self, scores: Array, targets: Array, xp: Any) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""
        errors = scores - targets
        return xp.abs(errors) / self.n_outputs, xp.sign(errors) / self.n_outputs

    def start(self, targets: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the median of the targets."""
        return weighted_quantile(targets, 0.5, weights)


@dataclass(frozen=True)
class HuberLoss(ElementwiseOutput):
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

    spoken_name: ClassVar[str] = "loss='huber'"

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

    def start(self, targets: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the median of the targets."""
        return weighted_quantile(targets, 0.5, weights)


@dataclass(frozen=True)
class QuantileLoss(ElementwiseOutput):
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

    spoken_name: ClassVar[str] = "loss='quantile'"

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

    def start(self, targets: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the quantile of the targets."""
        return weighted_quantile(targets, self.quantile, weights)


@dataclass(frozen=True)
class PoissonLoss(ElementwiseOutput):
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

    spoken_name: ClassVar[str] = "loss='poisson'"

    def compare(self, scores: Array, targets: Array, xp: Any) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""
        means = xp.exp(scores)
        return (means - targets * scores) / self.n_outputs, (means - targets) / self.n_outputs

    def decision(self, scores: Array, context: OutputContext) -> Array:
        """Return the predicted means."""
        return context.backend.xp.exp(scores)

    def check(self, targets: np.ndarray, lengths: np.ndarray | None = None) -> None:
        """Raise ValueError unless the targets are finite numbers (n, K) of at least 0."""
        super().check(targets)
        if np.any(targets < 0):
            raise ValueError(f"{self.spoken_name} needs y of at least 0, got {targets.min():.6g}")

    def start(self, targets: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the logarithm of the mean of the targets."""
        mean = np.average(targets, axis=0, weights=weights)
        return np.asarray(np.log(np.maximum(mean, np.finfo(np.float64).tiny)))

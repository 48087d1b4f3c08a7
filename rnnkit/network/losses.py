"""Outputs for numbers: the losses of regression, each with the value that training starts from."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from rnnkit.backends.interface import Array, Backend
from rnnkit.network.outputs import ElementwiseOutput, OutputContext, as_counts
from rnnkit.sequences.numbers import exponents_of

__all__ = [
    "AbsoluteError",
    "HuberLoss",
    "PoissonLoss",
    "QuantileLoss",
    "SquaredError",
    "StandardizedOutput",
    "weighted_quantile",
    "weights_of_columns",
]


def weights_of_columns(weights: np.ndarray | None, n_columns: int) -> list[np.ndarray] | list[None]:
    """Return the weights (n,) of each of K columns, from those of rows, of entries, or None."""
    if weights is None:
        return [None] * n_columns
    return [weights if weights.ndim == 1 else weights[:, k] for k in range(n_columns)]


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
    weights : ndarray of shape (n,) or (n, K), default=None
        At least 0, not all 0, of rows or of entries; None means ones.

    Returns
    -------
    ndarray of shape (K,), float64
        The number that has the share q of the weight at or below it: the smallest one, or the
        middle between it and the next larger value where that has the very share too, up to the
        rounding of the sum. Each minimizes the pinball loss; without weights and with q = 1/2 it
        is `numpy.median`.
    """
    n = len(values)
    weights = np.ones(n) if weights is None else np.asarray(weights, np.float64)
    quantiles = np.empty(values.shape[1])
    for column, numbers in enumerate(values.T):
        order = np.argsort(numbers, kind="stable")
        below = np.cumsum((weights if weights.ndim == 1 else weights[:, column])[order])
        total = below[-1]
        share, rounding = quantile * total, n * np.finfo(np.float64).eps * total
        first = int(np.searchsorted(below, max(share - rounding, np.nextafter(0.0, 1.0)), "left"))
        last = int(np.searchsorted(below, min(share + rounding, np.nextafter(total, 0.0)), "right"))
        quantiles[column] = 0.5 * numbers[order[first]] + 0.5 * numbers[order[last]]
    return quantiles


@dataclass(frozen=True)
class StandardizedOutput(ElementwiseOutput):
    """Base of the outputs whose raw scores are numbers in the targets' own unit.

    Training does not depend on where the targets lie and how far they spread: fitted on
    ``a y + b`` with a > 0, a network predicts ``a`` times as much plus ``b``, up to rounding.

    Parameters
    ----------
    n_outputs : int
        K.
    center, scale : tuple of K float, default=None
        A raw score s stands for the number ``center + scale s``; None: for s itself.
    """

    center: tuple[float, ...] | None = field(default=None, kw_only=True)
    scale: tuple[float, ...] | None = field(default=None, kw_only=True)

    _power: ClassVar[int] = 1  # of the scale in the unit of the loss

    def standardized(self, targets: np.ndarray, weights: np.ndarray | None = None) -> Any:
        """Return the output with the center and scale of its training data.

        Parameters
        ----------
        targets : ndarray of shape (n, K)
        weights : ndarray of shape (n,) or (n, K), default=None
            Weight of each target, or of each of its entries; None means ones.

        Returns
        -------
        StandardizedOutput
            Where all targets of an output are one number, its scale is that number's size.
        """
        center, scale = self._spread(targets, weights)
        constant = np.where(center != 0, np.abs(center), 1.0)
        usable = (scale > 0) & np.isfinite(scale)
        scale = np.where(usable, scale, constant)
        return replace(self, center=tuple(center.tolist()), scale=tuple(scale.tolist()))

    def _spread(
        self, targets: np.ndarray, weights: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return center and scale (K,): median and the middle half, which outliers cannot move.

        Where half of the targets are equal, the middle half grows until it spreads.
        """
        center = weighted_quantile(targets, 0.5, weights)
        scale = np.zeros(len(center))
        for tail, normal in _TAILS:
            low, high = (weighted_quantile(targets, q, weights) for q in (tail, 1.0 - tail))
            scale = np.where(scale > 0, scale, (high - low) / normal)
        return center, np.where(scale > 0, scale, _deviation(targets, weights))

    def to_scores(self, targets: np.ndarray) -> np.ndarray:
        """Return targets (n, K) in the unit of raw scores."""
        if self.scale is None:
            return targets
        return np.asarray((targets - np.array(self.center)) / np.array(self.scale))

    def decision(self, scores: Array, context: OutputContext) -> Array:
        """Return the predicted values."""
        if self.scale is None:
            return scores
        assert self.center is not None
        scale, center = _arrays_of(self.scale, self.center, scores.dtype)
        upload = context.backend.upload
        values = scores * upload(scale)
        values += upload(center)
        return values

    def best_shift(
        self, scores: np.ndarray, targets: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray | None:
        """Return what added to all raw scores makes the loss smallest; None: little is gained.

        Parameters
        ----------
        scores : ndarray of shape (n, width)
        targets : ndarray of shape (n, K)
            In the unit of scores.
        weights : ndarray of shape (n,) or (n, K), or None
        """
        return None

    @property
    def loss_units(self) -> np.ndarray:
        """The power of the scale that the loss of each output has, (K,)."""
        if self.scale is None:
            return np.ones(self.n_outputs)
        with np.errstate(over="ignore", under="ignore"):  # infinite or 0 is what a float holds
            return np.asarray(np.array(self.scale) ** self._power)

    @property
    def loss_unit(self) -> float:
        """The mean of `loss_units` over the outputs."""
        return float(np.mean(self.loss_units))

    def start(self, targets: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the raw scores of the constant that has the smallest loss."""
        return self.to_scores(self._best_constant(targets, weights))

    @abstractmethod
    def _best_constant(self, targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        """Return the constant (K,) that has the smallest loss."""


@lru_cache(maxsize=64)  # a stream asks for every step
def _arrays_of(
    scale: tuple[float, ...], center: tuple[float, ...], dtype: Any
) -> tuple[np.ndarray, np.ndarray]:
    return np.array(scale, dtype), np.array(center, dtype)


# Shares of the targets on each side of a middle part, and how far the middle part of a standard
# normal distribution reaches.
_TAILS = ((0.25, 1.3490), (0.1, 2.5631), (0.02, 4.1075))


def _mean(targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return the mean of each column, (K,), however large the numbers are."""
    exponents = exponents_of(targets)
    mean = np.average(np.ldexp(targets, -exponents), axis=0, weights=weights)
    return np.asarray(np.ldexp(mean, exponents))


def _deviation(targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return the standard deviation of each column, (K,); 0 where it is of rounding alone."""
    exponents = exponents_of(targets)
    targets = np.ldexp(targets, -exponents)
    mean = np.average(targets, axis=0, weights=weights)
    deviation = np.sqrt(np.average((targets - mean) ** 2, axis=0, weights=weights))
    return np.where(np.ptp(targets, axis=0) > 0, np.ldexp(deviation, exponents), 0.0)


@dataclass(frozen=True)
class SquaredError(StandardizedOutput):
    """Numbers; ``loss = mean over k of (score_k - y_k)² / 2``, as in scikit-learn's MLP.

    Parameters
    ----------
    n_outputs : int
        K.
    center, scale : tuple of K float, default=None
        A raw score s stands for the number ``center + scale s``; None: for s itself.
    """

    _power: ClassVar[int] = 2

    spoken_name: ClassVar[str] = "loss='squared'"

    def compare(self, scores: Array, targets: Array, backend: Backend) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""
        errors = scores - targets
        slopes = errors / self.n_outputs
        errors *= slopes
        errors *= 0.5
        return errors, slopes

    def _best_constant(self, targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        return _mean(targets, weights)

    def _spread(
        self, targets: np.ndarray, weights: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (K,)."""
        return self._best_constant(targets, weights), _deviation(targets, weights)


@dataclass(frozen=True)
class AbsoluteError(StandardizedOutput):
    """Numbers; ``loss = mean over k of |score_k - y_k|``: predicts medians.

    Parameters
    ----------
    n_outputs : int
        K.
    center, scale : tuple of K float, default=None
        A raw score s stands for the number ``center + scale s``; None: for s itself.
    """

    spoken_name: ClassVar[str] = "loss='absolute'"

    def compare(self, scores: Array, targets: Array, backend: Backend) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""
        errors = scores - targets
        xp = backend.xp
        return xp.abs(errors) / self.n_outputs, xp.sign(errors) / self.n_outputs

    def best_shift(
        self, scores: np.ndarray, targets: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Return the quantile of the residuals: slopes of one size never settle there."""
        return weighted_quantile(targets - scores, 0.5, weights)

    def _best_constant(self, targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        return weighted_quantile(targets, 0.5, weights)


@dataclass(frozen=True)
class HuberLoss(StandardizedOutput):
    """Numbers; squared error near the target, absolute error beyond `delta`.

    Parameters
    ----------
    n_outputs : int
        K.
    delta : float, default=1.0
        Where the one becomes the other, above 0, in the targets' unit.
    center, scale : tuple of K float, default=None
        A raw score s stands for the number ``center + scale s``; None: for s itself.

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
    _power: ClassVar[int] = 2

    delta: float = 1.0

    def __post_init__(self) -> None:
        if not self.delta > 0:
            raise ValueError(f"delta of HuberLoss must be positive, got {self.delta!r}")

    def compare(self, scores: Array, targets: Array, backend: Backend) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""
        errors = scores - targets
        limit: Any = self.delta
        if self.scale is not None:  # the limit is in the targets' unit, the errors are not
            limit = backend.upload(np.array(self.delta / np.array(self.scale), scores.dtype))
        slopes = backend.xp.clip(errors, -limit, limit)
        losses = slopes * (errors - 0.5 * slopes)
        return losses / self.n_outputs, slopes / self.n_outputs

    def _best_constant(self, targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        return weighted_quantile(targets, 0.5, weights)


@dataclass(frozen=True)
class QuantileLoss(StandardizedOutput):
    """Numbers; the pinball loss, whose minimum is a quantile.

    Parameters
    ----------
    n_outputs : int
        K.
    quantile : float, default=0.5
        Which quantile q, in (0, 1).
    center, scale : tuple of K float, default=None
        A raw score s stands for the number ``center + scale s``; None: for s itself.

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

    def compare(self, scores: Array, targets: Array, backend: Backend) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""
        errors = scores - targets
        above, below = (1.0 - self.quantile) / self.n_outputs, -self.quantile / self.n_outputs
        xp = backend.xp
        slopes = xp.where(errors > 0, above, xp.where(errors < 0, below, 0.0))
        slopes = slopes.astype(errors.dtype)
        return errors * slopes, slopes

    def best_shift(
        self, scores: np.ndarray, targets: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Return the quantile of the residuals: slopes of one size never settle there."""
        return weighted_quantile(targets - scores, self.quantile, weights)

    def _best_constant(self, targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
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

    def compare(self, scores: Array, targets: Array, backend: Backend) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""
        means = backend.xp.exp(scores)
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
        """Return the logarithm of the mean of the targets.

        Where all are 0 it is that of half a count among them: from a mean of 0 no training leads
        back, should others come later.
        """
        counts = as_counts(weights)
        total = float(len(targets)) if counts is None else counts.sum(axis=0)
        mean = _mean(targets, weights)
        return np.asarray(np.log(np.where(mean > 0, mean, 0.5 / total)))

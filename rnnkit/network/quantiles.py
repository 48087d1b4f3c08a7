"""The output for several quantiles of one number at once, which never cross.

Letters: n rows, K numbers, Q quantiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rnnkit.backends.interface import Array, Backend
from rnnkit.network.labels import sigmoid
from rnnkit.network.losses import StandardizedOutput, weighted_quantile, weights_of_columns
from rnnkit.network.outputs import OutputContext

__all__ = ["Quantiles"]

# In raw scores: between quantiles that are equal at first, so that they can part; and how far
# below its argument a softplus is nothing beside 1.
_SMALLEST_GAP = 1e-3
_NO_GAP = -30.0


@dataclass(frozen=True)
class Quantiles(StandardizedOutput):
    """Q quantiles for each of K numbers; the mean of their pinball losses.

    Parameters
    ----------
    n_outputs : int
        K.
    quantiles : tuple of Q float, default=(0.5,)
        Which, each in (0, 1) and given once, in any order; columns keep it.
    center, scale : tuple of K float, default=None
        A value s stands for the number ``center + scale s``; None: for s itself.

    Raises
    ------
    ValueError
        If there is no quantile, one is out of range or comes twice.

    Notes
    -----
    Sorted, ``τ_1 < … < τ_Q``, with m the one nearest to 1/2 (the lower of two), the raw scores r
    give ``v_m = r_m``, ``v_i = v_(i-1) + softplus(r_i)`` above it and
    ``v_i = v_(i+1) - softplus(r_i)`` below, with ``softplus(r) = log(1 + exp r)``: values are in
    the order of their quantiles by construction, after rounding too. The loss is
    ``τ (y - v)`` if ``y > v`` else ``(1 - τ) (v - y)``, mean over k and the quantiles. As scale is
    positive, ``a y + b`` with a > 0 gives ``a v + b``. With a < 0 the quantile τ of ``a y`` is
    that of 1 - τ of y: where the list mirrors itself, the network has a mirror image, but it is
    drawn from other random numbers and fits apart.
    """

    spoken_name: ClassVar[str] = "loss='quantile'"

    quantiles: tuple[float, ...] = (0.5,)

    def __post_init__(self) -> None:
        quantiles = self.quantiles
        if not quantiles or not all(0 < q < 1 for q in quantiles):
            raise ValueError(f"quantiles of Quantiles must lie in (0, 1), got {quantiles!r}")
        if len(set(quantiles)) < len(quantiles):
            raise ValueError(f"quantiles of Quantiles must come once each, got {quantiles!r}")

    @property
    def width(self) -> int:
        """The number of raw scores in a row, K·Q: the quantiles of the first number first."""
        return self.n_outputs * len(self.quantiles)

    def compare(self, scores: Array, targets: Array, backend: Backend) -> tuple[Array, Array]:
        """Return the losses (·, K·Q) and their derivatives by the scores, both new."""
        xp = backend.xp
        raw, values = self._values(scores, xp)
        losses, slopes = xp.empty_like(values), xp.empty_like(values)
        share = 1.0 / self.width
        for column, quantile in enumerate(self.quantiles):
            errors = values[:, :, column] - targets
            above, below = (1.0 - quantile) * share, -quantile * share
            slope = xp.where(errors > 0, above, xp.where(errors < 0, below, 0.0))
            slopes[:, :, column] = slope
            losses[:, :, column] = errors * slope
        lower, middle, upper = self.columns()
        # A gap moves its own quantile and all beyond it; the outermost comes first.
        for columns, sign in ((upper, 1.0), (lower, -1.0)):
            moved = xp.zeros_like(slopes[:, :, 0])
            for column in reversed(columns):
                moved += slopes[:, :, column]
                slopes[:, :, column] = sign * moved * sigmoid(raw[:, :, column], xp)
            slopes[:, :, middle] += moved
        return losses.reshape(len(scores), -1), slopes.reshape(len(scores), -1)

    def decision(self, scores: Array, context: OutputContext) -> Array:
        """Return the values of the quantiles, (·, K, Q)."""
        backend = context.backend
        _, values = self._values(scores, backend.xp)
        if self.scale is None:
            return values
        values *= backend.upload(np.array(self.scale, scores.dtype))[:, None]
        values += backend.upload(np.array(self.center, scores.dtype))[:, None]
        return values

    def best_shift(
        self, scores: np.ndarray, targets: np.ndarray, weights: np.ndarray | None
    ) -> np.ndarray:
        """Return what added to all raw scores gives every quantile its share of the targets.

        From the middle outwards: with the value v before it settled, a target y is at or below
        ``v + softplus(r + δ)`` from ``δ = softplus⁻¹(y - v) - r`` on; the quantile τ of these is
        the shift. So shares are right and no quantile crosses another.
        """
        scores = np.asarray(scores, np.float64)
        shift = np.zeros((self.n_outputs, len(self.quantiles)))
        lower, middle, upper = self.columns()
        raws = self._split(scores).transpose(1, 0, 2)
        for k, w in enumerate(weights_of_columns(weights, self.n_outputs)):
            raw, y = raws[k], targets[:, k]
            quantile = self.quantiles[middle]
            shift[k, middle] = _quantile(y - raw[:, middle], quantile, w)
            for columns, sign in ((upper, 1.0), (lower, -1.0)):
                value = raw[:, middle] + shift[k, middle]
                for column in columns:
                    gap = sign * (y - value)
                    with np.errstate(divide="ignore", over="ignore"):
                        needed = np.where(gap > 0, _inverse_softplus(np.maximum(gap, 0.0)), -np.inf)
                    needed = np.maximum(needed - raw[:, column], _NO_GAP - raw[:, column])
                    quantile = self.quantiles[column]
                    share = quantile if sign > 0 else 1.0 - quantile
                    shift[k, column] = _quantile(needed, share, w)
                    value = value + sign * np.logaddexp(raw[:, column] + shift[k, column], 0.0)
        return shift.reshape(-1)

    def start(self, targets: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the raw scores of the constants that have the smallest losses.

        Quantiles of the targets that are equal start a small gap apart.
        """
        values = np.stack(
            [self.to_scores(weighted_quantile(targets, q, weights)) for q in self.quantiles], axis=1
        )
        scores = values.copy()
        lower, middle, upper = self.columns()
        for columns, sign in ((upper, 1.0), (lower, -1.0)):
            before = middle
            for column in columns:
                gap = sign * (values[:, column] - values[:, before])
                scores[:, column] = _inverse_softplus(np.maximum(gap, _SMALLEST_GAP))
                before = column
        return scores.reshape(-1)

    def _best_constant(self, targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        return weighted_quantile(targets, self.quantiles[self.columns()[1]], weights)

    def columns(self) -> tuple[list[int], int, list[int]]:
        """Return the columns below the middle one, it, and those above; the nearest come first."""
        order = sorted(range(len(self.quantiles)), key=self.quantiles.__getitem__)
        middle = min(order, key=lambda column: abs(self.quantiles[column] - 0.5))
        place = order.index(middle)
        return order[:place][::-1], middle, order[place + 1 :]

    def _split(self, scores: Array) -> Array:
        return scores.reshape(len(scores), self.n_outputs, len(self.quantiles))

    def _values(self, scores: Array, xp: Any) -> tuple[Array, Array]:
        """Return scores as (n, K, Q), and the values that they stand for, new."""
        raw = self._split(scores)
        values = xp.empty_like(raw)
        lower, middle, upper = self.columns()
        values[:, :, middle] = raw[:, :, middle]
        for columns, sign in ((upper, 1.0), (lower, -1.0)):
            value = raw[:, :, middle]
            for column in columns:
                gap = xp.logaddexp(raw[:, :, column], xp.zeros_like(value))
                value = value + sign * gap
                values[:, :, column] = value
        return raw, values


def _inverse_softplus(x: np.ndarray) -> np.ndarray:
    """Return what has the softplus x >= 0; -inf for 0."""
    return np.asarray(x + np.log(-np.expm1(-x)))


def _quantile(numbers: np.ndarray, quantile: float, weights: np.ndarray | None) -> float:
    return float(weighted_quantile(numbers[:, None], quantile, weights)[0])

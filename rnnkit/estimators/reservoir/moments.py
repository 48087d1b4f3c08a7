"""Sums over rows from which a linear readout follows in closed form.

Letters: n rows, H numbers of a row, K outputs, C groups of outputs that share their weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.linalg

__all__ = ["GRID", "GRID_OF_STEPS", "Moments", "Readout"]

# Penalties that are tried, in units of the mean variance of the states summed over rows. States of
# successive steps are many and hardly noisy, so that small ones may be right; still smaller ones
# predict the next step better, but in a closed loop large weights make errors grow.
GRID = np.logspace(-6, 2, 17)
GRID_OF_STEPS = np.logspace(-7, 2, 19)


class Readout(NamedTuple):
    """A linear readout ``y = W h + b``.

    Parameters
    ----------
    weight : ndarray of shape (K, H), float64
    bias : ndarray of shape (K,), float64
    alpha : float
        The penalty it was solved with.
    losses : ndarray of shape (K,), float64
        Weighted mean over the rows of half the squared error of each output.
    """

    weight: np.ndarray
    bias: np.ndarray
    alpha: float
    losses: np.ndarray


@dataclass(frozen=True, eq=False)
class Moments:
    """Weighted sums of the products of all pairs among the states, the targets and 1.

    Sums over some rows and over others add up to those over all, so that rows may come in any
    number of parts, and memory does not grow with them.

    Parameters
    ----------
    sums : ndarray of shape (C, H + K / C + 1, H + K / C + 1), float64
        ``Z' diag(w) Z`` with ``Z = [states, targets, 1]``, where C is 1 if all outputs have the
        same weights and K if each has its own.
    n_outputs : int
        K.
    n_rows : ndarray of shape (C,)
        How many rows have a weight above 0.
    """

    sums: np.ndarray
    n_outputs: int
    n_rows: np.ndarray

    @classmethod
    def nothing(cls, n_states: int, n_outputs: int) -> Moments:
        """Return the sums over no row."""
        width = n_states + n_outputs + 1
        return cls(np.zeros((1, width, width)), n_outputs, np.zeros(1))

    @property
    def n_states(self) -> int:
        """H."""
        return int(self.sums.shape[1]) - self.n_outputs // len(self.sums) - 1

    def plus(
        self, states: np.ndarray, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> Moments:
        """Return the sums over more rows; what a row without weight holds is not looked at.

        Parameters
        ----------
        states : ndarray of shape (n, H)
        targets : ndarray of shape (n, K)
        weights : ndarray of shape (n,) or (n, K), default=None
            None: ones.
        """
        if weights is not None:
            kept = np.flatnonzero(weights if weights.ndim == 1 else weights.any(axis=1))
            if not len(kept):
                return self
            states, targets, weights = states[kept], targets[kept], weights[kept]
        n, k = targets.shape
        rows = np.empty((n, self.n_states + k + 1))
        rows[:, : self.n_states] = states
        rows[:, self.n_states : -1] = targets
        rows[:, -1] = 1.0
        if weights is not None and weights.ndim == 1:
            rows *= np.sqrt(weights)[:, None]
            weights = None
        if weights is None and len(self.sums) == 1:
            return Moments(self.sums + rows.T @ rows, k, self.n_rows + n)
        before = self._by_output()
        own = before.sums.copy()
        counts = np.full(k, n) if weights is None else np.count_nonzero(weights, axis=0)
        for output in range(k):
            of_output = rows[:, self._columns(output)]
            if weights is not None:
                of_output = of_output * np.sqrt(weights[:, output])[:, None]
            own[output] += of_output.T @ of_output
        return Moments(own, k, before.n_rows + counts)

    def readout(
        self,
        alpha: float | Sequence[float] | None,
        grid: np.ndarray = GRID,
        *,
        standardized: bool = False,
    ) -> Readout:
        """Solve for the readout with the smallest squared error and penalty.

        Parameters
        ----------
        alpha : float, sequence of float or None
            The penalty, of several the one with the smallest error by generalized cross-validation
            (Golub, Heath & Wahba 1979): the mean squared error divided by ``(1 - f / n)²`` with f
            the trace of the map from targets to fits. n counts a row by its weight, but not less
            than 1 on average: weights that sum to 1 say nothing of how many rows there are. None:
            of those of the grid. 0 is the pseudo-inverse.
        grid : ndarray, default=GRID
            Penalties in units of the mean variance of the states summed over rows.
        standardized : bool, default=False
            Whether the squared errors of each output are divided by the variance of its targets
            before they are added up to choose a penalty.
        """
        h, groups = self.n_states, self._groups(standardized)
        if alpha is None:
            spread = float(np.mean([group.values.mean() for group in groups]))
            tried = [float(a) for a in grid * spread] if spread > 0 else [1.0]
        else:
            tried = [float(a) for a in np.atleast_1d(np.asarray(alpha, np.float64))]
        chosen = tried[0]
        if len(tried) > 1:
            errors = [sum(group.crossed_error(a) for group in groups) for a in tried]
            # The last, which is the largest, where not one can be told from the rows.
            chosen = tried[int(np.argmin(errors))] if np.isfinite(errors).any() else max(tried)
        weight = np.concatenate([group.weight(chosen) for group in groups])
        means = [group.means for group in groups]
        bias = np.concatenate([m[h:] for m in means])
        bias -= np.concatenate([group.weight(chosen) @ group.means[:h] for group in groups])
        losses = np.concatenate([0.5 * group.errors(chosen) / group.n for group in groups])
        return Readout(weight, bias, chosen, losses)

    def crossed_error(self, alpha: float) -> float:
        """Return the error by generalized cross-validation, summed over the outputs."""
        return float(sum(group.crossed_error(alpha) for group in self._groups(False)))

    def error(self, readout: Readout) -> float:
        """Return the mean squared error of a readout of other rows, summed over the outputs."""
        error = 0.0
        parts = zip(self._by_output().sums, readout.weight, readout.bias)
        for sums, weight, bias in parts:
            missed = np.concatenate([-weight, [1.0, -bias]])
            error += max(float(missed @ sums @ missed), 0.0) / float(sums[-1, -1])
        return error

    @property
    def weights_of_outputs(self) -> np.ndarray:
        """The sum of the weights of each output, or of all, (C,)."""
        return np.asarray(self.sums[:, -1, -1])

    def _groups(self, standardized: bool) -> list[_Group]:
        groups = zip(self.sums, self.n_rows.tolist())
        return [_Group.of(sums, self.n_states, n_rows, standardized) for sums, n_rows in groups]

    def _columns(self, output: int) -> np.ndarray:
        h = self.n_states
        return np.append(np.arange(h), [h + output, h + self.n_outputs])

    def _by_output(self) -> Moments:
        """Return the same with sums for each output."""
        if len(self.sums) == self.n_outputs:
            return self
        parts = [self.sums[0][np.ix_(c, c)] for c in map(self._columns, range(self.n_outputs))]
        return Moments(np.stack(parts), self.n_outputs, np.repeat(self.n_rows, self.n_outputs))


@dataclass(frozen=True, eq=False)
class _Group:
    """Outputs with the same weights, in the axes in which the states are not correlated.

    Parameters
    ----------
    n : float
        The sum of the weights.
    n_rows : float
        The rows with a weight above 0.
    units : ndarray of shape (K,)
        What squared errors are divided by before they are added up over the outputs.
    means : ndarray of shape (H + K,)
        Of states and targets.
    values, axes : ndarray of shape (H,), (H, H)
        Eigenvalues and eigenvectors of the centred states' products.
    products : ndarray of shape (H, K)
        The centred states' products with the targets, in these axes.
    squares : ndarray of shape (K,)
        The sum of the squares of the centred targets.
    """

    n: float
    n_rows: float
    units: np.ndarray
    means: np.ndarray
    values: np.ndarray
    axes: np.ndarray
    products: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, sums: np.ndarray, n_states: int, n_rows: float, standardized: bool) -> _Group:
        n = float(sums[-1, -1])
        means = sums[:-1, -1] / n
        centred = sums[:-1, :-1] - n * np.outer(means, means)
        values, axes = scipy.linalg.eigh(centred[:n_states, :n_states], driver="evd")
        limit = np.finfo(np.float64).eps * n_states * max(float(values[-1]), 0.0)
        values = np.where(values > limit, values, 0.0)
        products = axes.T @ centred[:n_states, n_states:]
        products[values == 0.0] = 0.0  # rounding alone
        squares = np.diagonal(centred)[n_states:]
        units = np.where(standardized & (squares > 0), squares / n, 1.0)
        return cls(n, n_rows, units, means, values, axes, products, squares)

    def weight(self, alpha: float) -> np.ndarray:
        """Return the weights (K, H) for a penalty."""
        return np.asarray((self.axes @ (self._inverse(alpha)[:, None] * self.products)).T)

    def errors(self, alpha: float) -> np.ndarray:
        """Return the sum of the squared errors of each output, (K,)."""
        inverse = self._inverse(alpha)
        explained = inverse * (2.0 - self.values * inverse)
        # One by one: BLAS rounds a product with a matrix by how many columns it has.
        errors = self.squares - [explained @ column for column in (self.products**2).T]
        return np.asarray(np.maximum(errors, np.finfo(np.float64).eps * self.squares))

    def crossed_error(self, alpha: float) -> float:
        """Return the error by generalized cross-validation; infinite where rows do not suffice."""
        free = 1.0 - (1.0 + float(self.values @ self._inverse(alpha))) / max(self.n, self.n_rows)
        error = float((self.errors(alpha) / self.units).sum())
        return error / free**2 if free > 0 else float("inf")

    def _inverse(self, alpha: float) -> np.ndarray:
        damped = self.values + alpha
        return np.divide(1.0, damped, out=np.zeros_like(damped), where=self.values > 0)

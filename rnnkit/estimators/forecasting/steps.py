"""What a network reads of a series at each step, what it learns to say there, and in which windows.

A step t is answered with the next S values, as distances from how the series would go on by its
differences alone. Every step of a window is an example (Wen et al. 2017 call it forking sequences),
so that a short series gives many; answers beyond its end are missing, not lost with the rest.

Letters: N series, T steps, L steps without a difference, K channels, S steps ahead, P covariates,
W steps of a window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rnnkit.estimators.forecasting.profile import continued, differences
from rnnkit.estimators.forecasting.smoothing import smoothed

__all__ = ["Steps", "Windows", "cut", "warm_up"]


@dataclass(frozen=True)
class Steps:
    """A series without season and unit, and what is known beside it.

    Parameters
    ----------
    z : ndarray of shape (T, K)
    lags : tuple of int
        The differences that the network sees in place of z.
    ahead : int
        How many steps of `known` beyond a step are read there.
    known : ndarray of shape (T + ahead or more, P), or (T, P); or None
        Covariates that are known in advance; beyond their end the last ones stand.
    past : ndarray of shape (T, P) or None
        Covariates that are known up to the present.
    static : ndarray of shape (P,) or None
        What does not change.
    drift : ndarray of shape (K,) or float, default=0.0
        The mean of the differences, which is taken off them.
    weights : ndarray of shape (T,), default=None
        How much each step counts as an answer; None: as much as any other.
    smoothing : list of K ndarray, default=None
        How level and trend are smoothed; see `smoothed`.
    """

    z: np.ndarray
    lags: tuple[int, ...]
    ahead: int
    known: np.ndarray | None
    past: np.ndarray | None
    static: np.ndarray | None
    drift: np.ndarray | float = 0.0
    weights: np.ndarray | None = None
    smoothing: list[np.ndarray] | None = None

    @property
    def first(self) -> int:
        """L, the first step that has a difference."""
        return sum(self.lags)

    def inputs(self) -> np.ndarray:
        """Return what is read at the steps from L on, (T - L, F)."""
        n = len(self.z)
        rows = np.arange(self.first, n)
        parts = [differences(self.z, self.lags) - self.drift]
        if self.past is not None:
            parts.append(self.past[rows])
        if self.known is not None:
            last = len(self.known) - 1
            places = np.minimum(rows[:, None] + np.arange(self.ahead + 1), last)
            parts.append(self.known[places].reshape(len(rows), -1))
        if self.static is not None:
            parts.append(np.broadcast_to(self.static, (len(rows), len(self.static))))
        return np.concatenate(parts, axis=1)

    def base(self, n_steps: int, rows: np.ndarray) -> np.ndarray:
        """Return how the series would go on by itself after some steps, (len(rows), S, K)."""
        if self.smoothing is not None:
            return smoothed(self.z, self.smoothing, n_steps, rows)
        return continued(self.z, self.lags, n_steps, rows)

    def targets(self, n_steps: int) -> np.ndarray:
        """Return the next S steps as distances from `base`, (T - L, S, K); NaN beyond the end."""
        n = len(self.z)
        rows = np.arange(self.first, n)
        places = rows[:, None] + 1 + np.arange(n_steps)
        values: np.ndarray = self.z[np.minimum(places, n - 1)] - self.base(n_steps, rows)
        values[places >= n] = np.nan
        if self.known is not None:  # what lies beyond its end is not known there
            values[rows + self.ahead >= n] = np.nan
        return values

    def shares(self, places: np.ndarray, n_steps: int, window: int) -> np.ndarray:
        """Return when something comes true, in [0, 1) from where all S steps ahead do on.

        Of steps with weights those that count for nothing take no time.

        Parameters
        ----------
        places : ndarray of int
            Steps after L + 1.
        n_steps : int
        window : int
        """
        earliest = warm_up(window) + n_steps - 1
        span = len(self.z) - self.first - 1 - earliest
        if self.weights is None:
            result: np.ndarray = (places - earliest) / max(span, 1)
            return result
        counts = self.weights[self.first + 1 + earliest :] > 0
        before = np.concatenate([[-1], np.cumsum(counts) - counts, [counts.sum()]])
        result = before[np.clip(places - earliest + 1, 0, span + 1)] / max(counts.sum(), 1)
        return result


def warm_up(window: int) -> int:
    """Return how many of the first steps of a series have no answer."""
    return window // 4


@dataclass(frozen=True)
class Windows:
    """Windows of all series, each with the answers at its steps.

    Parameters
    ----------
    inputs : list of ndarray of shape (W_i, F)
    targets : list of ndarray of shape (W_i, S, K)
        NaN where there is none.
    times : list of ndarray of shape (W_i, S)
        When each comes true, as `Steps.shares` says.
    places : list of (series, first step)
    weights : list of ndarray of shape (W_i, S), or None
        How much each answer counts.
    """

    inputs: list[np.ndarray]
    targets: list[np.ndarray]
    times: list[np.ndarray]
    places: list[tuple[int, int]]
    weights: list[np.ndarray] | None


def cut(series: list[Steps], n_steps: int, window: int, *, at_end: bool = False) -> Windows:
    """Return windows of `window` steps; they overlap, and the last ends where its series does.

    The first half of a window gives the network something to go by and has no answers, but at
    the beginning of a series, where there is nothing before.

    Parameters
    ----------
    series : list of Steps
    n_steps : int
    window : int
    at_end : bool, default=False
        Whether there is an answer at the last step of a window alone, as for what reads all of it
        before it answers. There are then more windows.
    """
    weights: list[np.ndarray] | None = None if series[0].weights is None else []
    found = Windows([], [], [], [], weights)
    for number, steps in enumerate(series):
        inputs, targets = steps.inputs(), steps.targets(n_steps)
        n = len(inputs)
        places = np.arange(n)[:, None] + np.arange(n_steps)
        times = steps.shares(places, n_steps, window)
        if steps.weights is not None:
            rows = np.minimum(places + steps.first + 1, len(steps.z) - 1)
            of_answers = steps.weights[rows]
            targets[of_answers == 0] = np.nan
        for start, end in (_ends if at_end else _places)(n, window):
            answers = targets[start:end].copy()
            answers[
                : (end - start - 1 if at_end else window // 2 if start else warm_up(window))
            ] = np.nan
            found.inputs.append(inputs[start:end])
            found.targets.append(answers)
            found.times.append(times[start:end])
            found.places.append((number, start))
            if weights is not None:
                weights.append(of_answers[start:end])
    return found


def _places(n: int, window: int) -> Iterator[tuple[int, int]]:
    for end in range(n, 0, -max(1, window // 4)):
        yield max(0, end - window), end
        if end <= window:
            return


def _ends(n: int, window: int) -> Iterator[tuple[int, int]]:
    """Yield windows that end further and further back, one for each eighth of their steps."""
    for end in range(n, warm_up(window), -max(1, window // 8)):
        yield max(0, end - window), end

"""What is taken out of a series before a network sees it, and put back exactly: growth that is
proportional, a season, a level or its changes, the unit.

Letters: N series, T steps, K channels, M steps of a season, S steps ahead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnnkit.estimators.forecasting.smoothing import fit_smoothing
from rnnkit.sequences.numbers import exponents_of

__all__ = [
    "Profile",
    "Treatment",
    "choose_treatment",
    "coefficients",
    "continued",
    "differences",
    "spread_of",
]

PERIODS = (4, 5, 7, 12, 24, 48, 52)  # what "auto" tries where no index tells the calendar
SEASONAL = 0.3  # share of the variance around the trend that a season must explain
CYCLES = 3  # seasons that a series must hold
PROPORTIONAL = 0.5  # power of the level with which the spread grows: 0 additive, 1 proportional
CONSTANT = 1e-10  # spread, as a share of the size, that is rounding
STATIONARY = 0.463  # 5 % point of the KPSS statistic, Kwiatkowski et al. (1992), table 1


@dataclass(frozen=True)
class Treatment:
    """What is done to every series of a fit.

    Parameters
    ----------
    log : bool
        Whether logarithms are taken.
    period : int
        Steps M of the season whose profile is taken off; 1: none is.
    lags : tuple of int
        The differences that are taken one after the other.
    """

    log: bool
    period: int
    lags: tuple[int, ...]

    @property
    def n_lost(self) -> int:
        """Steps at the beginning of a series that have no difference."""
        return sum(self.lags)


@dataclass(frozen=True)
class Profile:
    """One fitted series: its season, level and unit, for each channel.

    Parameters
    ----------
    treatment : Treatment
    season : ndarray of shape (M, K)
        What is taken off at the steps t, t + M, ...
    level : ndarray of shape (K,)
        What is taken off everywhere; zero where differences are taken.
    scale : ndarray of shape (K,)
        The unit: standard deviation of what is left, differences if such are taken.
    drift : ndarray of shape (K,)
        Mean of the differences in this unit.
    smoothing : list of K ndarray of shape (M, 6), default=None
        How level and trend are smoothed, from which the series goes on; None: it goes on from its
        last value, or by what differences of zero lead to.
    wider : ndarray of shape (S, K), default=None
        How many times larger errors of smoothing are where it was not fitted.
    """

    treatment: Treatment
    season: np.ndarray
    level: np.ndarray
    scale: np.ndarray
    drift: np.ndarray
    smoothing: list[np.ndarray] | None = None
    wider: np.ndarray | None = None

    @classmethod
    def fit(cls, values: np.ndarray, treatment: Treatment, n_steps: int = 0) -> Profile:
        """Fit a series (T, K); with smoothing where n_steps, those that are forecast, are given."""
        x = _logged(values, treatment.log)
        season = np.stack([_season(x[:, k], treatment.period) for k in range(x.shape[1])], axis=1)
        rest = x - _repeated(season, 0, len(x))
        n_lost = treatment.n_lost
        level = np.zeros(x.shape[1]) if n_lost else rest.mean(axis=0)
        changes = differences(rest - level, treatment.lags)
        scale = spread_of(changes, x)
        unit = np.where(scale > 0, scale, np.ldexp(1.0, exponents_of(x)))
        profile = cls(treatment, season, level, unit, changes.mean(axis=0) / unit)
        if not n_steps:
            return profile
        smoothing, wider = fit_smoothing(profile.apply(values), n_steps)
        return replace(profile, smoothing=smoothing, wider=wider)

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return a series (T, K) from its first step on without season, level and unit."""
        x = _logged(values, self.treatment.log)
        rest: np.ndarray = (x - _repeated(self.season, 0, len(x)) - self.level) / self.scale
        return rest

    def invert(self, rest: np.ndarray, first: int) -> np.ndarray:
        """Return values (..., S, K) of the steps from `first` on, counted from the first of all."""
        x = rest * self.scale + self.level + _repeated(self.season, first, rest.shape[-2])
        return np.exp(x) if self.treatment.log else np.asarray(x)


def _moderate(x: np.ndarray) -> np.ndarray:
    """Return columns in a unit in which their squares neither overflow nor vanish."""
    return np.asarray(np.ldexp(x, -exponents_of(x)))


def spread_of(x: np.ndarray, numbers: np.ndarray | None = None) -> np.ndarray:
    """Return the standard deviation of each column (T, K), however large or small.

    It is 0 where it is no more than rounding beside the largest of `numbers` (T', K), from which
    `x` was computed; None: of `x` itself.
    """
    spread = np.ldexp(_moderate(x).std(axis=0), exponents_of(x))
    largest = np.abs(x if numbers is None else numbers).max(axis=0, initial=0.0)
    return np.where(spread > CONSTANT * largest, spread, 0.0)


def coefficients(lags: tuple[int, ...]) -> np.ndarray:
    """Return c of z_t = sum_k c_k z_{t-k}, k = 1, ..., where all differences are zero."""
    polynomial = np.ones(1)
    for lag in lags:
        factor = np.zeros(lag + 1)
        factor[0], factor[lag] = 1.0, -1.0
        polynomial = np.convolve(polynomial, factor)
    return -polynomial[1:]


def differences(z: np.ndarray, lags: tuple[int, ...]) -> np.ndarray:
    """Return the differences of a series (T, K), shorter by the sum of the lags."""
    for lag in lags:
        z = z[lag:] - z[:-lag]
    return z


def continued(z: np.ndarray, lags: tuple[int, ...], n_steps: int, rows: np.ndarray) -> np.ndarray:
    """Return how a series would go on after each of some steps if nothing else happened.

    That is with differences of zero: the last value, or that of the last season.

    Parameters
    ----------
    z : ndarray of shape (T, K)
    lags : tuple of int
    n_steps : int
        S.
    rows : ndarray of int
        The steps after which it goes on, each with the sum of the lags before it.

    Returns
    -------
    ndarray of shape (len(rows), S, K)
    """
    result = np.zeros((len(rows), n_steps, z.shape[1]))
    weights = coefficients(lags)
    for ahead in range(n_steps):
        for back in np.flatnonzero(weights):
            place = ahead - back - 1
            before = result[:, place] if place >= 0 else z[rows + place + 1]
            result[:, ahead] += weights[back] * before
    return result


def choose_treatment(
    series: list[np.ndarray], stabilize: Any, seasonality: Any, difference: Any, calendar: int
) -> Treatment:
    """Return what is done to all series; each "auto" is what most channels of them ask for.

    Parameters
    ----------
    series : list of N ndarray of shape (T_i, K)
    stabilize, seasonality, difference
        As the parameters of a forecaster.
    calendar : int
        The season of the index; 0: no index tells.

    Raises
    ------
    ValueError
        If numbers are so large that sums of them overflow, or a series is shorter than two seasons
        that were asked for.
    """
    least = 1 if seasonality in (None, "auto") else 2 * int(seasonality)
    for i, x in enumerate(series):
        if len(x) < least:
            raise ValueError(
                f"series {i} of y has {len(x)} steps; two seasons of {seasonality} need at least "
                f"{least}"
            )
        largest = np.abs(x).max()
        if largest > np.finfo(np.float64).max / len(x) ** 2:
            raise ValueError(f"y must hold numbers whose sums float64 can hold, got {largest}")
    columns = [x[:, k] for x in series for k in range(x.shape[1])]
    if difference not in (None, "auto"):
        given = (difference,) if np.ndim(difference) == 0 else tuple(difference)
        lags = tuple(int(lag) for lag in given)
    else:
        lags = ()
    if seasonality == "auto":
        # A season that differences remove is none that a profile could hold.
        tried = (calendar,) if calendar else PERIODS
        period = _most([_period(x, tried) for x in columns]) if max(lags, default=1) == 1 else 1
    else:
        period = 1 if seasonality is None else int(seasonality)
    positive = all((x > 0).all() for x in columns)
    if stabilize == "auto":
        log = positive and _most([_grows(x, period) for x in columns])
    else:
        log = stabilize == "log"
    if difference == "auto":
        rests = [_rest(np.log(x) if log else x, period) for x in columns]
        lags = (1,) if _most([_wanders(rest) for rest in rests]) else ()
    return Treatment(bool(log), period, lags)


def _most(votes: list[Any]) -> Any:
    """Return what is said most often, of several the smallest."""
    values, counts = np.unique(votes, return_counts=True)
    return values[np.argmax(counts)].item()


def _logged(values: np.ndarray, log: bool) -> np.ndarray:
    x = values.astype(np.float64)
    return np.log(x) if log else x


def _repeated(season: np.ndarray, first: int, n: int) -> np.ndarray:
    """Return the season (n, K) at n steps from `first` on."""
    repeated: np.ndarray = season[(first + np.arange(n)) % len(season)]
    return repeated


def _trend(x: np.ndarray, period: int) -> np.ndarray:
    """Return the moving average over one season, at the ends continued by straight lines."""
    if period == 1:
        return x.copy()
    weights = np.ones(period + 1 - period % 2)
    if period % 2 == 0:
        weights[[0, -1]] = 0.5
    middle = np.convolve(x, weights / weights.sum(), "valid")
    n = len(weights) // 2
    q = min(len(middle), period)
    left, right = _line(middle[:q][::-1], n)[::-1], _line(middle[-q:], n)
    return np.concatenate([left, middle, right])


def _line(x: np.ndarray, n: int) -> np.ndarray:
    """Return n steps more of the least-squares line through x."""
    t = np.arange(len(x)) - (len(x) - 1) / 2
    slope = (t * x).sum() / max((t * t).sum(), 1.0)
    line: np.ndarray = x.mean() + slope * (t[-1] + 1 + np.arange(n))
    return line


def _season(x: np.ndarray, period: int) -> np.ndarray:
    """Return the mean distance from the trend at each step of the season."""
    if period == 1:
        return np.zeros(1)
    around = x - _trend(x, period)
    means = np.array([around[j::period].mean() for j in range(period)])
    profile: np.ndarray = means - means.mean()
    return profile


def _rest(x: np.ndarray, period: int) -> np.ndarray:
    return x - np.resize(_season(x, period), len(x))


def _period(x: np.ndarray, tried: tuple[int, ...]) -> int:
    """Return the season that explains most around its trend, adjusted for its length; or 1."""
    best, explained, x = 1, SEASONAL, _moderate(x)
    for period in tried:
        if period < 2 or len(x) < CYCLES * period:
            continue
        around = x - _trend(x, period)
        left = around - np.resize(_season(x, period), len(x))
        total = ((around - around.mean()) ** 2).sum() / (len(x) - 1)
        if total <= 0:
            continue
        share = 1 - (left**2).sum() / (len(x) - period) / total
        if share > explained + 0.02:  # a multiple of a season explains as much as the season
            best, explained = period, share
    return best


def _grows(x: np.ndarray, period: int) -> bool:
    """Whether the spread of blocks grows with their level (Guerrero 1993), which then varies."""
    x = _moderate(x)
    length = max(period, len(x) // 12, 4)
    n = len(x) // length
    if n < 3:
        return False
    blocks = x[len(x) - n * length :].reshape(n, length)
    t = np.arange(length) - (length - 1) / 2
    level = blocks.mean(axis=1)
    slopes = (blocks * t).sum(axis=1) / (t * t).sum()
    spread = (blocks - level[:, None] - slopes[:, None] * t).std(axis=1)
    if level.max() < 1.2 * level.min() or spread.min() <= 0:
        return False
    a, b = np.log(level), np.log(spread)
    a -= a.mean()
    return bool((a * b).sum() / (a * a).sum() > PROPORTIONAL)


def _wanders(z: np.ndarray) -> bool:
    """Whether a series has no level that it comes back to: the KPSS test at 5 %."""
    n = len(z)
    e = _moderate(z - z.mean())
    n_lags = min(int(4 * (n / 100) ** 0.25), n - 1)
    variance = (e * e).sum() / n
    for lag in range(1, n_lags + 1):
        variance += 2 * (1 - lag / (n_lags + 1)) * (e[lag:] * e[:-lag]).sum() / n
    if variance <= 0:
        return False
    return bool((np.cumsum(e) ** 2).sum() / n**2 / variance > STATIONARY)

"""Learning-rate schedules: the rate of every step, and what happens when progress stalls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from rnnkit.training.options import Options

__all__ = [
    "SCHEDULES",
    "Adaptive",
    "Constant",
    "Cosine",
    "InvScaling",
    "Linear",
    "Schedule",
    "make_schedule",
]


class Schedule(Options):
    """Base of the learning-rate schedules; on its own, a constant rate.

    A trainer works with a copy, so that a schedule given as an estimator's parameter is never
    changed.

    Attributes
    ----------
    is_planned : bool
        Whether the rate falls to its end over all steps, so that a training without progress goes
        on to where the rate is small, and one that ends there has ended as it should.
    """

    is_planned: ClassVar[bool] = False

    def check(self) -> None:
        """Raise ValueError if a parameter is out of its range."""

    def rate(self, step: int, n_steps: int, base_rate: float) -> float:
        """Return the learning rate of minibatch number `step` of `n_steps`, from 0."""
        return base_rate

    def epoch_end(self, n_seen: int) -> None:
        """Note the end of an epoch; `n_seen` sequences have been trained on so far."""

    def plateau(self, base_rate: float) -> bool:
        """Answer stalled progress: True ends the training, False goes on."""
        return True

    def state(self) -> dict[str, Any]:
        """Return all attributes that are no parameters, as a dict of numbers."""
        parameters = self._names()
        return {name: value for name, value in vars(self).items() if name not in parameters}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state` gave."""
        vars(self).update(state)


class Constant(Schedule):
    """The same rate at every step."""


class InvScaling(Schedule):
    """Rate divided by a power of the number of sequences seen, after every epoch.

    Parameters
    ----------
    power_t : float, default=0.5
        The exponent.

    Notes
    -----
    ``rate = base_rate / (t + 1) ** power_t`` with t the number of sequences seen at the end of
    the last epoch, as in scikit-learn's `MLPClassifier`.
    """

    def __init__(self, power_t: float = 0.5) -> None:
        self.power_t = power_t
        self._n_seen = 0

    def check(self) -> None:
        """Raise ValueError if a parameter is out of its range."""
        if not self.power_t >= 0:
            raise ValueError(f"power_t of InvScaling must not be negative, got {self.power_t!r}")

    def rate(self, step: int, n_steps: int, base_rate: float) -> float:
        """Return the learning rate of minibatch number `step` of `n_steps`, from 0."""
        if not self._n_seen:
            return base_rate
        return base_rate / float((self._n_seen + 1) ** self.power_t)

    def epoch_end(self, n_seen: int) -> None:
        """Note the end of an epoch; `n_seen` sequences have been trained on so far."""
        self._n_seen = n_seen


class Adaptive(Schedule):
    """Rate divided each time progress stalls, until it is too small to go on.

    Progress stalls when the training loss, or the validation score where there is one, has not
    improved by `tol` in more than `n_iter_no_change` epochs: scikit-learn's rule.

    Parameters
    ----------
    factor : float, default=5.0
        What the rate is divided by, above 1.
    minimum : float, default=1e-6
        The training ends when progress stalls at this rate or below.
    """

    def __init__(self, factor: float = 5.0, minimum: float = 1e-6) -> None:
        self.factor = factor
        self.minimum = minimum
        self._divisor = 1.0

    def check(self) -> None:
        """Raise ValueError if a parameter is out of its range."""
        if not self.factor > 1:
            raise ValueError(f"factor of Adaptive must be above 1, got {self.factor!r}")
        if not self.minimum >= 0:
            raise ValueError(f"minimum of Adaptive must not be negative, got {self.minimum!r}")

    def rate(self, step: int, n_steps: int, base_rate: float) -> float:
        """Return the learning rate of minibatch number `step` of `n_steps`, from 0."""
        return base_rate / self._divisor

    def plateau(self, base_rate: float) -> bool:
        """Answer stalled progress: True ends the training, False goes on."""
        if base_rate / self._divisor <= self.minimum:
            return True
        self._divisor *= self.factor
        return False


class Linear(Schedule):
    """Rate that falls on a straight line over all steps.

    Parameters
    ----------
    final : float, default=0.0
        Where the line ends, as a share of the first rate, in [0, 1].
    """

    is_planned: ClassVar[bool] = True

    def __init__(self, final: float = 0.0) -> None:
        self.final = final

    def check(self) -> None:
        """Raise ValueError if a parameter is out of its range."""
        if not 0 <= self.final <= 1:
            raise ValueError(f"final of Linear must lie in [0, 1], got {self.final!r}")

    def rate(self, step: int, n_steps: int, base_rate: float) -> float:
        """Return the learning rate of minibatch number `step` of `n_steps`, from 0."""
        share = max(1.0 - step / n_steps, 0.0)
        return base_rate * (self.final + (1.0 - self.final) * share)


class Cosine(Schedule):
    """Rate that falls on half a cosine wave over all steps.

    Parameters
    ----------
    final : float, default=0.0
        Where the wave ends, as a share of the first rate, in [0, 1].
    """

    is_planned: ClassVar[bool] = True

    def __init__(self, final: float = 0.0) -> None:
        self.final = final

    def check(self) -> None:
        """Raise ValueError if a parameter is out of its range."""
        if not 0 <= self.final <= 1:
            raise ValueError(f"final of Cosine must lie in [0, 1], got {self.final!r}")

    def rate(self, step: int, n_steps: int, base_rate: float) -> float:
        """Return the learning rate of minibatch number `step` of `n_steps`, from 0."""
        share = 0.5 * (1.0 + math.cos(math.pi * min(step / n_steps, 1.0)))
        return base_rate * (self.final + (1.0 - self.final) * share)


# The one table of names, from which follow what `learning_rate` may be and its documentation.
SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "invscaling": InvScaling,
    "adaptive": Adaptive,
    "linear": Linear,
    "cosine": Cosine,
}


def make_schedule(schedule: str | Schedule) -> Schedule:
    """Return the schedule of a name, or the schedule object given.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If it is neither a name nor a schedule.

    Examples
    --------
    >>> from rnnkit.training import make_schedule
    >>> schedule = make_schedule("linear")
    >>> [schedule.rate(step, 4, 0.1) for step in range(4)]
    [0.1, 0.07500000000000001, 0.05, 0.025]
    """
    if isinstance(schedule, Schedule):
        return schedule
    if not isinstance(schedule, str):
        raise TypeError(f"learning_rate must be a name or a schedule object, got {schedule!r}")
    if schedule not in SCHEDULES:
        raise ValueError(f"unknown schedule {schedule!r}; allowed are {', '.join(SCHEDULES)}")
    return SCHEDULES[schedule]()

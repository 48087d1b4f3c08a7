"""What a backend's operations take from the host, and where they find it.

Usually it is uploaded when it is asked for. While a step is recorded it is found in the record
instead; see `rnnkit.backends.cuda.graphs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from rnnkit.backends.interface import Array, ArrayModule, PackedPlan
from rnnkit.backends.plans import checked_plan

__all__ = ["HostArrays", "UploadedPlan", "Uploads"]


class HostArrays:
    """Arrays of the host, uploaded when they are asked for."""

    def __init__(self, xp: ArrayModule) -> None:
        self._xp = xp

    def constant(self, array: np.ndarray) -> Array:
        """Return an array that every repetition of the step takes."""
        return self._xp.asarray(array, order="C")

    def new(self, make: Callable[[], Any]) -> Array:
        """Return what is made for every repetition of the step."""
        return self._xp.asarray(make(), order="C")


class UploadedPlan(NamedTuple):
    """The arrays of a plan on the GPU, int64."""

    step_offsets: Array  # (T + 1,)
    lengths: Array  # (B,)


class Uploads:
    """The one way from the host to a backend's operations."""

    def __init__(self, xp: ArrayModule) -> None:
        self._arrays = HostArrays(xp)
        self._last: tuple[PackedPlan, UploadedPlan] | None = None

    def constant(self, array: np.ndarray) -> Array:
        """Return an array that every repetition of the step takes."""
        return self._arrays.constant(array)

    def new(self, make: Callable[[], Any]) -> Array:
        """Return what is made for every repetition of the step."""
        return self._arrays.new(make)

    def plan(self, plan: PackedPlan) -> UploadedPlan:
        """Return a plan's arrays; those of the last plan are kept.

        Raises
        ------
        ValueError
            If the plan is none that kernels can be trusted with.
        """
        if self._last is None or self._last[0] is not plan:
            checked = checked_plan(plan)
            uploaded = UploadedPlan(*map(self.constant, checked))
            self._last = (plan, uploaded)
        return self._last[1]

    @contextmanager
    def taken_from(self, arrays: HostArrays) -> Iterator[None]:
        """Take what comes from the host from there inside the ``with`` block."""
        before = self._arrays
        self._arrays, self._last = arrays, None
        try:
            yield
        finally:
            self._arrays, self._last = before, None

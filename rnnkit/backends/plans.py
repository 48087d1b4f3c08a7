"""The plan of a packed minibatch, copied and checked, for kernels that use it as indices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnnkit.backends.interface import PackedPlan

__all__ = ["PlanArrays", "checked_plan"]


class PlanArrays(NamedTuple):
    """The arrays of a plan, int64, copied."""

    step_offsets: np.ndarray  # (T + 1,)
    lengths: np.ndarray  # (B,)


def checked_plan(plan: PackedPlan) -> PlanArrays:
    """Return copies of a plan's arrays, which do not change any more.

    Raises
    ------
    ValueError
        Unless the sequences are sorted longest first and the steps are those of their lengths.
    """
    offsets, lengths = (np.array(a, np.int64) for a in (plan.step_offsets, plan.lengths))
    if offsets.ndim != 1 or lengths.ndim != 1 or len(offsets) == 0:
        raise ValueError(
            "step_offsets and lengths must have one dimension, and step_offsets an entry, got "
            f"shapes {offsets.shape} and {lengths.shape}"
        )
    longest = int(lengths[0]) if len(lengths) else 0
    if (lengths[1:] > lengths[:-1]).any() or (len(lengths) and lengths[-1] < 0):
        raise ValueError("lengths must not be negative and must not grow")
    if len(offsets) != longest + 1:
        raise ValueError(
            f"step_offsets must have one entry more than the longest of lengths, {longest}, got "
            f"{len(offsets)}"
        )
    running = len(lengths) - np.searchsorted(lengths[::-1], np.arange(longest), side="right")
    if offsets[0] != 0 or (np.diff(offsets) != running).any():
        raise ValueError(
            "step_offsets must begin with 0 and grow by the sequences of lengths that have the step"
        )
    if (plan.n_sequences, plan.n_steps, plan.n_rows) != (len(lengths), longest, offsets[-1]):
        raise ValueError(
            f"a plan of {len(lengths)} sequences, {longest} steps and {offsets[-1]} rows must say "
            f"so, got {plan.n_sequences}, {plan.n_steps} and {plan.n_rows}"
        )
    return PlanArrays(offsets, lengths)

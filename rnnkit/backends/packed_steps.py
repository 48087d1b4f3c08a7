"""The steps of a packed minibatch, walked for all its sequences at once.

What the outputs that score whole sequences (CRF, CTC) have in common. They compute on the host
in float64, elementwise over the sequences of a step, so that a sequence's numbers do not
depend on the batch it stands in.
"""

from __future__ import annotations

import numpy as np

from rnnkit.backends.interface import PackedPlan

__all__ = ["PackedSteps"]


class PackedSteps:
    """How the n non-empty ones of the B sequences of a plan go through its P packed rows.

    Parameters
    ----------
    plan : PackedPlan

    Attributes
    ----------
    n : int
        Number of non-empty sequences; as the longest come first, they are the first n.
    last_rows : ndarray of shape (n,), intp
        Row of each sequence's last step.
    steps : list of (slice, slice)
        For each step after the first: its rows, and the same sequences' rows one step earlier.
    """

    def __init__(self, plan: PackedPlan) -> None:
        self.plan = plan
        self.n = int(np.count_nonzero(plan.lengths))
        self.last_rows = plan.step_offsets[plan.lengths[: self.n] - 1] + np.arange(self.n)
        self.steps = []
        offsets = plan.step_offsets.tolist()
        for before, first, last in zip(offsets, offsets[1:], offsets[2:]):
            self.steps.append((slice(first, last), slice(before, before + last - first)))

    def previous_rows(self) -> np.ndarray:
        """Return the row one step earlier of each row after the first step, (P - n,)."""
        n_active = np.diff(self.plan.step_offsets)
        rows = np.arange(self.n, self.plan.n_rows)
        rows -= np.repeat(n_active[:-1], n_active[1:])
        return rows

    def sums(self, terms: np.ndarray) -> np.ndarray:
        """Sum terms (P,) over the steps of each sequence, in their order: (n,)."""
        totals = terms[: self.n].copy()
        for rows, _ in self.steps:
            totals[: rows.stop - rows.start] += terms[rows]
        return totals

    def weights(self, weights: np.ndarray | None) -> np.ndarray:
        """Return the weights (B,) of the non-empty sequences as float64, None meaning ones."""
        return np.ones(self.n) if weights is None else weights[: self.n].astype(np.float64)

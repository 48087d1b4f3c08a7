"""The packed layout: a minibatch sorted longest first and stored step after step, unpadded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

__all__ = ["Plan", "pack", "windows"]


@dataclass(frozen=True, eq=False)
class Plan:
    """How the B sequences of a minibatch lie in P packed rows; its arrays are read-only.

    Step t owns the packed rows ``step_offsets[t]:step_offsets[t + 1]``, one for each of the
    first n_t sequences, those longer than t.

    Parameters
    ----------
    lengths : ndarray of shape (B,), intp
        Steps of each sequence, longest first; zero is allowed.
    step_offsets : ndarray of shape (T + 1,), intp
        First packed row of each step, then the number of rows.
    order : ndarray of shape (B,), intp
        ``order[b]`` is the position of packed sequence b in the order it was given in.
    """

    lengths: np.ndarray
    step_offsets: np.ndarray
    order: np.ndarray

    def __post_init__(self) -> None:
        for array in (self.lengths, self.step_offsets, self.order):
            array.flags.writeable = False

    @property
    def n_sequences(self) -> int:
        """Number of sequences, B."""
        return len(self.lengths)

    @property
    def n_steps(self) -> int:
        """Steps of the longest sequence, T."""
        return len(self.step_offsets) - 1

    @property
    def n_rows(self) -> int:
        """Number of packed rows, P: the steps of all sequences together."""
        return int(self.step_offsets[-1])

    @property
    def equal_lengths(self) -> bool:
        """Whether all sequences have the same number of steps."""
        return self.n_rows == self.n_steps * self.n_sequences

    def sequence_of_row(self) -> np.ndarray:
        """Return the packed sequence b of each packed row.

        Returns
        -------
        ndarray of shape (P,), intp
        """
        if self.equal_lengths:
            return np.tile(np.arange(self.n_sequences), self.n_steps)
        first_rows = self.step_offsets[:-1]
        places: np.ndarray = np.arange(self.n_rows)
        places -= np.repeat(first_rows, np.diff(self.step_offsets))
        return places

    def rows(self, starts: np.ndarray) -> np.ndarray:
        """Return the source row of each packed row.

        Parameters
        ----------
        starts : ndarray of shape (B,), intp
            Source row of the first step of each sequence, in the order they were given in.

        Returns
        -------
        ndarray of shape (P,), intp
        """
        first: np.ndarray = starts[self.order]
        steps = np.arange(self.n_steps)
        rows: np.ndarray
        if self.equal_lengths:
            rows = (steps[:, None] + first).ravel()
        else:
            rows = first[self.sequence_of_row()]
            rows += np.repeat(steps, np.diff(self.step_offsets))
        return rows

    def last_rows(self) -> np.ndarray:
        """Return the packed row of each sequence's last step.

        Returns
        -------
        ndarray of shape (B,), intp

        Raises
        ------
        ValueError
            If a sequence is empty and so has no last step.
        """
        if self.n_sequences and self.lengths[-1] == 0:
            raise ValueError("lengths must be at least 1 for a last step to exist, got 0")
        rows: np.ndarray = self.step_offsets[self.lengths - 1]
        rows += np.arange(self.n_sequences)
        return rows


def pack(lengths: np.ndarray) -> Plan:
    """Plan the packed layout of sequences; equal lengths keep their given order.

    Parameters
    ----------
    lengths : ndarray of shape (B,), integer
        Steps of each sequence; zero is allowed.

    Returns
    -------
    Plan

    Raises
    ------
    ValueError
        If a length is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.sequences import pack
    >>> plan = pack(np.array([1, 3, 2]))
    >>> plan.order, plan.lengths, plan.step_offsets
    (array([1, 2, 0]), array([3, 2, 1]), array([0, 3, 5, 6]))
    >>> plan.rows(np.array([0, 1, 4]))
    array([1, 4, 0, 2, 5, 3])
    """
    lengths = np.array(lengths, dtype=np.intp)  # a copy, which the plan keeps
    n = len(lengths)
    n_steps = int(lengths.max(initial=0))
    if (lengths == n_steps).all():
        return Plan(lengths, np.arange(n_steps + 1) * n, np.arange(n))
    order = np.argsort(-lengths, kind="stable")
    longest_first = lengths[order]
    if longest_first[-1] < 0:
        raise ValueError(f"lengths must not be negative, got {longest_first[-1]}")
    step_offsets = np.zeros(n_steps + 1, dtype=np.intp)
    ended = np.searchsorted(longest_first[::-1], np.arange(n_steps), side="right")
    np.cumsum(n - ended, out=step_offsets[1:])
    return Plan(longest_first, step_offsets, order)


def windows(plan: Plan, n_steps: int) -> Iterator[tuple[Plan, int, int, int]]:
    """Cut a plan into consecutive windows of steps, for truncated backpropagation in time.

    Parameters
    ----------
    plan : Plan
    n_steps : int
        Steps of a window; the last window may be shorter.

    Yields
    ------
    sub_plan : Plan
        The window's steps of the sequences that have not ended before it.
    first_row, last_row : int
        The window is the packed rows ``first_row:last_row`` of `plan`.
    n_active : int
        Number of sequences in the window: the first n_active of `plan`.

    Raises
    ------
    ValueError
        If `n_steps` is less than 1.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")
    for start in range(0, plan.n_steps, n_steps):
        stop = min(start + n_steps, plan.n_steps)
        offsets = plan.step_offsets[start : stop + 1]
        first_row, last_row = int(offsets[0]), int(offsets[-1])
        n_active = int(offsets[1]) - first_row
        lengths = np.minimum(plan.lengths[:n_active] - start, n_steps)
        sub_plan = Plan(lengths, offsets - first_row, plan.order[:n_active])
        yield sub_plan, first_row, last_row, n_active

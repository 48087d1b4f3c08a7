"""Minibatches of whole sequences, as index arrays into a data set's flat values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rnnkit.sequences.packing import Plan, pack

__all__ = ["Batch", "batch_of", "minibatches"]


@dataclass(eq=False, slots=True)
class Batch:
    """A minibatch in packed order: what to gather from the data set and where.

    Made for every minibatch, and not frozen because that costs time.

    With the data set's flat values (ΣT, F): ``x = values[rows]``; labels per sequence are
    ``y[sequences]``, labels per step ``y_flat[rows]``; predictions scatter back the same way.

    Parameters
    ----------
    plan : Plan
        The packed layout.
    sequences : ndarray of shape (B,), intp
        Index in the data set of each packed sequence.
    rows : ndarray of shape (P,), intp
        Row of the data set's flat values for each packed row.
    """

    plan: Plan
    sequences: np.ndarray
    rows: np.ndarray


def batch_of(offsets: np.ndarray, indices: np.ndarray) -> Batch:
    """Build the minibatch of the chosen sequences.

    Parameters
    ----------
    offsets : ndarray of shape (N + 1,), intp
        Offsets of the data set's sequences in its flat values.
    indices : ndarray of shape (B,), intp
        Which sequences, in any order.

    Returns
    -------
    Batch
    """
    indices = np.asarray(indices, dtype=np.intp)
    starts = offsets[indices]
    plan = pack(offsets[indices + 1] - starts)
    return Batch(plan, indices[plan.order], plan.rows(starts))


def minibatches(
    offsets: np.ndarray, batch_size: int, rng: np.random.RandomState | None = None
) -> Iterator[Batch]:
    """Cut a data set into minibatches; the last may be smaller.

    Parameters
    ----------
    offsets : ndarray of shape (N + 1,), intp
        Offsets of the data set's sequences in its flat values.
    batch_size : int
        Sequences of a minibatch.
    rng : RandomState, default=None
        Shuffles the sequences first; None keeps their order.

    Yields
    ------
    Batch

    Raises
    ------
    ValueError
        If `batch_size` is less than 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    n = len(offsets) - 1
    indices = np.arange(n) if rng is None else rng.permutation(n)
    batches = (indices[start : start + batch_size] for start in range(0, n, batch_size))
    lengths = np.diff(offsets[: n + 1])
    if n > 0 and (lengths == lengths[0]).all():
        yield from _equal_batches(offsets[indices], batches, lengths)
    else:
        for batch in batches:
            yield batch_of(offsets, batch)


def _equal_batches(
    starts: np.ndarray, batches: Iterator[np.ndarray], lengths: np.ndarray
) -> Iterator[Batch]:
    """Sequences of one length need one plan for all full minibatches.

    starts are the first rows of the sequences in the order in which the minibatches take them.
    """
    steps = np.arange(lengths[0])[:, None]
    plan, done, n_planned = None, 0, 0
    for batch in batches:
        n = len(batch)
        if plan is None or n_planned != n:
            plan, n_planned = pack(lengths[:n]), n
        yield Batch(plan, batch, (steps + starts[done : done + n]).ravel())
        done += n

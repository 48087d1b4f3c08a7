"""A trained network over sequences, in batches of bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from sklearn import get_config

from rnnkit.backends import get_backend
from rnnkit.backends.interface import Array, Backend
from rnnkit.backends.memory import host_memory
from rnnkit.network import BoundNetwork, Inputs, Network
from rnnkit.network.memory import (
    SCORES_AT_ONCE,
    TOO_LITTLE_TO_ASK,
    bytes_per_row,
    refuse_too_much,
    size_of,
)
from rnnkit.sequences import Batch, Plan, batch_of

__all__ = ["ROWS_AT_ONCE", "Operation", "apply", "bounded_batches", "refuse_long_sequences"]

ROWS_AT_ONCE = 2**15  # steps of a batch at predict time, so that memory stays bounded

Operation = Callable[[BoundNetwork, Plan, Inputs], Array]


def apply(
    network: Network,
    device: str,
    inputs: Inputs,
    offsets: np.ndarray,
    operation: Operation,
    *,
    per_step: bool,
) -> np.ndarray:
    """Run an operation over sequences, batch after batch.

    Parameters
    ----------
    network : Network
    device : str
        The name of the backend that computes; the CPU stands in for a GPU that is not there.
    inputs : Inputs
        The steps of all sequences.
    offsets : ndarray of shape (N + 1,), intp
        Where each sequence starts in them.
    operation : callable
        Takes the network bound for this call alone, a batch's plan and its packed inputs, and
        returns one row per packed row, or one per sequence.
    per_step : bool
        Which of the two.

    Returns
    -------
    ndarray
        The rows in the order of the inputs.
    """
    backend = get_backend(device, fall_back=True)
    result: np.ndarray | None = None
    with backend.active():
        refuse_long_sequences(network, offsets, backend)
        bound = network.bind(backend)
        for batch in bounded_batches(network, offsets):
            rows = backend.download(operation(bound, batch.plan, inputs.take(batch.rows)))
            if result is None:
                n_rows = int(offsets[-1]) if per_step else len(offsets) - 1
                answers = n_rows * rows[:1].nbytes
                if answers > TOO_LITTLE_TO_ASK:
                    subject, remedy = "what is asked for", "ask for fewer sequences at once"
                    refuse_too_much({f"{n_rows} answers": answers}, host_memory(), subject, remedy)
                result = np.empty((n_rows, *rows.shape[1:]), rows.dtype)
            result[batch.rows if per_step else batch.sequences] = rows
    assert result is not None  # there is a sequence
    return result


def refuse_long_sequences(network: Network, offsets: np.ndarray, backend: Backend) -> None:
    """Raise MemoryError if the longest sequence, which is computed at once, does not fit."""
    longest = int(np.diff(offsets).max(initial=0))
    if longest <= ROWS_AT_ONCE:
        return
    per_row = size_of(network.layers, network.output).applied_row * network.dtype.itemsize
    parts = {f"the states after {longest} steps": longest * per_row}
    subject, remedy = "the longest sequence", "cut it, or feed it step by step (stream)"
    refuse_too_much(parts, backend.free_bytes(), subject, remedy)


def bounded_batches(network: Network, offsets: np.ndarray) -> Iterator[Batch]:
    """Cut sequences, in their order, into batches of about ROWS_AT_ONCE steps.

    Fewer where scikit-learn's `working_memory` does not hold as many steps, or as many rows of
    scores; never less than a sequence.
    """
    available = int(get_config()["working_memory"] * 2**20)
    n_rows = min(ROWS_AT_ONCE, available // bytes_per_row(network))
    row_of_scores = SCORES_AT_ONCE * max(1, network.output.width) * network.dtype.itemsize
    most = max(1, available // row_of_scores)
    start, n = 0, len(offsets) - 1
    while start < n:
        within = np.searchsorted(offsets, offsets[start] + n_rows, side="right") - 1
        stop = min(max(start + 1, int(within)), start + most, n)
        yield batch_of(offsets, np.arange(start, stop))
        start = stop

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
# Of each thread of the host: what a batch computes then stays in its caches, and fresh memory costs
# more than that weights are packed for more batches (benchmarks: bench_speed.py --only labels). But
# not fewer sequences than keep the multipliers busy.
ROWS_OF_A_THREAD, SEQUENCES_OF_A_THREAD = 2**12, 64

Operation = Callable[[BoundNetwork, Plan, Inputs], Array]


def apply(
    network: Network,
    device: str,
    inputs: Inputs,
    offsets: np.ndarray,
    operation: Operation,
    *,
    per_step: bool,
    few_calls: bool = False,
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
    few_calls : bool, default=False
        Whether the operation is many calls for a batch, so that large batches are sooner done.

    Returns
    -------
    ndarray
        The rows in the order of the inputs.
    """
    backend = get_backend(device, fall_back=True)
    result: np.ndarray | None = None
    with backend.active():
        refuse_long_sequences(network, offsets, backend)
        bound = network.bind(backend, constant=True)
        for batch in bounded_batches(network, offsets, None if few_calls else backend):
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


def bounded_batches(
    network: Network, offsets: np.ndarray, backend: Backend | None = None
) -> Iterator[Batch]:
    """Cut sequences, in their order, into batches of about ROWS_AT_ONCE steps.

    If the backend is named and the host's, into smaller ones that suit its caches. And into smaller
    ones where scikit-learn's `working_memory` does not hold as many steps, or as many rows of
    scores; never less than a sequence.
    """
    available = int(get_config()["working_memory"] * 2**20)
    n_rows = min(ROWS_AT_ONCE, available // bytes_per_row(network))
    row_of_scores = SCORES_AT_ONCE * max(1, network.output.width) * network.dtype.itemsize
    most = max(1, available // row_of_scores)
    few, enough = n_rows, 1
    if backend is not None and backend.on_host:
        few = min(n_rows, ROWS_OF_A_THREAD * backend.n_threads)
        enough = SEQUENCES_OF_A_THREAD * backend.n_threads
    start, n = 0, len(offsets) - 1
    while start < n:
        ends = [offsets[start] + few, offsets[start] + n_rows]
        within_few, within = (np.searchsorted(offsets, ends, side="right") - 1).tolist()
        within = max(within_few, min(within, start + enough))
        stop = min(max(start + 1, within), start + most, n)
        yield batch_of(offsets, np.arange(start, stop))
        start = stop

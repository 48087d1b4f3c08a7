"""Exact log-probabilities of texts: every document in one go, windows chained, memory bounded.

Letters: N documents, B of them at once, ΣT steps of all, P packed rows, K ids.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from sklearn import get_config

from rnnkit.backends import get_backend
from rnnkit.backends.interface import Array
from rnnkit.estimators.applying import ROWS_AT_ONCE
from rnnkit.estimators.language.stretches import Laid, with_contexts
from rnnkit.network import BoundNetwork, Network
from rnnkit.network.labels import log_softmax
from rnnkit.network.memory import bytes_per_row
from rnnkit.sequences import batch_of, windows

__all__ = ["log_likelihoods", "sums"]

DOCUMENTS_AT_ONCE = 512


def log_likelihoods(
    network: Network, device: str, laid: Laid, contexts: np.ndarray | None
) -> np.ndarray:
    """Return the logarithm of the probability of what follows each step, (ΣT,) float64.

    The state is carried through a document from its beginning to its end, however long it is. The
    bits depend neither on the other documents nor on how many steps are taken at once.

    Parameters
    ----------
    network : Network
    device : str
        The name of the backend that computes; the CPU stands in for a GPU that is not there.
    laid : Laid
    contexts : ndarray of shape (N, S), or None
        In the network's dtype.
    """
    backend = get_backend(device, fall_back=True)
    result = np.empty(len(laid.read))
    inputs = with_contexts(laid.read, laid.offsets, contexts)
    with backend.active():
        bound = network.bind(backend, constant=True)
        for documents, n_steps in _batches(network, laid.lengths):
            batch = batch_of(laid.offsets, documents)
            states = None
            for plan, first, last, n_active in windows(batch.plan, n_steps):
                rows = batch.rows[first:last]
                if states is not None:
                    states = [
                        tuple(None if array is None else array[:n_active] for array in state)
                        for state in states
                    ]
                scores = bound.forward(plan, inputs.take(rows), None, states)
                states = bound.states
                result[rows] = _of_targets(bound, scores, laid.next[rows])
    return result


def _batches(network: Network, lengths: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Yield documents that go together, and how many steps of them at once."""
    available = int(get_config()["working_memory"] * 2**20)
    row = bytes_per_row(network) + 24 * network.output.width  # and scores in double precision
    n_rows = max(1, min(ROWS_AT_ONCE, available // row))
    order = np.argsort(-lengths, kind="stable")
    order = order[: np.count_nonzero(lengths)]
    size = min(DOCUMENTS_AT_ONCE, n_rows)
    for start in range(0, len(order), size):
        documents = order[start : start + size]
        yield documents, max(1, n_rows // len(documents))


def _of_targets(bound: BoundNetwork, scores: Array, targets: np.ndarray) -> np.ndarray:
    scores = bound.backend.download(scores)
    found: np.ndarray = log_softmax(scores)[np.arange(len(targets)), targets]
    return found


def sums(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the sum of the values of each document, (N,), rounded once."""
    pairs = zip(offsets[:-1].tolist(), offsets[1:].tolist())
    return np.array([math.fsum(values[a:b]) for a, b in pairs])

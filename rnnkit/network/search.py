"""What a decoder writes: step by step the likeliest label, or the best of several sequences.

Letters: B sequences read, n of them still written, W sequences kept of each, K labels, u steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit.network.labels import log_softmax
from rnnkit.network.layers import State

__all__ = ["Search", "length_factor", "search_best", "search_greedily"]

# Sequences read (m,), ids written before (m,), states of m rows -> raw scores (m, K + 1), states.
NextScores = Callable[[np.ndarray, Any, Sequence[State]], tuple[Any, list[State]]]


@dataclass(frozen=True)
class Search:
    """How far and how widely is searched.

    Parameters
    ----------
    most_steps : int
        Labels at most of a sequence that is written; of numbers, how many.
    width : int, default=1
        W; 1 takes the likeliest label of each step.
    length_penalty : float, default=1.0
        α: what is compared are log-probabilities divided by ``((5 + n) / 6)^α`` for n labels, the
        end among them (Wu et al. 2016); 0 compares them as they are.
    """

    most_steps: int
    width: int = 1
    length_penalty: float = 1.0


def length_factor(n: Any, penalty: float) -> Any:
    """Return what the log-probability of n labels is divided by."""
    return ((5.0 + n) / 6.0) ** penalty


def search_greedily(
    next_scores: NextScores, first: np.ndarray, begun: Sequence[State], end: int, search: Search
) -> np.ndarray:
    """Write the likeliest label of each step until that is the end.

    Parameters
    ----------
    next_scores : callable
    first : ndarray of shape (B,), intp
        The ids that are read first.
    begun : sequence of State
        The states (B, H) in which the decoder begins.
    end : int
        The class of the end, K; the id of a label is one more than its class.
    search : Search

    Returns
    -------
    ndarray of shape (B,), object
        Arrays of classes.
    """
    n = len(first)
    written, by = [np.empty(0, np.intp)], [np.empty(0, np.intp)]  # labels, and whose they are
    alive, before, states = np.arange(n), first, list(begun)
    for _ in range(search.most_steps):
        scores, states = next_scores(alive, before, states)
        chosen = scores.argmax(axis=1)
        goes_on = chosen != end
        if not goes_on.all():
            alive, chosen = alive[goes_on], chosen[goes_on]
            states = _rows_of(states, goes_on)
        if len(alive) == 0:
            break
        written.append(chosen)
        by.append(alive)
        before = chosen + 1
    owners = np.concatenate(by)
    labels = np.concatenate(written)[np.argsort(owners, kind="stable")]
    ends = np.cumsum(np.bincount(owners, minlength=n))
    return _as_objects(np.split(labels, ends[:-1]))


def search_best(
    next_scores: NextScores, first: np.ndarray, begun: Sequence[State], end: int, search: Search
) -> np.ndarray:
    """Keep the W likeliest beginnings of each sequence; return the best that has ended.

    Arguments and result as of `search_greedily`. A sequence is done when none of those that go on
    could become better than the best that ended; after `most_steps` labels it ends.
    """
    n, width, most = len(first), search.width, search.most_steps
    best = [np.empty(0, np.intp)] * n
    best_value = np.full(n, -np.inf)
    alive = np.arange(n)  # sequences read
    total = np.zeros((n, 1))  # log-probabilities of the kept, -inf where fewer are kept
    labels = np.empty((n, 1, 0), np.intp)
    before, states = first, list(begun)
    longest = length_factor(most + 1, search.length_penalty)
    for u in range(most + 1):
        kept = total.shape[1]
        scores, states = next_scores(np.repeat(alive, kept), before, states)
        log = log_softmax(scores).reshape(len(alive), kept, -1)
        if u == most:  # only the end may follow
            log[:, :, :end] = -np.inf
        k = log.shape[2]
        candidates = (total[:, :, None] + log).reshape(len(alive), -1)
        chosen = np.argsort(-candidates, axis=1, kind="stable")[:, : 2 * width]
        values = np.take_along_axis(candidates, chosen, axis=1)
        parent, label = chosen // k, chosen % k

        ends = (label == end) & (np.arange(chosen.shape[1]) < width) & np.isfinite(values)
        value = np.where(ends, values / length_factor(u + 1, search.length_penalty), -np.inf)
        place = value.argmax(axis=1)
        for row in np.flatnonzero(value.max(axis=1) > best_value[alive]):
            best_value[alive[row]] = value[row, place[row]]
            best[alive[row]] = labels[row, parent[row, place[row]]].copy()
        if u == most:
            break

        # Those that do not end, first of all those that are possible, in the order of their value.
        last = (label == end) | ~np.isfinite(values)
        order = np.argsort(last, axis=1, kind="stable")[:, :width]
        total = np.take_along_axis(np.where(last, -np.inf, values), order, axis=1)
        parent, label = (np.take_along_axis(a, order, axis=1) for a in (parent, label))
        label = np.where(np.isfinite(total), label, 0)
        attainable = np.maximum(total[:, 0] / longest, total[:, 0] / _shortest(u, search))
        goes_on = np.isfinite(total[:, 0]) & (attainable > best_value[alive])
        rows = (np.arange(len(alive))[:, None] * kept + parent)[goes_on]
        labels = np.take_along_axis(labels, parent[:, :, None], axis=1)
        labels = np.concatenate([labels, label[:, :, None]], axis=2)[goes_on]
        alive, total, before = alive[goes_on], total[goes_on], label[goes_on].ravel() + 1
        if len(alive) == 0:
            break
        states = _rows_of(states, rows.ravel())
    return _as_objects(best)


def _shortest(u: int, search: Search) -> float:
    """Return the factor of a sequence that ends with the very next label."""
    factor: float = length_factor(u + 2, search.length_penalty)
    return factor


def _rows_of(states: Sequence[State], rows: np.ndarray) -> list[State]:
    return [tuple(None if array is None else array[rows] for array in state) for state in states]


def _as_objects(pieces: Sequence[np.ndarray]) -> np.ndarray:
    found = np.empty(len(pieces), dtype=object)
    for i, piece in enumerate(pieces):
        found[i] = piece
    return found

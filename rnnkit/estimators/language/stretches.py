"""Texts as a network reads them: what stands before each token, in stretches of bounded length.

Letters: N documents, n stretches, ΣT steps of all, S numbers of a context.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit.estimators.examples import Examples
from rnnkit.estimators.language.texts import Texts
from rnnkit.estimators.language.vocabulary import UNKNOWN_ID, Vocabulary
from rnnkit.network import Inputs
from rnnkit.sequences import Sequences

__all__ = ["Laid", "TextExamples", "cut", "lay_out", "sequences_of", "with_contexts"]


@dataclass(frozen=True, eq=False)
class Laid:
    """Documents as steps: the id read at each step and the one that follows.

    Parameters
    ----------
    read, next : ndarray of shape (ΣT,), intp
        Ids; a document begins with reading the vocabulary's `start`, and where documents have ends
        it is followed by one.
    offsets : ndarray of shape (n + 1,), intp
        Where each document, or stretch of one, starts.
    document : ndarray of shape (n,), intp
        Which document each is of.
    """

    read: np.ndarray
    next: np.ndarray
    offsets: np.ndarray
    document: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """The steps of each, (n,)."""
        return np.diff(self.offsets)


def lay_out(texts: Texts, vocabulary: Vocabulary) -> Laid:
    """Return the steps that score every token of texts, and the ends that documents have."""
    ids, lengths = vocabulary.ids(texts), texts.lengths
    if vocabulary.end is None:
        read = np.empty_like(ids)
        read[1:] = ids[:-1]
        read[texts.offsets[:-1][lengths > 0]] = vocabulary.start
        return Laid(read, ids, texts.offsets, np.arange(len(texts)))
    offsets = texts.offsets + np.arange(len(texts) + 1)
    read = np.full(offsets[-1], vocabulary.start)
    following = np.full(offsets[-1], vocabulary.end)
    is_first = np.zeros(len(read), bool)
    is_first[offsets[:-1]] = True
    read[~is_first] = ids
    following[~np.roll(is_first, -1)] = ids
    return Laid(read, following, offsets, np.arange(len(texts)))


def cut(laid: Laid, most: int, tail: float = 0.0) -> tuple[Laid, int]:
    """Cut what is longer into stretches of nearly equal length, and leave out what is empty.

    A stretch out of the middle of a text begins with reading the unknown, for what stands before
    it is not known.

    Parameters
    ----------
    laid : Laid
    most : int
        Steps of a stretch at most.
    tail : float, default=0.0
        Share of the steps at the end of a single document that are stretches of their own.

    Returns
    -------
    stretches : Laid
    n_last : int
        How many of the last stretches are of the tail.
    """
    ends: list[np.ndarray] = []
    documents: list[np.ndarray] = []
    n_last = 0
    lengths = laid.lengths
    is_long = lengths > most
    if tail and len(lengths) == 1:
        start = int(lengths[0]) - max(1, round(tail * int(lengths[0])))
        parts = [_ends(0, start, most), _ends(start, int(lengths[0]), most)]
        ends, n_last = parts, len(parts[1])
        documents = [np.zeros(len(part), np.intp) for part in parts]
    elif not is_long.any():
        kept = lengths > 0
        return Laid(
            laid.read,
            laid.next,
            np.concatenate([[0], laid.offsets[1:][kept]]).astype(np.intp),
            laid.document[kept],
        ), 0
    else:
        for i in np.flatnonzero(lengths > 0).tolist():
            ends.append(_ends(int(laid.offsets[i]), int(laid.offsets[i + 1]), most))
            documents.append(np.full(len(ends[-1]), laid.document[i]))
    offsets = np.concatenate([[0], *ends]).astype(np.intp)
    read = laid.read.copy()
    read[np.setdiff1d(offsets[:-1], laid.offsets)] = UNKNOWN_ID
    return Laid(read, laid.next, offsets, np.concatenate(documents)), n_last


def _ends(start: int, stop: int, most: int) -> np.ndarray:
    """Return where the stretches of ``start:stop`` end."""
    n = -(-(stop - start) // most)
    return start + (np.arange(1, n + 1) * (stop - start)) // max(n, 1)


@dataclass(frozen=True)
class TextExamples(Examples):
    """Stretches of texts; `sequences` are the ids read, `targets` those that follow.

    Attributes
    ----------
    contexts : ndarray of shape (n, S), or None
        In the dtype of the network.
    """

    contexts: np.ndarray | None = None

    def take(self, indices: np.ndarray) -> TextExamples:
        """Return the stretches at some indices, in that order."""
        contexts = None if self.contexts is None else self.contexts[indices]
        return TextExamples(**vars(super().take(indices)), contexts=contexts)


class _RowOfEachStep:
    """The context of each step of sequences, looked up when it is asked for.

    To the network it is an array (ΣT, S) of numbers; in memory it is one row a sequence.
    """

    def __init__(self, rows: np.ndarray, offsets: np.ndarray) -> None:
        self._rows = rows
        self._ends = offsets[1:]

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self.take(np.arange(len(self))), dtype)

    def take(self, places: np.ndarray, axis: int = 0) -> np.ndarray:
        """Return the rows (P, S) of some steps."""
        sequences = np.searchsorted(self._ends, places, side="right")
        rows: np.ndarray = self._rows.take(sequences, axis=axis)
        return rows


def with_contexts(read: np.ndarray, offsets: np.ndarray, contexts: np.ndarray | None) -> Inputs:
    """Return ids read (ΣT,) as a network takes them, with the context (n, S) of each sequence."""
    numeric: Any = None if contexts is None else _RowOfEachStep(contexts, offsets)
    return Inputs(numeric, read.reshape(-1, 1))


def sequences_of(laid: Laid) -> Sequences:
    """Return the ids that are read as sequences."""
    return Sequences(laid.read.reshape(-1, 1), laid.offsets)

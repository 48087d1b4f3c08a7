"""Ids of words with the words that they stand for, and tables of vectors in the order of ids."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["WordIds", "table_of_words"]


class WordIds(list[np.ndarray]):
    """A list of arrays of ids, one per sequence, that remembers which words they stand for.

    What a `TokenEncoder` returns. Parts and copies of it made as of a list are plain lists.

    Parameters
    ----------
    sequences : iterable of ndarray
    vocabularies : sequence of tuple
        For each column of ids the words of the ids 1, 2, ...
    """

    def __init__(self, sequences: Any = (), vocabularies: Any = ()) -> None:
        super().__init__(sequences)
        self.vocabularies = tuple(vocabularies)


def table_of_words(vectors: Any, words: Any, n: int, name: str) -> np.ndarray:
    """Return the vectors of words in the order of their ids, 1, 2, ...

    Parameters
    ----------
    vectors : mapping of word to array-like of shape (width,)
        Anything with ``word in vectors`` and ``vectors[word]``.
    words : sequence
        Those of the ids from 1 on.
    n : int
        Rows of the table; more than there are words.
    name : str
        The argument's name, for error texts.

    Returns
    -------
    ndarray of shape (n, width), float64
        NaN in the row of id 0, the unknown, and in those of words without a vector.

    Raises
    ------
    ValueError
        If no word has a vector, or vectors differ in their width or are not finite.
    """
    table: np.ndarray | None = None
    for row, word in enumerate(words, start=1):
        if word not in vectors:
            continue
        vector = np.asarray(vectors[word])
        if table is None:
            table = np.full((n, vector.size), np.nan)
        if vector.shape != table.shape[1:] or vector.dtype.kind not in "biuf":
            raise ValueError(
                f"{name} must hold vectors of {table.shape[1]} real numbers, got shape "
                f"{vector.shape} and dtype {vector.dtype} for {word!r}"
            )
        if not np.isfinite(vector).all():
            raise ValueError(f"{name} must be finite; the vector of {word!r} is not")
        table[row] = vector
    if table is None:
        few = ", ".join(map(repr, words[:3]))
        raise ValueError(f"{name} has a vector for none of the {len(words)} words in X, {few}, ...")
    return table

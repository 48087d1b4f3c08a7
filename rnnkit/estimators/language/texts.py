"""Texts in every form that users have them in, as flat tokens.

Letters: N documents, T tokens of one, ΣT of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit.sequences import Sequences
from rnnkit.sequences.columns import column_names
from rnnkit.sequences.ids import Ids
from rnnkit.sequences.numbers import convert_values
from rnnkit.sequences.reading import refuse_masked

__all__ = ["KINDS", "Texts", "read_texts"]

KINDS = ("characters", "words", "ids")
FORMS = ("text", "list", "array")  # in which tokens come back


@dataclass(frozen=True, eq=False)
class Texts:
    """Documents as tokens, one after the other.

    Parameters
    ----------
    tokens : ndarray of shape (ΣT,)
        Code points of characters, or ids, as intp; or words as objects.
    offsets : ndarray of shape (N + 1,), intp
        Where each document starts.
    kind : {"characters", "words", "ids"}
        What a token is.
    form : {"text", "list", "array"}
        What a document was given as: a string, a list of tokens or an array of ids.
    is_one : bool
        Whether it was one text, not documents.
    n_characters : ndarray of shape (N,), intp, or None
        How long each document is as text, words with one space between them; None: of ids.
    names : Ids, default=None
        What documents are called that came as `Sequences`.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    kind: str
    form: str
    is_one: bool
    n_characters: np.ndarray | None
    names: Ids | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """The tokens of each document, (N,)."""
        return np.diff(self.offsets)


def read_texts(X: Any, tokens: str = "auto", name: str = "X") -> Texts:
    """Read texts in any form.

    Parameters
    ----------
    X : str, list, array or Sequences
        One text: a string, or a flat list or array of ids. Or documents: a list, tuple, series
        or 1-D array of strings, of lists of words, or of lists or arrays of ids; a 2-D array of
        ids, a document in each row; `Sequences` of ids.
    tokens : {"auto", "characters", "words", "ids"}, default="auto"
        What the tokens of a string are, or what they must be; "auto": its characters. Words are
        what white space separates.
    name : str, default="X"
        The argument's name, for error texts.

    Returns
    -------
    Texts

    Raises
    ------
    TypeError
        If X is none of these, or a document holds something else.
    ValueError
        If there is no document, or the tokens are of another kind than asked for.

    Examples
    --------
    >>> from rnnkit.estimators.language.texts import read_texts
    >>> texts = read_texts(["to be", "or not"], tokens="words")
    >>> texts.tokens.tolist(), texts.lengths.tolist()
    (['to', 'be', 'or', 'not'], [2, 2])
    """
    if isinstance(X, str):
        texts = _strings([X], tokens, name, is_one=True)
    elif isinstance(X, Sequences):
        texts = _of_sequences(X, name)
    elif isinstance(X, (bytes, bytearray, dict, set)) or not hasattr(X, "__len__"):
        raise TypeError(
            f"{name} must be a string, or a list of strings, of lists of words or of arrays of "
            f"ids, got {type(X).__name__}"
        )
    else:
        texts = _many(X, tokens, name)
    if tokens not in ("auto", texts.kind):
        raise ValueError(f"{name} holds {texts.kind}, but tokens={tokens!r} asks for others")
    return texts


def _many(X: Any, tokens: str, name: str) -> Texts:
    refuse_masked(X, name)
    columns = column_names(X)
    if columns and len(np.shape(X)) == 2:
        raise TypeError(
            f"{name} must hold texts, got a {type(X).__name__} with the columns {list(columns)}; "
            f"give one of them, such as {name}[{columns[0]!r}]"
        )
    if len(X) == 0:
        raise ValueError(
            f"Found array with 0 sample(s) while a minimum of 1 is required for {name}"
        )
    if isinstance(X, np.ndarray) and X.dtype.kind not in "OU":
        if X.ndim > 2:
            raise ValueError(
                f"{name} must be ids of one text (T,) or of documents (N, T), got shape {X.shape}"
            )
        rows = X[None] if X.ndim == 1 else X
        return _ids(list(rows), name, "array", is_one=X.ndim == 1)
    items = list(X)
    first = items[0]
    if isinstance(first, str):
        return _strings(items, tokens, name, is_one=False)
    if np.ndim(first) == 0 and not isinstance(first, (list, tuple, np.ndarray)):
        if isinstance(first, (int, np.integer)) and not isinstance(first, bool):
            return _ids([items], name, "list", is_one=True)
        raise TypeError(f"{name} must hold strings, lists of words or ids, got {first!r:.80}")
    pieces = [item for item in items if len(_document(item, name)) > 0]
    if pieces and isinstance(pieces[0][0], str):
        return _words(items, name)
    is_array = isinstance(first, np.ndarray)
    return _ids(items, name, "array" if is_array else "list", is_one=False)


def _document(item: Any, name: str) -> Any:
    if isinstance(item, (str, bytes, dict)) or not hasattr(item, "__len__"):
        raise TypeError(
            f"{name} must hold documents of one kind: strings, lists of words or lists of ids; "
            f"got a {type(item).__name__} among others"
        )
    return item


def _strings(strings: Sequence[Any], tokens: str, name: str, *, is_one: bool) -> Texts:
    for i, text in enumerate(strings):
        if not isinstance(text, str):
            raise TypeError(f"{name}[{i}] must be a string like the others, got {text!r:.80}")
    n_characters = np.array([len(text) for text in strings], np.intp)
    if tokens == "ids":
        raise ValueError(f"tokens='ids' needs {name} of integers, got strings")
    if tokens == "words":
        words = [text.split() for text in strings]
        flat, offsets = _flat(words)
        return Texts(flat, offsets, "words", "text", is_one, n_characters)
    encoded = "".join(strings).encode("utf-32-le", "surrogatepass")
    points = np.frombuffer(encoded, "<u4").astype(np.intp)
    offsets = np.concatenate([[0], np.cumsum(n_characters)]).astype(np.intp)
    return Texts(points, offsets, "characters", "text", is_one, n_characters)


def _words(documents: Sequence[Any], name: str) -> Texts:
    for i, document in enumerate(documents):
        for word in _document(document, name):
            if not isinstance(word, str):
                raise TypeError(f"{name}[{i}] must hold words like the others, got {word!r:.80}")
    words = [list(map(str, document)) for document in documents]
    flat, offsets = _flat(words)
    n_characters = [sum(map(len, document)) + max(len(document) - 1, 0) for document in words]
    return Texts(flat, offsets, "words", "list", False, np.array(n_characters, np.intp))


def _ids(documents: Sequence[Any], name: str, form: str, *, is_one: bool) -> Texts:
    pieces = []
    for i, document in enumerate(documents):
        place = name if is_one else f"{name}[{i}]"
        ids = np.asarray(_document(document, name))
        if ids.ndim != 1 and ids.size:
            raise ValueError(f"{place} must be a list of ids, got shape {ids.shape}")
        if ids.dtype.kind not in "iufO" or (ids.dtype.kind == "O" and _has_text(ids)):
            raise TypeError(f"{place} must hold ids, whole numbers from 0 on, got {ids[:1]!r:.80}")
        pieces.append(convert_values(ids.reshape(-1), place, "tokens"))
    offsets = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.intp)
    return Texts(np.concatenate(pieces), offsets, "ids", form, is_one, None)


def _of_sequences(X: Sequences, name: str) -> Texts:
    if X.n_features != 1:
        raise ValueError(f"{name} must have one id for each step, got {X.n_features} features")
    if len(X) == 0:
        raise ValueError(
            f"Found array with 0 sample(s) while a minimum of 1 is required for {name}"
        )
    ids = convert_values(X.values[:, 0], name, "tokens")
    return Texts(ids, np.array(X.offsets), "ids", "array", False, None, X._ids)


def _has_text(ids: np.ndarray) -> bool:
    return any(isinstance(entry, (str, bytes)) for entry in ids.tolist())


def _flat(documents: Sequence[list[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the words of documents as one array of objects, and where each document starts."""
    offsets = np.concatenate([[0], np.cumsum([len(words) for words in documents])])
    flat = np.empty(int(offsets[-1]), dtype=object)
    flat[:] = [word for words in documents for word in words]
    return flat, offsets.astype(np.intp)

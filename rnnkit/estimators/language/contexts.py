"""What is known of a document beside its text: a label, or a vector of numbers.

It makes the initial state of the network (see `rnnkit.network.static`): one text is written for one
vector, as a caption for a picture.

Letters: N documents, S numbers of a context.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_array

from rnnkit.sequences.columns import column_names
from rnnkit.sequences.numbers import is_missing, refuse_complex
from rnnkit.sequences.reading import refuse_masked

__all__ = ["Contexts"]


@dataclass(frozen=True, eq=False)
class Contexts:
    """The contexts of the first `fit`, in what later ones must be like.

    Parameters
    ----------
    labels : tuple or None
        The labels, sorted; None: contexts are vectors.
    width : int
        S, the numbers of a context: those of a vector, or one for each label, of which one is 1.
    names : tuple of str, default=None
        What the numbers of a vector are called, where contexts came as a frame.
    """

    labels: tuple[Any, ...] | None
    width: int
    names: tuple[str, ...] | None = None

    @classmethod
    def learn(cls, context: Any, n: int, called: str = "context") -> Contexts:
        """Return what contexts (N,) of labels, or (N,) or (N, S) of numbers, are like.

        Of one document, n being 1, it may be the label, or the vector (S,), alone. `called` is
        the argument in messages.

        Raises
        ------
        TypeError, ValueError
            If they are neither, or a label is missing.
        """
        values = _array(context, called)
        if not _are_labels(values):
            vectors = _vectors(values, called)
            is_one = values.ndim == 1 and n == 1
            return cls(None, vectors.size if is_one else vectors.shape[1], _names(context))
        labels = _present(np.atleast_1d(values), called)
        try:
            found = sorted(set(labels))
        except TypeError:
            kinds = sorted({type(label).__name__ for label in labels})
            raise TypeError(f"{called} must hold labels of one type, got {kinds}") from None
        return cls(tuple(found), len(found))

    def read(
        self, context: Any, n: int, called: str = "context", noun: str = "document"
    ) -> np.ndarray:
        """Return the numbers (N, S) of the contexts of n documents, float64.

        In messages the argument is `called` so, and what has a context is a `noun`.

        Raises
        ------
        TypeError, ValueError
            If they are not like those of `fit`, or not n; one label stands for all.
        """
        values = _array(context, called)
        if self.labels is None:
            names = _names(context)
            if None not in (names, self.names) and names != self.names:
                raise ValueError(
                    f"{called} must have the columns of fit in their order, "
                    f"{list(self.names or ())!r:.200}, got {list(names or ())!r:.200}"
                )
            vectors = _vectors(values, called)
            if vectors.shape[1] != self.width and values.ndim == 1 and n == 1:
                vectors = vectors.T  # one vector, of one document
            if vectors.shape[1] != self.width:
                raise ValueError(
                    f"{called} must be vectors of {self.width} numbers as in fit, got "
                    f"{vectors.shape[1]}"
                )
        else:
            place = {label: i for i, label in enumerate(self.labels)}
            labels = _present(np.atleast_1d(values), called)
            if values.ndim == 0:
                labels *= n
            for label in labels:
                if label not in place:
                    raise ValueError(
                        f"{called} must hold labels seen in fit, {list(self.labels)!r:.200}, got "
                        f"{label!r}"
                    )
            vectors = np.zeros((len(labels), self.width))
            vectors[np.arange(len(labels)), [place[label] for label in labels]] = 1.0
        if len(vectors) != n:
            raise ValueError(f"{called} must be one for each {noun}, {n}, got {len(vectors)}")
        return vectors

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as numbers, strings and lists, as JSON has them."""
        plain = {"labels": None if self.labels is None else list(self.labels), "width": self.width}
        return plain if self.names is None else {**plain, "names": list(self.names)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Contexts:
        """Return the contexts that `to_dict` told of."""
        labels, width, names = plain["labels"], plain["width"], plain.get("names")
        if type(width) is not int or width < 1 or (labels is not None and len(labels) != width):
            raise ValueError("its contexts do not fit together")
        if names is not None and not (
            len(names) == width and all(isinstance(name, str) for name in names)
        ):
            raise ValueError("its contexts have names that do not fit them")
        return cls(
            None if labels is None else tuple(labels), width, None if names is None else (*names,)
        )


def _names(context: Any) -> tuple[str, ...] | None:
    """Return what the columns of a frame are called; None of anything else."""
    names = column_names(context) if len(getattr(context, "shape", ())) == 2 else ()
    texts = bool(names) and all(isinstance(name, str) for name in names)
    return tuple(map(str, names)) if texts else None


def _array(context: Any, called: str) -> np.ndarray:
    refuse_masked(context, called)
    values = np.asarray(context)
    if values.dtype.kind == "U" and isinstance(context, (list, tuple)):
        values = np.array(context, dtype=object)  # numbers among strings stay what they are
    is_list = values.dtype.kind == "O" and values.ndim == 1 and len(values) > 0
    if is_list and not isinstance(values[0], str) and np.ndim(values[0]) == 1:
        values = np.array(list(map(np.asarray, values)))
    if values.ndim > 2:
        raise ValueError(f"{called} must be labels (N,) or vectors (N, S), got {values.shape}")
    return values


def _are_labels(values: np.ndarray) -> bool:
    """Whether contexts are labels: text, whole numbers and truth values of one dimension."""
    if values.ndim > 1 or values.dtype.kind == "f":
        return False
    if values.dtype.kind == "O":
        return not all(isinstance(v, (float, np.floating)) for v in values.ravel().tolist())
    return True


def _present(values: np.ndarray, called: str) -> list[Any]:
    """Return labels as Python has them, none of which is missing."""
    if values.ndim > 1:
        raise ValueError(f"{called} must be labels (N,) as in fit, got shape {values.shape}")
    if values.dtype.kind in "fO" and is_missing(values.astype(object)).any():
        raise ValueError(f"{called} must not hold missing labels")
    return [label.item() if isinstance(label, np.generic) else label for label in values.tolist()]


def _vectors(values: np.ndarray, called: str) -> np.ndarray:
    if values.ndim < 2:
        values = values.reshape(-1, 1)
    refuse_complex(values, called)
    vectors: np.ndarray = check_array(values, dtype=np.float64, input_name=called)
    return vectors

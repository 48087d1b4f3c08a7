"""What sequences are called: kept beside them, and compared with the index of their targets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit.sequences.forms import FlatSequences
from rnnkit.sequences.numbers import is_missing

__all__ = ["Ids", "refuse_other_ids"]


@dataclass(frozen=True, slots=True, eq=False)
class Ids:
    """The ids of n sequences, and where these stood before some were taken out.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Of any dtype; made read-only. Several sequences may have one id.
    places : ndarray of shape (n,), intp, or None
        The index of each among those that it was taken from; None: 0, 1, ...
    count : bool
        Whether the ids of all were 0 to n - 1 in another order, so that a column of such numbers
        may mean ids or places.
    """

    values: np.ndarray
    places: np.ndarray | None = None
    count: bool = False

    def __post_init__(self) -> None:
        self.values.flags.writeable = False

    @classmethod
    def of(cls, given: Any, n: int) -> Ids | None:
        """Return the ids that a user gave for n sequences; None if there are none.

        Raises
        ------
        ValueError
            If they are not n, or one is missing.
        """
        if given is None:
            return None
        values = given.values if isinstance(given, Ids) else _one_dimension(given)
        if values.shape != (n,):
            raise ValueError(
                f"ids must have shape ({n},), one for each sequence, got {values.shape}"
            )
        if isinstance(given, Ids):
            return given
        missing = is_missing(values)
        if missing.any():
            raise ValueError(
                f"ids must name every sequence, got {values[missing.argmax()]!r} for "
                f"sequence {missing.argmax()}"
            )
        counted = np.arange(n)
        count = values.dtype.kind in "iu" and not np.array_equal(values, counted)
        return cls(values, None, count and np.array_equal(np.sort(values), counted))

    def take(self, key: Any) -> Ids:
        """Return the ids at an index array or a slice."""
        places = np.arange(len(self.values)) if self.places is None else self.places
        return Ids(self.values[key], places[key], self.count)

    def __reduce__(self) -> tuple[Any, ...]:
        return Ids, (self.values, self.places, self.count)


def _one_dimension(given: Any) -> np.ndarray:
    """Return a copy of ids as an array of one dimension, tuples as the objects they are."""
    if isinstance(given, (list, tuple)) and any(isinstance(name, tuple) for name in given):
        values = np.empty(len(given), dtype=object)
        values[:] = given
        return values
    return np.array(given)


def refuse_other_ids(
    sequences: Any, given: Any, name: str, of: str = "X", listed: str = "X.ids"
) -> None:
    """Raise if what belongs to sequences bears labels that are not their ids, one by one.

    Labels are the index of a pandas Series or frame, or the ids of `Sequences`. Unnamed whole
    numbers that tell where the sequences stood, as those of a plain Series do, are no labels, nor
    are unnamed whole numbers where ids are of another kind.

    Parameters
    ----------
    sequences : Sequences, Ids or any other X
        Nothing is compared if they have no ids.
    given : array-like
        Targets or weights, one for each sequence.
    name : str
        The argument's name, for error texts.
    of, listed : str
        What has the ids, and where they are found, for error texts.

    Raises
    ------
    ValueError
        Saying how to put it in order.
    """
    ids = sequences if isinstance(sequences, Ids) else None
    if isinstance(sequences, FlatSequences):
        ids = sequences._ids
    if ids is None:
        return
    of_sequences = isinstance(given, FlatSequences)
    index = getattr(given, "ids" if of_sequences else "index", None)
    if index is None or not hasattr(index, "__array__") or len(index) != len(ids.values):
        return  # there are no labels, or the numbers of sequences differ, which is told elsewhere
    found, own = _comparable(np.asarray(index)), _comparable(ids.values)
    if found == own:
        return
    if not of_sequences and _may_be_places(index):
        if ids.values.dtype.kind not in "iu":
            return
        places = range(len(own)) if ids.places is None else ids.places.tolist()
        if found == list(places) and not ids.count:
            return
    i = next(i for i, (a, b) in enumerate(zip(found, own)) if a != b)
    same = Counter(found) == Counter(own)
    what = f"has the ids of {of} in another order" if same else f"contradicts {listed}"
    remedy = (
        f"give {name}.loc[{listed}], or {name}.to_numpy() if it is in the order of {of} already"
    )
    if of_sequences:
        remedy = f"index {name} so that its ids are those of {of}"
    raise ValueError(
        f"The {'ids' if of_sequences else 'index'} of {name} {what}: sequence {i} has "
        f"{found[i]!r} there, {own[i]!r} in {listed}; {remedy}"
    )


def _may_be_places(index: Any) -> bool:
    """Whether an index holds whole numbers and has no name."""
    return getattr(index, "name", None) is None and np.asarray(index).dtype.kind in "iu"


def _comparable(labels: np.ndarray) -> list[Any]:
    """Return labels as objects that are equal where they mean the same."""
    if labels.dtype.kind in "mM":  # whatever their unit
        kind = labels.dtype.kind
        return [(kind, n) for n in labels.astype(f"{kind}8[ns]").astype(np.int64).tolist()]
    plain: list[Any] = labels.tolist()
    return [label.item() if isinstance(label, np.generic) else label for label in plain]

"""One series or many, in any form, as arrays; and forecasts given back in that form.

Letters: N series, T steps, K channels, S steps ahead, Q columns of a forecast.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnnkit.estimators.forecasting.index import (
    describe_index,
    future_index,
    index_of,
    later_index,
    refuse_disorder,
    refuse_other_labels,
)
from rnnkit.sequences import Sequences
from rnnkit.sequences.columns import column_names, shared_columns
from rnnkit.sequences.ids import Ids, refuse_other_ids
from rnnkit.sequences.numbers import cast, convert_values
from rnnkit.sequences.reading import refuse_masked

__all__ = ["SeriesForm", "indices_of", "read_covariates", "read_series", "refuse_other_index"]


@dataclass(frozen=True)
class SeriesForm:
    """How series came, which is how forecasts are given.

    Parameters
    ----------
    kind : {"one", "list", "sequences"}
    is_flat : bool
        Whether a series was given without an axis of channels.
    dtype : {"float32", "float64"}
    names : tuple or None
        What the channels are called.
    indices : list of dict or None
        What the index of each series says; None where it has none.
    ids : ndarray or None
        What the series of `Sequences` are called.
    """

    kind: str
    is_flat: bool
    dtype: str
    names: tuple[Any, ...] | None
    indices: list[dict[str, Any] | None]
    ids: Any = None

    def restore(self, forecasts: list[np.ndarray], steps: np.ndarray, columns: Any = None) -> Any:
        """Give forecasts back: for each series (S, K), or (S, K, Q) with Q named columns.

        Parameters
        ----------
        forecasts : list of N ndarray
        steps : ndarray of shape (S,)
            The steps ahead, from 1.
        columns : list of tuple, default=None
            What the Q columns are called, below the name of the channel.
        """
        given = [
            self._one(values, described, steps, columns)
            for values, described in zip(forecasts, self.indices)
        ]
        if self.kind == "one":
            return given[0]
        if self.kind == "sequences" and columns is None:
            return Sequences.from_list([np.asarray(v) for v in given])._called(self.ids)
        return given

    def _one(self, values: np.ndarray, index: Any, steps: np.ndarray, columns: Any) -> Any:
        values = cast(values, np.dtype(self.dtype), "the forecast")
        if index is None:
            return values[:, 0] if self.is_flat else values
        import pandas as pd

        labels = future_index(index, steps)
        names = self.names or (0,)
        if columns is not None:
            pairs = [(0 if name is None else name, *column) for name in names for column in columns]
            flat = values.reshape(len(values), -1)
            return pd.DataFrame(flat, labels, pd.MultiIndex.from_tuples(pairs))
        if self.is_flat:
            return pd.Series(values[:, 0], labels, name=names[0])
        return pd.DataFrame(values, labels, list(names))

    def called(self, name: str, i: int) -> str:
        """Return what series i of an argument is called in error texts."""
        return _called(name, self.kind, i)

    def later(self, y: Any, new: SeriesForm) -> SeriesForm:
        """Return this form with the end of series that go on in y, which has another.

        Raises
        ------
        ValueError
            If they came in another form, or do not begin where these end.
        """
        if (self.kind, self.is_flat, len(self.indices)) != (
            new.kind,
            new.is_flat,
            len(new.indices),
        ):
            raise ValueError("y must come in the form that it had in fit, as many series of it")
        indices = indices_of(y, self.kind)
        if any((a is None) != (b is None) for a, b in zip(self.indices, indices)):
            raise ValueError("y must have an index if it had one in fit, and none otherwise")
        return replace(self, indices=list(map(later_index, self.indices, indices)))

    def future(self, steps: np.ndarray) -> list[Any]:
        """Return the index of some steps after the end of each series; None where it has none."""
        return [
            None if index is None or index["kind"] == "position" else future_index(index, steps)
            for index in self.indices
        ]

    def refuse_other_steps(self, y: Any, steps: np.ndarray) -> None:
        """Raise ValueError if y has an index that is not that of some steps after the end."""
        text = "y must hold the steps that are forecast"
        for index, due, own in zip(indices_of(y, self.kind), self.future(steps), self.indices):
            if index is not None and due is not None:
                refuse_other_labels(index, due, text, own)

    def refuse_other_ids(self, given: Any, name: str) -> None:
        """Raise ValueError if what belongs to these series bears other ids, or in another order."""
        ids = Ids.of(self.ids, len(self.indices))
        if ids is not None:
            refuse_other_ids(ids, given, name, "fit", "the ids of fit")


def read_series(
    y: Any, name: str = "y", *, described: bool = True
) -> tuple[list[np.ndarray], SeriesForm]:
    """Return series as arrays (T, K) of one dtype, and the form they came in.

    Parameters
    ----------
    y : array (T,) or (T, K), series or frame; or a list, object or 3-D array or Sequences of such
    name : str
        For error texts.
    described : bool, default=True
        Whether indices are looked at, which must then be evenly spaced.

    Raises
    ------
    TypeError, ValueError
        If there is none, one is empty, a number is missing or not finite, the number of channels
        differs, or an index is not in order.
    """
    if y is None:
        raise ValueError(f"{name} must be a series or several, got None")
    refuse_masked(y, name)
    ids = y.ids if isinstance(y, Sequences) else None
    kind, items = _separate(y)
    if not len(items):
        raise ValueError(f"{name} must hold at least one series, got none")
    shared_columns(items)
    arrays = []
    for i, item in enumerate(items):
        called = _called(name, kind, i)
        array = np.asarray(item.to_numpy() if hasattr(item, "to_numpy") else item)
        if array.ndim not in (1, 2) or not array.size:
            raise ValueError(
                f"{called} must be a series of shape (T,) or (T, K) with at least one step, got "
                f"shape {array.shape}"
            )
        array = convert_values(array, called, allow_nan=True)
        bad = ~np.isfinite(array)
        if bad.any():
            step = int(np.argmax(bad.reshape(len(array), -1).any(axis=1)))
            raise ValueError(
                f"{called} must hold finite numbers, got {array[bad][0]} at step {step}; "
                "rnnkit.preprocessing.SequenceImputer fills what is missing"
            )
        arrays.append(array)
    if len({array.shape[1:] for array in arrays}) > 1:
        raise ValueError(f"{name} has series of different numbers of channels")
    dtype = "float32" if all(a.dtype == np.float32 for a in arrays) else "float64"
    indices = [
        describe_index(item, _called(name, kind, i)) if described else None
        for i, item in enumerate(items)
    ]
    first = items[0]
    names = column_names(first) if arrays[0].ndim == 2 else (getattr(first, "name", None),)
    is_flat = arrays[0].ndim == 1
    form = SeriesForm(kind, is_flat, dtype, tuple(names) or None, indices, ids)
    return [array.reshape(len(array), -1).astype(dtype) for array in arrays], form


def _separate(y: Any) -> tuple[str, list[Any]]:
    """Return whether y is one series or many, and each."""
    if isinstance(y, Sequences):
        return "sequences", y.to_list()
    if isinstance(y, (list, tuple)):
        first = y[0] if len(y) else None
        several = not len(y) or getattr(first, "ndim", int(hasattr(first, "__len__"))) > 0
        return ("list", list(y)) if several else ("one", [np.asarray(y)])
    if index_of(y) is None and not hasattr(y, "to_numpy"):
        array = np.asarray(y)
        if array.ndim == 3 or (array.dtype == object and array.ndim == 1 and np.ndim(array[0])):
            return "list", list(array)
        if array.ndim == 0:
            raise TypeError(f"y must be a series or several, got {y!r}")
    return "one", [y]


def _called(name: str, kind: str, i: int) -> str:
    return name if kind == "one" else f"{name}[{i}]"


def indices_of(y: Any, kind: str) -> list[Any]:
    """Return the pandas index of each series, or None."""
    return [index_of(item) for item in ([y] if kind == "one" else y)]


def read_covariates(
    X: Any, name: str, form: SeriesForm, lengths: list[int], indices: list[Any] | None = None
) -> list[np.ndarray]:
    """Return covariates (T_i, P) of every series, read as series are.

    Parameters
    ----------
    X : as y, with P columns
    name : str
        For error texts.
    form : SeriesForm
        That of y.
    lengths : list of N int
        Steps that there must be.
    indices : list, default=None
        The labels that there must be where both have some: pandas indices, or None.

    Raises
    ------
    TypeError, ValueError
        If they are not as many steps as y has, or have other labels.
    """
    if form.kind != "one" and not isinstance(X, (Sequences, list, tuple, np.ndarray)):
        raise TypeError(f"{name} must hold covariates for each of {len(lengths)} series")
    arrays, own = read_series(X, name, described=False)
    if (own.kind == "one") != (form.kind == "one") or len(arrays) != len(lengths):
        raise ValueError(
            f"{name} must hold covariates for each series of y: {len(lengths)}, got {len(arrays)}"
        )
    for i, (array, length) in enumerate(zip(arrays, lengths)):
        called = form.called(name, i)
        if len(array) != length:
            raise ValueError(f"{called} must have {length} steps, got {len(array)}")
        item = X if form.kind == "one" else X[i]
        refuse_other_index(item, name, form, i, None if indices is None else indices[i])
    return [array.astype(np.float64) for array in arrays]


def refuse_other_index(item: Any, name: str, form: SeriesForm, i: int, due: Any) -> None:
    """Raise ValueError if what belongs to series i has an index that is not that of its steps.

    Parameters
    ----------
    item : array, pandas series or frame
        As many steps as the series has.
    name : str
        Of the argument, for error texts.
    form : SeriesForm
        That of y.
    i : int
    due : pandas index or None
        The labels of the steps; None: they have none, and those of `item` must be in order.
    """
    index, called = index_of(item), form.called(name, i)
    if index is None:
        return
    if due is None:
        refuse_disorder(index, called)
    elif len(index) == len(due):
        text = f"{called} must have the index of the steps that it is about"
        refuse_other_labels(index, due, text, form.indices[i])

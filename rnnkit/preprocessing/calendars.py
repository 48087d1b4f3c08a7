"""Turns dates and times into numbers: the hour, the weekday, the month."""

from __future__ import annotations

import datetime
import re
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from rnnkit.documentation import Documented
from rnnkit.parameter_names import ChecksNames
from rnnkit.preprocessing.watching import CallbackSupportMixin, watched, whole
from rnnkit.sequences.frames import import_narwhals
from rnnkit.sequences.numbers import is_missing

__all__ = ["CalendarFeatures"]

# After how many a field begins again; None: that depends, or never.
FIELDS: dict[str, Any] = {
    "second": 60, "minute": 60, "hour": 24, "weekday": 7, "day": None, "dayofyear": None,
    "month": 12, "quarter": 4, "year": None,
}  # fmt: skip
# A text that NumPy reads as a date of ISO 8601; of "20240229" it would make the year 20240229.
DASHED = re.compile(r"[+-]?[0-9]{4}(-.*)?", re.DOTALL)
# A text of date and time, and the time zone at its end.
ZONE = re.compile(r"^(.*[T ][0-9]{2}[0-9:.,]*) ?(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2}){0,2})$")


class CalendarFeatures(
    Documented, ChecksNames, CallbackSupportMixin, TransformerMixin, BaseEstimator
):
    """Turn dates and times into numbers that a network can use: hour, weekday, month, ...

    It takes the columns of a long table before this becomes sequences.

    Parameters
    ----------
    fields : tuple of str, default=("hour", "weekday", "month")
        Which of "second", "minute", "hour", "weekday" (Monday is 0), "day" (of the month, from
        1), "dayofyear" (from 1), "month" (from 1), "quarter" (from 1) and "year", in this order.
    cyclic : bool, default=True
        Whether a field becomes sin and cos of its place in the turn, so that 23 o'clock lies
        beside 0; otherwise it is the number. A year does not come back: it is always the number.

    Attributes
    ----------
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where X is a frame that names all by text, or a series with a name.

    Notes
    -----
    The time on the clock counts: a time zone is taken off, not converted. The turn of "day" is as
    long as its month, that of "dayofyear" as its year.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.preprocessing import CalendarFeatures
    >>> times = np.array(["2024-02-29T06:00", "2024-03-01T18:30"], dtype="datetime64[m]")
    >>> CalendarFeatures(("hour", "day"), cyclic=False).fit_transform(times)
    array([[ 6., 29.],
           [18.,  1.]])
    >>> np.round(CalendarFeatures(("hour",)).fit_transform(times), 3) + 0.0
    array([[ 1.,  0.],
           [-1.,  0.]])
    """

    def __init__(
        self, fields: tuple[str, ...] = ("hour", "weekday", "month"), *, cyclic: bool = True
    ) -> None:
        self.fields = fields
        self.cyclic = cyclic

    @watched
    @whole
    def fit(self, X: Any, y: Any = None) -> CalendarFeatures:
        """Check the parameters and learn the number of columns.

        Parameters
        ----------
        X : array-like of shape (n,) or (n, n_columns) of datetime64, series or frame
            Dates and times, of NumPy, pandas or polars; or lists, arrays or columns of Python's, or
            of text as ISO 8601 has them.
        y : ignored

        Returns
        -------
        CalendarFeatures
            This object.

        Raises
        ------
        TypeError, ValueError
            If a parameter is not accepted, or X holds no times or a missing one.
        """
        fields: Any = [self.fields] if isinstance(self.fields, str) else self.fields
        if not isinstance(fields, (list, tuple, np.ndarray)):
            raise TypeError(f"fields must be a tuple of names, got {self.fields!r}")
        fields = list(fields)
        unknown = [f for f in fields if not isinstance(f, str) or f not in FIELDS]
        if unknown or not fields or len(set(fields)) < len(fields):
            raise ValueError(
                f"fields must be different ones of {tuple(FIELDS)}, got {self.fields!r}"
            )
        if not isinstance(self.cyclic, (bool, np.bool_)):
            raise TypeError(f"cyclic must be True or False, got {self.cyclic!r}")
        times, names = _read_times(X)
        self.n_features_in_ = times.shape[1]
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self._fitted = tuple(map(str, fields)), bool(self.cyclic)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Turn times into numbers.

        Parameters
        ----------
        X : array-like of shape (n,) or (n, n_columns) of datetime64, series or frame
            As in `fit`.

        Returns
        -------
        ndarray of shape (n, n_columns_out), float64
            The fields of the first column, then those of the second, ...; cyclic ones as sin, cos.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If X holds no times, a missing one, or other columns than in `fit`.
        """
        check_is_fitted(self, "n_features_in_")
        times, names = _read_times(X)
        if times.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {times.shape[1]} features, but CalendarFeatures is expecting "
                f"{self.n_features_in_} features as input"
            )
        learnt = getattr(self, "feature_names_in_", None)
        if names is not None and learnt is not None and names.tolist() != list(learnt):
            raise ValueError(
                f"X must have the columns of fit in their order, {list(learnt)}, got "
                f"{names.tolist()}"
            )
        fields, cyclic = self._fitted
        columns = []
        for column in times.T:
            for field in fields:
                place, first, turn = _place(column, field)
                if cyclic and turn is not None:
                    angle = 2 * np.pi * place / turn
                    columns += [np.sin(angle), np.cos(angle)]
                else:
                    columns.append((place + first).astype(np.float64))
        return np.column_stack(columns)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the columns of the result.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X; None: those seen in `fit`, or x0, x1, ...

        Returns
        -------
        ndarray of shape (n_columns_out,), object
            Such as "time_hour_sin", "time_hour_cos"; without `cyclic` "time_hour".

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self, "n_features_in_")
        default = getattr(self, "feature_names_in_", [f"x{i}" for i in range(self.n_features_in_)])
        names = default if input_features is None else input_features
        if len(names) != self.n_features_in_:
            raise ValueError(
                f"input_features should have length equal to {self.n_features_in_}, got "
                f"{len(names)}"
            )
        fields, cyclic = self._fitted
        found = []
        for name in names:
            for field in fields:
                turning = cyclic and field != "year"
                ends = ("_sin", "_cos") if turning else ("",)
                found += [f"{name}_{field}{end}" for end in ends]
        return np.array(found, dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.no_validation = True  # it takes times where scikit-learn's checks give numbers
        tags.input_tags.one_d_array = True
        return tags


def _read_times(X: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Return times (n, n_columns) as datetime64 and the columns' names."""
    names = None
    if type(X).__name__.endswith("Index") and hasattr(X, "to_numpy"):  # of pandas
        names = np.array([X.name], dtype=object) if X.name not in (None, "") else None
        X = X.to_numpy()
    if not isinstance(X, (np.ndarray, list, tuple)):
        if isinstance(X, (str, bytes, dict)) or not hasattr(X, "__len__"):
            raise TypeError(
                "X must be an array, a list, a series or a frame of dates and times, got "
                f"{type(X).__name__}"
            )
        nw = import_narwhals("CalendarFeatures of a frame or series")
        frame = nw.from_native(X, eager_only=True, allow_series=True)
        if isinstance(frame, nw.Series):
            named = frame.name not in (None, "")
            names = np.array([frame.name], dtype=object) if named else None
            frame = frame.alias("time" if not named else frame.name).to_frame()
        else:
            texts = all(isinstance(name, str) for name in frame.columns)
            names = np.array(frame.columns, dtype=object) if texts else None
        columns = []
        for name, column in zip(frame.columns, frame.iter_columns()):
            accessor: Any = getattr(column.to_native(), "dt", None)
            if column.dtype == nw.Unknown and hasattr(accessor, "tz_localize"):  # offsets
                native = accessor.tz_localize(None)
                column = nw.from_native(native, series_only=True)
            if isinstance(column.dtype, (nw.Object, nw.String, nw.Categorical, nw.Enum)):
                columns.append(_clocks_of_column(column.to_list(), name))
                continue
            if not column.dtype.is_temporal() or isinstance(column.dtype, (nw.Duration, nw.Time)):
                raise ValueError(
                    f"X must hold dates or times, but its column {name!r} holds others"
                )
            if isinstance(column.dtype, nw.Datetime) and column.dtype.time_zone is not None:
                column = column.dt.replace_time_zone(None)
            columns.append(column.to_numpy().astype("datetime64[us]"))
        times = np.column_stack(columns) if columns else np.empty((0, 0), "datetime64[us]")
    else:
        try:
            times = np.asarray(X)
            if times.dtype.kind in "OUS":
                times = _clocks(times)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"X must hold dates or times: {error}") from error
        times = times[:, None] if times.ndim == 1 else times
    if times.ndim != 2 or times.dtype.kind != "M":
        raise ValueError(
            f"X must hold dates or times in one or two dimensions, got {times.dtype} of shape "
            f"{times.shape}"
        )
    if not times.size:
        raise ValueError("X is empty")
    missing = np.isnat(times)
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise ValueError(f"X: the time in row {row}, column {column}, is missing")
    return times.astype("datetime64[us]"), names


def _clocks_of_column(entries: list[Any], name: Any) -> np.ndarray:
    """Return a column of objects or texts as datetime64."""
    objects = np.empty(len(entries), dtype=object)
    objects[:] = entries
    try:
        return _clocks(objects)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"X must hold dates or times, but its column {name!r} holds others: {error}"
        ) from error


def _clocks(entries: np.ndarray) -> np.ndarray:
    """Return objects or texts as datetime64, each as its own clock shows it."""
    if entries.dtype.kind == "S":
        entries = entries.astype(str)
    clocks = np.full(entries.shape, "NaT", "datetime64[us]")
    missing = is_missing(entries)
    for index in zip(*np.nonzero(~missing)):
        entry = entries[index]
        if isinstance(entry, str):
            entry = ZONE.sub(r"\1", entry.strip())
            if not DASHED.fullmatch(entry):
                entry = datetime.datetime.fromisoformat(entry).replace(tzinfo=None)
        elif isinstance(entry, datetime.datetime):
            entry = entry.replace(tzinfo=None)
        elif not isinstance(entry, (datetime.date, np.datetime64)):
            raise ValueError(f"got {entry!r}")
        clocks[index] = entry
    return clocks


def _place(times: np.ndarray, field: str) -> tuple[np.ndarray, int, Any]:
    """Return the place in the turn, counted from 0, what the field counts from, and its length."""
    days, months, years = (times.astype(f"datetime64[{unit}]") for unit in "DMY")
    if field in ("second", "minute", "hour"):
        unit = field[0]
        count = times.astype(f"datetime64[{unit}]").astype(np.int64)
        turn = FIELDS[field]
        return count % turn, 0, turn
    if field == "weekday":  # 1970 began on a Thursday
        return (days.astype(np.int64) + 3) % 7, 0, 7
    if field == "day":
        length = (months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")
        return (days - months).astype(np.int64), 1, length.astype(np.int64)
    if field == "dayofyear":
        length = (years + 1).astype("datetime64[D]") - years.astype("datetime64[D]")
        return (days - years).astype(np.int64), 1, length.astype(np.int64)
    if field == "month":
        return (months - years).astype(np.int64), 1, 12
    if field == "quarter":
        return (months - years).astype(np.int64) // 3, 1, 4
    return years.astype(np.int64), 1970, None

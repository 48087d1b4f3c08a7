"""CalendarFeatures against pandas, for every kind of table, and the refusals."""

import pickle
import warnings
from datetime import datetime, timedelta, timezone

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError

from rnnkit.exceptions import MissingExtraError
from rnnkit.preprocessing import CalendarFeatures
from rnnkit.preprocessing.calendars import FIELDS

TIMES = pd.Series(pd.date_range("1961-12-30 22:13:05", "2031-03-01", periods=500), name="when")
LEAP = pd.Series(
    np.array(["2000-02-29", "2024-02-29T23:59:59", "2023-02-28", "2023-12-31"], "datetime64[s]")
)


def of_pandas(times, field):
    field = {"weekday": "day_of_week", "dayofyear": "day_of_year"}.get(field, field)
    return getattr(times.dt, field).to_numpy().astype(float)


@pytest.mark.parametrize("times", [TIMES, LEAP], ids=["seventy years", "leap days"])
@pytest.mark.parametrize("field", FIELDS)
def test_fields_are_those_of_pandas(field, times):
    found = CalendarFeatures((field,), cyclic=False).fit_transform(times)
    np.testing.assert_array_equal(found[:, 0], of_pandas(times, field))


@pytest.mark.parametrize("field", [name for name in FIELDS if name != "year"])
def test_a_turn_is_a_circle_that_begins_at_its_first(field):
    found = CalendarFeatures((field,)).fit_transform(TIMES)
    np.testing.assert_allclose((found**2).sum(axis=1), 1, rtol=1e-12)
    first = {"day": 1, "dayofyear": 1, "month": 1, "quarter": 1}.get(field, 0)
    number = of_pandas(TIMES, field)
    turn = {
        "second": 60, "minute": 60, "hour": 24, "weekday": 7, "month": 12, "quarter": 4,
        "day": TIMES.dt.days_in_month.to_numpy(),
        "dayofyear": 365 + TIMES.dt.is_leap_year.to_numpy(),
    }[field]  # fmt: skip
    angle = 2 * np.pi * (number - first) / turn
    np.testing.assert_allclose(found, np.column_stack([np.sin(angle), np.cos(angle)]), atol=1e-12)


def forms():
    yield "series", TIMES
    yield "frame", TIMES.to_frame()
    yield "index", pd.DatetimeIndex(TIMES).to_numpy()
    yield "list", list(TIMES.dt.to_pydatetime())
    yield "column", TIMES.to_numpy()[:, None]
    yield "text", TIMES.dt.strftime("%Y-%m-%dT%H:%M:%S.%f").tolist()
    yield "time zone", TIMES.dt.tz_localize("Etc/GMT+5")


@pytest.mark.parametrize(("name", "X"), list(forms()), ids=[name for name, _ in forms()])
def test_every_form_gives_the_same(name, X):
    expected = CalendarFeatures().fit_transform(TIMES)
    np.testing.assert_array_equal(CalendarFeatures().fit_transform(X), expected)


def test_the_clock_of_a_time_zone_counts():
    local = pd.Series(pd.to_datetime(["2024-07-01 08:00"])).dt.tz_localize("Asia/Tokyo")
    assert CalendarFeatures(("hour",), cyclic=False).fit_transform(local) == [[8]]


@pytest.mark.parametrize("hours", [-11, -3.5, 0, 5.75, 9])
@pytest.mark.parametrize(
    "form",
    ["datetimes", "timestamps", "objects", "text", "bytes", "index", "series of objects",
     "frame of text", "categories", "strings", "polars", "polars objects", "pyarrow"],
)  # fmt: skip
def test_the_clock_counts_in_every_form(form, hours):
    zone = timezone(timedelta(hours=hours))
    local = [datetime(2024, 2, 29, 23, 5, 7, 9, zone), datetime(2024, 1, 1, 0, 0, 0, 0, zone)]
    X = {
        "datetimes": local,
        "timestamps": [[pd.Timestamp(time)] for time in local],
        "objects": np.array(local, object),
        "text": [time.isoformat() for time in local],
        "bytes": np.array([time.isoformat().encode() for time in local]),
        "index": pd.DatetimeIndex(local, name="when"),
        "series of objects": pd.Series(local, dtype=object),
        "frame of text": pd.DataFrame({"t": [time.isoformat() for time in local]}),
        "categories": pd.Series([time.isoformat() for time in local], dtype="category"),
        "strings": pd.Series([f" {time.isoformat()} " for time in local], dtype="string"),
        "polars": pl.DataFrame({"t": [time.isoformat() for time in local]}),
        "polars objects": pl.DataFrame({"t": pl.Series(local, dtype=pl.Object)}),
        "pyarrow": pa.table({"t": [time.isoformat() for time in local]}),
    }[form]
    features = CalendarFeatures(("second", "minute", "hour", "day", "month", "year"), cyclic=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = features.fit_transform(X)
    assert found.tolist() == [[7, 5, 23, 29, 2, 2024], [0, 0, 0, 1, 1, 2024]]


@pytest.mark.parametrize(
    ("text", "hour"),
    [("2024-01-01T08:00Z", 8), ("2024-01-01 08:00:00.5 +09:00", 8), ("2024-01-01T08-0330", 8),
     ("2024-01-01", 0), ("2024-11", 0), ("2024-01-01T08", 8), ("2024", 0), ("20240101", 0),
     ("20240101T0815", 8), ("20240101T081500Z", 8), ("2024W011", 0)],
)  # fmt: skip
def test_texts_with_and_without_a_time_zone(text, hour):
    features = CalendarFeatures(("year", "hour"), cyclic=False)
    assert features.fit_transform([text]).tolist() == [[2024, hour]]


def test_swapped_columns_are_refused():
    frame = pd.DataFrame({"a": TIMES, "b": TIMES[::-1].to_numpy()})
    features = CalendarFeatures().fit(frame)
    with pytest.raises(ValueError, match=r"columns of fit in their order, \['a', 'b'\], got \['b'"):
        features.transform(frame[["b", "a"]])
    np.testing.assert_array_equal(features.transform(frame.to_numpy()), features.transform(frame))


def test_polars_too():
    frame = pl.DataFrame({"when": TIMES.to_numpy()})
    expected = CalendarFeatures().fit_transform(TIMES)
    for X in (frame, frame["when"]):
        np.testing.assert_array_equal(CalendarFeatures().fit_transform(X), expected)


def test_columns_that_are_named_by_numbers_have_no_names():
    frame = pd.DataFrame(np.column_stack([TIMES.to_numpy(), TIMES[::-1].to_numpy()]))
    features = CalendarFeatures(("hour",), cyclic=False).fit(frame)
    assert not hasattr(features, "feature_names_in_")
    assert features.get_feature_names_out().tolist() == ["x0_hour", "x1_hour"]
    np.testing.assert_array_equal(features.transform(frame), features.transform(frame.to_numpy()))


def test_names_copies_and_columns():
    frame = pd.DataFrame({"a": TIMES, "b": TIMES[::-1].to_numpy(), "x": np.arange(500.0)})
    features = CalendarFeatures(("hour", "year"))
    found = features.fit_transform(frame[["a", "b"]])
    names = ["a_hour_sin", "a_hour_cos", "a_year", "b_hour_sin", "b_hour_cos", "b_year"]
    assert features.get_feature_names_out().tolist() == names
    for again in (clone(features).fit(frame[["a", "b"]]), pickle.loads(pickle.dumps(features))):
        np.testing.assert_array_equal(again.transform(frame[["a", "b"]]), found)
    table = ColumnTransformer(
        [("time", features, ["a", "b"])], remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    table = table.fit_transform(frame)
    assert list(table.columns) == [*names, "x"]
    np.testing.assert_array_equal(table.iloc[:, :6].to_numpy(), found)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.arange(3.0), "X must hold dates or times in one or two dimensions, got float64"),
        (["yesterday"], "X must hold dates or times: "),
        (["now"], "X must hold dates or times: "),
        (["01/02/2024"], "X must hold dates or times: "),
        (["202402"], "X must hold dates or times: "),
        (pd.Series(["2024-01-01", "now"], name="t"), "its column 't' holds others: Invalid"),
        (pd.Series([1, 2], name="t", dtype=object), "its column 't' holds others: got 1"),
        (pd.Series(["2024-01-01", None], name="t"), "X: the time in row 1, column 0, is missing"),
        (np.array([5, 6], object), "X must hold dates or times: got 5"),
        ([[datetime(2024, 1, 1)], [True]], "X must hold dates or times: got True"),
        ([timedelta(1)], "X must hold dates or times: got datetime.timedelta"),
        ([[datetime(2024, 1, 1)], [pd.NaT]], "X: the time in row 1, column 0, is missing"),
        ([datetime(2024, 1, 1), None], "X: the time in row 1, column 0, is missing"),
        ([[datetime(2024, 1, 1)], []], "X must hold dates or times: "),
        (pd.Series(pd.period_range("2024", periods=2), name="t"), "its column 't' holds others"),
        (pd.period_range("2024", periods=2), "X must hold dates or times: got Period"),
        (pd.DataFrame({"t": [1.0, 2.0]}), "its column 't' holds others"),
        (pd.Series(pd.to_timedelta([1, 2], "h"), name="t"), "its column 't' holds others"),
        (pd.Series([pd.Timestamp("2020"), pd.NaT]), "X: the time in row 1, column 0, is missing"),
        (np.array(["NaT"], "datetime64[s]"), "X: the time in row 0, column 0, is missing"),
        (np.array([], "datetime64[s]"), "X is empty"),
    ],
)
def test_what_is_no_time_is_named(X, message):
    with pytest.raises(ValueError, match=message):
        CalendarFeatures().fit(X)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"fields": ("hours",)}, ValueError, "fields must be different ones of .* got \\('hours'"),
        ({"fields": ()}, ValueError, "fields must be different ones of"),
        ({"fields": ("hour", "hour")}, ValueError, "fields must be different ones of"),
        ({"fields": 3}, TypeError, "fields must be a tuple of names, got 3"),
        ({"fields": {"hour"}}, TypeError, "fields must be a tuple of names, got {'hour'}"),
        ({"fields": [["hour"]]}, ValueError, "fields must be different ones of"),
        ({"cyclic": 1}, TypeError, "cyclic must be True or False, got 1"),
    ],
)
def test_bad_parameters_are_named(parameters, error, message):
    with pytest.raises(error, match=message):
        CalendarFeatures(**parameters).fit(TIMES)


@pytest.mark.parametrize("X", [3, None, "2024", {"t": [1]}, iter([1])])
def test_what_is_no_table_is_named(X):
    with pytest.raises(TypeError, match="X must be an array, a list, a series or a frame of dates"):
        CalendarFeatures().fit(X)


def test_an_unfitted_one_and_another_table_are_refused():
    with pytest.raises(NotFittedError):
        CalendarFeatures().transform(TIMES)
    with pytest.raises(ValueError, match="X has 1 features, but CalendarFeatures is expecting 2"):
        CalendarFeatures().fit(pd.DataFrame({"a": TIMES, "b": TIMES})).transform(TIMES)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "narwhals", None)
    with pytest.raises(MissingExtraError, match=r'pip install "rnnkit\[frames\]"'):
        CalendarFeatures().fit(TIMES)
    CalendarFeatures().fit(TIMES.to_numpy())

"""CalendarFeatures against pandas, for every kind of table, and the refusals."""

import pickle

import numpy as np
import pandas as pd
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


def test_polars_too():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"when": TIMES.to_numpy()})
    expected = CalendarFeatures().fit_transform(TIMES)
    for X in (frame, frame["when"]):
        np.testing.assert_array_equal(CalendarFeatures().fit_transform(X), expected)


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
        ({"cyclic": 1}, TypeError, "cyclic must be True or False, got 1"),
    ],
)
def test_bad_parameters_are_named(parameters, error, message):
    with pytest.raises(error, match=message):
        CalendarFeatures(**parameters).fit(TIMES)


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

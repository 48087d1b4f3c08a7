"""Every reader of sequences over a table of frames: right values, or a refusal of the column."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer

from rnnkit import GRUClassifier, RecurrentFeatures
from rnnkit.preprocessing import (
    Padder,
    SequenceScaler,
    SequenceSummary,
    SlidingWindows,
    TokenEncoder,
)
from rnnkit.sequences import Form, Sequences

N = 9
FIRST = np.arange(N) / 2.0
PATTERN = [1.0, 0.0, 1.0]
DAYS = pd.date_range("2020-01-31", periods=N)

# What the second column holds, as pandas has it; its name is "c".
NUMBERS = {
    "bool": pd.Series([True, False, True] * 3),
    "int8": pd.Series([1, 0, 1] * 3, dtype="int8"),
    "Int64": pd.array([1, 0, 1] * 3, "Int64"),
    "UInt8": pd.array([1, 0, 1] * 3, "UInt8"),
    "Float64": pd.array([1, 0, 1] * 3, "Float64"),
    "boolean": pd.array([True, False, True] * 3, "boolean"),
    "object of numbers": pd.Series([1, 0.0, True] * 3, dtype=object),
    "object of decimals": pd.Series([decimal.Decimal(x) for x in PATTERN] * 3, dtype=object),
    "sparse": pd.arrays.SparseArray(PATTERN * 3),
}
MISSING = {
    "Int64": pd.array([1, None, 1] * 3, "Int64"),
    "Float64": pd.array([1, None, 1] * 3, "Float64"),
    "boolean": pd.array([True, None, True] * 3, "boolean"),
    "object with None": pd.Series([1, None, 1] * 3, dtype=object),
    "object with NA": pd.Series([1, pd.NA, 1] * 3, dtype=object),
}
NO_NUMBERS = {
    "object of strings": pd.Series(["1", "2", "3"] * 3, dtype=object),
    "object of dates": pd.Series(list(DAYS.date), dtype=object),
    "object of lists": pd.Series([[1.0, 2.0]] * N, dtype=object),
    "object of dicts": pd.Series([{}] * N, dtype=object),
    "str": pd.Series(["1", "2", "3"] * 3, dtype="str"),
    "string": pd.Series(["1", "2", "3"] * 3, dtype="string"),
    "category of strings": pd.Series(["a", "b", "c"] * 3, dtype="category"),
    "category of numbers": pd.Series([1, 2, 3] * 3, dtype="category"),
    "datetime": DAYS,
    "datetime with zone": DAYS.tz_localize("UTC"),
    "timedelta": DAYS - DAYS[0],
    "period": DAYS.to_period("D"),
    "interval": pd.interval_range(0, N),
}


def pandas_frames(columns):
    return {name: pd.DataFrame({"t": FIRST, "c": column}) for name, column in columns.items()}


def arrow_backed():
    """Return frames of pandas over Arrow: numbers, missing and none."""
    pyarrow = pytest.importorskip("pyarrow")

    def frame(values, dtype):
        return pd.DataFrame({"t": FIRST, "c": pd.array(values, pd.ArrowDtype(dtype))})

    decimals = [decimal.Decimal(x) for x in PATTERN] * 3
    numbers = {
        "int": frame([1, 0, 1] * 3, pyarrow.int64()),
        "bool": frame([True, False, True] * 3, pyarrow.bool_()),
        "double": frame(PATTERN * 3, pyarrow.float64()),
        "decimal": frame(decimals, pyarrow.decimal128(5, 2)),
    }
    missing = {"int": frame([1, None, 1] * 3, pyarrow.int64())}
    days = list(DAYS.date)
    no_numbers = {
        "string": frame(["a", "b", "c"] * 3, pyarrow.string()),
        "date": frame(days, pyarrow.date32()),
        "timestamp": frame(list(DAYS), pyarrow.timestamp("us")),
        "duration": frame([datetime.timedelta(1)] * N, pyarrow.duration("us")),
        "list": frame([[1.0]] * N, pyarrow.list_(pyarrow.float64())),
    }
    return numbers, missing, no_numbers


def polars_frames():
    """Return frames of polars: numbers, missing and none."""
    polars = pytest.importorskip("polars")

    def frames(columns):
        return {
            name: polars.DataFrame({"t": FIRST, "c": polars.Series(values, dtype=dtype)})
            for name, (values, dtype) in columns.items()
        }

    numbers = frames(
        {
            "int": ([1, 0, 1] * 3, polars.Int32),
            "bool": ([True, False, True] * 3, polars.Boolean),
            "float": (PATTERN * 3, polars.Float32),
        }
    )
    missing = frames(
        {"int": ([1, None, 1] * 3, polars.Int64), "bool": ([True, None, True] * 3, polars.Boolean)}
    )
    letters = ["a", "b", "c"] * 3
    no_numbers = frames(
        {
            "string": (letters, polars.String),
            "categorical": (letters, polars.Categorical),
            "enum": (letters, polars.Enum(["a", "b", "c"])),
            "date": (list(DAYS.date), polars.Date),
            "datetime": (list(DAYS.to_pydatetime()), polars.Datetime),
            "duration": ([datetime.timedelta(1)] * N, polars.Duration),
            "time": ([datetime.time(1)] * N, polars.Time),
            "list": ([[1.0, 2.0]] * N, polars.List(polars.Float64)),
        }
    )
    return numbers, missing, no_numbers


def arrow_tables():
    """Return the tables of pyarrow that hold the frames of polars."""
    return tuple(
        {name: frame.to_arrow() for name, frame in frames.items()} for frames in polars_frames()
    )


LIBRARIES = {
    "pandas": lambda: tuple(map(pandas_frames, (NUMBERS, MISSING, NO_NUMBERS))),
    "pandas over Arrow": arrow_backed,
    "polars": polars_frames,
    "pyarrow": arrow_tables,
}


@pytest.fixture(scope="module", params=LIBRARIES)
def frames(request):
    """The three tables of frames of one library: numbers, missing, no numbers."""
    return LIBRARIES[request.param]()


RIGHT = np.column_stack([FIRST, PATTERN * 3])


def windows(X):
    return SlidingWindows(2).fit_transform(X)


def pairs(X):
    X, y = SlidingWindows(2).pairs(X)
    return np.concatenate([X.ravel(), y.ravel()])


def one_list(X):
    return Sequences.from_any([X, X]).values


def scaled(X):
    return SequenceScaler().fit_transform(X)


def fitted(X):
    model = GRUClassifier(2, max_iter=2, learning_rate="linear", random_state=0)
    return model.fit(X, [0, 1, 0] * 3).predict_proba(X)


def features(X):
    model = GRUClassifier(2, max_iter=2, learning_rate="linear", random_state=0)
    return RecurrentFeatures(model).fit(X, [0, 1, 0] * 3).transform(X)


READERS = {
    "Sequences.from_any": lambda X: Sequences.from_any(X).values,
    "Sequences": lambda X: Sequences(X, [0, 4, N]).values,
    "a list of frames": one_list,
    "SlidingWindows.transform": windows,
    "SlidingWindows.pairs": pairs,
    "SlidingWindows.groups": lambda X: SlidingWindows(2).groups(X, pairs=False),
    "SequenceScaler": scaled,
    "SequenceScaler in a list": lambda X: np.concatenate(SequenceScaler().fit_transform([X, X])),
    "Padder": lambda X: Padder(flatten=True).fit_transform(X),
    "Padder in a list": lambda X: Padder().fit_transform([X, X]),
    "SequenceSummary": lambda X: SequenceSummary().fit_transform(X),
    "SequenceSummary in a list": lambda X: SequenceSummary().fit_transform([X, X]),
    "GRUClassifier": fitted,
    "RecurrentFeatures": features,
}


@pytest.mark.parametrize("name", READERS)
def test_numbers_of_every_dtype_are_read_as_numbers(name, frames):
    expected = READERS[name](RIGHT)
    for dtype, frame in frames[0].items():
        actual = READERS[name](frame)
        np.testing.assert_array_equal(actual, expected, err_msg=f"{name}: {dtype}", strict=True)


@pytest.mark.parametrize("name", READERS)
def test_columns_without_numbers_are_refused_by_name(name, frames):
    for dtype, frame in frames[2].items():
        with pytest.raises((TypeError, ValueError)) as caught:
            READERS[name](frame)
        text = str(caught.value)
        place = "column 'c'" if name != "Sequences" or "column" in text else "index (0, 1)"
        assert place in text, f"{dtype}: {text}"
        assert "must hold real numbers" in text


REFUSE_MISSING = [name for name in READERS if not name.startswith("Sequence")]


@pytest.mark.parametrize("name", ["Sequences.from_any", *REFUSE_MISSING])
def test_missing_values_are_refused_with_their_place(name, frames):
    columns_are_features = "list" in name or "Sliding" in name
    step = (
        "sequence 0, step 1, feature 1" if columns_are_features else "sequence 1, step 1, feature 0"
    )
    for dtype, frame in frames[1].items():
        with pytest.raises(ValueError, match=r"Input X contains (NaN|<NA>)") as caught:
            READERS[name](frame)
        assert f"{step} (column 'c')" in str(caught.value), dtype


def test_missing_values_become_nan_where_the_scaler_takes_them(frames):
    expected = np.column_stack([FIRST, np.ones(N)])
    for frame in frames[1].values():
        (imputed,) = SequenceScaler(SimpleImputer()).fit_transform([frame])
        np.testing.assert_array_equal(imputed, expected)
        assert np.isfinite(SequenceScaler(SimpleImputer()).fit_transform(frame)).all()
        assert np.isnan(SequenceScaler().fit_transform(frame)).sum() == 3


def test_steps_in_the_columns_of_a_frame_are_named_by_their_column():
    frame = pd.DataFrame(np.zeros((3, 4)), columns=list("abcd"))
    frame.loc[1, "d"] = np.nan
    with pytest.raises(ValueError, match=r"sequence 1, step 1, feature 1 \(column 'd'\)"):
        Sequences.from_any(frame, step_features=2)
    steps = [frame[["c", "d"]][:1], frame[["c", "d"]][1:], frame[["c", "d"]][:1]]
    with pytest.raises(ValueError, match=r"sequence 1, step 0, feature 1 \(column 'd'\)"):
        Sequences.from_any(steps)


def test_windows_of_two_columns_have_two_features():
    frame = pd.DataFrame({"t": np.arange(9.0), "rain": [True] * 9})
    model = SlidingWindows(2)
    assert model.transform(frame).shape == (8, 2, 2)
    assert model.groups(frame).tolist() == [0] * 7
    assert model.groups(frame, pairs=False).tolist() == [0] * 8


@pytest.mark.parametrize(
    "row",
    [
        pd.Series([1, 2.5, True, 4], dtype=object),
        np.array([1, 2.5, True, 4], dtype=object),
        pd.Series(pd.array([1, 2.5, 1, 4], "Float64")),
        [1, 2.5, True, 4],
        [decimal.Decimal(1), 2.5, np.True_, np.array(4)],
    ],
)
def test_a_row_of_numbers_is_one_series_for_windows_and_nothing_for_the_others(row):
    windows = SlidingWindows(3).transform(row)
    np.testing.assert_array_equal(windows[:, :, 0], [[1, 2.5, 1], [2.5, 1, 4]])
    assert SlidingWindows(3).groups(row, pairs=False).tolist() == [0, 0]
    for reader in (Sequences.from_any, SequenceScaler().fit, Padder().fit, fitted):
        with pytest.raises(ValueError, match="Expected 2D or 3D array for X, got 1D array"):
            reader(row)


def test_an_object_array_of_series_stays_a_list_of_series():
    series = np.empty(2, dtype=object)
    series[:] = [np.arange(4.0), np.arange(3.0)]
    assert SlidingWindows(2).groups(series, pairs=False).tolist() == [0, 0, 0, 1, 1]
    assert SlidingWindows(2).groups(pd.Series(series), pairs=False).tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("row", [["a", "b"], pd.Series(["a", "b"]), pd.Series(DAYS), [pd.NA, 1.0]])
def test_a_row_of_no_numbers_is_refused_by_windows(row):
    with pytest.raises(ValueError, match=r"X: sequence 0 must hold|X must hold|Input X contains"):
        SlidingWindows(2).transform(row)


def test_arrays_of_objects_name_the_place_of_what_is_no_number():
    array = np.ones((2, 3, 2), dtype=object)
    array[1, 2, 0] = pd.Timestamp("2020-01-01")
    with pytest.raises(ValueError, match=r"Timestamp.* at sequence 1, step 2, feature 0; turn"):
        Sequences.from_any(array)
    np.testing.assert_array_equal(Sequences.from_any(array, [3, 2]).values, np.ones((5, 2)))
    with pytest.raises(ValueError, match=r"Timestamp.* at sequence 1, step 2, feature 0; turn"):
        Sequences.from_any([np.ones((1, 2)), array[1]])


def test_token_encoder_does_not_take_the_names_of_columns_for_words():
    frame = pd.DataFrame({"text": ["a b", "c"], "more": ["d", "e"]})
    with pytest.raises(TypeError, match=r"a DataFrame with the columns .*X\['text'\]"):
        TokenEncoder().fit(frame)
    assert [ids.tolist() for ids in TokenEncoder().fit_transform(frame["more"])] == [[1], [2]]


@pytest.mark.parametrize(
    "reader", [SlidingWindows(2).transform, SequenceScaler().fit, Padder().fit, Sequences.from_any]
)
def test_masked_entries_are_never_read(reader):
    masked = np.ma.masked_array(np.arange(12.0).reshape(6, 2), mask=np.eye(6, 2))
    for X in (masked, [masked]):
        with pytest.raises(ValueError, match="masked array with masked entries"):
            reader(X)


def test_forms_of_frames_are_rows(frames):
    for frame in (*frames[0].values(), *frames[1].values(), *frames[2].values()):
        assert Form.of(frame) == Form("rows", 2)

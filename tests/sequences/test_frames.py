"""Long frames of three libraries become sequences."""

import pickle

import numpy as np
import pytest

from rnnkit.exceptions import MissingExtraError
from rnnkit.sequences import Sequences
from rnnkit.sequences.ids import refuse_other_ids

COLUMNS = {
    "ward": [1, 1, 2, 1, 2, 1],
    "patient": ["b", "a", "b", "b", "b", "a"],
    "day": [2, 1, 1, 1, 0, 0],
    "pulse": [80, 60, 55, 70, 50, 65],
    "temperature": [36.5, 37.0, 36.0, 36.25, 38.0, 37.5],
}


@pytest.fixture(params=["pandas", "polars", "pyarrow"])
def frame(request):
    library = pytest.importorskip(request.param)
    if request.param == "pyarrow":
        return library.table(COLUMNS)
    return library.DataFrame(COLUMNS)


def lists(sequences):
    return [sequence.tolist() for sequence in sequences]


def test_groups_in_order_of_appearance_and_steps_sorted(frame):
    X = Sequences.from_frame(frame, "patient", sort="day", columns=["pulse"])
    assert lists(X) == [[[50.0], [55.0], [70.0], [80.0]], [[65.0], [60.0]]]


def test_without_sort_the_rows_keep_their_order(frame):
    X = Sequences.from_frame(frame, ["ward", "patient"], columns=["temperature"])
    assert lists(X) == [[[36.5], [36.25]], [[37.0], [37.5]], [[36.0], [38.0]]]


def test_default_columns_are_all_others(frame):
    X = Sequences.from_frame(frame, ["patient", "ward"], sort=["day"])
    assert X.n_features == 2
    assert lists(X)[0] == [[70.0, 36.25], [80.0, 36.5]]
    assert X.dtype == np.float64


def test_two_sort_columns(frame):
    X = Sequences.from_frame(frame, "patient", sort=["ward", "day"], columns=["pulse"])
    assert lists(X) == [[[70.0], [80.0], [50.0], [55.0]], [[65.0], [60.0]]]


def test_float32_stays():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"g": [0, 0], "x": np.ones(2, dtype=np.float32)})
    assert Sequences.from_frame(frame, "g").dtype == np.float32


def test_unknown_column(frame):
    with pytest.raises(ValueError, match="df has no column 'unit'; it has"):
        Sequences.from_frame(frame, "unit")


def test_no_feature_left(frame):
    with pytest.raises(ValueError, match="group and columns must each name at least one column"):
        Sequences.from_frame(frame, "patient", columns=[])


def test_missing_values_are_named():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"g": ["a", None], "x": [1.0, 2.0]})
    with pytest.raises(ValueError, match="df column 'g' has missing values"):
        Sequences.from_frame(frame, "g")
    frame = pandas.DataFrame({"g": ["a", "b"], "x": [1.0, None]})
    with pytest.raises(ValueError, match="Input df contains NaN: sequence 1, step 0"):
        Sequences.from_frame(frame, "g")


def ordered_frame(library, labels, categories):
    """A frame whose column "size" holds labels of categories in an order."""
    module = pytest.importorskip(library)
    steps = {"g": [0] * len(labels), "x": [float(i) for i in range(len(labels))]}
    if library == "pandas":
        steps["size"] = module.Categorical(labels, categories, ordered=True)
    elif library == "polars":
        steps["size"] = module.Series(labels, dtype=module.Enum(categories))
    else:
        codes = module.array([categories.index(label) for label in labels])
        array = module.DictionaryArray.from_arrays(codes, module.array(categories), ordered=True)
        steps["size"] = module.chunked_array([array[:2], array[2:]])
    return module.table(steps) if library == "pyarrow" else module.DataFrame(steps)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_categories_with_an_order_sort_by_it(library):
    frame = ordered_frame(library, ["high", "low", "mid", "low"], ["low", "mid", "high"])
    X = Sequences.from_frame(frame, "g", sort="size", columns=["x"])
    assert lists(X) == [[[1.0], [3.0], [2.0], [0.0]]]
    X = Sequences.from_frame(frame, "size", columns=["x"])
    assert X.ids.tolist() == ["high", "low", "mid"]
    X = Sequences.from_frame(frame, ["g", "size"], sort="x", columns=["x"])
    assert X.ids.tolist() == [(0, "high"), (0, "low"), (0, "mid")]


def test_ordered_bins_sort_by_their_bounds():
    pandas = pytest.importorskip("pandas")
    bins = pandas.cut([15.0, 2.0, 101.0], [0, 9, 20, 200])
    frame = pandas.DataFrame({"g": [0, 0, 0], "bin": bins, "x": [1.0, 2.0, 3.0]})
    X = Sequences.from_frame(frame, "g", sort="bin", columns=["x"])
    assert lists(X) == [[[2.0], [1.0], [3.0]]]


@pytest.mark.parametrize("missing", [None, float("nan")])
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_missing_key_is_refused_whatever_it_is(library, missing):
    module = pytest.importorskip(library)
    steps = {"g": ["a", "b"], "key": [1.0, missing], "x": [1.0, 2.0]}
    frame = module.table(steps) if library == "pyarrow" else module.DataFrame(steps)
    for group, sort in [("g", "key"), ("key", None), (["g", "key"], None), ("g", ["g", "key"])]:
        with pytest.raises(ValueError, match="df column 'key' has missing values"):
            Sequences.from_frame(frame, group, sort, columns=["x"])


@pytest.mark.parametrize("unit", ["ns", "us", "s"])
def test_days_in_tuples_are_those_of_an_index(unit):
    pandas = pytest.importorskip("pandas")
    days = pandas.date_range("2024", periods=2, unit=unit)
    frame = pandas.DataFrame({"g": ["a", "a", "b"], "day": days[[0, 1, 0]], "x": [1.0, 2.0, 3.0]})
    frame["away"] = frame["day"] - days[0]
    for groups in (["g", "day"], ["g", "away"]):
        X = Sequences.from_frame(frame, groups, columns="x")
        y = frame.groupby(groups)["x"].first()
        assert X.ids.tolist() == y.index.tolist()
        refuse_other_ids(X, y, "y")
        with pytest.raises(ValueError, match="has the ids of X in another order"):
            refuse_other_ids(X, y[::-1], "y")


def test_a_nanosecond_tells_two_sequences_apart():
    pandas = pytest.importorskip("pandas")
    days = pandas.to_datetime([1, 2], unit="ns")
    frame = pandas.DataFrame({"g": ["a", "a"], "day": days, "x": [1.0, 2.0]})
    X = Sequences.from_frame(frame, ["g", "day"])
    assert len(set(X.ids.tolist())) == 2
    refuse_other_ids(X, frame.set_index(["g", "day"])["x"], "y")


@pytest.mark.parametrize("per", ["sequence", "step"])
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_numbers_beside_text_stay_numbers(library, per):
    module = pytest.importorskip(library)
    steps = {"g": [1, 2], "word": ["u", "v"], "size": [1.5, 2.5], "x": [1.0, 2.0]}
    frame = module.table(steps) if library == "pyarrow" else module.DataFrame(steps)
    _, y = Sequences.from_frame(frame, "g", target=["word", "size"], target_per=per)
    rows = y.tolist() if per == "sequence" else [row for steps in y for row in steps.tolist()]
    assert rows == [["u", 1.5], ["v", 2.5]]


def test_columns_named_by_one_string(frame):
    X = Sequences.from_frame(frame, "patient", columns="pulse")
    assert X.columns == ("pulse",)


@pytest.mark.parametrize("name", ["group", "sort", "columns", "target"])
def test_names_that_are_none(frame, name):
    for wrong in (0, 1.5, [0], ["pulse", None], {"pulse": 1}, b"pulse"):
        with pytest.raises(TypeError, match=f"{name} must "):
            Sequences.from_frame(frame, **{"group": "patient", name: wrong})
    with pytest.raises(ValueError, match=f"{name} must name different columns, got 'ward' twice"):
        Sequences.from_frame(frame, **{"group": "patient", name: ["ward", "ward"]})


def test_frames_of_other_names():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="df must have columns named by strings, got the name 0"):
        Sequences.from_frame(pandas.DataFrame({0: [1], "x": [2.0]}), "x")
    unused = pandas.DataFrame({0: [1], "g": [3], "x": [2.0]})
    assert Sequences.from_frame(unused, "g", columns="x").columns == ("x",)
    frame = pandas.DataFrame([[1, 2.0, 3.0]], columns=["g", "x", "x"])
    with pytest.raises(ValueError, match="df must have columns of different names, got 'x' twice"):
        Sequences.from_frame(frame, "g")


def test_keys_of_two_kinds():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"g": [1, "a"], "h": [0, 0], "x": [2.0, 1.0]})
    for group, sort in [("g", None), ("h", "g"), (["h", "g"], None)]:
        with pytest.raises(ValueError, match="df column 'g' must hold keys of one kind"):
            Sequences.from_frame(frame, group, sort, columns="x")


def test_text_features_are_codes_with_their_categories(frame):
    X = Sequences.from_frame(frame, "ward", columns=["patient", "pulse"])
    assert X.columns == ("patient", "pulse")
    assert X.categories == (("a", "b"), None)
    assert X[0][:, 0].tolist() == [1, 0, 1, 0]
    for same in (X[[1, 0]], X[:1], X[...], pickle.loads(pickle.dumps(X))):
        assert (same.columns, same.categories) == (X.columns, X.categories)
    with pytest.raises(ValueError, match="column 'patient' holds labels such as 'a', 'b'; name"):
        Sequences.from_any(X)


def test_other_types_are_refused():
    with pytest.raises(TypeError, match="df must be a pandas, polars or pyarrow frame, got dict"):
        Sequences.from_frame(COLUMNS, "patient")


def test_missing_narwhals_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "narwhals", None)
    with pytest.raises(MissingExtraError, match=r'pip install "rnnkit\[frames\]"'):
        Sequences.from_frame(None, "patient")

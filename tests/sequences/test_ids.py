"""Sequences keep their ids, and long frames give targets beside them."""

import copy
import pickle

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, train_test_split
from sklearn.utils import resample, shuffle

from rnnkit.preprocessing import SequenceScaler, SlidingWindows
from rnnkit.sequences import Form, Sequences
from rnnkit.sequences.ids import Ids, refuse_other_ids

pd = pytest.importorskip("pandas")

NAMES = np.array(["d", "a", "c", "b"])
COLUMNS = {
    "ward": [1, 1, 2, 1, 2, 1],
    "id": ["b", "a", "b", "c", "b", "a"],
    "day": [2, 1, 1, 1, 0, 0],
    "pulse": [80.0, 60.0, 55.0, 70.0, 50.0, 65.0],
    "ill": [1, 0, 1, 1, 1, 0],
    "diagnosis": ["x", "y", "x", "z", "x", "y"],
    "dose": [2.5, 1.0, 3.5, 2.0, 0.5, 4.0],
}


def pickled(X):
    return pickle.loads(pickle.dumps(X))


@pytest.fixture(params=["pandas", "polars", "pyarrow"])
def frame(request):
    library = pytest.importorskip(request.param)
    return library.table(COLUMNS) if request.param == "pyarrow" else library.DataFrame(COLUMNS)


@pytest.fixture
def X():
    return Sequences.from_list([np.full((t, 2), float(t)) for t in (3, 1, 2, 4)], ids=NAMES)


@pytest.mark.parametrize(
    "key",
    [
        slice(1, 3),
        slice(None, None, -1),
        slice(3, 1),
        [2, 0],
        np.array([True, False, True, True]),
        ([1, 1], ...),
        [],
        ...,
    ],
    ids=str,
)
def test_ids_go_with_what_is_chosen(X, key):
    plain = np.array(key, int) if isinstance(key, list) else key
    expected = NAMES[key[0] if isinstance(key, tuple) else plain]
    np.testing.assert_array_equal(X[key].ids, expected)
    assert len(X[key]) == len(expected)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_ids_are_copied_and_pickled(X, copied):
    part = copied(X[[3, 1]])
    assert part.ids.tolist() == ["b", "a"]
    assert part[[1]].ids.tolist() == ["a"]


def test_ids_are_the_containers_own(X):
    given = np.array([1, 2, 3, 4])
    own = Sequences(X.values, X.offsets, given)
    given[:] = 0
    assert own.ids.tolist() == [1, 2, 3, 4]
    for sequences in (own, own[1:3], own[[2, 1]], pickle.loads(pickle.dumps(own))):
        with pytest.raises(ValueError, match="read-only"):
            sequences.ids[0] = 7


def test_sequences_without_ids_have_none(X):
    plain = Sequences(X.values, X.offsets)
    assert plain.ids is None
    assert plain[1:].ids is None
    assert plain[[1]].ids is None
    assert len(plain.__reduce__()[1]) == 2


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (["a", "b", "c"], r"shape \(4,\), one for each sequence, got \(3,\)"),
        (np.ones((4, 1)), r"got \(4, 1\)"),
        (["a", None, "b", "c"], "got None for sequence 1"),
        ([1.0, 2.0, np.nan, 3.0], "for sequence 2"),
        ("abcd", r"got \(\)"),
    ],
)
def test_wrong_ids_are_refused(X, ids, words):
    with pytest.raises(ValueError, match=words):
        Sequences(X.values, X.offsets, ids)


def test_ids_of_arrays_and_lists():
    A = np.zeros((2, 3, 1))
    assert Sequences.from_array(A, ids=["a", "b"]).ids.tolist() == ["a", "b"]
    assert Sequences.from_array(A, [2, 1], ("a", "b")).ids.tolist() == ["a", "b"]
    assert Sequences.from_list([A[0], A[1]], [(1, "x"), (2, "y")]).ids.tolist() == [
        (1, "x"),
        (2, "y"),
    ]
    stamps = pd.date_range("2020-01-01", periods=2)
    assert Sequences.from_array(A, ids=stamps).ids.dtype.kind == "M"


def test_ids_stay_where_the_dtype_changes(X):
    integers = Sequences(X.values.astype(int), X.offsets, X.ids)
    assert Sequences.from_any(integers).ids.tolist() == NAMES.tolist()
    assert Sequences.from_any(X) is X


def test_ids_stay_in_transformers_and_results(X):
    assert SequenceScaler().fit_transform(X).ids.tolist() == NAMES.tolist()
    assert Form.of(X[1:]).restore(np.ones((7, 3)), X[1:].offsets).ids.tolist() == ["a", "c", "b"]


def test_windows_of_series_with_ids_have_groups():
    X = Sequences.from_list([np.zeros(5), np.zeros(2), np.zeros(4)], ids=["u", "v", "w"])
    windows = SlidingWindows(window=3)
    assert windows.groups(X).tolist() == ["u", "u", "w"]
    assert windows.groups(X, pairs=False).tolist() == ["u", "u", "u", "w", "w"]
    assert windows.groups(X.to_list()).tolist() == [0, 0, 2]


def test_ids_through_scikit_learn(X):
    train, test, y_train, _ = train_test_split(X, X.ids, random_state=0)
    assert train.ids.tolist() == y_train.tolist()
    assert sorted([*train.ids, *test.ids]) == sorted(NAMES)
    assert sorted(shuffle(X, random_state=0).ids) == sorted(NAMES)
    drawn = resample(X, random_state=0)
    assert [x[0, 0] for x in drawn] == [{"d": 3, "a": 1, "c": 2, "b": 4}[i] for i in drawn.ids]
    chosen = joblib.Parallel(2)(
        joblib.delayed(lambda part: part.ids.tolist())(X[[i]]) for i in (2, 0)
    )
    assert chosen == [["c"], ["d"]]


def test_ids_are_groups(frame):
    X = Sequences.from_frame(frame, ["ward", "id"], columns=["pulse"])
    assert X.ids.tolist() == [(1, "b"), (1, "a"), (2, "b"), (1, "c")]
    X = Sequences.from_list([np.zeros(2)] * 6, ids=["p", "q", "p", "r", "q", "r"])
    for train, test in GroupKFold(3).split(X, groups=X.ids):
        assert not {*X[train].ids} & {*X[test].ids}


# Long frames.


def test_a_frame_names_its_sequences(frame):
    X = Sequences.from_frame(frame, "id", "day", ["pulse"])
    assert X.ids.tolist() == ["b", "a", "c"]
    assert [x[:, 0].tolist() for x in X] == [[50.0, 55.0, 80.0], [65.0, 60.0], [70.0]]


def test_a_target_that_is_constant_is_one_per_sequence(frame):
    X, y = Sequences.from_frame(frame, "id", "day", ["pulse"], target="diagnosis")
    assert y.shape == (3,)
    assert y.tolist() == ["x", "y", "z"]
    X, y = Sequences.from_frame(frame, "id", "day", ["pulse", "dose"], target=["ill"])
    assert y.shape == (3, 1)
    assert X.n_features == 2


def test_a_target_that_changes_is_one_per_step_in_the_order_of_the_steps(frame):
    _, y = Sequences.from_frame(frame, "id", "day", ["pulse"], target="dose")
    assert y.dtype == object
    assert [steps.tolist() for steps in y] == [[0.5, 3.5, 2.5], [4.0, 1.0], [2.0]]
    _, y = Sequences.from_frame(frame, "id", "day", ["pulse"], target=["dose", "ill"])
    assert y[1].tolist() == [[4.0, 0.0], [1.0, 0.0]]


def test_the_way_of_targets_can_be_asked_for(frame):
    _, y = Sequences.from_frame(
        frame, "id", "day", ["pulse"], target="diagnosis", target_per="step"
    )
    assert [steps.tolist() for steps in y] == [["x"] * 3, ["y"] * 2, ["z"]]
    words = r'target_per="sequence" needs one value for each id, but df column \'dose\' holds .*'
    with pytest.raises(ValueError, match=words + "for the id 'b'"):
        Sequences.from_frame(frame, "id", "day", ["pulse"], target="dose", target_per="sequence")
    with pytest.raises(ValueError, match=r'None, "sequence" or "step", got "?\'?steps'):
        Sequences.from_frame(frame, "id", target="dose", target_per="steps")
    with pytest.raises(ValueError, match="needs target"):
        Sequences.from_frame(frame, "id", "day", ["pulse"], target_per="step")
    with pytest.raises(ValueError, match="columns must not name the target 'dose'"):
        Sequences.from_frame(frame, "id", "day", ["pulse", "dose"], target="dose")
    with pytest.raises(ValueError, match="no column 'y'"):
        Sequences.from_frame(frame, "id", "day", ["pulse"], target="y")


def test_the_target_is_no_feature():
    columns = {name: COLUMNS[name] for name in ("id", "day", "pulse", "dose")}
    X, _ = Sequences.from_frame(pd.DataFrame(columns), "id", "day", target="dose")
    assert X.n_features == 1


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_missing_targets(library):
    module = pytest.importorskip(library)
    make = module.table if library == "pyarrow" else module.DataFrame
    data = {
        "id": ["b", "b", "a", "a"],
        "v": [1.0, 2.0, 3.0, 4.0],
        "number": [None, 1.5, None, 2.5],
        "count": [None, 1, 2, 2],
        "label": ["x", None, None, "y"],
        "never": ["x", "x", None, None],
        "flag": [True, None, False, False],
    }
    frame = make(data)

    def read(target, per=None):
        return Sequences.from_frame(frame, "id", None, ["v"], target=target, target_per=per)[1]

    np.testing.assert_array_equal(np.concatenate(read("number")), [np.nan, 1.5, np.nan, 2.5])
    np.testing.assert_array_equal(np.concatenate(read("count")), [np.nan, 1, 2, 2])
    assert np.concatenate(read("label")).tolist() == ["x", None, None, "y"]
    np.testing.assert_array_equal(np.concatenate(read("flag")), [1, np.nan, 0, 0])
    assert read("number", "sequence").tolist() == [1.5, 2.5]
    assert read("label", "sequence").tolist() == ["x", "y"]
    assert np.concatenate(read("never", "step")).tolist() == ["x", "x", None, None]
    for per in (None, "sequence"):
        with pytest.raises(ValueError, match="column 'never' has no value for the id 'a'"):
            read("never", per)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_missing_features_are_allowed_where_asked_for(library):
    module = pytest.importorskip(library)
    make = module.table if library == "pyarrow" else module.DataFrame
    frame = make({"id": [1, 1, 2], "v": [1.0, None, 3.0], "n": [None, 2, 3]})
    with pytest.raises(ValueError, match="contains NaN"):
        Sequences.from_frame(frame, "id")
    X = Sequences.from_frame(frame, "id", allow_nan=True)
    np.testing.assert_array_equal(X.values, [[1, np.nan], [np.nan, 2], [3, 3]])
    nullable = pd.DataFrame({"id": [1, 1], "v": pd.array([1, None], dtype="Int64")})
    X = Sequences.from_frame(nullable, "id", allow_nan=True)
    np.testing.assert_array_equal(X.values, [[1], [np.nan]])


def test_lists_and_arrays_may_hold_nan_where_asked_for():
    gaps = [np.array([1.0, np.nan])]
    with pytest.raises(ValueError, match="contains NaN"):
        Sequences.from_list(gaps)
    assert np.isnan(Sequences.from_list(gaps, allow_nan=True).values).sum() == 1
    assert np.isnan(Sequences.from_array(np.array(gaps), allow_nan=True).values).sum() == 1


# What belongs to sequences is labelled as they are.


def refusal(sequences, given):
    with pytest.raises(ValueError) as error:
        refuse_other_ids(sequences, given, "y")
    return str(error.value)


@pytest.mark.parametrize("make", [pd.Series, pd.DataFrame])
def test_an_index_in_another_order_is_refused_with_the_remedy(X, make):
    labelled = make([1, 2, 3, 4], index=sorted(NAMES))
    text = refusal(X, labelled)
    assert "has the ids of X in another order: sequence 0 has 'a' there, 'd' in X.ids" in text
    assert text.endswith("y.loc[X.ids], or y.to_numpy() if it is in the order of X already")
    refuse_other_ids(X, labelled.loc[X.ids], "y")
    refuse_other_ids(X, labelled.to_numpy(), "y")
    refuse_other_ids(X[[1, 0]], labelled.loc[["a", "d"]], "y")


def test_other_ids_are_refused(X):
    assert "contradicts X.ids" in refusal(X, pd.Series([1, 2, 3, 4], index=list("dace")))
    assert "contradicts" in refusal(X, pd.Series([1, 2, 3, 4], pd.Index([7, 8, 9, 1], name="id")))


def test_labels_of_groups_come_sorted():
    frame = pd.DataFrame(COLUMNS)
    X = Sequences.from_frame(frame, "id", "day", ["pulse"])
    y = frame.groupby("id")["ill"].first()
    assert "another order" in refusal(X, y)
    refuse_other_ids(X, frame.groupby("id", sort=False)["ill"].first(), "y")
    two = Sequences.from_frame(frame, ["ward", "id"], "day", ["pulse"])
    y = frame.groupby(["ward", "id"])["ill"].first()
    assert "another order" in refusal(two, y)
    refuse_other_ids(two, y.loc[list(two.ids)], "y")


def test_numbers_that_count_rows_are_no_labels(X):
    y = pd.Series(range(4))
    refuse_other_ids(X, y, "y")
    refuse_other_ids(X[[3, 1]], y.iloc[[3, 1]], "y")
    numbered = Sequences(X.values, X.offsets, [1, 2, 3, 4])
    refuse_other_ids(numbered, y, "y")
    part = pickle.loads(pickle.dumps(numbered[[3, 1, 2]]))[1:]
    refuse_other_ids(part, y.iloc[[1, 2]], "y")
    refuse_other_ids(SequenceScaler().fit_transform(part), y.iloc[[1, 2]], "y")
    assert "contradicts" in refusal(part, y.iloc[[2, 1]])
    assert "contradicts" in refusal(numbered, pd.Series(range(4), index=[7, 8, 9, 10]))


def test_numbers_that_are_the_ids_in_another_order_are_refused(X):
    numbered = Sequences(X.values, X.offsets, [2, 0, 1, 3])
    assert "another order" in refusal(numbered, pd.Series(range(4)))
    assert "contradicts" in refusal(numbered[:2], pd.Series(range(4)).iloc[:2])
    refuse_other_ids(numbered, pd.Series(range(4), index=[2, 0, 1, 3]), "y")
    numbered = Sequences(X.values, X.offsets, [20, 10, 40, 30])
    assert "another order" in refusal(numbered, pd.Series(range(4), index=[10, 20, 30, 40]))


def test_dates_are_compared_whatever_their_unit(X):
    days = np.array(["2020-01-02", "2020-01-01", "2021-05-05", "2020-03-03"], "M8[s]")
    dated = Sequences(X.values, X.offsets, days)
    y = pd.Series(range(4), index=pd.DatetimeIndex(days.astype("M8[ns]")))
    refuse_other_ids(dated, y, "y")
    assert "another order" in refusal(dated, y.sort_index())


def test_sequences_of_targets_have_the_same_ids(X):
    y = Sequences(X.values[:, :1], X.offsets, NAMES)
    refuse_other_ids(X, y, "y")
    assert "index y so that its ids are those of X" in refusal(X, y[[1, 0, 2, 3]])


@pytest.mark.parametrize("given", [None, [1, 2, 3, 4], np.arange(4), ("a", "b"), "text", 5])
def test_what_has_no_labels_says_nothing(X, given):
    refuse_other_ids(X, given, "y")
    refuse_other_ids(Sequences(X.values, X.offsets), pd.Series([1], index=["z"]), "y")


def test_ids_are_plain_data():
    ids = Ids.of(["a", "b"], 2)
    assert Ids.of(ids, 2) is ids
    with pytest.raises(ValueError, match="shape"):
        Ids.of(ids, 3)


def test_labels_are_told_without_the_types_of_numpy():
    """An index of text holds strings of numpy's own in some versions of pandas."""

    class Labelled:
        index = np.array([np.str_("b"), np.int64(7)], dtype=object)

    X = Sequences.from_list([np.zeros((2, 1)), np.zeros((3, 1))], ids=["a", "b"])
    with pytest.raises(ValueError, match=r"sequence 0 has 'b' there, 'a' in X\.ids"):
        refuse_other_ids(X, Labelled(), "y")

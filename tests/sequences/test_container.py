"""The ragged container: indexing, pickling, padding and its place in scikit-learn."""

import copy
import io
import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneOut,
    PredefinedSplit,
    RandomizedSearchCV,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
    TimeSeriesSplit,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    train_test_split,
    validation_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import resample, shuffle

from rnnkit import RNNClassifier
from rnnkit.sequences import Sequences

N = 24


def ragged(seed=0, n=N, n_features=3, dtype=np.float64):
    rng = np.random.RandomState(seed)
    return [rng.randn(length, n_features).astype(dtype) for length in rng.randint(1, 9, n)]


def assert_same(sequences, arrays):
    assert isinstance(sequences, Sequences)
    assert len(sequences) == len(arrays)
    for actual, expected in zip(sequences, arrays):
        np.testing.assert_array_equal(actual, expected)


@pytest.fixture
def arrays():
    return ragged()


@pytest.fixture
def sequences(arrays):
    return Sequences.from_list(arrays)


def test_describes_itself(sequences, arrays):
    assert sequences.shape == (N,)
    assert len(sequences) == N
    assert sequences.n_features == 3
    assert sequences.dtype == np.float64
    assert sequences.lengths.tolist() == [len(a) for a in arrays]
    steps = sum(len(a) for a in arrays)
    assert repr(sequences) == f"Sequences(n={N}, steps={steps}, n_features=3, dtype=float64)"


def test_iteration_and_list_are_views(sequences, arrays):
    assert_same(sequences, arrays)
    assert_same(sequences, sequences.to_list())
    assert all(np.shares_memory(a, sequences.values) for a in sequences.to_list())


@pytest.mark.parametrize("i", [0, 5, N - 1, -1, -N, np.int64(3), np.array(4)])
def test_integer_gives_a_view(sequences, arrays, i):
    np.testing.assert_array_equal(sequences[i], arrays[int(i)])
    assert np.shares_memory(sequences[i], sequences.values)


@pytest.mark.parametrize("i", [N, -N - 1])
def test_integer_out_of_range(sequences, i):
    with pytest.raises(IndexError):
        sequences[i]


@pytest.mark.parametrize(
    "key",
    [
        slice(None),
        slice(3, 9),
        slice(9, 3),
        slice(-4, None),
        slice(2, 400),
        slice(None, None, 3),
        slice(None, None, -1),
        slice(20, 2, -5),
    ],
)
def test_slice(sequences, arrays, key):
    assert_same(sequences[key], arrays[key])


def test_contiguous_slice_shares_memory(sequences):
    assert np.shares_memory(sequences[4:9].values, sequences.values)


@pytest.mark.parametrize(
    "key",
    [
        [3, 1, 1, -2],
        np.array([7, 0], dtype=np.uint8),
        np.arange(N) % 2 == 0,
        (np.arange(N) % 3 == 0).tolist(),
        np.zeros(N, dtype=bool),
        [],
        np.array([], dtype=int),
        range(4),
    ],
)
def test_index_arrays_and_masks(sequences, arrays, key):
    expected = [arrays[i] for i in np.arange(N)[np.asarray(key, dtype=None if len(key) else int)]]
    assert_same(sequences[key], expected)
    assert_same(sequences[key, ...], expected)


def test_index_with_a_pandas_mask(sequences, arrays):
    pandas = pytest.importorskip("pandas")
    mask = pandas.Series(np.arange(N) < 4, index=np.arange(N)[::-1])
    assert_same(sequences[mask], arrays[:4])


@pytest.mark.parametrize(
    "key", [(0, 1), ([0], slice(None)), "a", 1.5, None, True, [[0, 1]], [N], [True, False], [0.5]]
)
def test_other_indices_are_refused(sequences, key):
    with pytest.raises((IndexError, TypeError)):
        sequences[key]


def test_ellipsis_is_everything(sequences):
    assert sequences[...] is sequences
    assert sequences[(...,)] is sequences


def test_sequences_may_be_empty():
    sequences = Sequences(np.zeros((3, 2)), [0, 1, 1, 3])
    assert sequences[1].shape == (0, 2)
    assert sequences[[1, 2]].lengths.tolist() == [0, 2]


def test_one_dimensional_values_have_one_feature():
    assert Sequences([1.0, 2.0, 3.0], [0, 2, 3]).n_features == 1


@pytest.mark.parametrize(
    "values, offsets, message",
    [
        (np.zeros((2, 2, 2)), [0, 2], "values must have shape"),
        (np.array(["a"]), [0, 1], "values must hold real numbers, got dtype <U1"),
        (np.zeros(3), [1, 3], "offsets must start with 0"),
        (np.zeros(3), [0, 2], "end with the number of steps 3, got 0 and 2"),
        (np.zeros(3), [0, 2, 1, 3], "offsets must not decrease, got 2 before 1"),
        (np.zeros(3), [], "offsets must be a 1-D array of at least one integer"),
        (np.zeros(3), [0.0, 3.0], "offsets must be a 1-D array of at least one integer"),
        (np.zeros(3), [[0, 3]], "offsets must be a 1-D array of at least one integer"),
    ],
)
def test_constructor_refuses(values, offsets, message):
    with pytest.raises(ValueError, match=message):
        Sequences(values, offsets)


def test_constructor_shares_contiguous_memory():
    values = np.zeros((4, 2), dtype=np.float32)
    assert Sequences(values, [0, 4]).values is values
    fortran = Sequences(np.asfortranarray(np.arange(8.0).reshape(4, 2)), [0, 4])
    assert fortran.values.flags.c_contiguous


@pytest.mark.parametrize("fill", [0, -1.5, np.nan])
def test_padded_and_back(sequences, arrays, fill):
    padded, lengths = sequences.to_padded(fill)
    assert padded.shape == (N, max(len(a) for a in arrays), 3)
    for row, array in zip(padded, arrays):
        np.testing.assert_array_equal(row[: len(array)], array)
        np.testing.assert_array_equal(row[len(array) :], np.full_like(row[len(array) :], fill))
    assert_same(Sequences.from_array(padded, lengths), arrays)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(sequences, arrays, protocol):
    again = pickle.loads(pickle.dumps(sequences, protocol))
    assert_same(again, arrays)
    assert again.values.dtype == sequences.values.dtype


def test_pickle_holds_two_arrays_and_no_more():
    sequences = Sequences.from_list([np.zeros((100, 10))] * 50)
    whole, part = len(pickle.dumps(sequences)), len(pickle.dumps(sequences[:5]))
    assert whole < sequences.values.nbytes + sequences.offsets.nbytes + 500
    assert part < 5 * 100 * 10 * 8 + 6 * 8 + 500


def test_copies(sequences, arrays):
    deep = copy.deepcopy(sequences)
    assert_same(deep, arrays)
    assert not np.shares_memory(deep.values, sequences.values)
    assert_same(copy.copy(sequences), arrays)


def test_joblib_round_trip(sequences, arrays, tmp_path):
    joblib.dump(sequences, tmp_path / "sequences.joblib")
    assert_same(joblib.load(tmp_path / "sequences.joblib", mmap_mode="r"), arrays)
    buffer = io.BytesIO()
    joblib.dump(sequences, buffer, compress=3)
    buffer.seek(0)
    assert_same(joblib.load(buffer), arrays)


class MeanClassifier(ClassifierMixin, BaseEstimator):
    """Logistic regression on the means of the sequences; takes nothing but `Sequences`."""

    def __init__(self, C=1.0):
        self.C = C

    def _means(self, X):
        assert isinstance(X, Sequences)
        return np.array([x.mean(axis=0) for x in X])

    def fit(self, X, y):
        self.model_ = LogisticRegression(C=self.C).fit(self._means(X), y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(self._means(X))

    def predict_proba(self, X):
        return self.model_.predict_proba(self._means(X))


@pytest.fixture
def y():
    return np.arange(N) % 2


SPLITTERS = [
    KFold(3),
    KFold(3, shuffle=True, random_state=0),
    StratifiedKFold(3),
    RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0),
    ShuffleSplit(2, random_state=0),
    StratifiedShuffleSplit(2, random_state=0),
    GroupKFold(3),
    StratifiedGroupKFold(3),
    TimeSeriesSplit(3),
    LeaveOneOut(),
    PredefinedSplit(np.arange(N) % 4),
]


@pytest.mark.parametrize("splitter", SPLITTERS, ids=lambda s: type(s).__name__)
def test_splitters(sequences, arrays, y, splitter):
    groups = np.arange(N) // 2 if "Group" in type(splitter).__name__ else None
    n_splits = 0
    for train, test in splitter.split(sequences, y, groups):
        assert_same(sequences[train], [arrays[i] for i in train])
        assert_same(sequences[test], [arrays[i] for i in test])
        n_splits += 1
    assert n_splits == splitter.get_n_splits(sequences, y, groups)


def test_train_test_split_and_resampling(sequences, arrays, y):
    train, test, y_train, _ = train_test_split(sequences, y, stratify=y, random_state=0)
    assert len(train) + len(test) == N
    assert isinstance(train, Sequences)
    chosen = train_test_split(np.arange(N), stratify=y, random_state=0)[0]
    assert_same(train, [arrays[i] for i in chosen])
    assert y_train.tolist() == y[chosen].tolist()
    order = shuffle(np.arange(N), random_state=1)
    assert_same(shuffle(sequences, random_state=1), [arrays[i] for i in order])
    assert len(resample(sequences, n_samples=5, random_state=0)) == 5


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_grid_search_over_a_pipeline(sequences, y, n_jobs):
    # An estimator of the package: a process cannot import what a test module defines.
    network = RNNClassifier(2, learning_rate="linear", max_iter=2, random_state=0)
    pipeline = make_pipeline(FunctionTransformer(), network)
    grid = {"rnnclassifier__alpha": [0.1, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=n_jobs, error_score="raise")
    search.fit(sequences, y)
    assert search.predict(sequences).shape == (N,)
    assert np.isfinite(search.score(sequences, y))


def test_other_searches(sequences, y):
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import HalvingGridSearchCV

    grid = {"C": [0.1, 1.0, 10.0]}
    for search in (
        RandomizedSearchCV(MeanClassifier(), grid, n_iter=2, cv=3, error_score="raise"),
        HalvingGridSearchCV(MeanClassifier(), grid, cv=3, min_resources=12, error_score="raise"),
    ):
        assert search.fit(sequences, y).predict(sequences).shape == (N,)


def test_cross_validation(sequences, y):
    model = MeanClassifier()
    assert cross_val_predict(model, sequences, y, cv=3).shape == (N,)
    proba = cross_val_predict(model, sequences, y, cv=3, method="predict_proba")
    assert proba.shape == (N, 2)
    assert cross_val_score(model, sequences, y, cv=3, error_score="raise").shape == (3,)
    scores = cross_validate(model, sequences, y, cv=3, error_score="raise", return_estimator=True)
    assert len(scores["estimator"]) == 3


def test_curves(sequences, y):
    sizes, _, test_scores = learning_curve(
        MeanClassifier(), sequences, y, cv=3, train_sizes=[0.5, 1.0], error_score="raise"
    )
    assert test_scores.shape == (len(sizes), 3)
    train_scores, _ = validation_curve(
        MeanClassifier(), sequences, y, param_name="C", param_range=[0.1, 1.0], cv=3
    )
    assert train_scores.shape == (2, 3)
    result = permutation_test_score(MeanClassifier(), sequences, y, cv=3, n_permutations=3)
    assert np.isfinite(result[0])


def test_clone_of_a_model_that_holds_sequences(sequences, arrays):
    class Holder(BaseEstimator):
        def __init__(self, X=None):
            self.X = X

    assert_same(clone(Holder(sequences), safe=False).X, arrays)

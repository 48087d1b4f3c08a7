"""permutation_importance finds what was planted, and counts as a loop over copies does."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.inspection import permutation_importance as of_columns
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from rnnkit import GRUClassifier, GRUSequenceTagger, LSTMClassifier, Sequences
from rnnkit.inspection import permutation_importance
from rnnkit.metrics import get_scorer
from rnnkit.preprocessing import SequenceScaler, TokenEncoder

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Counted(BaseEstimator):
    """Scores minus the mean distance of a weighted sum of all steps from y; keeps what it saw."""

    def __init__(self, weights=None):
        self.weights = weights

    def fit(self, X, y):
        return self

    def score(self, X, y, sample_weight=None):
        sums = [float((np.asarray(x) * self.weights).sum()) for x in X]
        return -float(np.average(np.abs(np.array(sums) - y), weights=sample_weight))


@pytest.fixture
def ragged():
    rng = np.random.RandomState(0)
    return [rng.randn(length, 3) for length in (4, 1, 7, 7, 2, 10)]


WEIGHTS = np.array([1.0, -2.0, 0.0])


def by_hand(estimator, X, y, of, n_windows, n_repeats, seed, weights=None):
    rng = np.random.RandomState(seed)
    score = estimator.score(X, y, weights)
    falls = []
    for _ in range(n_repeats):
        others = rng.permutation(len(X))
        of_repeat = []
        for feature in [None] if of == "windows" else range(3):
            for window in [None] if of == "features" else range(n_windows):
                copies = [x.copy() for x in X]
                for i, copy in enumerate(copies):
                    other = X[others[i]]
                    for t in range(len(copy)):
                        if window is None or int(t / len(copy) * n_windows) == window:
                            there = int((t + 0.5) / len(copy) * len(other))
                            chosen = slice(None) if feature is None else feature
                            copy[t, chosen] = other[there, chosen]
                of_repeat.append(score - estimator.score(copies, y, weights))
        falls.append(of_repeat)
    return np.array(falls).T


@pytest.mark.parametrize("weights", [None, [1, 2, 3, 4, 5, 6]])
@pytest.mark.parametrize("of", ["features", "windows", "both"])
def test_it_counts_as_a_loop_over_copies(ragged, of, weights):
    estimator, y = Counted(WEIGHTS), np.arange(6.0)
    found = permutation_importance(
        estimator, ragged, y, of=of, n_windows=3, n_repeats=4, sample_weight=weights, random_state=7
    )
    expected = by_hand(estimator, ragged, y, of, 3, 4, 7, weights)
    shape = {"features": (3, 4), "windows": (3, 4), "both": (3, 3, 4)}[of]
    assert found.importances.shape == shape
    np.testing.assert_allclose(found.importances, expected.reshape(shape), atol=1e-12)
    assert np.array_equal(found.importances_mean, found.importances.mean(axis=-1))
    assert np.array_equal(found.importances_std, found.importances.std(axis=-1))
    assert found.score == estimator.score(ragged, y, weights)
    if of == "features":
        assert not found.importances[2].any()


def test_one_step_is_a_row_of_a_table():
    """With the same draws it is scikit-learn's."""
    rng = np.random.RandomState(0)
    X = rng.randn(200, 3)
    y = X @ [3, 1, 0] > 0

    class OnRows(LogisticRegression):
        def score(self, X, y, sample_weight=None):
            return super().score(np.reshape(X, (len(X), -1)), y, sample_weight)

    model = OnRows().fit(X, y)
    ours = permutation_importance(model, X[:, None], y, n_repeats=30, random_state=0)
    theirs = of_columns(model, X, y, n_repeats=30, random_state=0)
    np.testing.assert_allclose(ours.importances_mean, theirs.importances_mean, atol=0.03)


@pytest.fixture(scope="module")
def planted():
    """Classes that the last steps of the second feature tell, and what learnt them."""
    rng = np.random.RandomState(0)
    X = [rng.randn(length, 3) for length in rng.randint(9, 20, size=500)]
    y = np.array([x[-3:, 1].sum() > 0 for x in X])
    model = GRUClassifier(8, learning_rate_init=0.03, max_iter=60, random_state=0)
    return model.fit(X[:350], y[:350]), X, y


def test_the_planted_feature_and_part_are_found(planted):
    model, X, y = planted
    X, y = X[350:], y[350:]
    found = permutation_importance(model, X, y, of="both", n_windows=3, random_state=0)
    assert found.score > 0.8
    mean = found.importances_mean
    assert np.unravel_index(mean.argmax(), mean.shape) == (1, 2)
    others = np.delete(mean.ravel(), 1 * 3 + 2)
    assert mean[1, 2] > 0.2 > 4 * np.abs(others).max()


def test_every_form_gives_the_same(planted):
    model, X, y = planted
    equal = [x[:9] for x in X[:40]]
    dense = np.stack(equal)
    objects = np.empty(40, dtype=object)
    objects[:] = equal
    forms = [equal, tuple(equal), dense, objects, Sequences.from_list(equal), [*map(list, equal)]]
    all_of = [
        permutation_importance(model, form, y[:40], of="both", n_windows=2, random_state=0)
        for form in forms
    ]
    for found in all_of[1:]:
        assert np.array_equal(found.importances, all_of[0].importances)


def test_rows_of_several_features():
    rng = np.random.RandomState(0)
    X = rng.randn(120, 8)
    y = X[:, 6] > 0  # step 3, feature 0
    model = LSTMClassifier(6, step_features=2, learning_rate_init=0.05, random_state=0).fit(X, y)
    given = {"of": "both", "n_windows": 4, "step_features": 2, "random_state": 0}
    mean = permutation_importance(model, X, y, **given).importances_mean
    assert mean.shape == (2, 4)
    assert np.unravel_index(mean.argmax(), mean.shape) == (0, 3)


def test_frames_keep_their_names(recwarn):
    pd = pytest.importorskip("pandas")
    rng = np.random.RandomState(0)
    X = pd.DataFrame(rng.randn(30, 4), columns=list("abcd"))
    model = GRUClassifier(3, max_iter=2, random_state=0).fit(X, X["a"] > 0)
    wide = permutation_importance(model, X, X["a"] > 0, of="windows", n_windows=4, random_state=0)
    assert wide.importances.shape == (4, 5)
    frames = [pd.DataFrame(rng.randn(5, 2), columns=["p", "q"]) for _ in range(30)]
    model.fit(frames, X["a"] > 0)
    permutation_importance(model, frames, X["a"] > 0, random_state=0)
    assert not [warning for warning in recwarn if "feature names" in str(warning.message)]


def test_words_and_categories():
    words = [["on", "off"][i % 2 :] + ["x"] * (i % 4) for i in range(40)]
    y = [len(w) > 0 and w[0] == "on" for w in words]
    model = make_pipeline(TokenEncoder(), GRUClassifier(4, embedding_dim=3, random_state=0))
    model.fit(words, y)
    found = permutation_importance(model, words, y, of="windows", n_windows=2, random_state=0)
    assert found.importances_mean.argmax() == 0
    pd = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    long = pd.DataFrame(
        {
            "id": np.repeat(range(30), 4),
            "kind": pd.Categorical(["a", "b", "b", "b"] * 10 + ["b", "a"] * 40),
            "noise": np.random.RandomState(0).randn(120),
        }
    )
    X = Sequences.from_frame(long, group="id")
    model = GRUClassifier(4, embedding_dim=3, categorical_features="from_dtype", random_state=0)
    y = np.arange(30) < 10
    mean = permutation_importance(model.fit(X, y), X, y, random_state=0).importances_mean
    assert mean[0] > 0.2 > 2 * abs(mean[1])


def test_labels_per_step_and_scorers():
    rng = np.random.RandomState(0)
    X = [rng.randn(length, 2) for length in rng.randint(4, 9, size=60)]
    y = [(x[:, 0] > 0).astype(int) for x in X]
    model = GRUSequenceTagger(6, learning_rate_init=0.05, random_state=0).fit(X, y)
    plain = permutation_importance(model, X, y, random_state=0)
    assert plain.importances_mean[0] > 0.3 > 4 * abs(plain.importances_mean[1])
    scored = permutation_importance(
        model, X, y, scoring=get_scorer("token_accuracy"), random_state=0
    )
    np.testing.assert_allclose(scored.importances, plain.importances, atol=1e-12)


def test_nothing_is_changed_and_seeds_count(planted):
    model, X, y = planted
    model = make_pipeline(SequenceScaler(), GRUClassifier(3, max_iter=2, random_state=0))
    model.fit(X, y)
    before = [x.copy() for x in X]
    one, again, other = (
        permutation_importance(model, X, y, random_state=seed).importances for seed in (0, 0, 1)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert all(np.array_equal(a, b) for a, b in zip(before, X))


@pytest.mark.parametrize(
    "parameters, told",
    [
        ({"of": "steps"}, "of must be one of .* got 'steps'"),
        ({"n_windows": 0}, "n_windows must be an integer of at least 1, got 0"),
        ({"n_repeats": 2.5}, r"n_repeats must be an integer of at least 1, got 2\.5"),
        ({"step_features": True}, "step_features must be an integer of at least 1, got True"),
        ({"scoring": ["accuracy"]}, "scoring must be the name of one score .* got"),
        ({"X": [np.zeros((3, 3))], "y": [1.0]}, "two sequences or more to shuffle, got 1"),
        ({"X": np.zeros((4, 7)), "step_features": 2}, "7 columns, which step_features=2"),
    ],
)
def test_errors_are_one_sentence(ragged, parameters, told):
    given = {"X": ragged, "y": np.arange(6.0), **parameters}
    with pytest.raises(ValueError, match=told):
        permutation_importance(Counted(WEIGHTS), **given)


def test_frames_of_other_libraries_are_refused():
    pl = pytest.importorskip("polars")
    with pytest.raises(TypeError, match="pandas frames, got polars"):
        permutation_importance(Counted(WEIGHTS), pl.DataFrame({"a": [1.0, 2.0]}), [0, 1])

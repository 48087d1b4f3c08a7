"""SequenceImputer against pandas and by hand, in every form of input."""

import pickle
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from tolerances import assert_close

from rnnkit import GRUClassifier, LSTMSequenceTagger
from rnnkit.preprocessing import Padder, SequenceImputer, SequenceScaler
from rnnkit.sequences import Sequences

STRATEGIES = ("ffill", "mean", "interpolate")
NAN = np.nan


def expected_failures(estimator):
    reason = "a list of sequences is given back as a list, where the check wants an array"
    return {"check_transformer_data_not_an_array": reason}


@parametrize_with_checks(
    [
        SequenceImputer(),
        SequenceImputer("mean", add_indicator=True),
        SequenceImputer("interpolate", add_elapsed=True),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def gappy(n=30, n_features=3, seed=0, dtype=np.float64):
    rng = np.random.RandomState(seed)
    X = [rng.randn(t, n_features).astype(dtype) for t in rng.randint(1, 12, n)]
    for x in X:
        x[rng.rand(*x.shape) < 0.5] = NAN
    X[3][:] = NAN
    return X


def long_frame(X):
    ids = np.repeat(np.arange(len(X)), [len(x) for x in X])
    return pd.DataFrame(np.concatenate(X)), ids


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_as_pandas_does(strategy):
    X = gappy()
    frame, ids = long_frame(X)
    means = frame.mean()
    if strategy == "ffill":
        expected = frame.groupby(ids).ffill().fillna(means)
    elif strategy == "mean":
        expected = frame.fillna(means)
    else:
        lines = [f.interpolate(limit_direction="both") for _, f in frame.groupby(ids)]
        expected = pd.concat(lines).fillna(means)
    imputer = SequenceImputer(strategy)
    found = np.concatenate(imputer.fit_transform(X))
    assert_close(found, expected.to_numpy(), np.float64, len(frame))
    assert_close(imputer.statistics_, means.to_numpy(), np.float64, len(frame))
    known = frame.notna().to_numpy()
    np.testing.assert_array_equal(found[known], frame.to_numpy()[known])


def test_indicator_and_elapsed_by_hand():
    X = [np.array([[NAN, 1.0], [2.0, NAN], [NAN, NAN], [NAN, 4.0]]), np.array([[NAN, 5.0]])]
    found = SequenceImputer(add_indicator=True, add_elapsed=True).fit_transform(X)
    expected = [
        [2.0, 1.0, 1, 0, 1, 0],
        [2.0, 1.0, 0, 1, 0, 1],
        [2.0, 1.0, 1, 1, 1, 2],
        [2.0, 4.0, 1, 0, 2, 0],
    ]
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(found[1], [[2.0, 5.0, 1, 0, 1, 0]])
    only = SequenceImputer(add_elapsed=True).fit_transform(X)[0]
    np.testing.assert_array_equal(only, np.array(expected)[:, [0, 1, 4, 5]])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_form_gives_the_same_and_stays(strategy):
    data = gappy(n_features=2)
    imputer = SequenceImputer(strategy, add_indicator=True, add_elapsed=True)
    expected = imputer.fit_transform(data)
    assert isinstance(expected, list)
    objects = np.empty(len(data), object)
    objects[:] = data
    found = clone(imputer).fit_transform(objects)
    assert found.dtype == object
    sequences = Sequences.from_list(data, ids=[f"p{i}" for i in range(30)], allow_nan=True)
    flat = clone(imputer).fit_transform(sequences)
    assert isinstance(flat, Sequences)
    assert flat.ids.tolist() == sequences.ids.tolist()
    frames = clone(imputer).fit_transform([pd.DataFrame(x, columns=["u", "v"]) for x in data])
    lengths = np.array([len(x) for x in data])
    dense = np.full((30, lengths.max(), 2), 99.0)
    for row, x in zip(dense, data):
        row[: len(x)] = x
    padded = clone(imputer).fit_transform(dense, lengths=lengths)
    assert padded.shape == (30, lengths.max(), 6)
    for i, x in enumerate(expected):
        for other in (found[i], flat[i], frames[i], padded[i, : len(x)]):
            np.testing.assert_array_equal(other, x)
        assert not padded[i, len(x) :].any()


def test_rows_and_frames_of_rows():
    rows = np.array([[1.0, NAN, 3.0], [NAN, 5.0, NAN]])
    np.testing.assert_array_equal(SequenceImputer().fit_transform(rows), [[1, 1, 3], [3, 5, 5]])
    frame = pd.DataFrame(rows, columns=["a", "b", "c"])
    imputer = SequenceImputer(add_indicator=True, add_elapsed=True).set_output(transform="pandas")
    found = imputer.fit_transform(frame)
    assert found.columns[:4].tolist() == ["a", "missingindicator_a", "elapsed_a", "b"]
    assert found.iloc[1].tolist() == [3, 1, 1, 5, 0, 0, 5, 1, 1]
    two = SequenceImputer(step_features=2, add_indicator=True)
    names = two.fit(np.array([[1.0, NAN, 3.0, 4.0]])).get_feature_names_out(list("abcd"))
    assert names.tolist() == [
        *["a", "b", "missingindicator_a", "missingindicator_b"],
        *["c", "d", "missingindicator_c", "missingindicator_d"],
    ]
    listed = SequenceImputer(add_elapsed=True).set_output(transform="pandas").fit([frame])
    assert listed.get_feature_names_out().tolist()[3] == "elapsed_a"
    assert isinstance(listed.transform([frame]), list)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_and_input_are_kept(strategy, dtype):
    X = gappy(dtype=dtype)
    before = [x.copy() for x in X]
    found = SequenceImputer(strategy, add_indicator=True, add_elapsed=True).fit_transform(X)
    assert {x.dtype for x in found} == {np.dtype(dtype)}
    for a, b in zip(X, before):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_sequences_do_not_leak_into_each_other(strategy):
    X = gappy()
    imputer = SequenceImputer(strategy, add_elapsed=True).fit(X)
    together = imputer.transform(X)
    for x, whole in zip(X, together):
        np.testing.assert_array_equal(imputer.transform([x])[0], whole)


@pytest.mark.parametrize("strategy", ["ffill", "mean"])
def test_nothing_looks_ahead_but_interpolation(strategy):
    X = gappy()
    imputer = SequenceImputer(strategy, add_indicator=True, add_elapsed=True).fit(X)
    whole = imputer.transform(X)
    for x, expected in zip(X, whole):
        for t in range(1, len(x)):
            np.testing.assert_array_equal(imputer.transform([x[:t]])[0], expected[:t])


def test_none_and_na_are_missing():
    expected = SequenceImputer().fit_transform([np.array([1.0, NAN, 3.0])])[0]
    for x in ([1.0, None, 3.0], [1, pd.NA, 3], pd.Series([1, None, 3], dtype="Int64")):
        np.testing.assert_array_equal(SequenceImputer().fit_transform([x])[0], expected)


def test_a_feature_without_values_becomes_zero_with_a_warning():
    X = [np.array([[1.0, NAN], [2.0, NAN]])]
    with pytest.warns(UserWarning, match=r"no value of the features \[1\]"):
        imputer = SequenceImputer().fit(X)
    np.testing.assert_array_equal(imputer.transform(X)[0], [[1, 0], [2, 0]])
    later = imputer.transform([np.array([[NAN, NAN], [1.0, 7.0], [NAN, NAN]])])[0]
    np.testing.assert_array_equal(later, [[1.5, 0], [1, 7], [1, 7]])


def test_means_are_those_of_the_training_data():
    imputer = SequenceImputer().fit([np.array([1.0, 3.0])])
    np.testing.assert_array_equal(imputer.transform([np.array([NAN, 9.0])])[0], [2, 9])


def test_copies():
    X = gappy()
    imputer = SequenceImputer("interpolate", add_indicator=True).fit(X)
    other = pickle.loads(pickle.dumps(imputer))
    imputer.set_params(strategy="mean", add_indicator=False)
    for a, b in zip(imputer.transform(X), other.transform(X)):
        np.testing.assert_array_equal(a, b)
    assert clone(imputer).get_params() == imputer.get_params()
    with pytest.raises(NotFittedError):
        clone(imputer).transform(X)


@pytest.mark.parametrize(
    ("imputer", "X", "error", "words"),
    [
        (SequenceImputer("bfill"), gappy(), ValueError, "strategy must be one of .* got 'bfill'"),
        (SequenceImputer(add_indicator=2), gappy(), TypeError, "add_indicator must be True or"),
        (SequenceImputer(add_elapsed="yes"), gappy(), TypeError, "add_elapsed must be True or"),
        (SequenceImputer(), [np.array([1.0, np.inf])], ValueError, "infinity"),
        (SequenceImputer(), [["a", "b"]], ValueError, "real numbers"),
    ],
)
def test_wrong_arguments_are_refused(imputer, X, error, words):
    with pytest.raises(error, match=words):
        imputer.fit(X)
    assert not hasattr(imputer, "statistics_")


def test_another_number_of_features_is_refused():
    imputer = SequenceImputer().fit(gappy())
    with pytest.raises(ValueError, match="X has 2 features, but SequenceImputer is expecting 3"):
        imputer.transform(gappy(n_features=2))


def test_pipelines_and_searches():
    X = gappy(40)
    y = [int(np.nansum(x) > 0) for x in X]
    model = GRUClassifier(4, max_iter=3, random_state=0, learning_rate="linear")
    pipeline = make_pipeline(SequenceImputer(), SequenceScaler(), model)
    assert np.isfinite(cross_val_score(pipeline, X, y, cv=3, error_score="raise")).all()
    grid = {
        "sequenceimputer__strategy": list(STRATEGIES),
        "sequenceimputer__add_indicator": [False, True],
    }
    sequences = Sequences.from_list(X, allow_nan=True)
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise", n_jobs=2).fit(sequences, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert make_pipeline(SequenceImputer(), Padder(flatten=True)).fit_transform(X).ndim == 2


# Rectangles whose ends are NaN.


def rectangle():
    X = np.full((4, 6, 2), NAN)
    for i, t in enumerate((6, 2, 4, 1)):
        X[i, :t] = np.random.RandomState(i).randn(t, 2)
    return X, np.array([6, 2, 4, 1])


def test_ends_of_nan_are_read_as_lengths():
    X, lengths = rectangle()
    found = Sequences.from_array(X, lengths="nan")
    assert found.lengths.tolist() == lengths.tolist()
    np.testing.assert_array_equal(found.values, Sequences.from_array(X, lengths).values)
    turned = Sequences.from_array(X.transpose(0, 2, 1).transpose(0, 2, 1), "nan", list("abcd"))
    assert turned.ids.tolist() == list("abcd")
    assert Sequences.from_array(X[:, :, 0], lengths="nan").lengths.tolist() == lengths.tolist()
    objects = np.where(np.isnan(X), None, X)
    assert Sequences.from_array(objects, lengths="nan").lengths.tolist() == lengths.tolist()
    assert Sequences.from_array(np.ones((2, 3), int), lengths="nan").lengths.tolist() == [3, 3]


def test_nan_inside_is_a_gap():
    X, lengths = rectangle()
    X[0, 2] = NAN
    X[2, 3, 1] = NAN
    with pytest.raises(ValueError, match="contains NaN: sequence 0, step 2"):
        Sequences.from_array(X, lengths="nan")
    gaps = Sequences.from_array(X, lengths="nan", allow_nan=True)
    assert gaps.lengths.tolist() == lengths.tolist()
    filled = SequenceImputer().fit_transform(X, lengths="nan")
    np.testing.assert_array_equal(filled[0, 2], X[0, 1])
    assert not filled[1, 2:].any()


def test_sequences_of_nan_alone_and_other_words_are_refused():
    X, _ = rectangle()
    X[1] = NAN
    with pytest.raises(ValueError, match="sequence 1 is empty"):
        Sequences.from_array(X, lengths="nan")
    with pytest.raises(ValueError, match="for each sequence or \"nan\", got 'NaN'"):
        Sequences.from_array(X, lengths="NaN")
    with pytest.raises(ValueError, match="lengths belongs to a padded array"):
        GRUClassifier(2).fit(list(X), [0, 1, 0, 1], lengths="nan")


def test_estimators_read_ends_of_nan():
    X, lengths = rectangle()
    y, tags = [0, 1, 0, 1], np.arange(24).reshape(4, 6) % 2
    model = GRUClassifier(3, max_iter=3, random_state=0, learning_rate="linear")
    expected = clone(model).fit(X, y, lengths=lengths)
    found = clone(model).fit(X, y, lengths="nan", validation_data=(X, y))
    np.testing.assert_array_equal(found.loss_curve_, expected.loss_curve_)
    np.testing.assert_array_equal(
        found.predict_proba(X, lengths="nan"), expected.predict_proba(X, lengths=lengths)
    )
    assert found.score(X, y, lengths="nan") == expected.score(X, y, lengths=lengths)
    tagger = LSTMSequenceTagger(3, max_iter=3, random_state=0).fit(X, tags, lengths="nan")
    assert not tagger.predict(X, lengths="nan")[1, 2:].any()
    assert np.isfinite(tagger.score(X, tags, lengths="nan"))
    with pytest.raises(ValueError, match="contains NaN"):
        found.predict(X)
    scaled = SequenceScaler().fit_transform(X, lengths="nan")
    np.testing.assert_array_equal(scaled, SequenceScaler().fit_transform(X, lengths=lengths))


@pytest.mark.parametrize("strategy", ["ffill", "mean", "interpolate"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_means_of_the_largest_numbers_are_finite(strategy, dtype):
    largest = np.finfo(dtype).max
    for values in ([largest] * 3, [largest, largest, -largest], [-largest] * 7):
        X = np.array([[[np.nan, 1.0]], *[[[value, 2.0]] for value in values]], dtype)
        imputer = SequenceImputer(strategy)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            filled = imputer.fit_transform(X)
        assert np.isfinite(filled).all()
        expected = [sum(Fraction(float(value)) for value in values) / len(values)]
        expected.append(1 + Fraction(len(values), len(values) + 1))
        np.testing.assert_allclose(imputer.statistics_, [float(mean) for mean in expected])
    row = SequenceImputer("mean").fit_transform([[1.7e308, 1.7e308, np.nan]])
    np.testing.assert_array_equal(row, np.full((1, 3), 1.7e308).reshape(np.shape(row)))

"""The forms of X, of y per step and of weights, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from estimators.problems import estimator, labels_of, padded, ragged, tags_of

from rnnkit import Sequences
from rnnkit.estimators.targets import flatten_steps, read_weights
from rnnkit.sequences import Form


def object_array(items):
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    return array


@pytest.fixture(scope="module")
def dense():
    X = np.random.RandomState(0).randn(30, 6, 1)
    return X, np.where(X[:, -1, 0] > 0, "up", "down")


def test_four_forms_give_the_same_bits(dense):
    X, y = dense
    forms = {
        "3-D": X,
        "list of 2-D": list(X),
        "tuple": tuple(X),
        "object array": object_array(X),
        "list of 1-D": [x[:, 0] for x in X],
        "2-D": X[:, :, 0],
        "list of lists": X[:, :, 0].tolist(),
        "frame": pd.DataFrame(X[:, :, 0]).rename(columns=str),
        "Sequences": Sequences.from_array(X),
        "Fortran order": np.asfortranarray(X),
        "reversed twice": X[:, ::-1][:, ::-1],
        "big-endian": X.astype(">f8"),
    }
    expected = estimator("GRU", "Classifier").fit(X, y).predict_proba(X)
    for name, form in forms.items():
        got = estimator("GRU", "Classifier").fit(form, y).predict_proba(form)
        np.testing.assert_array_equal(got, expected, err_msg=name)


def test_step_features_fold_a_row():
    X = np.random.RandomState(0).randn(30, 6, 2)
    y = labels_of(list(X))
    rows = X.reshape(30, 12)
    folded = estimator("LSTM", "Classifier", step_features=2).fit(rows, y)
    assert folded.n_features_in_ == 12
    expected = estimator("LSTM", "Classifier").fit(X, y)
    assert expected.n_features_in_ == 2
    np.testing.assert_array_equal(folded.predict_proba(rows), expected.predict_proba(X))
    np.testing.assert_array_equal(folded.predict_proba(X), expected.predict_proba(X))


def test_lengths_hide_the_padding():
    X = ragged()
    y = labels_of(X)
    dense_X, lengths = padded(X, fill=np.nan)
    expected = estimator("LSTM", "Classifier").fit(X, y)
    got = estimator("LSTM", "Classifier").fit(dense_X, y, lengths=lengths)
    np.testing.assert_array_equal(
        got.predict_proba(dense_X, lengths=lengths), expected.predict_proba(X)
    )
    assert got.score(dense_X, y, lengths=lengths) == expected.score(X, y)


def test_frame_sets_and_checks_feature_names(dense):
    X, y = dense
    frame = pd.DataFrame(X[:, :, 0], columns=list("abcdef"))
    fitted = estimator("RNN", "Classifier").fit(frame, y)
    assert fitted.feature_names_in_.tolist() == list("abcdef")
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(frame[list("fedcba")])
    fitted.fit(X, y)
    assert not hasattr(fitted, "feature_names_in_")


@pytest.mark.parametrize(
    "dtype, computed", [("f4", "f4"), ("f8", "f8"), ("i4", "f8"), ("f2", "f8")]
)
def test_compute_dtype_follows_x(dtype, computed):
    X = np.random.RandomState(0).randint(-3, 4, size=(20, 5, 1)).astype(dtype)
    y = np.arange(20) % 2
    fitted = estimator("GRU", "Classifier", max_iter=2).fit(X, y)
    assert fitted.predict_proba(X).dtype == np.dtype(computed)
    assert all(weight.dtype == np.dtype(computed) for weight in fitted.weights_.values())


def test_a_longer_sequence_is_predicted():
    X = ragged()
    fitted = estimator("LSTM", "Classifier").fit(X, labels_of(X))
    longer = ragged(5, seed=1, shortest=20, longest=30)
    assert fitted.predict(longer).shape == (5,)
    assert fitted.predict([longer[0][:1]]).shape == (1,)


FAULTS = [
    ([], "0 sample"),
    (np.empty((0, 5, 2)), "0 sample"),
    (np.empty((4, 5, 0)), "0 feature"),
    (np.empty((4, 0, 2)), "empty"),
    ([np.ones((2, 2)), np.ones((0, 2)), np.ones((1, 2)), np.ones((1, 2))], "sequence 1 is empty"),
    (np.ones(4), "Reshape your data"),
    (np.ones((4, 2, 2, 2)), "dim 4"),
    ([np.ones((2, 4)), np.ones((2, 4)), np.ones((2, 4)), np.ones((2, 5))], "sequence 3 has 5"),
    (np.full((4, 3, 2), np.nan), "contains NaN"),
    (np.full((4, 3, 2), -np.inf), "contains infinity"),
    (np.ones((4, 3, 2), complex), "Complex data not supported"),
    (np.full((4, 3, 2), "a"), "real numbers"),
    (np.ones((3, 3, 2)), "inconsistent numbers of samples"),
]


@pytest.mark.parametrize("X, message", FAULTS, ids=[message for _, message in FAULTS])
def test_wrong_x_is_refused_in_one_sentence(X, message):
    fresh = estimator("LSTM", "Classifier")
    before = dict(vars(fresh))
    with pytest.raises(ValueError, match=message):
        fresh.fit(X, [0, 1, 0, 1])
    assert vars(fresh) == before


@pytest.mark.parametrize("X", [None, "text", {"a": 1}, (x for x in [1])])
def test_wrong_type_is_named(X):
    with pytest.raises((TypeError, ValueError), match=r"NoneType|str|dict|generator"):
        estimator("LSTM", "Classifier").fit(X, [0, 1])


@pytest.mark.parametrize(
    "lengths, error, message",
    [
        ([1], ValueError, "lengths must have shape"),
        ([1, 2, 3, 9], ValueError, r"lengths\[3\]"),
        ([1, 2, -3, 1], ValueError, r"lengths\[2\]"),
        ([1, 2, 0, 1], ValueError, "sequence 2 is empty"),
        ([1.5, 2, 1, 1], TypeError, "lengths must be integers"),
    ],
)
def test_wrong_lengths_are_refused(lengths, error, message):
    with pytest.raises(error, match=message):
        estimator("LSTM", "Classifier").fit(np.ones((4, 3, 2)), [0, 1, 0, 1], lengths=lengths)


def test_other_number_of_features_is_refused():
    X = ragged(n_features=4)
    fitted = estimator("LSTM", "Classifier").fit(X, labels_of(X))
    with pytest.raises(ValueError, match="X has 3 features, but LSTMClassifier is expecting 4"):
        fitted.predict(ragged(n_features=3))


def test_failed_fit_leaves_a_fitted_estimator_as_it_was():
    X = ragged()
    fitted = estimator("LSTM", "Classifier").fit(X, labels_of(X))
    expected = fitted.predict_proba(X)
    with pytest.raises(ValueError, match="inconsistent"):
        fitted.fit(ragged(n_features=3), labels_of(X)[:-1])
    np.testing.assert_array_equal(fitted.predict_proba(X), expected)


STEPS = Sequences.from_list([np.ones((2, 1)), np.ones((3, 1))])


def test_per_step_values_are_flattened():
    ragged_form, dense_form = Form("list"), Form("array", 4)
    for y in (
        [[1, 2], [3, 4, 5]],
        [np.array([1, 2]), (3, 4, 5)],
        object_array([[1, 2], [3, 4, 5]]),
    ):
        np.testing.assert_array_equal(flatten_steps(y, STEPS, ragged_form), [1, 2, 3, 4, 5])
    y = np.array([[1, 2, 0, 0], [3, 4, 5, 0]])
    np.testing.assert_array_equal(flatten_steps(y, STEPS, dense_form), [1, 2, 3, 4, 5])
    with pytest.raises(ValueError, match="sequence 1 has 3 steps but 2 labels"):
        flatten_steps([[1, 2], [3, 4]], STEPS, ragged_form)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        flatten_steps([[1, 2]], STEPS, ragged_form)
    with pytest.raises(ValueError, match="one value per step"):
        flatten_steps(np.array([1, 2]), STEPS, ragged_form)
    with pytest.raises(ValueError, match="mixes text and numbers"):
        flatten_steps([[1, 2], ["a", "b", "c"]], STEPS, ragged_form)


def test_weights_are_arranged_like_the_targets():
    form = Form("list")
    np.testing.assert_array_equal(read_weights([1, 2], STEPS, form, per_step=False), [1, 2])
    np.testing.assert_array_equal(read_weights([1, 2], STEPS, form, per_step=True), [1, 1, 2, 2, 2])
    np.testing.assert_array_equal(
        read_weights([[1, 2], [3, 4, 5]], STEPS, form, per_step=True), [1, 2, 3, 4, 5]
    )


@pytest.mark.parametrize(
    "weights, message",
    [
        (2.0, "scalar"),
        ([1.0], r"sample_weight.shape == \(1,\), expected \(2,\)"),
        ([1, -1], "Negative values"),
        ([1, np.nan], "NaN"),
        ([0, 0], "at least one non-zero"),
    ],
)
def test_wrong_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        read_weights(weights, STEPS, Form("list"), per_step=False)


def test_tags_may_be_longer_than_any_seen_before():
    X = ragged()
    tagger = estimator("GRU", "SequenceTagger").fit(X, tags_of(X))
    assert tagger.score(X[:1], [["sideways"] * len(X[0])]) == 0.0


def test_sparse_and_masked_input_is_refused():
    from scipy.sparse import csr_array

    with pytest.raises(TypeError, match="Sparse data was passed"):
        estimator("LSTM", "Classifier").fit(csr_array(np.eye(4)), [0, 1, 0, 1])
    masked = np.ma.masked_less(np.eye(4), 0.5)
    with pytest.raises(ValueError, match="masked"):
        estimator("LSTM", "Classifier").fit(masked, [0, 1, 0, 1])


def test_input_is_never_written_to():
    X = ragged()
    for x in X:
        x.flags.writeable = False
    fitted = estimator("LSTM", "Classifier", input_noise=0.1, input_dropout=0.1)
    fitted.fit(X, labels_of(X)).predict(X)
    windows = np.lib.stride_tricks.sliding_window_view(np.arange(30.0), 5)[:, :, None]
    before = windows.copy()
    estimator("GRU", "Classifier", input_noise=0.1).fit(windows, np.arange(26) % 2)
    np.testing.assert_array_equal(windows, before)
    constant = np.broadcast_to(np.float64(1.0), (10, 4, 1))
    estimator("GRU", "Classifier").fit(constant, np.arange(10) % 2).predict(constant)

"""One model, however many workers: fits on a cluster against the same fit on one machine."""

import time
import warnings

import numpy as np
import pandas as pd
import pytest
from partitions import cut, labels, parted, ragged, sequences_in_parts, tags
from sklearn.base import clone

import rnnkit
from rnnkit import LSTMClassifier, Sequences
from rnnkit.training import SGD

pytest.importorskip("dask")
pytest.importorskip("distributed")
pytest.importorskip("xgboost")

from rnnkit import distributed

RELATIVE = {"float64": 1e-6, "float32": 1e-4}  # of the largest weight, after 20 steps
SMALL = {"hidden_size": 5, "batch_size": 10, "max_iter": 5, "random_state": 0}


def weights_of(estimator):
    return estimator.network_.parameters.flat


def assert_same_model(found, expected):
    ours, theirs = weights_of(found), weights_of(expected)
    assert ours.dtype == theirs.dtype
    allowed = RELATIVE[str(ours.dtype)]
    assert np.abs(ours - theirs).max() <= allowed * np.abs(theirs).max()
    np.testing.assert_allclose(found.loss_curve_, expected.loss_curve_, rtol=allowed)
    assert found.n_iter_ == expected.n_iter_
    assert found.t_ == expected.t_
    if expected.validation_scores_ is not None:
        np.testing.assert_allclose(found.validation_scores_, expected.validation_scores_, rtol=1e-4)


def fitted(estimator, *arguments, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clone(estimator).fit(*arguments, **more)


def fitted_on_workers(estimator, *arguments, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return distributed.fit(clone(estimator), *arguments, **more)


X = ragged()
Y = labels(X)
NUMBERS = np.array([x.sum() for x in X])
WEIGHTS = np.random.RandomState(1).uniform(0.2, 2.0, len(X))
WEIGHTS[:12] = 0.0  # whole minibatches and a whole partition

CASES = {
    solver: (LSTMClassifier(**SMALL, solver=solver, learning_rate_init=rate), Y)
    for solver, rate in {
        "adam": 0.01,
        "adamw": 0.01,
        "sgd": 0.1,
        "nesterov": 0.1,
        "rmsprop": 0.01,
        "adagrad": 0.1,
        "adadelta": 1.0,
        "lbfgs": 1.0,
    }.items()
}
CASES |= {
    "a solver object": (
        LSTMClassifier(**SMALL, solver=SGD(momentum=0.9), alpha=0.01, l1=0.001),
        Y,
    ),
    "noise of every kind": (
        rnnkit.GRUClassifier(
            **SMALL,
            n_layers=2,
            dropout=0.3,
            recurrent_dropout=0.2,
            input_dropout=0.1,
            input_noise=0.1,
        ),
        Y,
    ),
    "windows": (LSTMClassifier(**SMALL, bptt_steps=2), Y),
    "schedule and early stopping": (
        LSTMClassifier(**SMALL, learning_rate="cosine", early_stopping=True, pooling="mean"),
        Y,
    ),
    "balanced classes": (rnnkit.RNNClassifier(**SMALL, class_weight="balanced"), Y),
    "chrono, bidirectional": (
        LSTMClassifier(**SMALL, bidirectional=True, gate_bias="chrono", learning_rate="adaptive"),
        Y,
    ),
    "numbers": (rnnkit.LSTMRegressor(**SMALL), NUMBERS),
    "medians": (rnnkit.LSTMRegressor(**SMALL, loss="absolute"), NUMBERS),
    "quantiles": (
        rnnkit.GRURegressor(**SMALL, loss="quantile", quantile=[0.1, 0.5], early_stopping=True),
        NUMBERS,
    ),
    "numbers per step": (rnnkit.GRUSequenceRegressor(**SMALL), [x[:, 0] for x in X]),
    "split by time": (
        rnnkit.GRUSequenceRegressor(**SMALL, early_stopping=True, validation_split="time"),
        [x[:, 0] for x in X],
    ),
    "tags": (rnnkit.LSTMSequenceTagger(**SMALL, early_stopping=True), tags(X)),
    "tags, crf": (
        rnnkit.LSTMSequenceTagger(**SMALL, output="crf", forbidden_transitions="bio"),
        tags(X),
    ),
    "label sequences": (
        rnnkit.LSTMSequenceLabeller(**SMALL),
        [["a"] if x.sum() > 0 else ["b"] for x in X],
    ),
    "written sequences": (
        rnnkit.GRUEncoderDecoder(**SMALL),
        [list("ab") if x.sum() > 0 else list("b") for x in X],
    ),
}
# How many times they run, beside the two workers that all run on.
ON_MORE = ("adam", "noise of every kind", "tags, crf", "lbfgs", "windows", "quantiles")


@pytest.mark.parametrize(
    "case, n_parts",
    [(case, 2) for case in CASES] + [(case, n) for case in ON_MORE for n in (1, 3)],
)
def test_the_model_is_that_of_one_machine(client, case, n_parts):
    estimator, y = CASES[case]
    expected = fitted(estimator, X, y)
    found = fitted_on_workers(estimator, sequences_in_parts(X, n_parts), parted(y, n_parts))
    assert type(found) is type(estimator)
    assert_same_model(found, expected)
    assert found.get_params() == estimator.get_params() or case == "a solver object"
    assert "_ranks" not in vars(found)
    again = found.predict(Sequences.from_list(X))
    for one, other in zip(again, expected.predict(X)):
        np.testing.assert_array_equal(one, other) if Y is y else None


@pytest.mark.parametrize("case", ("adam", "tags", "numbers"))
def test_weights_of_sequences(client, case):
    estimator, y = CASES[case]
    expected = fitted(estimator, X, y, sample_weight=WEIGHTS)
    for weights in (parted(WEIGHTS, 3), WEIGHTS):
        found = fitted_on_workers(
            estimator, sequences_in_parts(X, 3), parted(y, 3), sample_weight=weights
        )
        assert_same_model(found, expected)


def test_the_same_run_twice_has_the_same_bits(client):
    estimator, y = CASES["noise of every kind"]
    first, again = (
        fitted_on_workers(estimator, sequences_in_parts(X, 3), parted(y, 3)) for _ in range(2)
    )
    np.testing.assert_array_equal(weights_of(first), weights_of(again))


def test_ranks_part_at_once(client):
    """Who looks for a rank or a tracker that has gone waits six seconds, or twelve."""
    estimator, y = CASES["adam"]
    took = []
    for _ in range(3):
        began = time.monotonic()
        fitted_on_workers(estimator, sequences_in_parts(X, 3), parted(y, 3))
        took.append(time.monotonic() - began)
    assert min(took) < 4, took


def test_dense_arrays_of_dask(client):
    from dask import array

    dense = np.random.RandomState(0).standard_normal((40, 6, 2)).astype(np.float32)
    y = (dense[:, -1, 0] > 0).astype(int)
    estimator = LSTMClassifier(**SMALL)
    expected = fitted(estimator, dense, y)
    found = fitted_on_workers(
        estimator,
        array.from_array(dense, chunks=(15, 3, 1)),
        array.from_array(y, chunks=7),
        client=client,
    )
    assert weights_of(found).dtype == np.float32
    np.testing.assert_allclose(weights_of(found), weights_of(expected), atol=1e-4)
    lengths = np.random.RandomState(1).randint(1, 7, 40)
    expected = fitted(estimator, dense, y, lengths=lengths)
    found = fitted_on_workers(
        estimator,
        array.from_array(dense, chunks=(20, 6, 2)),
        y,
        lengths=array.from_array(lengths, chunks=20),
    )
    np.testing.assert_allclose(weights_of(found), weights_of(expected), atol=1e-4)


def test_rows_of_dask(client):
    from dask import array

    rows = np.random.RandomState(0).standard_normal((40, 6))
    estimator = rnnkit.GRURegressor(**SMALL, step_features=2)
    found = fitted_on_workers(estimator, array.from_array(rows, chunks=(13, 6)), rows[:, -1])
    assert_same_model(found, fitted(estimator, rows, rows[:, -1]))
    assert found.n_features_in_ == 6


def test_bags(client):
    from dask import bag

    estimator, y = CASES["tags, crf"]
    found = fitted_on_workers(
        estimator, bag.from_sequence(X, npartitions=3), bag.from_sequence(y, npartitions=3)
    )
    assert_same_model(found, fitted(estimator, X, y))


def test_persisted_data_stay_where_they_are(client):
    from dask import bag

    estimator, y = CASES["adam"]
    held = bag.from_sequence(X, npartitions=3).persist()
    found = fitted_on_workers(estimator, held, y)
    assert_same_model(found, fitted(estimator, X, y))


def test_data_in_memory_are_sent(client):
    estimator, y = CASES["adam"]
    assert_same_model(fitted_on_workers(estimator, X, y), fitted(estimator, X, y))


def test_a_worker_without_sequences(client):
    from dask import delayed

    estimator, y = CASES["tags"]
    X_parts = [delayed(X[:25], traverse=False), delayed([]), delayed(X[25:], traverse=False)]
    y_parts = [delayed(y[:25], traverse=False), delayed([]), delayed(y[25:], traverse=False)]
    assert_same_model(fitted_on_workers(estimator, X_parts, y_parts), fitted(estimator, X, y))


def test_validation_data(client):
    estimator, y = CASES["adam"]
    estimator = clone(estimator).set_params(monitor="score")
    given = {"validation_data": (X[:9], y[:9])}
    found = fitted_on_workers(estimator, sequences_in_parts(X, 3), parted(y, 3), **given)
    assert_same_model(found, fitted(estimator, X, y, **given))
    assert len(found.validation_loss_curve_) == found.n_iter_


def test_warm_start(client):
    estimator, y = CASES["adam"]
    expected = clone(estimator).set_params(warm_start=True)
    found = clone(expected)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(2):
            expected.fit(X, y)
            distributed.fit(found, sequences_in_parts(X, 2), parted(y, 2))
    assert_same_model(found, expected)


def test_long_frames(client):
    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")

    rng = np.random.RandomState(0)
    lengths = rng.randint(1, 6, 30)
    frame = pd.DataFrame(
        {
            "who": np.repeat(np.arange(30), lengths),
            "when": np.concatenate([np.arange(n) for n in lengths]),
            "pulse": rng.standard_normal(lengths.sum()),
            "ward": np.where(np.repeat(np.arange(30), lengths) < 12, "a", "b"),
        }
    )
    frame["ward"] = frame["ward"].where(frame["who"] != 29, "c")  # which one partition alone has
    frame["ill"] = np.repeat(rng.rand(30) > 0.5, lengths)
    estimator = rnnkit.GRUClassifier(**SMALL, embedding_dim=3, categorical_features=["ward"])
    X_all, y_all = Sequences.from_frame(frame, "who", "when", target="ill")
    expected = fitted(estimator, X_all, y_all)
    by_who = dd.from_pandas(frame.set_index("who"), npartitions=3, sort=True)
    found = fitted_on_workers(estimator, by_who, group="who", sort="when", target="ill")
    assert_same_model(found, expected)
    assert found._reader.labels == expected._reader.labels
    shuffled = dd.from_pandas(frame.sample(frac=1, random_state=0), npartitions=3, sort=False)
    found = fitted_on_workers(estimator, shuffled, group="who", sort="when", target="ill")
    assert found.t_ == expected.t_


def test_language_models(client):
    from dask import bag

    texts = ["hello world", "hello there", "a world of words", "there are words"] * 6
    estimator = rnnkit.GRULanguageModel(6, max_iter=4, batch_size=4, bptt_steps=5, random_state=0)
    found = fitted_on_workers(estimator, bag.from_sequence(texts, npartitions=3))
    expected = fitted(estimator, texts)
    assert found.vocabulary_ == expected.vocabulary_
    assert_same_model(found, expected)


def test_a_random_state_goes_on(client):
    _, y = CASES["adam"]
    for state in (None, np.random.RandomState(5)):
        estimator = LSTMClassifier(**{**SMALL, "random_state": state})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = distributed.fit(estimator, sequences_in_parts(X, 2), parted(y, 2))
        assert found is estimator
        assert found.random_state is state


def test_warnings_reach_the_client(client):
    from sklearn.exceptions import ConvergenceWarning

    estimator, y = CASES["adam"]
    with pytest.warns(ConvergenceWarning, match="Maximum number of epochs"):
        distributed.fit(clone(estimator), sequences_in_parts(X, 2), parted(y, 2))


def test_refusals(client):
    from sklearn.pipeline import make_pipeline

    from rnnkit.preprocessing import SequenceScaler

    estimator, y = CASES["adam"]
    parts = sequences_in_parts(X, 2)
    with pytest.raises(TypeError, match="transform X first"):
        distributed.fit(make_pipeline(SequenceScaler(), estimator), parts, y)
    with pytest.raises(ValueError, match="device must be"):
        distributed.fit(clone(estimator).set_params(device="cuda"), parts, y)
    with pytest.raises(ValueError, match="callbacks"):
        distributed.fit(clone(estimator).set_callbacks(print), parts, y)
    with pytest.raises(ValueError, match="token_dropout"):
        distributed.fit(clone(estimator).set_params(token_dropout=0.1), parts, y)
    normalized = [rnnkit.Convolution(2, 2, batch_norm=True)]
    with pytest.raises(ValueError, match="batch_norm=False"):
        distributed.fit(clone(estimator).set_params(convolutions=normalized), parts, y)
    with pytest.raises(ValueError, match="2 partitions, but y has 3"):
        distributed.fit(clone(estimator), parts, parted(y, 3))
    with pytest.raises(ValueError, match="give group"):
        distributed.fit(clone(estimator), parts, y, target="ill")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("n_parts", [None, 3])
def test_ids_are_compared_with_what_is_in_memory(client, n_parts):
    from dask import delayed

    estimator, y = CASES["adam"]
    named = Sequences.from_list(X, ids=np.arange(len(X)) + 1000)
    parts = named
    if n_parts is not None:
        parts = [delayed(part, traverse=False) for part in cut(named, n_parts)]
    targets, weights = pd.Series(y, named.ids), pd.Series(1.0, named.ids)
    with pytest.raises(ValueError, match="index of y has the ids of X in another order"):
        distributed.fit(clone(estimator), parts, targets[::-1])
    with pytest.raises(ValueError, match="index of sample_weight has the ids of X in another"):
        distributed.fit(clone(estimator), parts, targets, sample_weight=weights[::-1])
    found = distributed.fit(clone(estimator), parts, targets, sample_weight=weights)
    assert_same_model(found, clone(estimator).fit(X, y, sample_weight=np.ones(len(X))))


def test_errors_of_the_data_are_those_of_fit(client):
    from dask import delayed

    estimator, y = CASES["adam"]
    fresh = clone(estimator)
    bad = [delayed(X[:20], traverse=False), delayed([x[:, :1] for x in X[20:]], traverse=False)]
    with pytest.raises(ValueError, match="same features of a step, got 2 and 1"):
        distributed.fit(fresh, bad, y)
    nan = [x.copy() for x in X]
    nan[30][0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        distributed.fit(fresh, [delayed(part, traverse=False) for part in cut(nan, 2)], y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        distributed.fit(fresh, sequences_in_parts(X, 2), y[:-1])
    short = [delayed(y[:21]), delayed(y[22:])]
    with pytest.raises(ValueError, match="partition 1 of X has 19 sequences, but that of y has 18"):
        distributed.fit(fresh, sequences_in_parts(X, 2), short)
    with pytest.raises(ValueError, match="requires y"):
        distributed.fit(fresh, sequences_in_parts(X, 2))
    assert not hasattr(fresh, "network_")

"""What is learnt about X is plain data, and is what every later X is read by."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from estimators.problems import estimator, labels_of, ragged, tags_of

from rnnkit import Sequences
from rnnkit.estimators.reader import Reader


def learn(X, task="Classifier", lengths=None, **parameters):
    fresh = estimator("GRU", task, **parameters)
    return Reader.learn(fresh, X, lengths, per_step=task == "SequenceTagger")[0]


@pytest.mark.parametrize(
    "X, parameters",
    [
        (ragged(), {}),
        (np.ones((4, 6)), {"step_features": 2}),
        (pd.DataFrame(np.ones((4, 3)), columns=list("abc")), {}),
        (np.ones((4, 5, 3), "f4"), {}),
        (np.ones((4, 5, 3), int), {"embedding_dim": 4, "n_tokens": (7, None, 3)}),
        (np.ones((4, 5, 3), int), {"embedding_dim": 4, "categorical_features": [2, 0]}),
        (np.ones((4, 5, 6), int), {"embedding_dim": 4, "spelling_columns": 5}),
    ],
)
def test_a_reader_survives_json(X, parameters):
    reader = learn(X, **parameters)
    assert Reader.from_dict(json.loads(json.dumps(reader.to_dict()))) == reader


def test_numbers_stand_beside_tokens():
    rng = np.random.RandomState(0)
    X = [np.column_stack([rng.randn(t), rng.randint(5, size=t), rng.randn(t)]) for t in (3, 4, 5)]
    reader = learn(X, embedding_dim=4, categorical_features=[1])
    inputs = reader.inputs(Sequences.from_list(X))
    together = np.concatenate(X)
    np.testing.assert_array_equal(inputs.tokens[:, 0], together[:, 1])
    np.testing.assert_array_equal(inputs.numeric, together[:, [0, 2]].astype("f4"))
    assert reader.n_numeric == 2


def test_a_label_that_needs_both_is_learnt():
    """The label is the sign of the number, turned round where the id says so."""
    rng = np.random.RandomState(0)
    X = [np.column_stack([rng.randint(2, size=t), rng.randn(t)]) for t in rng.randint(2, 6, 200)]
    y = [(x[-1, 1] > 0) != (x[-1, 0] == 1) for x in X]
    both = estimator(
        "LSTM", "Classifier", embedding_dim=3, categorical_features=[0], max_iter=60
    ).fit(X[:120], y[:120])
    assert both.score(X[120:], y[120:]) > 0.8
    numbers = [x[:, 1:] for x in X]
    alone = estimator("LSTM", "Classifier", max_iter=60).fit(numbers[:120], y[:120])
    assert alone.score(numbers[120:], y[120:]) < 0.7
    rows = np.stack([x[-1] for x in X])
    as_rows = estimator(
        "LSTM", "Classifier", embedding_dim=3, categorical_features=[0], step_features=2, max_iter=9
    )
    assert as_rows.fit(rows, y).predict(rows).shape == (200,)


@pytest.mark.parametrize(
    "columns, message",
    [([3], "names the column 3"), ([-4], "names the column -4"), ([0, -3], "names a column twice")],
)
def test_wrong_columns_are_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        learn(np.ones((4, 5, 3), int), embedding_dim=2, categorical_features=columns)


def test_columns_of_ids_need_a_width():
    X = ragged()
    fresh = estimator("GRU", "Classifier", categorical_features=[0])
    with pytest.raises(ValueError, match="must be None without embedding_dim"):
        fresh.fit(X, labels_of(X))


def test_ids_must_be_whole():
    X = ragged()
    fresh = estimator("GRU", "Classifier", categorical_features=[0], embedding_dim=2)
    with pytest.raises(ValueError, match="integer token ids"):
        fresh.fit(X, labels_of(X))


@pytest.mark.parametrize("equal", [True, False])
def test_a_list_means_sequences_whatever_lengths_training_had(equal):
    X = [[1.0, 2, 3], [3.0, 2, 1]] if equal else [[1.0, 2, 3], [3.0, 2]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = estimator("GRU", "Classifier", max_iter=2).fit(X, [0, 1])
    assert fitted.n_features_in_ == 1
    assert fitted.predict([[1.0, 2, 3, 4]]).shape == (1,)


FORMS = {
    "3-D": (lambda X: X, np.ndarray),
    "2-D": (lambda X: X[:, :, 0], np.ndarray),
    "list": (list, list),
    "list of lists": (lambda X: X[:, :, 0].tolist(), list),
    "object array": (lambda X: pd.Series(list(X)).to_numpy(), np.ndarray),
    "Sequences": (Sequences.from_array, Sequences),
}


@pytest.mark.parametrize("name", FORMS)
def test_results_per_step_come_in_the_form_of_x(name):
    """One rule for every method: dense for dense, else the same kind, labels in an object array."""
    dense = np.random.RandomState(0).randn(6, 4, 1)
    form, kind = FORMS[name]
    X = form(dense)
    tagger = estimator("GRU", "SequenceTagger", hidden_size=5, max_iter=3)
    tagger.fit(X, tags_of(list(dense)))
    features = [
        tagger.hidden_states(X),
        tagger.gate_activations(X)["z"],
        tagger.predict_proba(X),
        tagger.predict_log_proba(X),
    ]
    assert {type(result) for result in features} == {kind}
    labels = tagger.predict(X)
    if name in ("3-D", "2-D"):
        assert [result.shape[:2] for result in features] == [(6, 4)] * 4
        assert labels.shape == (6, 4)
    else:
        assert [result[0].shape[0] for result in features] == [4] * 4
        assert labels.dtype == object


def test_rows_with_lengths_keep_their_steps_everywhere():
    rows = np.random.RandomState(0).randn(4, 3)
    lengths = np.array([2, 1, 2, 1])
    y = np.where(rows > 0, "up", "down")
    tagger = estimator("GRU", "SequenceTagger", hidden_size=4, max_iter=3)
    tagger.fit(rows, y, lengths=lengths)
    assert tagger.predict(rows, lengths=lengths).shape == (4, 3)
    states = tagger.hidden_states(rows, lengths=lengths)
    assert states.shape == (4, 3, 4)
    assert (states[1, 1:] == 0).all()

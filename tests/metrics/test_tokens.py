"""Scores against their definitions and sklearn's on the flat labels; padding never counts."""

import functools
import pickle
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from tolerances import assert_close

from rnnkit import metrics
from rnnkit.metrics import (
    edit_distance,
    entity_f1,
    label_error_rate,
    sequence_accuracy,
    token_accuracy,
    token_f1,
)
from rnnkit.sequences import Sequences

TAGS = ["O", "B-A", "I-A", "B-B", "I-B"]


def object_array(items):
    array = np.empty(len(items), dtype=object)
    array[:] = [np.asarray(item) for item in items]
    return array


@st.composite
def pairs(draw, labels=("A", "B", "C"), min_steps=1):
    lengths = draw(st.lists(st.integers(min_steps, 6), min_size=1, max_size=6))
    draw_labels = [st.lists(st.sampled_from(labels), min_size=n, max_size=n) for n in lengths]
    return [draw(s) for s in draw_labels], [draw(s) for s in draw_labels]


def pad(y, fill, width=8):
    return np.array([list(labels) + [fill] * (width - len(labels)) for labels in y])


@given(pairs())
def test_token_scores_are_sklearns_on_the_flat_labels(pair):
    true, pred = pair
    flat_true, flat_pred = list(chain(*true)), list(chain(*pred))
    assert token_accuracy(true, pred) == accuracy_score(flat_true, flat_pred)
    for average in ("macro", "micro", "weighted"):
        expected = f1_score(flat_true, flat_pred, average=average, zero_division=0.0)
        assert token_f1(true, pred, average=average) == expected
    right = np.mean([t == p for t, p in zip(true, pred)])
    assert sequence_accuracy(true, pred) == right


@pytest.mark.parametrize("score", [token_accuracy, token_f1, sequence_accuracy, entity_f1])
@given(pair=pairs(labels=TAGS))
def test_form_and_padding_change_nothing(score, pair):
    true, pred = pair
    lengths = [len(t) for t in true]
    expected = score(true, pred)
    assert score(object_array(true), object_array(pred)) == expected
    assert score(tuple(true), pred) == expected
    assert score(true, pad(pred, "O")) == expected
    for fill in TAGS:
        assert score(pad(true, fill), pad(pred, "O"), lengths=lengths) == expected
        assert score(pad(true, fill), pad(pred, fill), lengths=lengths) == expected
        assert score(pad(true, fill), pred, lengths=lengths) == expected


def test_labels_of_any_type():
    true, pred = [[0, 1], [2]], [[0, 2], [2]]
    assert token_accuracy(true, pred) == 2 / 3
    assert token_accuracy([[True], [False]], [[True], [True]]) == 0.5
    columns = Sequences(np.array([0, 1, 2]), [0, 2, 3])
    assert token_accuracy(columns, pred) == 2 / 3


def test_a_label_never_seen_is_wrong():
    assert token_accuracy([["new"], ["old"]], [["old"], ["old"]]) == 0.5


def test_weights_per_sequence_and_per_step():
    true, pred = [[0, 1], [2, 2, 2]], [[0, 0], [2, 2, 0]]
    assert token_accuracy(true, pred, sample_weight=[1, 0]) == 0.5
    assert token_accuracy(true, pred, sample_weight=[3, 1]) == (3 + 2) / 9
    per_step = [[1, 0], [1, 1, 2]]
    assert token_accuracy(true, pred, sample_weight=per_step) == 3 / 5
    padded = np.array([[1, 0, 9], [1, 1, 2]])
    assert token_accuracy(true, pred, sample_weight=padded) == 3 / 5
    weights = [1, 0, 1, 1, 2]
    expected = f1_score(
        [0, 1, 2, 2, 2],
        [0, 0, 2, 2, 0],
        average="macro",
        sample_weight=weights,
        zero_division=0.0,
    )
    assert token_f1(true, pred, sample_weight=per_step) == expected
    assert sequence_accuracy([[1], [2]], [[1], [3]], sample_weight=[3, 1]) == 0.75


def test_f1_options():
    true, pred = [["A", "B", "C"]], [["A", "B", "B"]]
    np.testing.assert_array_equal(token_f1(true, pred, average=None), [1, 2 / 3, 0])
    assert token_f1(true, pred, labels=["B"]) == 2 / 3
    assert token_f1(true, pred, labels=["D"], zero_division=1.0) == 1.0


def test_a_sequence_of_another_length_is_wrong():
    assert sequence_accuracy([[1, 2], [3]], [[1], [3]]) == 0.5
    assert sequence_accuracy([[1, 2], [3]], [[1, 2, 2], [3]]) == 0.5


# Worked by hand: (labels, entities as (type, first step, step after the last)).
IOB2 = [
    (["B-A", "I-A", "O"], {("A", 0, 2)}),
    (["B-A", "B-A"], {("A", 0, 1), ("A", 1, 2)}),
    (["B-A", "I-B", "I-B"], {("A", 0, 1)}),
    (["O", "I-A", "I-A"], set()),
    (["B-A", "O", "I-A"], {("A", 0, 1)}),
    (["B-A-x", "I-A-x"], {("A-x", 0, 2)}),
    (["I-A", "B-A", "I-A"], {("A", 1, 3)}),
]


@pytest.mark.parametrize("labels, entities", IOB2)
def test_entities_are_strict(labels, entities):
    for other, other_entities in IOB2:
        n = min(len(labels), len(other))
        if len(labels) != len(other):
            continue
        n_right = len(entities & other_entities)
        n_all = len(entities) + len(other_entities)
        expected = 2 * n_right / n_all if n_all else 0.0
        assert entity_f1([labels[:n]], [other[:n]]) == expected


def test_entity_averages():
    true = [["B-A", "O", "B-A", "B-B"], ["B-A"]]
    pred = [["B-A", "O", "O", "B-B"], ["B-C"]]
    assert entity_f1(true, pred, average=None) == {"A": 0.5, "B": 1.0, "C": 0.0}
    assert entity_f1(true, pred, average="macro") == 0.5
    assert entity_f1(true, pred, average="weighted") == (3 * 0.5 + 1.0) / 4
    assert entity_f1(true, pred) == 2 * 2 / (4 + 3)
    assert entity_f1([["O"]], [["O"]]) == 0.0
    assert entity_f1([["O"]], [["B-A"]], average="weighted") == 0.0


@given(pairs(labels=TAGS))
def test_entities_agree_with_seqeval(pair):
    seqeval = pytest.importorskip("seqeval.metrics")
    scheme = pytest.importorskip("seqeval.scheme").IOB2
    true, pred = pair
    if not any(label.startswith("B") for labels in true + pred for label in labels):
        return
    expected = seqeval.f1_score(true, pred, mode="strict", scheme=scheme, zero_division=0)
    assert_close(entity_f1(true, pred), expected, np.float64)


@pytest.mark.parametrize("label", ["A", "B-", "O-A", "S-A", "", 0])
def test_other_labels_are_refused(label):
    with pytest.raises(ValueError, match="labels must be O, B-type or I-type, got"):
        entity_f1([[label]], [["O"]])


def test_unknown_average():
    with pytest.raises(ValueError, match="average must be micro, macro, weighted or None"):
        entity_f1([["O"]], [["O"]], average="binary")


@functools.cache
def recursive_distance(a, b):
    if not a or not b:
        return len(a) + len(b)
    return min(
        recursive_distance(a[1:], b) + 1,
        recursive_distance(a, b[1:]) + 1,
        recursive_distance(a[1:], b[1:]) + (a[0] != b[0]),
    )


@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_edit_distance(a, b):
    assert edit_distance(list(a), list(b)) == recursive_distance(a, b)
    assert edit_distance([ord(c) for c in a], [ord(c) for c in b]) == recursive_distance(a, b)


def test_label_error_rate():
    assert label_error_rate([[1, 2, 3], [4]], [[1, 3], []]) == 2 / 4
    assert label_error_rate([[1]], [[2, 3]]) == 2.0
    assert label_error_rate(object_array([[1, 2], [3]]), object_array([[1, 2], [3]])) == 0.0
    with pytest.raises(ValueError, match="y_true must hold at least one label, got none"):
        label_error_rate([[]], [[1]])


@pytest.mark.parametrize("score", [token_accuracy, token_f1, entity_f1])
def test_wrong_shapes(score):
    with pytest.raises(ValueError, match=r"inconsistent numbers of sequences: \[2, 1\]"):
        score([["O"], ["O"]], [["O"]])
    with pytest.raises(ValueError, match="sequence 1 has 2 labels in y_true but 1 in y_pred"):
        score([["O"], ["O", "O"]], [["O"], ["O"]])
    with pytest.raises(ValueError, match=r"y_true\[0\] must be a sequence of labels"):
        score(["O", "O"], [["O"], ["O"]])
    with pytest.raises(TypeError, match="y_true must be an array or a list of label sequences"):
        score("O", [["O"]])
    with pytest.raises(ValueError, match="y_true must hold at least one sequence, got none"):
        score([], [])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"lengths": [1]}, r"lengths must have shape \(2,\), got \(1,\)"),
        ({"lengths": [1, 3]}, r"lengths\[1\] must be between 0 and 2, got 3"),
        ({"sample_weight": [1.0]}, r"sample_weight must have shape \(2,\), got \(1,\)"),
        ({"sample_weight": [[1, 1]]}, "sample_weight must have 2 sequences, got 1"),
        ({"sample_weight": [[1, 1], [1]]}, r"sample_weight\[1\] must have 2 steps, got 1"),
    ],
)
def test_wrong_lengths_and_weights(options, message):
    y = np.zeros((2, 2), dtype=int)
    with pytest.raises(ValueError, match=message):
        token_accuracy(y, y, **options)


class SignTagger(BaseEstimator):
    """Labels each step by its sign; `flip` makes all of them wrong."""

    def __init__(self, flip=False):
        self.flip = flip

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        return object_array([np.where((x[:, 0] > 0) != self.flip, "B-A", "O") for x in X])


OF_NUMBERS = ("label_accuracy", "label_log_likelihood", "pinball_loss")
SCORERS = [
    name
    for name in metrics.__all__
    if name.endswith("_scorer") and name != "get_scorer" and not name.startswith(OF_NUMBERS)
]


@pytest.mark.parametrize("name", SCORERS)
def test_scorers_choose_the_right_model_in_a_search(name):
    scorer = getattr(metrics, name)
    rng = np.random.RandomState(0)
    X = Sequences.from_list([rng.randn(n, 1) for n in rng.randint(1, 6, 12)])
    y = SignTagger().predict(X)
    search = GridSearchCV(SignTagger(), {"flip": [True, False]}, scoring=scorer, cv=3)
    assert search.fit(X, y).best_params_ == {"flip": False}
    best = 0.0 if "error" in name else 1.0
    assert (cross_val_score(SignTagger(), X, y, scoring=scorer, cv=3) == best).all()
    assert pickle.loads(pickle.dumps(scorer))(SignTagger().fit(X, y), X, y) == best


def test_rows_of_a_frame_are_sequences_of_labels():
    pandas = pytest.importorskip("pandas")
    true, pred = np.array([[0, 1], [1, 1], [0, 0]]), np.array([[0, 1], [1, 0], [1, 0]])
    frame = pandas.DataFrame(true, columns=["ab", "cd"])
    assert token_accuracy(frame, pred) == token_accuracy(true, pred)
    assert token_accuracy(pandas.DataFrame(pred), frame) == token_accuracy(pred, true)


def test_masked_labels_and_weights_are_refused():
    labels = np.array([[0, 1], [1, 1]])
    masked = np.ma.masked_array(labels, mask=[[0, 1], [0, 0]])
    for y in (masked, list(masked)):
        with pytest.raises(ValueError, match=r"y_true.* is a masked array with masked entries"):
            token_accuracy(y, labels)
    with pytest.raises(ValueError, match=r"sample_weight.* is a masked array with masked entries"):
        token_accuracy(labels, labels, sample_weight=masked)
    weights = np.ma.masked_array([1.0, 2.0], mask=[0, 1])
    with pytest.raises(ValueError, match=r"sample_weight.* is a masked array with masked entries"):
        token_accuracy(labels, labels, sample_weight=weights)

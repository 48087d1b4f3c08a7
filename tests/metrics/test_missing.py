"""Steps without a true label count nowhere, however they are written."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import classification_report, confusion_matrix

from rnnkit.metrics import (
    entity_f1,
    entity_report,
    sequence_accuracy,
    token_accuracy,
    token_confusion_matrix,
    token_f1,
    token_report,
)

TRUE = [["A", None, "B"], [None, "A"], [None], []]
PRED = [["A", "B", "A"], ["A", "A"], ["B"], []]
KNOWN_TRUE, KNOWN_PRED = ["A", "B", "A"], ["A", "A", "A"]
MISSING = [None, np.nan, float("nan"), np.float32("nan"), pd.NA]


@pytest.mark.parametrize("missing", MISSING, ids=repr)
@pytest.mark.parametrize("container", [list, tuple, "objects"])
def test_text(missing, container):
    true = [[missing if label is None else label for label in labels] for labels in TRUE]
    if container == "objects":
        array = np.empty(len(true), object)
        array[:] = [np.array(labels, object) for labels in true]
        true = array
    else:
        true = container(true)
    assert token_accuracy(true, PRED) == 2 / 3
    assert token_accuracy(true, PRED, sample_weight=[1, 5, 9, 9]) == 6 / 7
    per_step = [[1, 100, 1], [100, 5], [100], []]
    assert token_accuracy(true, PRED, sample_weight=per_step) == 6 / 7
    expected = confusion_matrix(KNOWN_TRUE, KNOWN_PRED)
    np.testing.assert_array_equal(token_confusion_matrix(true, PRED), expected)
    report = token_report(true, PRED, output_dict=True)
    assert report == classification_report(
        KNOWN_TRUE, KNOWN_PRED, output_dict=True, zero_division=0.0
    )
    assert token_f1(true, PRED) == report["macro avg"]["f1-score"]
    # The third sequence has no label and no weight; the empty one is right.
    assert sequence_accuracy(true, PRED) == 2 / 3
    assert sequence_accuracy(true, PRED, sample_weight=[3, 1, 9, 0]) == 1 / 4


def test_numbers_with_nan():
    true = np.array([[1.0, np.nan, 0.0], [np.nan, 1.0, 1.0]])
    pred = np.array([[1, 5, 1], [7, 1, 0]])
    assert token_accuracy(true, pred) == 2 / 4
    assert token_confusion_matrix(true, pred).tolist() == [[0, 1], [1, 2]]
    assert token_accuracy(true, pred, lengths=[2, 2]) == 1.0
    nullable = [pd.array([1, None, 0], "Int64"), pd.array([None, 1, 1], "Int64")]
    assert token_accuracy(nullable, pred) == 2 / 4
    assert token_report(true, pred, output_dict=True)["1"]["support"] == 3


def test_nothing_labelled():
    for score in (token_accuracy, token_f1, token_report, token_confusion_matrix):
        with pytest.raises(ValueError, match="y_true must hold at least one label, got none"):
            score([[None, None], [None]], [["A", "A"], ["A"]])
    assert entity_f1([[None]], [["O"]]) == 0.0


@given(st.lists(st.sampled_from(["O", "B-A", "I-A", "B-B", None]), min_size=1, max_size=9))
def test_an_unlabelled_step_cuts_entities_in_two(true):
    pred = ["B-A", "I-A", "O", "B-B", "I-B", "B-A", "I-A", "I-A", "O"][: len(true)]
    pieces = [([], [])]
    for label, predicted in zip(true, pred):
        if label is None:
            pieces.append(([], []))
        else:
            pieces[-1][0].append(label)
            pieces[-1][1].append(predicted)
    pieces = [piece for piece in pieces if piece[0]]
    if pieces:
        expected = entity_report(*zip(*pieces), output_dict=True)
        assert entity_report([true], [pred], output_dict=True) == expected

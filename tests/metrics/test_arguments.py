"""What every metric says of arguments that it cannot use, in one sentence and of one kind."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from rnnkit import metrics
from rnnkit.sequences import Sequences

LABELS = [["a", "b"], ["a", "a"]]
NUMBERS = np.array([[1.0, 2.0], [3.0, 5.0]])
BITS = np.array([[1.0, 0.0], [1.0, 1.0]])

# Of labels: name → call with y_true, y_pred and options.
OF_LABELS = {
    name: getattr(metrics, name)
    for name in (
        "sequence_accuracy",
        "token_accuracy",
        "token_confusion_matrix",
        "token_f1",
        "token_report",
    )
}
OF_NUMBERS = {
    "pinball_loss": metrics.pinball_loss,
    "interval_score": lambda y, p, **o: metrics.interval_score(y, p, p, alpha=0.1, **o),
    "interval_coverage": lambda y, p, **o: metrics.interval_coverage(y, p, p, **o),
    "label_accuracy": metrics.label_accuracy,
    "label_log_likelihood": metrics.label_log_likelihood,
}
WITH_WEIGHTS = {
    **{name: (score, LABELS) for name, score in OF_LABELS.items()},
    **{name: (score, BITS) for name, score in OF_NUMBERS.items()},
}


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_lengths(name):
    score, y = WITH_WEIGHTS[name]
    expected = score(y, y, lengths=[1, 2])
    np.testing.assert_equal(score(y, y, lengths=np.array([1.0, 2.0])), expected)
    np.testing.assert_equal(score(y, y, lengths=np.array([1, 2], np.uint8)), expected)
    for lengths in ([True, True], [1.5, 2.0], ["1", "2"], [None, 1]):
        with pytest.raises(TypeError, match="lengths must be integers, got dtype"):
            score(y, y, lengths=lengths)
    for lengths, text in [([3, 1], r"lengths\[0\] must be between 0 and 2"), ([1], "shape")]:
        with pytest.raises(ValueError, match=text):
            score(y, y, lengths=lengths)


FRACTIONS = {  # of what is reported in the unit of the weights otherwise
    "token_confusion_matrix": {"normalize": "all"},
}
DAYS = np.array(["2020-01-01", "2020-01-02"], "datetime64[D]")


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_weights(name):
    score, y = WITH_WEIGHTS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for weights in ([0, 0], [0.0, 0.0], [1, -1], [np.nan, 1.0], [np.inf, 1], [np.inf, -np.inf]):
            with pytest.raises(ValueError, match="sample_weight must sum to more than 0"):
                score(y, y, sample_weight=weights)
        for unit in (2.0**-300, 2.0**300, 2.0**1022):  # of the last the sum overflows
            weights = np.array([3.0, 1.0])
            expected = score(y, y, sample_weight=weights, **FRACTIONS.get(name, {}))
            found = score(y, y, sample_weight=weights * unit, **FRACTIONS.get(name, {}))
            if name != "token_report":  # which tells the sums of weights
                np.testing.assert_equal(found, expected)
        for weights in (3, [1 + 1j, 2.0], np.array([1j, 2]), ["a", "b"], ["1", "2"], DAYS, [{}, 1]):
            with pytest.raises((TypeError, ValueError), match="sample_weight"):
                score(y, y, sample_weight=weights)


@pytest.mark.parametrize("name", [*OF_NUMBERS, "mean_absolute_scaled", "symmetric_percentage"])
def test_what_is_no_real_number(name):
    scores = {
        **OF_NUMBERS,
        "mean_absolute_scaled": lambda y, p: metrics.mean_absolute_scaled_error(y, p, NUMBERS),
        "symmetric_percentage": metrics.symmetric_percentage_error,
    }
    days = np.array([["2024-01-01"] * 2] * 2, "datetime64[D]")
    masked = np.ma.masked_array(NUMBERS, [[0, 1], [0, 0]])
    for wrong in (NUMBERS * 1j, NUMBERS.astype(str), days, masked):
        for arguments in ((wrong, NUMBERS), (NUMBERS, wrong)):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                with pytest.raises((TypeError, ValueError), match=r"y_true|y_pred|lower|y_proba"):
                    scores[name](*arguments)


@pytest.mark.parametrize("name", WITH_WEIGHTS)
@pytest.mark.parametrize("argument", ["y_pred", "sample_weight"])
def test_other_ids_are_refused(name, argument):
    """Of `Sequences`, whose steps are numbers."""
    score = WITH_WEIGHTS[name][0]
    true = Sequences.from_list(list(BITS), ids=["b", "a"])
    swapped = Sequences.from_list(list(BITS[::-1]), ids=["a", "b"])
    weights = pd.Series([1.0, 2.0], index=["a", "b"])
    calls = {
        "y_pred": lambda: score(true, swapped),
        "sample_weight": lambda: score(true, true, sample_weight=weights),
    }
    with pytest.raises(ValueError, match="has the ids of y_true in another order: sequence 0"):
        calls[argument]()
    score(true, swapped[[1, 0]], sample_weight=weights.loc[["b", "a"]])


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_missing_values_of_every_library_are_nan(name):
    score = OF_NUMBERS[name]
    plain, y = np.array([1.0, np.nan, 0.0]), [1.0, 1.0, 1.0]
    for missing in (
        [1.0, None, 0.0],
        pd.array([1.0, None, 0.0], dtype="Float64"),
        pd.Series([1, None, 0], dtype="Int64"),
        pl.Series([1.0, None, 0.0]),
        np.array([1.0, pd.NA, 0.0], dtype=object),
    ):
        assert score(missing, y) == score(plain, y)


@pytest.mark.parametrize("name", [name for name in OF_LABELS if name != "sequence_accuracy"])
@pytest.mark.parametrize("labels", [[[], []], [["a"], ["b"]], [[1], [2]], [[True], [False]]])
def test_no_labels_at_all_are_refused(name, labels):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="y_true must hold at least one label, got none"):
            OF_LABELS[name](np.array(labels), np.array(labels), lengths=[0, 0])


def test_likelihoods_are_of_zeros_and_ones():
    score = metrics.label_log_likelihood
    with pytest.raises(ValueError, match="y_true must hold 0 and 1, got 2"):
        score([[0, 2]], [[0.1, 0.5]])
    for wrong in (1.2, -0.5, np.inf):
        with pytest.raises(ValueError, match=f"y_proba must hold probabilities, got {wrong}"):
            score([[0, 1]], [[0.5, wrong]])
    assert score([[1, 0]], [[1 + 1e-12, -1e-12]]) == score([[1, 0]], [[1.0, 0.0]])
    assert np.isnan(score([[0, 1]], [[0.5, np.nan]]))


@pytest.mark.parametrize("wrong", ["0.1", None, 0.0, 1.0, 0.1j, np.nan, [0.1]])
def test_alpha(wrong):
    with pytest.raises(ValueError, match=r"alpha must lie in \(0, 1\), got"):
        metrics.interval_score(NUMBERS, NUMBERS, NUMBERS, wrong)


@pytest.mark.parametrize("wrong", ["0.1", "a", ["0.1"], None, [], 0.1j, np.nan, [0.5, 1.0]])
def test_quantile(wrong):
    with pytest.raises(ValueError, match=r"quantile must lie in \(0, 1\), got"):
        metrics.pinball_loss(NUMBERS, NUMBERS, quantile=wrong)


MIXED = [[[1, "a", 1]], [["a"], [1]], [[None, "a"], [1]], [np.array([1, "a"], object)]]


@pytest.mark.parametrize("mixed", MIXED, ids=str)
@pytest.mark.parametrize("name", [*OF_LABELS, "label_error_rate", "entity_f1", "entity_report"])
def test_labels_of_two_kinds_are_refused(name, mixed):
    """NumPy makes text of all of them, here and there: an equal label was none."""
    score = getattr(metrics, name)
    plain = [["a"] * len(labels) for labels in mixed]
    with pytest.raises(ValueError, match=r"y_true must hold labels of one kind, text or numbers"):
        score(mixed, mixed)
    with pytest.raises(ValueError, match=r"y_true must hold labels of one kind, text or numbers"):
        score(mixed, plain)
    with pytest.raises(ValueError, match=r"y_pred must hold labels of one kind, text or numbers"):
        score(plain, mixed)


def test_one_pair_of_two_kinds():
    with pytest.raises(ValueError, match="a must hold labels of one kind, text or numbers"):
        metrics.edit_distance([1, "a"], ["a"])
    with pytest.raises(ValueError, match="b must hold labels of one kind, text or numbers"):
        metrics.edit_distance(["a"], [1, "a"])


def test_padding_of_another_kind_is_none():
    true = np.array([["a", "b"], ["a", 0]], object)
    assert metrics.token_accuracy(true, true, lengths=[2, 1]) == 1.0
    assert metrics.sequence_accuracy([["a", "b"], ["a"]], true) == 1.0
    missing = [["a", None], [np.nan]]
    assert metrics.token_accuracy(missing, [["a", "b"], ["a"]]) == 1.0

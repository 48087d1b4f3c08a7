"""What every metric says of arguments that it cannot use, in one sentence and of one kind."""

import warnings

import numpy as np
import pytest

from rnnkit import metrics

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


DAYS = np.array(["2020-01-01", "2020-01-02"], "datetime64[D]")


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_weights(name):
    score, y = WITH_WEIGHTS[name]
    for weights in ([0, 0], [0.0, 0.0], [1, -1], [np.nan, 1.0]):
        with pytest.raises(ValueError, match="sample_weight must sum to more than 0"):
            score(y, y, sample_weight=weights)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
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

"""scikit-learn's own checks on the echo state estimators; those per step through thin adapters."""

import pytest
from estimators.per_step import OTHERWISE, NumbersAsOne, TagsAsOne
from sklearn.utils.estimator_checks import parametrize_with_checks

import rnnkit


class EchoStateTagsAsOne(TagsAsOne, rnnkit.EchoStateSequenceTagger):
    predict_proba = rnnkit.EchoStateSequenceTagger.predict_proba
    predict_log_proba = rnnkit.EchoStateSequenceTagger.predict_log_proba

    def decision_function(self, X):
        return super().decision_function(X)[:, -1]


class EchoStateNumbersAsOne(NumbersAsOne, rnnkit.EchoStateSequenceRegressor):
    """One linear readout serves the first steps, which know little of a row, and the last."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags


def otherwise(estimator):
    if isinstance(estimator, TagsAsOne):
        return OTHERWISE["Tags"]
    return OTHERWISE["Numbers"] if isinstance(estimator, NumbersAsOne) else {}


@parametrize_with_checks(
    [
        rnnkit.EchoStateClassifier(100),
        rnnkit.EchoStateRegressor(100),
        EchoStateTagsAsOne(100, alpha=1.0),
        EchoStateNumbersAsOne(100, alpha=1e-3),
    ],
    expected_failed_checks=otherwise,
)
def test_scikit_learn_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", ["EchoStateClassifier", "EchoStateRegressor"])
def test_the_default_size_is_constructed(name):
    assert getattr(rnnkit, name)().hidden_size == 300

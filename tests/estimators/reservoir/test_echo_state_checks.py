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
    pass


def otherwise(estimator):
    if isinstance(estimator, TagsAsOne):
        return OTHERWISE["Tags"]
    return OTHERWISE["Numbers"] if isinstance(estimator, NumbersAsOne) else {}


@parametrize_with_checks(
    [
        rnnkit.EchoStateClassifier(100),
        rnnkit.EchoStateRegressor(100),
        EchoStateTagsAsOne(100, alpha=1.0),
        EchoStateNumbersAsOne(300, alpha=1e-3, input_scaling=0.1),
    ],
    expected_failed_checks=otherwise,
)
def test_scikit_learn_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", ["EchoStateClassifier", "EchoStateRegressor"])
def test_the_default_size_is_constructed(name):
    assert getattr(rnnkit, name)().hidden_size == 300

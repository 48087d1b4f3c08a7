"""scikit-learn's own checks on the Evolino estimators; that per step through a thin adapter."""

from estimators.per_step import OTHERWISE, NumbersAsOne
from sklearn.utils.estimator_checks import parametrize_with_checks

import rnnkit


class EvolinoNumbersAsOne(NumbersAsOne, rnnkit.EvolinoSequenceRegressor):
    """One linear readout serves the first steps, which know little of a row, and the last."""

    partial_fit = rnnkit.EvolinoSequenceRegressor.partial_fit

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        return tags


def otherwise(estimator):
    return OTHERWISE["Numbers"] if isinstance(estimator, NumbersAsOne) else {}


@parametrize_with_checks(
    [
        rnnkit.EvolinoRegressor(100, population=8, generations=2, input_scaling=1.0),
        EvolinoNumbersAsOne(20, population=8, generations=2, alpha=1e-3),
    ],
    expected_failed_checks=otherwise,
)
def test_scikit_learn_check(estimator, check):
    check(estimator)

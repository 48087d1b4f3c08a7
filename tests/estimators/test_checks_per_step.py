"""scikit-learn's own checks on the estimators that answer per step, through thin adapters.

As constructed by default but for one check: that weights are as good as repeated rows is checked
to 1e-7, and a long training amplifies the rounding by which the two differ.
"""

import pytest
from estimators.per_step import ADAPTED, otherwise
from sklearn.base import clone
from sklearn.utils.estimator_checks import (
    check_sample_weight_equivalence_on_dense_data,
    parametrize_with_checks,
)

AMPLIFIED = "check_sample_weight_equivalence_on_dense_data"
FEW_EPOCHS = dict(hidden_size=16, learning_rate_init=0.01, max_iter=20)


@parametrize_with_checks(
    [kind() for kinds in ADAPTED.values() for kind in kinds], expected_failed_checks=otherwise
)
def test_scikit_learn_check(estimator, check):
    if check.func.__name__ == AMPLIFIED:
        estimator = clone(estimator).set_params(**FEW_EPOCHS)
    check(estimator)


def test_an_adapter_shows_what_an_estimator_does_wrong():
    """A tagger that ignores its weights does not pass."""

    class Careless(ADAPTED["Tags"][2]):
        def fit(self, X, y, sample_weight=None):
            return super().fit(X, y)

    with pytest.raises(AssertionError):
        check_sample_weight_equivalence_on_dense_data("Careless", Careless(**FEW_EPOCHS))

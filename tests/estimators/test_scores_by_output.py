"""R² of outputs that have weights of their own is scikit-learn's, output by output."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from rnnkit.estimators.codecs import Numbers


@pytest.mark.parametrize("dtypes", [("f8", "f8"), ("f4", "f4"), ("f8", "f4")])
def test_it_has_the_bits_of_scikit_learn(dtypes):
    rng = np.random.RandomState(0)
    for n in (2, 3, 57, 400):
        true = rng.randn(n, 3).astype(dtypes[0])
        said = (true + rng.randn(n, 3)).astype(dtypes[1])
        weights = rng.rand(n, 3) * (np.arange(n)[:, None] != [n, 0, n])
        columns = [k for k in range(3) if np.count_nonzero(weights[:, k]) > 1]
        expected = [r2_score(true[:, k], said[:, k], sample_weight=weights[:, k]) for k in columns]
        assert Numbers(3, True).score(true, said, weights) == np.mean(expected)


def test_what_does_not_vary():
    same, weights = np.ones((5, 2)), np.ones((5, 2))
    assert Numbers(2, True).score(same, same, weights) == 1.0
    assert Numbers(2, True).score(same, same + 1, weights) == 0.0
    weights[1:, 0] = 0
    assert Numbers(2, True).score(same, same, weights) == 1.0  # the other has one target alone
    weights[1:] = 0
    assert np.isnan(Numbers(2, True).score(same, same, weights))

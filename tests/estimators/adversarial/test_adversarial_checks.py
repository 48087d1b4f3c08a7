"""scikit-learn's own checks for generators of series.

One cannot hold: that a weight is as good as repeated rows to 1e-7. What is made beside each
sequence is drawn, and a row that comes twice meets two drawings. That weights count like
repetitions under the same noise is shown by their gradients, in tests/network.
"""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import rnnkit

QUICK = dict(hidden_size=8, max_iter=4)
DRAWN = {
    "check_sample_weight_equivalence_on_dense_data": "a repeated row meets noise of its own",
    "check_sample_weight_equivalence_on_sparse_data": "X is never sparse",
}


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_it_is_a_density_estimator_that_needs_no_y(cell):
    tags = getattr(rnnkit, f"{cell}SeriesGenerator")().__sklearn_tags__()
    assert tags.estimator_type == "density_estimator"
    assert not tags.target_tags.required


@parametrize_with_checks(
    [getattr(rnnkit, f"{cell}SeriesGenerator")(**QUICK) for cell in ("RNN", "LSTM", "GRU")],
    expected_failed_checks=lambda estimator: DRAWN,
)
def test_scikit_learn_check(estimator, check):
    check(estimator)

"""Reductions of forecasting: windows, strategies and exogenous values against exact recursions."""

import numpy as np
import pytest
from adapters.linear import LinearOnWindows
from tolerances import assert_close

from rnnkit import GRUSequenceRegressor
from rnnkit.adapters.reduction import STRATEGIES, Reduction


def driven_series(n, n_columns, seed=0):
    """A series that its own last step and what is known of the next determine, and that."""
    rng = np.random.RandomState(seed)
    x = rng.randn(n, 2)
    y = np.zeros((n, n_columns))
    inner = rng.uniform(-0.4, 0.4, (n_columns, n_columns))
    outer = rng.randn(2, n_columns)
    for t in range(1, n):
        y[t] = 3 + y[t - 1] @ inner + x[t] @ outer
    return y, x


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("n_columns", [1, 2])
@pytest.mark.parametrize("steps", [[1], [1, 2, 3], [2, 3]])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_driven_series_is_forecast_exactly(strategy, steps, n_columns, scale):
    """So every x stands beside the right y: of a window, and of the steps to come."""
    y, x = driven_series(80, n_columns)
    if strategy == "multioutput" and steps == [2, 3]:
        steps = [1, 2, 3]  # its inputs are the x of these steps alone
    reduction = Reduction(LinearOnWindows(), 3, strategy, steps, scale).fit(y[:70], x[:70])
    ahead = reduction.forecast(y[:70], steps, x[: 70 + max(steps)])
    assert_close(ahead, y[[69 + step for step in steps]], np.float64, accumulations=1e6)
    assert len(reduction.fitted) == (len(steps) if strategy == "direct" else 1)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_later_series_is_forecast_by_what_was_learnt(strategy):
    y, x = driven_series(90, 1)
    reduction = Reduction(LinearOnWindows(), 3, strategy, [1, 2], True).fit(y[:60], x[:60])
    ahead = reduction.forecast(y[50:80], [1, 2], x[50:82])
    assert_close(ahead, y[80:82], np.float64, accumulations=1e6)


def test_without_x():
    y = (0.9 ** np.arange(30.0))[:, None]
    for strategy in STRATEGIES:
        reduction = Reduction(LinearOnWindows(), 2, strategy, [1, 4], False).fit(y[:20])
        assert_close(reduction.forecast(y[:20], [1, 4]), y[[20, 23]], np.float64, 1e6)


def test_one_recursive_network_forecasts_any_steps():
    y, _ = driven_series(60, 1)
    reduction = Reduction(LinearOnWindows(), 3, "recursive", [1], True).fit(y)
    far = reduction.forecast(y, list(range(1, 9)))
    assert np.array_equal(reduction.forecast(y, [3, 8]), far[[2, 7]])


def test_a_constant_column_is_scaled_by_one():
    y = np.full((20, 1), 7.0)
    reduction = Reduction(LinearOnWindows(), 2, "recursive", [1], True).fit(y)
    assert reduction.forecast(y, [1, 2]).tolist() == [[7.0], [7.0]]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_columns", [1, 2])
def test_a_sequence_regressor_forecasts_in_closed_loop(n_columns):
    y = np.sin(np.arange(60)[:, None] / 4 + np.arange(n_columns))
    estimator = GRUSequenceRegressor(4, max_iter=3, random_state=0)
    reduction = Reduction(estimator, None, "recursive", [1], True).fit(y)
    scaled = (y - y.mean(axis=0)) / y.std(axis=0)
    target = scaled[1:, 0] if n_columns == 1 else scaled[1:]
    by_hand = GRUSequenceRegressor(4, max_iter=3, random_state=0).fit([scaled[:-1]], [target])
    ahead = by_hand.forecast([scaled], n_steps=5).reshape(5, n_columns)
    expected = (ahead * y.std(axis=0) + y.mean(axis=0))[[0, 4]]
    assert np.array_equal(reduction.forecast(y, [1, 5]), expected)


def test_errors_are_one_sentence():
    with pytest.raises(ValueError, match=r"strategy must be one of .*, got 'dirrec'"):
        Reduction(LinearOnWindows(), 3, "dirrec", [1], True)
    with pytest.raises(ValueError, match=r"GRUSequenceRegressor.*got window=3"):
        Reduction(GRUSequenceRegressor(), 3, "recursive", [1], True)
    with pytest.raises(ValueError, match=r"GRUSequenceRegressor.*strategy='direct'"):
        Reduction(GRUSequenceRegressor(), None, "direct", [1], True)
    with pytest.raises(ValueError, match=r"window=10 \+ horizon=2; the longest has 5"):
        Reduction(LinearOnWindows(), None, "direct", [2], True).fit(np.ones((5, 1)))
    reduction = Reduction(LinearOnWindows(), 3, "recursive", [1], True).fit(np.ones((9, 1)))
    with pytest.raises(ValueError, match="a window of 3 steps, the series has 2"):
        reduction.forecast(np.ones((2, 1)), [1])


def test_a_column_that_does_not_vary_has_no_unit_of_rounding():
    y, same = np.random.RandomState(0).randn(40, 1), np.full((40, 1), 0.1)
    reduction = Reduction(LinearOnWindows(), 3, "recursive", [1], True).fit(y, same)
    assert reduction.x_scale.deviation.tolist() == [1.0]

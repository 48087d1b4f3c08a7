"""Several quantiles at once: the loss by its definition, order by construction, shares settled."""

import itertools
import pickle

import numpy as np
import pytest
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.network import OutputContext, QuantileLoss, Quantiles
from rnnkit.network.losses import weighted_quantile
from rnnkit.sequences import pack

BACKEND = get_backend("reference")
CONTEXT = OutputContext(BACKEND, pack(np.ones(9, np.intp)))
LISTS = [(0.5,), (0.1, 0.5, 0.9), (0.9, 0.05, 0.5, 0.4), (0.8, 0.7), (0.1, 0.2), (0.75, 0.25)]
lists = pytest.mark.parametrize("quantiles", LISTS, ids=str)


def problem(quantiles, n=9, k=2, seed=0, dtype="f8"):
    rng = np.random.RandomState(seed)
    output = Quantiles(k, quantiles=quantiles)
    return output, rng.randn(n, output.width).astype(dtype), rng.randn(n, k).astype(dtype)


def values_by_hand(raw, quantiles):
    """The values of one number's raw scores, quantile after quantile from the middle outwards."""
    order = np.argsort(quantiles)
    middle = min(range(len(order)), key=lambda i: (abs(quantiles[order[i]] - 0.5), i))
    values = np.empty(len(raw))
    values[order[middle]] = raw[order[middle]]
    for i in range(middle + 1, len(order)):
        values[order[i]] = values[order[i - 1]] + np.log1p(np.exp(raw[order[i]]))
    for i in range(middle - 1, -1, -1):
        values[order[i]] = values[order[i + 1]] - np.log1p(np.exp(raw[order[i]]))
    return values


@lists
def test_values_and_loss_are_their_definition(quantiles):
    output, scores, targets = problem(quantiles)
    q = len(quantiles)
    values = output.decision(scores, CONTEXT)
    assert values.shape == (9, 2, q)
    weights = np.arange(9.0)
    expected = 0.0
    for row, (raw, y) in enumerate(zip(scores.reshape(9, 2, q), targets)):
        for k in range(2):
            by_hand = values_by_hand(raw[k], quantiles)
            assert_close(values[row, k], by_hand, np.float64, q)
            for quantile, value in zip(quantiles, by_hand):
                error = y[k] - value
                expected += weights[row] * max(quantile * error, (quantile - 1) * error) / (2 * q)
    loss, _ = output.loss(scores, targets, weights, CONTEXT)
    assert_close(loss, expected, np.float64, 100, 100)


@lists
def test_gradient_matches_finite_differences(quantiles):
    output, scores, targets = problem(quantiles, seed=1)
    weights = np.linspace(0.5, 2, 9)
    _, gradient = output.loss(scores, targets, weights, CONTEXT)
    for index in np.ndindex(scores.shape):
        ends = []
        for step in (1e-6, -1e-6):
            moved = scores.copy()
            moved[index] += step
            ends.append(output.loss(moved, targets, weights, CONTEXT)[0])
        assert abs((ends[0] - ends[1]) / 2e-6 - gradient[index]) < 1e-6


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@lists
def test_no_scores_make_quantiles_cross(quantiles, dtype):
    rng = np.random.RandomState(0)
    output = Quantiles(2, quantiles=quantiles, center=(1e4, -3.0), scale=(0.37, 1e5))
    for size in (0.1, 1.0, 50.0, 1e4):
        scores = (rng.randn(2000, output.width) * size).astype(dtype)
        values = output.decision(scores, CONTEXT)
        assert values.dtype == scores.dtype
        assert (np.diff(values[:, :, np.argsort(quantiles)], axis=2) >= 0).all()
        _, slopes = output.loss(scores, np.zeros((2000, 2), dtype), None, CONTEXT)
        assert slopes.dtype == scores.dtype
        assert np.isfinite(slopes).all()


@pytest.mark.parametrize("weighted", [False, True])
@lists
def test_starts_from_the_quantiles_of_the_targets(quantiles, weighted):
    rng = np.random.RandomState(0)
    targets, weights = rng.standard_gamma(1.0, (40, 2)), rng.rand(40) if weighted else None
    output = Quantiles(2, quantiles=quantiles).standardized(targets, weights)
    start = output.start(targets, weights)
    values = output.decision(start[None], CONTEXT)[0]
    expected = [weighted_quantile(targets, q, weights) for q in quantiles]
    assert_close(values, np.array(expected).T, np.float64, 20)
    assert output.constant_loss(targets, weights) > 0
    apart = Quantiles(2, quantiles=quantiles).start(np.zeros((5, 2)))
    assert np.isfinite(apart).all()


@pytest.mark.parametrize("seed", range(5))
@lists
def test_the_shift_gives_every_quantile_its_share(quantiles, seed):
    rng = np.random.RandomState(seed)
    n = 200
    output, scores, targets = problem(quantiles, n=n, seed=seed)
    targets = targets * 3 - 1
    for weights in (None, rng.rand(n)):
        shifted = scores + output.best_shift(scores, targets, weights)
        values = output.decision(shifted, CONTEXT)
        given = np.ones(n) if weights is None else weights
        for k, (j, quantile) in itertools.product(range(2), enumerate(quantiles)):
            share = np.average(targets[:, k] <= values[:, k, j] + 1e-12, weights=given)
            assert abs(share - quantile) <= 1.01 * given.max() / given.sum()


def test_one_quantile_is_the_single_one():
    output, scores, targets = problem((0.3,))
    single = QuantileLoss(2, quantile=0.3)
    for weights in (None, np.arange(9.0)):
        loss, slopes = output.loss(scores, targets, weights, CONTEXT)
        expected, expected_slopes = single.loss(scores, targets, weights, CONTEXT)
        assert_close(loss, expected, np.float64, 9)
        assert_close(slopes, expected_slopes, np.float64, 1)
        assert_close(
            output.best_shift(scores, targets, weights),
            single.best_shift(scores, targets, weights),
            np.float64,
            1,
        )


def test_a_mirror_image():
    """Quantiles of -y are those of y, mirrored, if the scores of the middle change their sign."""
    output, scores, targets = problem((0.1, 0.5, 0.9))
    raw = scores.reshape(9, 2, 3)
    mirrored = np.stack([raw[:, :, 2], -raw[:, :, 1], raw[:, :, 0]], axis=2).reshape(9, 6)
    values = output.decision(scores, CONTEXT)
    np.testing.assert_array_equal(output.decision(mirrored, CONTEXT), -values[:, :, ::-1])
    loss, _ = output.loss(scores, targets, None, CONTEXT)
    assert_close(output.loss(mirrored, -targets, None, CONTEXT)[0], loss, np.float64, 54)


def test_rows_do_not_depend_on_their_neighbours():
    output, scores, targets = problem((0.1, 0.2, 0.5, 0.9), n=37, dtype="f4")
    context = OutputContext(BACKEND, pack(np.ones(37, np.intp)))
    values = output.decision(scores, context)
    losses, slopes = output.compare(scores, targets, BACKEND)
    for rows in ([3], [36, 0, 7, 8, 9], slice(5, 30)):
        assert output.decision(scores[rows], context).tobytes() == values[rows].tobytes()
        part = output.compare(scores[rows], targets[rows], BACKEND)
        assert part[0].tobytes() == losses[rows].tobytes()
        assert part[1].tobytes() == slopes[rows].tobytes()


def test_is_plain_data_and_names_what_is_wrong():
    output = Quantiles(2, quantiles=(0.9, 0.1))
    assert pickle.loads(pickle.dumps(output)) == output != Quantiles(2, quantiles=(0.1, 0.9))
    assert output.width == 4
    for quantiles in ((), (0.0,), (1.0, 0.5), (float("nan"),)):
        with pytest.raises(ValueError, match=r"must lie in \(0, 1\)"):
            Quantiles(1, quantiles=quantiles)
    with pytest.raises(ValueError, match="must come once each"):
        Quantiles(1, quantiles=(0.5, 0.5))
    with pytest.raises(ValueError, match="needs y of shape"):
        output.check(np.zeros((3, 4)))


@lists
def test_each_number_has_weights_of_its_own(quantiles):
    """Weights of entries are those of rows, a number at a time: loss, gradient, shift, constant."""
    output, scores, targets = problem(quantiles)
    q = len(quantiles)
    weights = np.random.RandomState(1).randint(0, 3, (9, 2)).astype(float)
    loss, slopes = output.loss(scores, targets, weights, CONTEXT)
    shift = output.best_shift(scores, targets, weights)
    one = Quantiles(1, quantiles=quantiles)
    total, constants = 0.0, 0.0
    for k in range(2):
        own = scores[:, k * q : (k + 1) * q], targets[:, k : k + 1], weights[:, k]
        part, slope = one.loss(*own, CONTEXT)
        total += part / 2
        assert_close(slopes[:, k * q : (k + 1) * q], slope / 2, np.float64, 10)
        assert_close(shift[k * q : (k + 1) * q], one.best_shift(*own), np.float64, 10)
        constants += one.constant_loss(*own[1:]) * weights[:, k].sum()
    assert_close(loss, total, np.float64, 100, 100)
    assert_close(
        output.constant_loss(targets, weights), constants / weights.sum(), np.float64, 100, 100
    )

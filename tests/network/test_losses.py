"""Outputs: what scores mean, and losses against their definitions."""

from fractions import Fraction

import numpy as np
import pytest
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.network import (
    AbsoluteError,
    Bernoulli,
    HuberLoss,
    OutputContext,
    PoissonLoss,
    QuantileLoss,
    SoftmaxCrossEntropy,
    SquaredError,
)
from rnnkit.network.losses import weighted_quantile
from rnnkit.sequences import pack

BACKEND = get_backend("reference")
CONTEXT = OutputContext(BACKEND, pack(np.ones(3, np.intp)))
SCORES = np.array([[0.5, -1.0], [2.0, 0.25], [-0.75, 3.0]])
TARGETS = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
WEIGHTS = np.array([1.0, 0.0, 3.0])

DEFINITIONS = {
    SquaredError(2): lambda s, y: ((s - y) ** 2 / 2).mean(axis=1),
    AbsoluteError(2): lambda s, y: np.abs(s - y).mean(axis=1),
    HuberLoss(2, delta=0.6): lambda s, y: np.where(
        np.abs(s - y) <= 0.6, (s - y) ** 2 / 2, 0.6 * (np.abs(s - y) - 0.3)
    ).mean(axis=1),
    QuantileLoss(2, quantile=0.9): lambda s, y: np.where(y > s, 0.9 * (y - s), 0.1 * (s - y)).mean(
        axis=1
    ),
    PoissonLoss(2): lambda s, y: (np.exp(s) - y * s).mean(axis=1),
    Bernoulli(2): lambda s, y: (
        -np.log(np.where(y == 1, 1 / (1 + np.exp(-s)), 1 / (1 + np.exp(s)))).sum(axis=1)
    ),
}


@pytest.mark.parametrize("output", DEFINITIONS, ids=lambda output: type(output).__name__)
def test_loss_is_its_definition_and_weights_repeat_rows(output):
    losses = DEFINITIONS[output](SCORES, TARGETS)
    loss, dscores = output.loss(SCORES, TARGETS, None, CONTEXT)
    assert_close(loss, losses.sum(), np.float64, 6)
    weighted, dweighted = output.loss(SCORES, TARGETS, WEIGHTS, CONTEXT)
    assert_close(weighted, (WEIGHTS * losses).sum(), np.float64, 6)
    assert_close(dweighted, WEIGHTS[:, None] * dscores, np.float64, 2)
    assert output.width == 2
    assert output.parameter_shapes() == {}


@pytest.mark.parametrize("output", DEFINITIONS, ids=lambda output: type(output).__name__)
def test_loss_keeps_float32(output):
    _, dscores = output.loss(
        SCORES.astype("f4"), TARGETS.astype("f4"), WEIGHTS.astype("f4"), CONTEXT
    )
    assert dscores.dtype == np.float32
    assert output.decision(SCORES.astype("f4"), CONTEXT).dtype == np.float32


def test_cross_entropy_counts_nats_and_smooths():
    output = SoftmaxCrossEntropy(2, label_smoothing=0.2)
    labels = TARGETS[:, 0].astype(np.intp)
    p = np.exp(SCORES) / np.exp(SCORES).sum(axis=1, keepdims=True)
    target = 0.8 * np.eye(2)[labels] + 0.1
    loss, _ = output.loss(SCORES, labels, WEIGHTS, CONTEXT)
    assert_close(loss, -(WEIGHTS[:, None] * target * np.log(p)).sum(), np.float64, 6)
    assert_close(output.probabilities(SCORES, CONTEXT), p, np.float64, 2)
    np.testing.assert_array_equal(output.decision(SCORES, CONTEXT), [0, 0, 1])


def test_decisions():
    np.testing.assert_array_equal(SquaredError(2).decision(SCORES, CONTEXT), SCORES)
    assert_close(PoissonLoss(2).decision(SCORES, CONTEXT), np.exp(SCORES), np.float64, 2)
    np.testing.assert_array_equal(Bernoulli(2).decision(SCORES, CONTEXT), [[1, 0], [1, 1], [0, 1]])
    assert_close(
        Bernoulli(2).probabilities(SCORES, CONTEXT),
        1 / (1 + np.exp(-SCORES)),
        np.float64,
        2,
    )


def test_far_scores_overflow_nowhere():
    scores = np.array([[-1e4, 1e4]])
    with np.errstate(all="raise", under="ignore"):
        loss, dscores = Bernoulli(2).loss(scores, np.array([[0.0, 1.0]]), None, CONTEXT)
    assert loss == 0
    assert not dscores.any()


def test_numbers_have_no_probabilities():
    with pytest.raises(AttributeError, match="SquaredError has no probabilities"):
        SquaredError(1).probabilities(SCORES, CONTEXT)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: HuberLoss(1, delta=0.0), "delta of HuberLoss must be positive, got 0.0"),
        (lambda: QuantileLoss(1, quantile=1.0), r"must lie in \(0, 1\), got 1.0"),
        (lambda: SoftmaxCrossEntropy(2, label_smoothing=1.0), r"in \[0, 1\), got 1.0"),
    ],
)
def test_wrong_options_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def pinball(values, weights, quantile, at):
    """Return the weighted pinball loss of one number, exactly."""
    slopes = [quantile if value > at else quantile - 1 for value in values]
    return sum(
        Fraction(w) * slope * (Fraction(value) - Fraction(at))
        for w, slope, value in zip(weights, slopes, values)
    )


@pytest.mark.parametrize("quantile", [0.125, 0.5, 0.75])
@pytest.mark.parametrize("seed", range(20))
def test_weighted_quantile_is_the_middle_of_what_minimizes_the_loss(seed, quantile):
    rng = np.random.RandomState(seed)
    n = rng.randint(1, 12)
    values = rng.randint(-4, 5, size=(n, 2)).astype(float)
    weights = rng.randint(0, 4, size=n).astype(float)
    weights[rng.randint(n)] = 2.0
    for given in (weights, None):
        found = weighted_quantile(values, quantile, given)
        for column, got in zip(values.T, found, strict=True):
            counted = np.ones(n) if given is None else given
            losses = {
                at: pinball(column, counted, Fraction(quantile), at) for at in set(column.tolist())
            }
            best = [at for at, loss in losses.items() if loss == min(losses.values())]
            assert got == (min(best) + max(best)) / 2


def test_without_weights_the_median_is_numpys():
    values = np.random.RandomState(0).standard_normal((6, 3))
    for n in (5, 6):
        np.testing.assert_array_equal(weighted_quantile(values[:n], 0.5), np.median(values[:n], 0))


@pytest.mark.parametrize("quantile", [0.05, 0.35, 0.5, 0.55, 0.7, 0.9])
@pytest.mark.parametrize("unit", [1.0, 0.1, 1 / 3, 1e-30, 7e20])
def test_ties_do_not_hang_on_the_unit_of_weights(quantile, unit):
    numbers = np.arange(20.0)[:, None]
    place = round(quantile * 20)
    found = weighted_quantile(numbers, quantile, np.full(20, unit))
    assert found == weighted_quantile(numbers, quantile) == place - 0.5
    assert weighted_quantile(-numbers, 1 - quantile) == -found


def test_quantiles_are_of_what_has_a_weight():
    numbers, weights = np.arange(6.0)[:, None], np.array([0, 0, 1, 1, 0, 0])
    for quantile, expected in ((1e-300, 2), (0.5, 2.5), (1 - 2**-53, 3)):
        assert weighted_quantile(numbers, quantile, weights) == expected


@pytest.mark.parametrize("quantile", [0.1, 0.8, 0.9, 0.99])
def test_the_start_of_a_quantile_covers_its_share(quantile):
    rng = np.random.RandomState(1)
    targets, weights = rng.exponential(size=(501, 2)), rng.uniform(0, 2, size=501)
    start = QuantileLoss(2, quantile=quantile).start(targets, weights)
    for column, value in zip(targets.T, start, strict=True):
        assert weights[column <= value].sum() >= quantile * weights.sum()
        assert weights[column < value].sum() <= quantile * weights.sum()


def test_losses_start_where_they_are_least():
    rng = np.random.RandomState(2)
    targets, weights = rng.poisson(3.0, size=(9, 2)).astype(float), rng.uniform(0.5, 2, size=9)
    mean, median = np.average(targets, axis=0, weights=weights), weighted_quantile
    starts = {
        SquaredError(2): mean,
        PoissonLoss(2): np.log(mean),
        AbsoluteError(2): median(targets, 0.5, weights),
        HuberLoss(2): median(targets, 0.5, weights),
        QuantileLoss(2, quantile=0.9): median(targets, 0.9, weights),
    }
    for output, expected in starts.items():
        np.testing.assert_array_equal(output.start(targets, weights), expected)
    assert np.isfinite(PoissonLoss(2).start(np.zeros((3, 2)))).all()

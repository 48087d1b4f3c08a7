"""Trainers of several ranks, in threads whose sums are real, against one trainer of all data."""

import threading

import numpy as np
import pytest
from tolerances import assert_close
from training.toy import select, toy_data, toy_network

from rnnkit.backends import get_backend
from rnnkit.network import Inputs
from rnnkit.training import SGD, Adam, Trainer, TrainingData

BACKEND = get_backend("reference")
BATCH = 4  # sequences of a minibatch of one rank
SECONDS = 30  # that a rank waits for the others; a rank that never comes fails the test


class Rank:
    """The communicator of one of several threads."""

    is_repeatable = False

    def __init__(self, number, barrier, places):
        self.number = number
        self.barrier = barrier
        self.places = places

    def exchange(self, value):
        self.places[self.number] = value
        self.barrier.wait(SECONDS)
        values = list(self.places)
        self.barrier.wait(SECONDS)
        return values

    def total(self, number):
        return sum(self.exchange(number))

    def largest(self, number):
        return max(self.exchange(number))

    def all_reduce(self, gradient, loss_sum):
        gradients, losses = zip(*self.exchange((gradient.copy(), loss_sum)))
        gradient[...] = sum(gradients)
        return sum(losses)


def fit_ranks(parts, n_epochs=4, network=None, callbacks=((), ()), **options):
    """Fit one trainer per part of the data, each in a thread; return networks and results."""
    barrier, places = threading.Barrier(len(parts)), [None] * len(parts)
    networks = [toy_network(**(network or {})) for _ in parts]
    results, errors = [None] * len(parts), []

    def fit(number):
        communicator = Rank(number, barrier, places)
        try:
            trainer = Trainer(
                networks[number],
                BACKEND,
                batch_size=BATCH,
                communicator=communicator,
                callbacks=callbacks[number],
                **{"shuffle": False, "learning_rate_init": 0.05, **options},
            )
            results[number] = trainer.fit(parts[number], n_epochs)
        except BaseException as error:
            errors.append(error)
            barrier.abort()

    threads = [threading.Thread(target=fit, args=(number,)) for number in range(len(parts))]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    if errors:
        raise errors[0]
    return networks, results


def fit_joined(parts, n_epochs=4, network=None, **options):
    """Fit one trainer on minibatches that are those of all ranks together."""
    built = toy_network(**(network or {}))
    options = {"shuffle": False, "learning_rate_init": 0.05, **options}
    trainer = Trainer(built, BACKEND, batch_size=BATCH * len(parts), **options)
    return built, trainer.fit(joined(parts), n_epochs)


def joined(parts):
    """Lay minibatches of the parts side by side; a part that has ended goes on without weight."""
    n = max(part.n_sequences for part in parts)
    order = [
        n * number + place
        for start in range(0, n, BATCH)
        for number in range(len(parts))
        for place in range(start, min(start + BATCH, n))
    ]
    return select(one_after_the_other([padded(part, n) for part in parts]), order)


def padded(part, n):
    """Return weighted data of n sequences, those after the part's own without weight."""
    weights = np.ones(len(part.targets)) if part.weights is None else part.weights
    weighted = TrainingData(part.inputs, part.offsets, part.targets, weights)
    longer = select(weighted, [*range(part.n_sequences), *[0] * (n - part.n_sequences)])
    longer.weights[len(weights) :] = 0
    return longer


def one_after_the_other(parts):
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    return TrainingData(
        Inputs(np.concatenate([part.inputs.numeric for part in parts])),
        np.concatenate([[0], np.cumsum(lengths)]),
        np.concatenate([part.targets for part in parts]),
        np.concatenate([part.weights for part in parts]),
    )


def ragged_parts(per_step=False, weighted=True, sizes=(16, 16)):
    """Ragged data of two ranks; with weights, minibatches of one and of both ranks have none."""
    parts = []
    for seed, n in enumerate(sizes):
        data = toy_data(n, per_step, seed=seed, weighted=weighted)
        if weighted:
            ends = data.offsets if per_step else np.arange(n + 1)
            data.weights[ends[BATCH] : ends[2 * BATCH]] = 0  # the second minibatch of both
            if seed:
                data.weights[: ends[BATCH]] = 0  # the first one of the second rank
        parts.append(data)
    return parts


def assert_as_one_trainer(parts, **options):
    networks, results = fit_ranks(parts, **options)
    expected, expected_result = fit_joined(parts, **options)
    np.testing.assert_array_equal(networks[1].parameters.flat, networks[0].parameters.flat)
    assert results[0].loss_curve == results[1].loss_curve
    moved = expected.parameters.flat - toy_network(**options.get("network", {})).parameters.flat
    assert np.abs(moved).max() > 1e-3
    assert_close(networks[0].parameters.flat, expected.parameters.flat, np.float64, 2**12)
    assert_close(results[0].loss_curve, expected_result.loss_curve, np.float64, 2**12)


OPTIONS = {
    "sgd": {"solver": SGD()},
    "adam": {"solver": Adam(epsilon=1e-3)},
    "penalties": {"solver": SGD(), "alpha": 0.5, "l1": 0.1},
    "clipping": {"solver": SGD(), "clip_norm": 0.05},
    "clipped values": {"solver": SGD(), "clip_norm": None, "clip_value": 0.01},
    "windows": {"solver": SGD(), "bptt_steps": 2, "alpha": 0.5, "clip_norm": 0.2},
    "parts": {"solver": SGD(), "max_activation_bytes": 1},
    "adaptive": {"solver": SGD(), "schedule": "adaptive", "tol": 10.0, "n_iter_no_change": 1},
    "cosine": {"solver": SGD(), "schedule": "cosine"},
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_ranks_train_as_one_trainer(options, per_step, weighted):
    network = {"per_step": per_step, "n_layers": 2}
    assert_as_one_trainer(ragged_parts(per_step, weighted), network=network, **options)


@pytest.mark.parametrize("options", [{}, {"bptt_steps": 2}, {"alpha": 0.5}], ids=str)
@pytest.mark.parametrize("sizes", [(16, 5), (3, 16), (16, 4)])
def test_a_rank_without_minibatches_left_takes_part(sizes, options):
    parts = ragged_parts(weighted=False, sizes=sizes)
    assert_as_one_trainer(parts, solver=SGD(), **options)


def test_a_rank_without_data_takes_part():
    full = toy_data(10)
    nothing = select(full, [])
    for solver in (SGD(), "lbfgs"):
        networks, results = fit_ranks([full, nothing], solver=solver)
        np.testing.assert_array_equal(networks[1].parameters.flat, networks[0].parameters.flat)
        assert results[0].loss_curve == results[1].loss_curve
        assert len(results[0].loss_curve) == 4


def test_a_rank_without_weight_takes_part():
    parts = ragged_parts()
    parts[1].weights[...] = 0
    assert_as_one_trainer(parts, solver=SGD())


def test_no_weight_on_any_rank_is_refused_by_all():
    parts = ragged_parts()
    for part in parts:
        part.weights[...] = 0
    with pytest.raises(ValueError, match="weights must have a positive sum"):
        fit_ranks(parts)


@pytest.mark.parametrize("per_step", [False, True])
def test_lbfgs_minimizes_the_loss_of_all_ranks(per_step):
    options = {"network": {"per_step": per_step}, "solver": "lbfgs", "alpha": 0.1}
    assert_as_one_trainer(ragged_parts(per_step), **options)


def test_sequences_of_all_ranks_are_counted():
    """The rates of this schedule follow from the number of sequences seen."""
    parts = ragged_parts(weighted=False)
    assert_as_one_trainer(parts, solver=SGD(), schedule="invscaling", learning_rate_init=1.0)


class EndAfter:
    def __init__(self, number):
        self.number = number

    def on_epoch_end(self, epoch):
        return epoch.epoch == self.number


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_callback_of_one_rank_ends_the_training_of_all(solver):
    _, results = fit_ranks(ragged_parts(), solver=solver, callbacks=((), [EndAfter(2)]))
    assert [result.reason for result in results] == ["callback", "callback"]
    assert [result.n_epochs for result in results] == [2, 2]


def test_what_is_not_finite_ends_the_training_of_all():
    parts = ragged_parts(weighted=False)
    parts[0].inputs.numeric[0, 0] = np.nan
    with np.errstate(all="ignore"):
        networks, results = fit_ranks(parts, solver=SGD())
    assert [result.reason for result in results] == ["non_finite"] * 2
    for network in networks:
        np.testing.assert_array_equal(network.parameters.flat, toy_network().parameters.flat)

"""The state of a training run: another trainer goes on from it with the same bits."""

import pickle

import numpy as np
import pytest
from training.toy import toy_data, toy_network

from rnnkit.backends import get_backend
from rnnkit.training import LBFGS, SCHEDULES, SGD, SOLVERS, Adaptive, Schedule, Trainer

NOISY = {"dropout": 0.2, "recurrent_dropout": 0.1, "zoneout": 0.1, "input_noise": 0.1}
STEPPING = [name for name in SOLVERS if name != "lbfgs"]


def make_trainer(network, backend="reference", seed=0, **options):
    options = {"learning_rate_init": 0.02, "batch_size": 8, **options}
    rng = np.random.RandomState(seed)
    return Trainer(network, get_backend(backend), random_state=rng, **options)


def halves(options, network_options, backend, between, n_epochs=3):
    """Train half, hand the state to another trainer of another network, train the other half."""
    first, second = (toy_network(seed=seed, **network_options) for seed in (0, 1))
    trainer = make_trainer(first, backend, **options)
    before = trainer.fit(toy_data(), n_epochs, schedule_epochs=2 * n_epochs)
    state = between(trainer.state())
    trainer = make_trainer(second, backend, seed=1, state=state, **options)
    np.testing.assert_array_equal(second.parameters.flat, first.parameters.flat)
    after = trainer.fit(toy_data(), n_epochs, schedule_epochs=2 * n_epochs)
    assert trainer.n_epochs == 2 * n_epochs
    assert trainer.n_seen == 2 * n_epochs * 24
    return second.parameters.flat, before.loss_curve + after.loss_curve


def whole(options, network_options, backend, n_epochs=6):
    network = toy_network(**network_options)
    result = make_trainer(network, backend, **options).fit(toy_data(), n_epochs)
    return network.parameters.flat, result.loss_curve


def as_it_is(state):
    return state


def pickled(state):
    return pickle.loads(pickle.dumps(state))


def assert_goes_on(options, network_options, backend="reference", between=as_it_is):
    weights, curve = halves(options, network_options, backend, between)
    expected_weights, expected_curve = whole(options, network_options, backend)
    np.testing.assert_array_equal(weights, expected_weights)
    assert curve == expected_curve


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("between", [as_it_is, pickled])
@pytest.mark.parametrize("solver", STEPPING)
def test_every_solver_goes_on(solver, between, backend):
    assert_goes_on({"solver": solver}, NOISY, backend, between)


@pytest.mark.parametrize("between", [as_it_is, pickled])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_goes_on(schedule, between):
    assert_goes_on({"schedule": schedule}, NOISY, between=between)


@pytest.mark.parametrize(
    "options",
    [
        {"shuffle": False},
        {"bptt_steps": 2},
        {"alpha": 0.1, "l1": 0.1, "clip_norm": 0.1, "clip_value": 0.05},
        {"schedule": Adaptive(2.0), "tol": 10.0, "n_iter_no_change": 1},
    ],
    ids=str,
)
def test_every_option_goes_on(options):
    assert_goes_on(options, {**NOISY, "dtype": "float64"})


def test_float32_goes_on():
    data = toy_data(dtype=np.float32)
    networks = [toy_network(dtype="float32", **NOISY) for _ in range(2)]
    make_trainer(networks[0]).fit(data, 6)
    first = make_trainer(toy_network(dtype="float32", **NOISY))
    first.fit(data, 3)
    make_trainer(networks[1], state=first.state()).fit(data, 3)
    np.testing.assert_array_equal(networks[1].parameters.flat, networks[0].parameters.flat)


def continued_and_resumed(n_epochs, validate=lambda: None, **options):
    """Train; go on with the same trainer, and with another one from its pickled state."""
    networks = [toy_network(**NOISY), toy_network(seed=1, **NOISY)]
    trainer = make_trainer(networks[0], **options)
    trainer.fit(toy_data(), n_epochs, validate())
    resumed = make_trainer(networks[1], seed=1, state=pickled(trainer.state()), **options)
    results = [each.fit(toy_data(), n_epochs, validate()) for each in (trainer, resumed)]
    np.testing.assert_array_equal(networks[1].parameters.flat, networks[0].parameters.flat)
    assert results[0] == results[1]
    return results[0]


def test_lbfgs_goes_on_as_the_trainer_itself_does():
    continued_and_resumed(3, solver=LBFGS(history=3))


def test_patience_and_the_best_weights_go_on():
    def validate():
        scores = iter([0.4, 0.5, 0.3, 0.2])
        return lambda: next(scores)

    result = continued_and_resumed(3, validate, n_iter_no_change=2, tol=0.2)
    assert result.best_validation_score == 0.5
    assert (result.reason, result.n_epochs) == ("converged", 1)  # two of the first call count


def test_a_state_shares_nothing_with_its_trainer():
    network = toy_network(**NOISY)
    trainer = make_trainer(network, schedule="invscaling")
    trainer.fit(toy_data(), 1, lambda: 0.5)
    state = trainer.state()
    before = pickle.dumps(state)
    trainer.fit(toy_data(), 2, lambda: 0.7)
    assert pickle.dumps(state) == before
    make_trainer(network, state=state).fit(toy_data(), 2)
    assert pickle.dumps(state) == before


def test_a_state_is_plain_data():
    trainer = make_trainer(toy_network(), schedule="adaptive")
    trainer.fit(toy_data(), 1, lambda: 0.5)
    allowed = (np.ndarray, np.generic, int, float, str, type(None))

    def check(value):
        if isinstance(value, dict):
            assert all(isinstance(key, str) for key in value)
            [check(entry) for entry in value.values()]
        else:
            assert isinstance(value, allowed), type(value)

    check(vars(trainer.state()))


def test_the_random_state_given_beside_a_state_is_left_alone():
    state = make_trainer(toy_network()).state()
    rng = np.random.RandomState(3)
    Trainer(toy_network(), get_backend("reference"), random_state=rng, state=state)
    assert rng.randint(1000) == np.random.RandomState(3).randint(1000)


class Halving(Schedule):
    """A schedule that is not the package's own, and notes something."""

    def __init__(self, start=1.0):
        self.start = start
        self._n_halved = 0

    def rate(self, step, n_steps, base_rate):
        return self.start * base_rate / 2**self._n_halved

    def epoch_end(self, n_seen):
        self._n_halved += 1


def test_a_schedule_of_ones_own_goes_on():
    assert_goes_on({"schedule": Halving(2.0)}, {})


@pytest.mark.parametrize(
    "options, network_options, message",
    [
        ({}, {"hidden_size": 5}, "state is of another network"),
        ({}, {"dtype": "float32"}, "state is of another network: it has float64 weights"),
        ({"solver": "rmsprop"}, {}, "another solver: it has the vectors mean, square, this one"),
        ({"solver": SGD()}, {}, "state is of another solver"),
        ({"solver": "lbfgs"}, {}, "state is of another solver"),
    ],
)
def test_a_state_of_something_else_is_refused(options, network_options, message):
    state = make_trainer(toy_network()).state()
    network = toy_network(**network_options)
    before = network.parameters.flat.copy()
    with pytest.raises(ValueError, match=message):
        make_trainer(network, state=state, **options)
    np.testing.assert_array_equal(network.parameters.flat, before)

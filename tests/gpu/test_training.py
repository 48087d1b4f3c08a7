"""A training run on a GPU: its state taken to the host and given back, and one rank of several."""

import pickle

import numpy as np
import pytest
from networks import NOISY
from tolerances import assert_close
from training.toy import toy_data, toy_network

from rnnkit.backends import get_backend
from rnnkit.training import Trainer

DATA = toy_data(dtype=np.float32)


def trainer_on(backend, network, **options):
    rng = np.random.RandomState(0)
    return Trainer(network, backend, batch_size=8, random_state=rng, **options)


def network(seed=0):
    return toy_network(dtype="float32", seed=seed, **NOISY)


def test_another_trainer_goes_on_with_the_same_bits(gpu):
    whole, first, second = network(), network(), network(seed=1)
    trainer_on(gpu, whole).fit(DATA, 4)
    trainer = trainer_on(gpu, first)
    trainer.fit(DATA, 2)
    state = pickle.loads(pickle.dumps(trainer.state()))
    assert all(type(vector) is np.ndarray for vector in state.solver["vectors"].values())
    trainer = trainer_on(gpu, second, state=state)
    np.testing.assert_array_equal(second.parameters.flat, first.parameters.flat)
    trainer.fit(DATA, 2)
    np.testing.assert_array_equal(second.parameters.flat, whole.parameters.flat)


class Failing:
    def on_epoch_end(self, epoch):
        weights = epoch.weights()
        assert all(type(weight) is np.ndarray for weight in weights.values())
        if epoch.epoch == 4:
            raise OSError("disk full")


def test_a_call_of_fit_that_fails_changes_nothing(gpu):
    built = network()
    trainer = trainer_on(gpu, built, callbacks=[Failing()])
    trainer.fit(DATA, 2, lambda: 0.5)
    before, weights = pickle.dumps(trainer.state()), built.parameters.flat.copy()
    with pytest.raises(OSError, match="disk full"):
        trainer.fit(DATA, 4)
    np.testing.assert_array_equal(built.parameters.flat, weights)
    assert pickle.dumps(trainer.state()) == before


class OneAmongOthers:
    """The communicator of a rank whose others have a minibatch more and always a loss of 1."""

    is_repeatable = False

    def total(self, number):
        return number + 1.0

    def largest(self, number):
        return number + 1 if number > 1 else number

    def all_reduce(self, gradient, loss_sum):
        gradient += 0.01
        return loss_sum + 1.0


@pytest.mark.parametrize("options", [{}, {"bptt_steps": 2}], ids=str)
def test_a_rank_among_others_computes_what_the_host_does(options, gpu, monkeypatch):
    monkeypatch.setenv("RNNKIT_CUDA_GRAPH", "1")  # which a rank's steps are not asked to be
    outcomes = []
    for backend in (get_backend("reference"), gpu):
        trainer = trainer_on(
            backend, built := network(), communicator=OneAmongOthers(), solver="sgd", **options
        )
        result = trainer.fit(DATA, 3)
        outcomes.append(np.append(built.parameters.flat, result.loss_curve))
    assert_close(outcomes[1], outcomes[0], np.float32, 1000)

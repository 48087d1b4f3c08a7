"""Callbacks: the epoch that they see, and progress printing."""

import numpy as np
import pytest
from training.toy import toy_data, toy_network

from rnnkit.backends import get_backend
from rnnkit.training import Epoch, PrintProgress, Trainer

LOGS = {"loss": 0.5, "learning_rate": 0.001, "seconds": 0.25}


@pytest.fixture
def bound():
    return toy_network().bind(get_backend("reference"), training=True)


def test_prints_a_line_every_so_many_epochs(bound, capsys):
    printer = PrintProgress(every=2)
    for number in (1, 2, 3):
        printer.on_epoch_end(Epoch(number, LOGS, bound))
    expected = "Iteration 2, loss = 0.50000000, learning rate = 0.001, 0.25 s\n"
    assert capsys.readouterr().out == expected


def test_prints_the_validation_score_if_there_is_one(bound, capsys):
    PrintProgress().on_epoch_end(Epoch(1, {**LOGS, "validation_score": 0.75}, bound))
    assert "validation score = 0.750000" in capsys.readouterr().out


class Keeper:
    """A callback that asks an epoch for all it has."""

    def __init__(self):
        self.seen = []

    def on_epoch_end(self, epoch):
        self.seen.append((epoch.epoch, epoch.logs["loss"], epoch.weights(), epoch.fitted()))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_an_epoch_gives_weights_and_a_fitted_estimator(solver):
    keeper, network = Keeper(), toy_network()
    trainer = Trainer(network, get_backend("reference"), solver, callbacks=[keeper])
    fitted = lambda result: (len(result.loss_curve), network.parameters.flat.copy())
    result = trainer.fit(toy_data(), 3, fitted=fitted)
    assert [epoch for epoch, *_ in keeper.seen] == [1, 2, 3]
    assert [loss for _, loss, *_ in keeper.seen] == result.loss_curve
    for number, _, weights, (n_losses, flat) in keeper.seen:
        assert n_losses == number
        assert set(weights) == set(network.parameters)
        np.testing.assert_array_equal(np.concatenate([w.ravel() for w in weights.values()]), flat)
    first, last = keeper.seen[0][2], keeper.seen[-1][2]
    assert not np.array_equal(first["head.weight"], last["head.weight"])  # they are copies


def test_there_is_no_fitted_estimator_where_none_is_trained(bound):
    assert Epoch(1, LOGS, bound).fitted() is None

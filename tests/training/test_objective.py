"""The gradient that training follows: means, weights, penalties, parts and windows."""

import numpy as np
import pytest
from gradcheck import assert_gradients
from tolerances import assert_close
from training.toy import everything, select, toy_data, toy_network

from rnnkit.backends import get_backend
from rnnkit.network import CRF, CTC
from rnnkit.sequences import batch_of, windows
from rnnkit.training import TrainingData
from rnnkit.training.communicator import Alone
from rnnkit.training.objective import Objective
from rnnkit.training.updater import Updater

BACKEND = get_backend("reference")


def noise():
    return np.random.Generator(np.random.Philox(3))


class Case:
    """An objective on a network bound for training."""

    def __init__(self, network, data, alpha=0.0, l1=0.0, max_rows=10**9):
        self.bound = network.bind(BACKEND, training=True)
        self.objective = Objective(self.bound, data, max_rows)
        self.updater = Updater(
            self.bound, None, Alone(), alpha=alpha, l1=l1, clip_norm=np.inf, clip_value=None
        )
        self.batch = everything(data)

    def mean_loss(self):
        """Return the mean loss with penalties; the gradient is left in `bound`."""
        self.bound.flat_gradient.fill(0)
        self.updater.weight_sum = weight = self.objective.choose(self.batch)
        return self.updater.finish(self.objective.add(noise())) / weight

    def gradient(self):
        self.mean_loss()
        return self.bound.flat_gradient.copy()


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_of_the_mean_with_penalties(per_step, weighted):
    data = toy_data(6, per_step, weighted=weighted)
    network = toy_network(per_step=per_step, hidden_size=2, dropout=0.3)
    case = Case(network, data, alpha=0.7, l1=0.4)
    case.gradient()
    computed = {name: array.copy() for name, array in case.bound.gradients.items()}
    assert_gradients(computed, case.mean_loss, dict(network.parameters))


@pytest.mark.parametrize("output", [None, CRF(2), CTC(2)], ids=["softmax", "crf", "ctc"])
@pytest.mark.parametrize("max_rows", [1, 17])
def test_parts_add_up_to_the_whole(output, max_rows):
    data = toy_data(10, per_step=True)
    if isinstance(output, CTC):
        labels = np.empty(10, dtype=object)
        labels[:] = [np.array([i % 2]) for i in range(10)]
        data = TrainingData(data.inputs, data.offsets, labels)
    network = toy_network(output, per_step=True)
    whole = Case(network, data)
    split = Case(network, data, max_rows=max_rows)
    parts = split.objective.parts(split.batch)
    assert len(parts) > 2
    assert all(part.plan.n_rows <= max(max_rows, part.plan.n_steps) for part in parts)
    assert_close(split.mean_loss(), whole.mean_loss(), np.float64, 100)
    assert_close(split.gradient(), whole.gradient(), np.float64, 100)


@pytest.mark.parametrize("per_step", [False, True])
def test_integer_weights_repeat_and_remove_sequences(per_step):
    data = toy_data(5, per_step)
    counts = np.array([2, 0, 1, 3, 1])
    repeated = select(data, np.repeat(np.arange(5), counts))
    weights = counts.astype(float)
    if per_step:
        weights = np.repeat(weights, np.diff(data.offsets))
    weighted = TrainingData(data.inputs, data.offsets, data.targets, weights)
    network = toy_network(per_step=per_step)
    cases = [Case(network, d, alpha=0.1) for d in (weighted, repeated)]
    assert_close(cases[0].mean_loss(), cases[1].mean_loss(), np.float64, 100)
    assert_close(cases[0].gradient(), cases[1].gradient(), np.float64, 100)


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_one_window_over_everything_is_the_whole_gradient(per_step, pooling):
    data = toy_data(6, per_step, weighted=True)
    case = Case(toy_network(per_step=per_step, pooling=pooling), data)
    expected = case.mean_loss()
    gradient = case.bound.flat_gradient.copy()
    case.bound.flat_gradient.fill(0)
    ((loss, weight),) = case.objective.add_windows(case.batch, 100, noise())
    case.updater.weight_sum = weight
    case.updater.finish(loss)
    assert_close(loss / weight, expected, np.float64, 100)
    assert_close(case.bound.flat_gradient, gradient, np.float64, 100)


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_windows_see_the_whole_past_and_sum_to_the_whole_loss(per_step, pooling):
    data = toy_data(9, per_step, weighted=True)
    case = Case(toy_network(per_step=per_step, pooling=pooling, n_layers=2), data)
    whole = [case.objective.choose(case.batch), case.objective.add(noise())][::-1]
    windows = list(case.objective.add_windows(case.batch, 2, noise()))
    assert len(windows) == 3  # of six steps
    assert_close(np.sum(windows, axis=0), np.array(whole), np.float64, 100)


def test_windows_in_which_no_sequence_ends_have_no_loss():
    data = toy_data(40)
    longest = np.flatnonzero(np.diff(data.offsets) == 6)
    case = Case(toy_network(), select(data, longest))
    first, second, (_, weight) = case.objective.add_windows(case.batch, 2, noise())
    assert first == second == (0, 0)
    assert weight == len(longest)


def test_gradients_end_at_the_cut():
    """With the second window's loss alone, what reaches the input weights is its own share."""
    data = toy_data(40)
    chosen = np.flatnonzero(np.diff(data.offsets) == 4)[:3]
    data = select(data, chosen)
    network = toy_network()
    case = Case(network, data)
    batch = case.batch
    nothing, (_, weight) = case.objective.add_windows(batch, 2, noise())
    computed = {name: array.copy() for name, array in case.bound.gradients.items()}
    assert nothing == (0, 0)
    assert weight == 3

    (first, a, b, _), (second, c, d, _) = windows(batch.plan, 2)
    predict = network.bind(BACKEND)
    predict.forward(first, data.inputs.take(batch.rows[a:b]))
    states = predict.states  # held fixed while the parameters are varied

    def loss():
        scores = predict.forward(second, data.inputs.take(batch.rows[c:d]), states=states)
        return predict.loss(second, scores, data.targets[batch.sequences], None)[0]

    assert_gradients(computed, loss, dict(network.parameters))


def test_an_empty_minibatch_adds_nothing():
    data = toy_data(3, weighted=True)
    case = Case(toy_network(), data)
    assert case.objective.choose(batch_of(data.offsets, [])) == 0
    assert case.objective.add(noise()) == 0
    assert not case.bound.flat_gradient.any()
    assert list(case.objective.add_windows(batch_of(data.offsets, []), 2, noise())) == []


@pytest.mark.parametrize("per_step", [False, True])
def test_the_mean_loss_of_all_data_is_that_of_the_minibatch_of_all(per_step):
    data = toy_data(6, per_step, weighted=True)
    case = Case(toy_network(per_step=per_step, hidden_size=2), data)
    assert_close(case.objective.mean_loss(), case.mean_loss(), np.float64, 100)
    loss_sum, weight = case.objective.total_loss()
    assert weight == case.updater.weight_sum
    assert_close(case.objective.mean_loss(), loss_sum / weight, np.float64, 2)

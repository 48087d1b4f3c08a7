"""The training loop: it learns, stops, restores, goes on, and says why it ended."""

import pickle

import numpy as np
import pytest
from tolerances import assert_close, tolerance
from training.toy import everything, select, toy_data, toy_network

from rnnkit.backends import get_backend
from rnnkit.network import CRF, Embedding, Inputs, SquaredError
from rnnkit.training import LBFGS, SGD, SOLVERS, Adam, Linear, Trainer, TrainingData, Validation
from rnnkit.training.objective import Objective

BACKEND = get_backend("reference")
RATES = {"sgd": 0.3, "nesterov": 0.3, "adadelta": 3.0, "adagrad": 0.1}


def make_trainer(network, solver="adam", seed=0, **options):
    options = {"learning_rate_init": 0.02, "batch_size": 8, **options}
    return Trainer(network, BACKEND, solver, random_state=np.random.RandomState(seed), **options)


class Recorder:
    """A callback that keeps what it is told, and the parameters at every epoch's end."""

    def __init__(self, network, end_after=None, interrupt_after=None):
        self.network = network
        self.end_after = end_after
        self.interrupt_after = interrupt_after
        self.epochs = []
        self.logs = []
        self.weights = []

    def on_epoch_end(self, epoch):
        self.epochs.append(epoch.epoch)
        self.logs.append(dict(epoch.logs))
        self.weights.append(self.network.parameters.flat.copy())
        if epoch.epoch == self.interrupt_after:
            raise KeyboardInterrupt
        return epoch.epoch == self.end_after


class RecordingBackend:
    """The reference backend, with the learning rate of every update kept."""

    def __init__(self):
        self.rates = []

    def __getattr__(self, name):
        return getattr(BACKEND, name)

    def update(self, rule, parameters, gradient, state, pace, **options):
        self.rates.append(pace.learning_rate)
        BACKEND.update(rule, parameters, gradient, state, pace, **options)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("per_step", [False, True])
def test_every_solver_learns(solver, per_step):
    network = toy_network(per_step=per_step)
    options = {"learning_rate_init": RATES.get(solver, 0.03)}
    result = make_trainer(network, solver, **options).fit(toy_data(per_step=per_step), 25)
    assert result.loss_curve[-1] < 0.6 * result.loss_curve[0]
    assert result.best_loss == min(result.loss_curve)
    assert result.n_epochs == len(result.loss_curve)
    assert result.validation_scores is None
    assert result.best_validation_score is None


def test_loss_curve_is_the_mean_over_all_weights():
    data = toy_data(10, weighted=True)
    network = toy_network()
    result = make_trainer(network, batch_size=4, learning_rate_init=1e-300).fit(data, 1)
    whole = make_trainer(network, batch_size=10, learning_rate_init=1e-300).fit(data, 1)
    assert result.loss_curve[0] == pytest.approx(
        whole.loss_curve[0], rel=tolerance(np.float64, 100)
    )


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sample_weights_repeat_and_remove_sequences(solver):
    data = toy_data(8)
    counts = np.array([2, 0, 1, 3, 1, 0, 1, 2])
    n_epochs = 3 if solver == "lbfgs" else 10  # its line search makes rounding grow faster
    repeated = select(data, np.repeat(np.arange(8), counts))
    weighted = TrainingData(data.inputs, data.offsets, data.targets, counts.astype(float))
    networks = []
    for fitted in (weighted, repeated):
        network = toy_network()
        make_trainer(network, solver, batch_size=100, alpha=0.01).fit(fitted, n_epochs)
        networks.append(network.parameters.flat)
    # Terms on the way to a weight: steps of 8 sequences, in every epoch.
    assert_close(networks[0], networks[1], np.float64, 10 * 8 * 12)


def test_a_minibatch_without_weight_is_passed_over():
    data = toy_data(8)
    weights = np.array([1.0, 1, 1, 1, 0, 0, 0, 0])
    backend = RecordingBackend()
    network = toy_network()
    trainer = Trainer(network, backend, batch_size=4, shuffle=False)
    result = trainer.fit(TrainingData(data.inputs, data.offsets, data.targets, weights), 3)
    assert len(backend.rates) == 3
    assert np.isfinite(result.loss_curve).all()
    with pytest.raises(ValueError, match="weights must have a positive sum"):
        trainer.fit(TrainingData(data.inputs, data.offsets, data.targets, 0 * weights), 1)


@pytest.mark.parametrize("options", [{}, {"dropout": 0.2, "recurrent_dropout": 0.2}])
def test_the_same_seed_gives_the_same_bits_and_another_does_not(options):
    fitted = []
    for seed in (1, 1, 2):
        network = toy_network(**options)
        make_trainer(network, seed=seed).fit(toy_data(), 3)
        fitted.append(network.parameters.flat)
    np.testing.assert_array_equal(fitted[0], fitted[1])
    assert not np.array_equal(fitted[0], fitted[2])


@pytest.mark.parametrize("schedule", ["constant", "linear", "invscaling"])
def test_calls_of_fit_go_on_where_the_last_one_ended(schedule):
    networks = [toy_network(dropout=0.2) for _ in range(2)]
    make_trainer(networks[0], schedule=schedule).fit(toy_data(), 4)
    trainer = make_trainer(networks[1], schedule=schedule)
    for _ in range(4):
        trainer.fit(toy_data(), 1, schedule_epochs=4)
    np.testing.assert_array_equal(networks[0].parameters.flat, networks[1].parameters.flat)
    assert trainer.n_epochs == 4
    assert trainer.n_seen == 4 * 24


def test_the_schedule_sets_the_rate_of_every_minibatch():
    backend = RecordingBackend()
    trainer = Trainer(
        toy_network(), backend, schedule=Linear(), learning_rate_init=0.6, batch_size=8
    )
    trainer.fit(toy_data(24), 2)
    assert backend.rates == pytest.approx([0.6, 0.5, 0.4, 0.3, 0.2, 0.1])


def test_stalled_progress_ends_the_training():
    network = toy_network()
    result = make_trainer(network, learning_rate_init=1e-9, n_iter_no_change=3).fit(toy_data(), 50)
    assert result.reason == "converged"
    assert result.n_epochs == 5  # the first, and more than three without progress
    assert "Training loss did not improve more than tol=0.000100 for 3" in result.message


def test_stalled_progress_lowers_the_adaptive_rate_first():
    recorder = Recorder(network := toy_network())
    result = make_trainer(
        network,
        schedule="adaptive",
        learning_rate_init=3e-5,
        tol=10.0,
        n_iter_no_change=1,
        callbacks=[recorder],
    ).fit(toy_data(), 50)
    assert result.reason == "converged"
    rates = [logs["learning_rate"] for logs in recorder.logs]
    # Three epochs stall the first time, two each after that; the rate ends below 1e-6.
    assert rates == pytest.approx([3e-5] * 3 + [6e-6] * 2 + [1.2e-6] * 2 + [2.4e-7] * 2)


def test_all_epochs_are_run_if_nothing_ends_them():
    result = make_trainer(toy_network()).fit(toy_data(), 3)
    assert result.reason == "max_iter"
    assert result.n_epochs == 3
    assert "3" in result.message


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_validation_restores_the_weights_of_the_best_score(solver):
    scores = iter([0.1, 0.5, 0.3, 0.2, 0.1, 0.0, -0.1, -0.2])
    recorder = Recorder(network := toy_network())
    result = make_trainer(network, solver, callbacks=[recorder], n_iter_no_change=2).fit(
        toy_data(), 50, lambda: next(scores)
    )
    assert result.reason == "converged"
    assert "Validation score did not improve" in result.message
    assert result.validation_scores == [0.1, 0.5, 0.3, 0.2, 0.1]
    assert result.best_validation_score == 0.5
    np.testing.assert_array_equal(network.parameters.flat, recorder.weights[1])
    assert recorder.logs[1]["validation_score"] == 0.5


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("monitor, best_epoch, n_epochs", [("loss", 3, 6), ("score", 2, 5)])
def test_what_is_monitored_decides(monitor, best_epoch, n_epochs, solver):
    losses = [0.9, 0.5, 0.4, 0.6, 0.7, 0.8, 0.9]
    scores = [0.1, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    found = map(Validation, scores, losses)
    recorder = Recorder(network := toy_network())
    options = {"monitor": monitor, "callbacks": [recorder], "n_iter_no_change": 2}
    result = make_trainer(network, solver, **options).fit(toy_data(), 50, lambda: next(found))
    assert (result.reason, result.n_epochs) == ("converged", n_epochs)
    assert result.message.startswith(f"Validation {monitor} did not improve")
    assert result.validation_losses == losses[:n_epochs]
    assert result.validation_scores == scores[:n_epochs]
    assert result.best_epoch == best_epoch
    best = {"loss": (0.4, None), "score": (None, 0.8)}[monitor]
    assert (result.best_validation_loss, result.best_validation_score) == best
    np.testing.assert_array_equal(network.parameters.flat, recorder.weights[best_epoch - 1])
    assert recorder.logs[1]["validation_loss"] == 0.5
    assert recorder.logs[1]["validation_score"] == 0.8


def test_a_loss_alone_can_be_monitored():
    result = make_trainer(toy_network(), monitor="loss").fit(
        toy_data(), 2, lambda: Validation(loss=0.5)
    )
    assert (result.validation_losses, result.validation_scores) == ([0.5, 0.5], None)


@pytest.mark.parametrize(
    "monitor, found", [("loss", 0.5), ("loss", Validation(0.5)), ("score", Validation(loss=0.5))]
)
def test_validation_must_give_what_is_monitored(monitor, found):
    with pytest.raises(ValueError, match=f"validate must return a {monitor} to monitor, got"):
        make_trainer(toy_network(), monitor=monitor).fit(toy_data(), 2, lambda: found)
    with pytest.raises(ValueError, match="monitor must be 'score' or 'loss', got 'accuracy'"):
        make_trainer(toy_network(), monitor="accuracy")


def test_the_best_epoch_is_counted_from_the_first_and_is_of_the_training_loss_without_validation():
    trainer = make_trainer(toy_network())
    first = trainer.fit(toy_data(), 3)
    assert first.best_epoch == 1 + int(np.argmin(first.loss_curve))
    scores = iter([0.1, 0.9, 0.2])
    assert trainer.fit(toy_data(), 3, lambda: next(scores)).best_epoch == 5


def test_validation_sees_the_network_of_the_epoch():
    network = toy_network()
    seen = []
    recorder = Recorder(network)
    make_trainer(network, callbacks=[recorder]).fit(
        toy_data(), 3, lambda: seen.append(network.parameters.flat.copy()) or 0.0
    )
    for at_validation, at_callback in zip(seen, recorder.weights, strict=True):
        np.testing.assert_array_equal(at_validation, at_callback)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_callback_ends_the_training(solver):
    recorder = Recorder(network := toy_network(), end_after=2)
    result = make_trainer(network, solver, callbacks=[recorder]).fit(toy_data(), 9)
    assert result.reason == "callback"
    assert recorder.epochs == [1, 2]
    assert set(recorder.logs[0]) == {"loss", "learning_rate", "seconds"}
    assert [logs["loss"] for logs in recorder.logs] == result.loss_curve


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_an_interrupt_leaves_a_usable_network(solver):
    recorder = Recorder(network := toy_network(), interrupt_after=2)
    result = make_trainer(network, solver, callbacks=[recorder]).fit(toy_data(), 9)
    assert result.reason == "interrupted"
    assert result.n_epochs == 2
    np.testing.assert_array_equal(network.parameters.flat, recorder.weights[-1])


def test_an_interrupt_restores_the_best_weights_of_validation():
    recorder = Recorder(network := toy_network(), interrupt_after=3)
    scores = iter([0.5, 0.9, 0.1])
    make_trainer(network, callbacks=[recorder]).fit(toy_data(), 9, lambda: next(scores))
    np.testing.assert_array_equal(network.parameters.flat, recorder.weights[1])


class FailingBackend(RecordingBackend):
    """The reference backend, whose memory ends with an update."""

    def __init__(self, n_updates):
        super().__init__()
        self.n_updates = n_updates

    def update(self, *arguments, **options):
        super().update(*arguments, **options)
        if len(self.rates) > self.n_updates:
            raise MemoryError("no bytes left")


class FailingCallback:
    """A callback that raises at the end of an epoch."""

    def __init__(self, number):
        self.number = number

    def on_epoch_end(self, epoch):
        if epoch.epoch == self.number:
            raise OSError("disk full")


def with_a_token_too_many(data):
    """The same data with an id of the last sequences that no table has."""
    ids = np.zeros((len(data.inputs), 1), np.intp)
    ids[-1] = 99
    return TrainingData(Inputs(data.inputs.numeric, ids), data.offsets, data.targets)


def failing_validation(n_epochs):
    scores = iter([0.5] * n_epochs)
    return lambda: next(scores)


# what fails -> the trainer's backend and options, the data and validation of the second call of
# fit, the error
FAILURES = {
    "callback": (BACKEND, {"callbacks": [FailingCallback(4)]}, lambda data: data, None, OSError),
    "data": (BACKEND, {"shuffle": False}, with_a_token_too_many, None, IndexError),
    "memory": (FailingBackend(8), {}, lambda data: data, None, MemoryError),
    "validation": (BACKEND, {}, lambda data: data, failing_validation(1), StopIteration),
    "windows": (FailingBackend(20), {"bptt_steps": 2}, lambda data: data, None, MemoryError),
    "lbfgs": (
        BACKEND,
        {"solver": "lbfgs", "callbacks": [FailingCallback(4)]},
        lambda data: data,
        None,
        OSError,
    ),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_call_of_fit_that_fails_changes_nothing(failure):
    backend, options, spoil, validate, error = failure
    options = {"schedule": "invscaling", "batch_size": 8, "learning_rate_init": 0.02, **options}
    network = toy_network(dropout=0.2, tokens=[Embedding([3], [2])])
    data = toy_data()
    data = TrainingData(
        Inputs(data.inputs.numeric, np.ones((len(data.inputs), 1), np.intp)),
        data.offsets,
        data.targets,
    )
    rng = np.random.RandomState(0)
    trainer = Trainer(network, backend, random_state=rng, **options)
    trainer.fit(data, 2, lambda: 0.25)
    before = pickle.dumps(trainer.state())
    weights, drawn = network.parameters.flat.copy(), rng.get_state()[1].copy()
    with pytest.raises(error):
        trainer.fit(spoil(data), 3, validate)
    np.testing.assert_array_equal(network.parameters.flat, weights)
    np.testing.assert_array_equal(rng.get_state()[1], drawn)
    assert pickle.dumps(trainer.state()) == before
    assert (trainer.n_epochs, trainer.n_seen) == (2, 48)


def numbers_data(dtype=np.float64):
    data = toy_data(dtype=dtype)
    return TrainingData(data.inputs, data.offsets, data.inputs.numeric[data.offsets[:-1], :1])


def exploding(solver, n_epochs=50, dtype="float64", **options):
    network = toy_network(SquaredError(1), dtype=dtype)
    recorder = Recorder(network)
    trainer = make_trainer(network, solver, callbacks=[recorder], **options)
    start = network.parameters.flat.copy()
    with np.errstate(all="ignore"):
        result = trainer.fit(numbers_data(dtype), n_epochs)
    return network, [start, *recorder.weights], result


def loss_of(network):
    with np.errstate(all="ignore"):
        objective = Objective(network.bind(BACKEND, training=True), numbers_data(), 10**6)
        objective.choose(everything(numbers_data()))
        return objective.add(None)


def test_a_loss_that_is_not_finite_ends_with_the_last_weights_whose_loss_is():
    network, weights, result = exploding(SGD(momentum=0.0), learning_rate_init=1e30, clip_norm=None)
    assert result.reason == "non_finite"
    assert f"epoch {result.n_epochs + 1}, minibatch 1; " in result.message
    assert "the weights of the last finite epoch are kept" in result.message
    np.testing.assert_array_equal(network.parameters.flat, weights[-2])
    assert np.isfinite(loss_of(network))
    network.parameters.flat[:] = weights[-1]
    assert not np.isfinite(loss_of(network))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [8, 24])
@pytest.mark.parametrize("n_epochs", [1, 5])
@pytest.mark.parametrize("solver", ["adam", SGD()], ids=str)
def test_a_training_that_never_was_finite_says_so(solver, n_epochs, batch_size, dtype):
    options = {"learning_rate_init": 1e200, "clip_norm": None, "batch_size": batch_size}
    network, (start, *_), result = exploding(solver, n_epochs, dtype, **options)
    assert result.reason == "non_finite"
    assert "no epoch of this call ended with finite weights, those from before it" in result.message
    np.testing.assert_array_equal(network.parameters.flat, start)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_inputs_that_are_not_finite_leave_everything_but_counts_as_it_was(solver):
    data = numbers_data()
    spoilt = TrainingData(
        Inputs(np.full_like(data.inputs.numeric, np.inf)), data.offsets, data.targets
    )
    networks = [toy_network(SquaredError(1)) for _ in range(2)]
    for network, calls in zip(networks, ([data, spoilt, data], [data, data])):
        trainer = make_trainer(network, solver, shuffle=False)
        with np.errstate(all="ignore"):
            reasons = [trainer.fit(each, 1).reason for each in calls]
        assert ("non_finite" in reasons) == (len(calls) == 3)
    np.testing.assert_array_equal(networks[0].parameters.flat, networks[1].parameters.flat)


def test_the_end_of_a_fit_is_looked_at_though_no_epoch_follows():
    _, weights, result = exploding(
        SGD(momentum=0.0), n_epochs=1, learning_rate_init=1e160, clip_norm=None, batch_size=24
    )
    assert result.n_epochs == 1
    assert np.isfinite(weights[1]).all()
    assert result.message.startswith("Scores or loss are not finite after epoch 1; ")


def test_clipping_keeps_the_same_training_finite():
    _, _, result = exploding(SGD(momentum=0.0), learning_rate_init=0.5, clip_norm=0.1)
    assert result.reason != "non_finite"
    assert np.isfinite(result.loss_curve).all()


@pytest.mark.parametrize(
    "options, measure",
    [
        ({"clip_norm": 1e-3}, lambda step: np.linalg.norm(step)),
        ({"clip_norm": None, "clip_value": 1e-3}, lambda step: np.abs(step).max()),
    ],
)
def test_clipping_limits_the_step(options, measure):
    network = toy_network()
    before = network.parameters.flat.copy()
    options = {"learning_rate_init": 1.0, "batch_size": 100, **options}
    make_trainer(network, SGD(momentum=0.0), **options).fit(toy_data(), 1)
    step = network.parameters.flat - before
    assert_close(measure(step), 1e-3, np.float64, len(step))


def test_without_clipping_the_step_is_the_gradient():
    network = toy_network()
    before = network.parameters.flat.copy()
    options = {"learning_rate_init": 1.0, "batch_size": 100, "clip_norm": None}
    make_trainer(network, SGD(momentum=0.0), **options).fit(toy_data(), 1)
    assert np.linalg.norm(network.parameters.flat - before) > 0.01


@pytest.mark.parametrize("per_step", [False, True])
def test_every_window_with_a_loss_makes_an_update(per_step):
    data = select(toy_data(60, per_step), range(60))
    lengths = np.diff(data.offsets)
    data = select(data, np.flatnonzero(lengths == 6)[:4])
    backend = RecordingBackend()
    Trainer(toy_network(per_step=per_step), backend, bptt_steps=2).fit(data, 5)
    assert len(backend.rates) == (15 if per_step else 5)


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_truncated_backpropagation_learns(pooling):
    network = toy_network(pooling=pooling)
    result = make_trainer(network, bptt_steps=3, learning_rate_init=0.03).fit(toy_data(), 60)
    assert result.loss_curve[-1] < 0.75 * result.loss_curve[0]


def test_truncation_is_refused_where_it_is_impossible():
    with pytest.raises(ValueError, match="bptt_steps cannot be used with bidirectional=True"):
        make_trainer(toy_network(bidirectional=True), bptt_steps=2)
    with pytest.raises(ValueError, match="bptt_steps cannot be used with output='crf'"):
        make_trainer(toy_network(CRF(2), per_step=True), bptt_steps=2)
    with pytest.raises(ValueError, match="bptt_steps cannot be used with solver='lbfgs'"):
        make_trainer(toy_network(), LBFGS(), bptt_steps=2)


def test_a_batch_too_large_for_memory_is_trained_in_parts():
    networks = [toy_network(), toy_network()]
    curves = []
    for network, limit in zip(networks, (2**32, 1)):
        trainer = make_trainer(network, batch_size=100, max_activation_bytes=limit)
        curves.append(trainer.fit(toy_data(), 3).loss_curve)
    assert_close(*curves, np.float64, 100)
    assert_close(*(n.parameters.flat for n in networks), np.float64, 3 * 100)


def test_lbfgs_never_lets_the_loss_grow_and_draws_the_same_noise_each_time():
    network = toy_network(dropout=0.3)
    result = make_trainer(network, LBFGS(history=5)).fit(toy_data(), 15)
    assert (np.diff(result.loss_curve) <= 0).all()
    assert result.reason == "max_iter"
    assert "15 iterations" in result.message


def test_lbfgs_converges():
    result = make_trainer(toy_network(), LBFGS(gradient_tolerance=1e-3), alpha=1.0).fit(
        toy_data(), 500
    )
    assert result.reason == "converged"
    assert result.n_epochs < 500


def test_lbfgs_without_a_step_has_not_converged():
    network = toy_network()
    before = network.parameters.flat.copy()
    result = make_trainer(network, LBFGS(gradient_tolerance=1e9)).fit(toy_data(), 5)
    assert result.reason == "no_step"
    assert "took no step" in result.message
    assert result.loss_curve == []
    np.testing.assert_array_equal(network.parameters.flat, before)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_float32_stays_float32(solver):
    network = toy_network(dtype="float32", dropout=0.1, input_noise=0.1, zoneout=0.1)
    result = make_trainer(network, solver, alpha=0.1, l1=0.1).fit(
        toy_data(dtype=np.float32, weighted=True), 3
    )
    assert network.parameters.dtype == np.float32
    assert np.isfinite(result.loss_curve).all()


@pytest.mark.parametrize(
    "name, value",
    [
        ("learning_rate_init", 0.0),
        ("learning_rate_init", float("inf")),
        ("batch_size", 0),
        ("clip_norm", -1.0),
        ("clip_value", float("nan")),
        ("bptt_steps", 0),
    ],
)
def test_wrong_arguments_are_named(name, value):
    with pytest.raises(ValueError, match=f"{name} must be positive and finite, got {value}"):
        make_trainer(toy_network(), **{name: value})


def test_a_schedule_or_solver_given_as_an_object_is_left_as_it_was():
    schedule, solver = Linear(), Adam()
    before = dict(vars(schedule)), dict(vars(solver))
    make_trainer(toy_network(), solver, schedule=schedule).fit(toy_data(), 2)
    assert (dict(vars(schedule)), dict(vars(solver))) == before

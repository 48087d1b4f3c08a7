"""Training is seen as a whole or not at all: by threads, and after an error."""

import os
import pickle
import threading
import warnings

import numpy as np
import pytest
from estimators.problems import estimator, labels_of, ragged
from programs import run_program
from sklearn.base import clone

from rnnkit.backends.cpu import CpuBackend

X = ragged(60)
Y = labels_of(X)
CLASSES = ["down", "up"]
FIVE_BATCHES = dict(batch_size=12, max_iter=2, learning_rate="linear")
PATHS = {
    "adam": {},
    "sgd": dict(solver="sgd"),
    "windows": dict(bptt_steps=2),
    "noise": dict(dropout=0.2, recurrent_dropout=0.2),
    "two layers": dict(n_layers=2, bidirectional=True),
}
STARTS = {
    "fit": lambda model: model.fit(X, Y),
    "partial_fit": lambda model: model.partial_fit(X, Y, classes=CLASSES),
    "a pickle": lambda model: pickle.loads(
        pickle.dumps(model.partial_fit(X, Y, classes=CLASSES).partial_fit(X, Y))
    ),
}


class Planted(OSError):
    """What a minibatch fails with."""


@pytest.fixture
def third_fails(monkeypatch):
    """Return a function that makes the third minibatch from then on fail."""
    whole = CpuBackend.softmax_cross_entropy

    def plant(act=None):
        calls = []

        def loss(self, *arguments):
            calls.append(1)
            if len(calls) == 3:
                if act is None:
                    raise Planted
                act()
            return whole(self, *arguments)

        monkeypatch.setattr(CpuBackend, "softmax_cross_entropy", loss)

    yield plant
    monkeypatch.undo()


def facts(model):
    """All that a model is: its attributes by identity, its weights and answers by value."""
    return {name: id(value) for name, value in vars(model).items()}, model.predict_proba(X)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("path", PATHS)
def test_a_failed_partial_fit_has_not_happened(path, start, third_fails, monkeypatch):
    options = {**FIVE_BATCHES, **PATHS[path], "random_state": np.random.RandomState(3)}
    model = STARTS[start](estimator("LSTM", "Classifier", **options))
    twin = pickle.loads(pickle.dumps(model))
    before, answers = facts(model)
    for _ in range(2):
        third_fails()
        with pytest.raises(Planted):
            model.partial_fit(X, Y)
        monkeypatch.undo()
        after, same_answers = facts(model)
        assert after == before
        np.testing.assert_array_equal(same_answers, answers)
    for other in (model, twin):
        other.partial_fit(X, Y).partial_fit(X, Y)
    if start != "fit":  # after which the solver starts anew, from another random state
        np.testing.assert_array_equal(model.predict_proba(X), twin.predict_proba(X))
    assert model.loss_curve_[:-2] == twin.loss_curve_[:-2]


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("options", [*PATHS.values(), dict(solver="lbfgs")], ids=str)
def test_a_failed_fit_has_not_happened(options, warm_start, third_fails, monkeypatch):
    generator = np.random.RandomState(3)
    options = {**FIVE_BATCHES, **options, "warm_start": warm_start, "random_state": generator}
    model = estimator("GRU", "Classifier", **options)
    drawn = generator.get_state()[1].copy()
    third_fails()
    with pytest.raises(Planted):
        model.fit(X, Y)
    monkeypatch.undo()
    np.testing.assert_array_equal(generator.get_state()[1], drawn)
    assert set(vars(model)) == set(model.get_params(deep=False))
    before, answers = facts(model.fit(X, Y))
    third_fails()
    with pytest.raises(Planted):
        model.fit(X, Y)
    monkeypatch.undo()
    after, same_answers = facts(model)
    assert after == before
    np.testing.assert_array_equal(same_answers, answers)


def test_a_warning_that_is_an_error_undoes_the_epoch(third_fails, monkeypatch):
    """The warning comes after the training; the solver has not gone on either."""
    model = estimator("GRU", "Classifier", **FIVE_BATCHES).partial_fit(X, Y, classes=CLASSES)
    twin = pickle.loads(pickle.dumps(model))
    before, answers = facts(model)

    def interrupt():
        raise KeyboardInterrupt

    third_fails(interrupt)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="interrupted"):
            model.partial_fit(X, Y)
    monkeypatch.undo()
    after, same_answers = facts(model)
    assert after == before
    np.testing.assert_array_equal(same_answers, answers)
    np.testing.assert_array_equal(
        model.partial_fit(X, Y).predict_proba(X), twin.partial_fit(X, Y).predict_proba(X)
    )


def test_partial_fit_goes_on_from_weights_that_were_changed():
    model = estimator("GRU", "Classifier", **FIVE_BATCHES).partial_fit(X, Y, classes=CLASSES)
    twin = pickle.loads(pickle.dumps(model))
    for other in (model, twin):
        other.weights_["head.bias"][:] = [3, -3]
        other.partial_fit(X, Y)
    assert np.abs(model.weights_["head.bias"]).max() > 2
    np.testing.assert_array_equal(model.predict_proba(X), twin.predict_proba(X))


def test_weights_handed_out_stay_as_they_were():
    model = estimator("GRU", "Classifier", **FIVE_BATCHES).partial_fit(X, Y, classes=CLASSES)
    weights = model.weights_["head.bias"]
    kept = weights.copy()
    model.partial_fit(X, Y)
    np.testing.assert_array_equal(weights, kept)
    assert (model.weights_["head.bias"] != kept).any()


def test_parameters_set_meanwhile_stay(third_fails):
    model = estimator("GRU", "Classifier", **FIVE_BATCHES)
    third_fails(lambda: model.set_params(tol=0.5))
    assert model.fit(X, Y).tol == 0.5


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_fit_within_its_own_fit_is_refused(method, third_fails):
    model = estimator("GRU", "Classifier", **FIVE_BATCHES).partial_fit(X, Y, classes=CLASSES)
    before, _ = facts(model)
    third_fails(lambda: getattr(model, method)(X, Y))
    with pytest.raises(RuntimeError, match="this GRUClassifier is being fitted by the very call"):
        model.partial_fit(X, Y)
    assert {name: id(value) for name, value in vars(model).items()} == before


def states_of(model, n):
    """The answers after each of n more epochs."""
    states = [model.predict_proba(X)]
    for _ in range(n):
        states.append(model.partial_fit(X, Y).predict_proba(X))
    return states


def test_threads_that_train_one_estimator_take_turns():
    """Three threads of five epochs each are fifteen epochs, with the bits of one thread's."""
    start = estimator("LSTM", "Classifier", **FIVE_BATCHES).partial_fit(X, Y, classes=CLASSES)
    expected = states_of(pickle.loads(pickle.dumps(start)), 15)
    model, errors = pickle.loads(pickle.dumps(start)), []

    def train():
        try:
            for _ in range(5):
                model.partial_fit(X, Y)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=train) for _ in range(3)]
    [thread.start() for thread in threads]
    seen = []
    while any(thread.is_alive() for thread in threads):
        seen += [model.predict_proba(X), pickle.loads(pickle.dumps(model)).predict_proba(X)]
    [thread.join() for thread in threads]
    assert not errors
    assert len(model.loss_curve_) == 16
    np.testing.assert_array_equal(model.predict_proba(X), expected[-1])
    for answers in seen:  # each of a whole number of epochs
        assert any(np.array_equal(answers, state) for state in expected)


def test_threads_that_begin_together_train_one_network():
    """The first calls of three threads at once, in an interpreter of their own."""
    program = """
import threading
import numpy as np
from rnnkit import LSTMClassifier
rng = np.random.default_rng(0)
X, y = rng.normal(size=(60, 8, 3)), rng.integers(0, 2, 60)
for _ in range(10):
    model, errors = LSTMClassifier(16, batch_size=10, random_state=0), []
    def train():
        try:
            model.partial_fit(X, y, classes=[0, 1])
            model.fit(X[:20], y[:20]) if _ % 2 else model.partial_fit(X, y)
        except BaseException as error:
            errors.append(error)
    model.max_iter = 2
    threads = [threading.Thread(target=train) for _ in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not errors, errors
    assert _ % 2 or len(model.loss_curve_) == 6
"""
    run_program(program)


def test_predictions_during_a_fit_are_of_before_or_after():
    model = estimator("GRU", "Classifier", max_iter=20).fit(X, Y)
    before = model.predict_proba(X)
    model.set_params(hidden_size=12, random_state=1)
    after = clone(model).fit(X, Y).predict_proba(X)
    thread = threading.Thread(target=model.fit, args=(X, Y))
    thread.start()
    seen = []
    while thread.is_alive():
        seen.append(model.predict_proba(X))
    thread.join()
    for answers in seen:
        assert np.array_equal(answers, before) or np.array_equal(answers, after)
    np.testing.assert_array_equal(model.predict_proba(X), after)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_forked_during_a_fit_can_fit():
    """The thread that has its turn is not in the child, which would wait for it for ever."""
    program = """
import os, threading
import numpy as np
from rnnkit import GRUClassifier
from rnnkit.estimators.transaction import turn_of
rng = np.random.default_rng(0)
X, y = rng.normal(size=(20, 5, 2)), rng.integers(0, 2, 20)
model = GRUClassifier(4, max_iter=2, random_state=0, learning_rate="linear")
inside, end = threading.Event(), threading.Event()
def hold():
    with turn_of(model):
        inside.set()
        end.wait()
thread = threading.Thread(target=hold)
thread.start()
inside.wait()
child = os.fork()
if child == 0:
    model.fit(X, y)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
end.set()
thread.join()
model.fit(X, y)
"""
    assert run_program(program, OMP_NUM_THREADS="1", seconds=60) == "0"

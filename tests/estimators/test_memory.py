"""What does not fit is refused before it is allocated, with the sum and its parts."""

import time
import warnings

import numpy as np
import pytest
from estimators.problems import estimator
from programs import run_program

import rnnkit
from rnnkit import Sequences
from rnnkit.backends import host
from rnnkit.estimators import applying, building
from rnnkit.functional import recurrent
from rnnkit.network.memory import TOO_LITTLE_TO_ASK

X = np.zeros((24, 3, 2))
Y = np.arange(24) % 2
IDS = [np.array([[1], [2]])] * 23 + [np.array([[10**9], [0]])]
LONG = np.zeros((1, 10**6, 1), np.float32)


@pytest.fixture
def little_memory(monkeypatch):
    """A machine with .2 GB left."""
    for module in (host, applying, building):
        monkeypatch.setattr(module, "host_memory", lambda: 2 * 10**8)


TOO_MUCH = {
    "wide": (lambda: rnnkit.LSTMClassifier(3000), X, Y, "hidden_size=3000 and n_layers=1"),
    "deep": (lambda: rnnkit.GRUClassifier(64, n_layers=500), X, Y, "n_layers=500"),
    "very deep": (lambda: rnnkit.RNNClassifier(1, n_layers=10**7), X, Y, "n_layers=10000000"),
    "a large id": (
        lambda: rnnkit.GRUClassifier(4, embedding_dim=8),
        IDS,
        Y,
        "an embedding table for 1000000001 ids, needs .* number the ids from 0 on without gaps",
    ),
    "many ids": (
        lambda: rnnkit.GRUClassifier(4, embedding_dim=8, n_tokens=10**9),
        IDS[:23] * 2,
        np.arange(46) % 2,
        "an embedding table for 1000000000 ids",
    ),
    "many classes": (
        lambda: rnnkit.GRUSequenceTagger(32),
        np.zeros((1, 500000, 1)),
        np.arange(500000)[None],
        "500000 steps of a minibatch",
    ),
    "a wide field": (
        lambda: rnnkit.GRUSequenceTagger(4, output="crf", batch_size=1),
        np.zeros((50, 100, 1)),
        np.arange(5000).reshape(50, 100),
        "with 5000 classes or outputs",
    ),
    "a long sequence": (
        lambda: rnnkit.GRURegressor(64),
        np.repeat(LONG, 2, axis=0),
        np.arange(2.0),
        "2000000 steps of a minibatch.* use shorter sequences, bptt_steps",
    ),
    "history": (
        lambda: rnnkit.GRUClassifier(200, solver=rnnkit.training.LBFGS(history=1000)),
        X,
        Y,
        "for what the solver remembers",
    ),
}


@pytest.mark.parametrize("case", TOO_MUCH)
def test_is_refused_at_once(case, little_memory):
    make, inputs, targets, words = TOO_MUCH[case]
    model = make()
    attributes = dict(vars(model))
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(MemoryError, match=words) as refusal:
            model.fit(inputs, targets)
    assert time.perf_counter() - start < 20  # of which reading half a million labels takes some
    assert vars(model) == attributes
    message = str(refusal.value)
    assert "0.2 GB are available" in message
    assert "GB for" in message
    assert "\n" not in message


def test_partial_fit_is_refused_too(little_memory):
    with pytest.raises(MemoryError, match="hidden_size=3000"):
        rnnkit.LSTMClassifier(3000).partial_fit(X, Y, classes=[0, 1])
    model = rnnkit.GRURegressor(64).partial_fit(LONG[:, :10].repeat(2, axis=0), [0.0, 1.0])
    with pytest.raises(MemoryError, match="1000000 steps of a minibatch"):
        model.partial_fit(LONG, [0.0])


def test_truncation_needs_less(little_memory, monkeypatch):
    """With windows of ten steps the same training is let through, as far as its trainer."""

    def reached(*arguments):
        raise LookupError("a trainer is made")

    monkeypatch.setattr("rnnkit.estimators.base.make_trainer", reached)
    with pytest.raises(MemoryError, match="1000000 steps of a minibatch"):
        rnnkit.GRURegressor(64).fit(LONG, [0.0])
    with pytest.raises(LookupError):
        rnnkit.GRURegressor(64, bptt_steps=10).fit(LONG, [0.0])


def test_a_prediction_of_a_long_sequence(little_memory):
    model = estimator("GRU", "Regressor", hidden_size=64, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(np.zeros((4, 5, 1), np.float32), np.arange(4.0))
    for ask in (model.predict, model.hidden_states):
        with pytest.raises(MemoryError, match=r"the states after 1000000 steps.*stream"):
            ask(LONG)
    with pytest.raises(MemoryError, match="what is asked for needs"):
        model.hidden_states(np.zeros((30000, 40, 1), np.float32))


def test_functional(little_memory):
    weights = {"weight_ih_l0": np.zeros((256, 1)), "weight_hh_l0": np.zeros((256, 64))}
    with pytest.raises(MemoryError, match=r"recurrent needs .* for 1000000 steps"):
        recurrent(LONG, weights)
    start = time.perf_counter()
    with pytest.raises(ValueError, match="weight_ih_l1"):
        recurrent(LONG[:, :5], weights, n_layers=10**7)
    assert time.perf_counter() - start < 1


def test_what_is_small_is_not_asked_for(monkeypatch):
    def asked():
        raise AssertionError("the machine's memory was looked up")

    for module in (host, applying, building):
        monkeypatch.setattr(module, "host_memory", asked)
    sequences = Sequences(np.zeros((72, 2)), np.arange(0, 75, 3))
    estimator("GRU", "Classifier", max_iter=1).fit(sequences, Y).predict_proba(sequences)


# The peak of a training beside what was estimated. The parts that dominate differ.
PEAK = """
import warnings
import numpy as np, rnnkit
from rnnkit.backends import host
from rnnkit.estimators import memory
warnings.simplefilter("ignore")
def status(name):
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024
rng = np.random.default_rng(0)
def numbers(*shape):
    return rng.normal(size=shape).astype(np.float32)
rnnkit.GRUClassifier(4, max_iter=1).fit(numbers(10, 3, 4), np.arange(10) % 2)
asked = []
whole = memory.refuse_too_much
memory.refuse_too_much = lambda parts, *rest: (asked.append(parts), whole(parts, *rest))
before = status("VmRSS")
MODEL
print((status("VmHWM") - before) / sum(asked[0].values()))
"""
TRAININGS = {
    "weights": "rnnkit.LSTMClassifier(1000, max_iter=2).fit(numbers(40, 3, 4), np.arange(40) % 2)",
    "steps": "rnnkit.LSTMClassifier(64, max_iter=1).fit(numbers(8, 10000, 4), np.arange(8) % 2)",
    "a table": "rnnkit.GRUClassifier(16, max_iter=2, embedding_dim=32).fit("
    "[rng.integers(0, 200000, (5, 1)) for _ in range(40)], np.arange(40) % 2)",
}


@pytest.mark.parametrize("case", TRAININGS)
def test_the_estimate_is_about_the_peak(case):
    program = PEAK.replace("MODEL", TRAININGS[case])
    ratio = float(run_program(program, OMP_NUM_THREADS="1"))
    assert 0.7 < ratio < 1.4
    assert TOO_LITTLE_TO_ASK < 10**8

"""Any calls in any order: an estimator is what its training so far made it, and nothing else.

Beside the estimator the machine keeps a recipe: the parameters and trainings that made it. At the
end a fresh estimator follows the recipe and must have the same bits; in between, every call that
does not train must have changed nothing.
"""

import copy
import functools
import pickle
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from persistence.same import differences
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import rnnkit
from rnnkit.estimators.fitted import FittedEstimator

N, F = 12, 2
LABELS = np.array(["down", "up"])
TASKS = ("Classifier", "Regressor", "SequenceTagger", "SequenceRegressor")
KINDS = [cell + task for cell in ("RNN", "LSTM", "GRU") for task in TASKS]
START = {"hidden_size": 3, "max_iter": 2, "batch_size": 5, "random_state": 0}
SEVERAL = st.sampled_from(
    [
        {},
        {"dropout": 0.3, "recurrent_dropout": 0.2, "input_noise": 0.1},
        {"n_layers": 2, "zoneout": 0.2},
        {"bidirectional": True},
        {"early_stopping": True, "validation_fraction": 0.3},
        {"learning_rate": "cosine", "alpha": 0.1},
        {"bptt_steps": 2},
    ]
)
# What a training that goes on may find changed, and what it may not.
FREE = {
    "learning_rate_init": [1e-3, 0.05],
    "max_iter": [1, 3],
    "batch_size": [4, "auto"],
    "n_iter_no_change": [2, 10],
    "warm_start": [False, True],
    "alpha": [0.0, 0.2],
}
BOUND = {"hidden_size": [2, 3, 4], "n_layers": [1, 2]}
CHANGES = st.one_of(
    [
        st.tuples(st.just(name), st.sampled_from(values))
        for name, values in {**FREE, **BOUND}.items()
    ]
)
# The generator of a training that goes on, and what it trained with, are compared by what follows.
APART = {"_trainer", "_training_state", "_trained_with", "_built_with"}


@functools.cache
def data(which, kind, dtype):
    """Return X, ragged for every other one, and a y for the kind."""
    rng = np.random.RandomState(which)
    X = [rng.randn(t, F).astype(dtype) for t in rng.randint(2, 6, N)]
    if which % 2:
        X = [x[:2] for x in X]
    tags = [np.append(LABELS, LABELS[(x[2:, 0] > 0).astype(int)]) for x in X]
    y = {
        "Classifier": LABELS[np.arange(N) % 2],
        "Regressor": np.array([x.sum() for x in X]),
        "SequenceTagger": tags,
        "SequenceRegressor": [x.sum(axis=1) for x in X],
    }[kind.removeprefix("LSTM").removeprefix("RNN").removeprefix("GRU")]
    return (X if which % 2 == 0 else np.stack(X)), y


def is_labelled(kind):
    return kind.endswith(("Classifier", "Tagger"))


def bits(answer):
    """Return the bytes of an answer in any form."""
    is_ragged = getattr(answer, "dtype", np.dtype(object)) == np.dtype(object)
    return [np.asarray(row).tobytes() for row in (answer if is_ragged else [answer])]


def train(estimator, method, which, kind, dtype):
    X, y = data(which, kind, dtype)
    classes = {"classes": LABELS} if method == "partial_fit" and is_labelled(kind) else {}
    return getattr(estimator, method)(X, y, **classes)


class AnyOrder(RuleBasedStateMachine):
    """One estimator, the parameters that it should have, and the recipe of its training."""

    def __init__(self):
        super().__init__()
        self.ignoring = warnings.catch_warnings()
        self.ignoring.__enter__()
        warnings.simplefilter("ignore")
        self.recipe = []
        self.shape = None
        self.expected = None
        self.streams = []

    @initialize(kind=st.sampled_from(KINDS), dtype=st.sampled_from(["f4", "f8"]), several=SEVERAL)
    def make(self, kind, dtype, several):
        self.kind, self.dtype = kind, dtype
        self.estimator = getattr(rnnkit, kind)(**START, **several)
        self.parameters = self.estimator.get_params()

    # What the estimator says now.

    @property
    def is_fitted(self):
        return self.shape is not None

    def ask(self, estimator):
        X, _ = data(2, self.kind, self.dtype)
        asked = [estimator.predict(X), estimator.hidden_states(X)]
        if is_labelled(self.kind):
            asked.append(estimator.predict_proba(X))
        return [bits(answer) for answer in asked]

    def trained(self, method, which):
        """Note a training that has happened."""
        goes_on = self.is_fitted and (method == "partial_fit" or self.parameters["warm_start"])
        step = (dict(self.parameters), method, which)
        self.recipe = [*self.recipe, step] if goes_on else [step]
        self.shape = tuple(self.parameters[name] for name in BOUND)
        self.expected = self.ask(self.estimator)

    def is_of_another_shape(self):
        return self.is_fitted and self.shape != tuple(self.parameters[name] for name in BOUND)

    # Trainings.

    @rule(which=st.integers(0, 3))
    def fit(self, which):
        if self.parameters["warm_start"] and self.is_of_another_shape():
            self.refuse("fit", which)
            return
        assert train(self.estimator, "fit", which, self.kind, self.dtype) is self.estimator
        self.trained("fit", which)

    @rule(which=st.integers(0, 3))
    def partial_fit(self, which):
        if self.is_of_another_shape() or self.parameters["early_stopping"]:
            self.refuse("partial_fit", which)
            return
        before = getattr(self.estimator, "loss_curve_", [])
        train(self.estimator, "partial_fit", which, self.kind, self.dtype)
        assert self.estimator.loss_curve_[:-1] == list(before)
        self.trained("partial_fit", which)

    def refuse(self, method, which):
        attributes = copy.copy(vars(self.estimator))
        with pytest.raises(ValueError, match=r"hidden_size|n_layers|early_stopping"):
            train(self.estimator, method, which, self.kind, self.dtype)
        assert vars(self.estimator) == attributes

    @rule(method=st.sampled_from(["fit", "partial_fit"]), which=st.integers(0, 3))
    def train_on_nan(self, method, which):
        X, y = data(which, self.kind, self.dtype)
        X = [x.copy() for x in X]
        X[3][1, 0] = np.nan
        attributes = copy.copy(vars(self.estimator))
        with pytest.raises(ValueError):
            getattr(self.estimator, method)(X, y)
        assert vars(self.estimator) == attributes

    # Parameters.

    @rule(change=CHANGES)
    def set_params(self, change):
        self.estimator.set_params(**dict([change]))
        self.parameters |= dict([change])

    @rule()
    def set_an_unknown_parameter(self):
        with pytest.raises(ValueError, match="hiden_size"):
            self.estimator.set_params(hiden_size=3)

    # Copies, which take the estimator's place.

    @rule(protocol=st.integers(2, pickle.HIGHEST_PROTOCOL))
    def pickle(self, protocol):
        self.estimator = pickle.loads(pickle.dumps(self.estimator, protocol))

    @rule()
    def deepcopy(self):
        self.estimator = copy.deepcopy(self.estimator)

    @rule()
    def save_and_load(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model")
            rnnkit.save(self.estimator, path, include_training_state=True)
            self.estimator = rnnkit.load(path)
            rnnkit.save(self.estimator, path)
            other = rnnkit.load(path)
        assert other.get_params() == self.parameters
        if self.is_fitted:
            assert self.ask(other) == self.expected

    @rule(which=st.integers(0, 3))
    def train_a_copy(self, which):
        other = copy.deepcopy(self.estimator)
        other.set_params(hidden_size=2, n_layers=1, warm_start=False)
        train(other, "fit", which, self.kind, self.dtype)

    @rule()
    def clone(self):
        other = clone(self.estimator)
        assert vars(other).keys() == self.parameters.keys()
        assert other.get_params() == self.parameters

    @rule()
    def start_anew(self):
        self.estimator = clone(self.estimator)
        self.recipe, self.shape, self.expected, self.streams = [], None, None, []

    # Answers.

    @precondition(lambda self: self.is_fitted)
    @rule()
    def predict(self):
        assert self.ask(self.estimator) == self.expected

    @precondition(lambda self: not self.is_fitted)
    @rule()
    def predict_unfitted(self):
        with pytest.raises(NotFittedError):
            self.ask(self.estimator)
        with pytest.raises(NotFittedError):
            self.estimator.stream()

    @precondition(lambda self: self.is_fitted and not self.parameters["bidirectional"])
    @rule()
    def open_a_stream(self):
        """It goes on as what it was opened from, whatever is trained meanwhile."""
        x = data(2, self.kind, self.dtype)[0][0]
        whole = self.estimator.predict([x])[0]
        self.streams.append([self.estimator.stream(), x, 0, whole])

    @precondition(lambda self: self.streams)
    @rule(copied=st.booleans())
    def feed_streams(self, copied):
        for kept in self.streams:
            stream, x, t, whole = kept
            if copied:
                stream = kept[0] = pickle.loads(pickle.dumps(stream))
            said = stream.step(x[t])
            if self.kind.endswith(("Tagger", "SequenceRegressor")):
                assert bits(said) == bits(whole[t])
            elif t + 1 == len(x):
                assert bits(said) == bits(whole)
            kept[2] += 1
            if kept[2] == len(x):
                stream.reset()
                kept[2] = 0

    # What always holds.

    @invariant()
    def parameters_are_those_set(self):
        if hasattr(self, "estimator"):
            assert self.estimator.get_params() == self.parameters

    @invariant()
    def answers_are_those_of_the_last_training(self):
        if self.is_fitted:
            assert self.ask(self.estimator) == self.expected

    def teardown(self):
        try:
            if self.recipe:
                again = getattr(rnnkit, self.kind)()
                for parameters, method, which in self.recipe:
                    again.set_params(**parameters)
                    train(again, method, which, self.kind, self.dtype)
                again.set_params(**self.parameters)
                assert differences(self.estimator, again, without=APART) == []
        finally:
            self.ignoring.__exit__(None, None, None)


def run(n_examples, n_steps):
    """Run so many sequences of calls, as many calls each."""
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=n_examples,
            stateful_step_count=n_steps,
            phases=[Phase.generate],
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_order():
    run(60, 20)


def test_a_loss_on_the_way_is_seen(monkeypatch):
    """A pickle without the solver's state, planted, shows in what a later training learns."""
    whole = FittedEstimator.__getstate__

    def forgetful(self):
        state = whole(self)
        state.pop("_training_state", None)
        return state

    monkeypatch.setattr(FittedEstimator, "__getstate__", forgetful)
    with pytest.raises(AssertionError):
        run(200, 20)

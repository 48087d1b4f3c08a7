"""A training that was saved goes on with the same bits, in another process."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from persistence.same import TRAINING, differences

import rnnkit
from rnnkit.training import SCHEDULES, SOLVERS

X = np.random.RandomState(0).randn(30, 5, 2)
Y = {"Classifier": np.where(X[:, -1, 0] > 0, "up", "down"), "SequenceRegressor": X.sum(axis=2)}
NOISY = {"dropout": 0.2, "recurrent_dropout": 0.1, "zoneout": 0.1, "input_noise": 0.1}

CHILD = """
import pickle, sys, warnings
import rnnkit
warnings.simplefilter("ignore")
path, train, X, y = pickle.load(sys.stdin.buffer)
model = rnnkit.load(path)
getattr(model, train)(X, y)
rnnkit.save(model, path, include_training_state=True)
"""


def estimator(task="Classifier", **parameters):
    settings = dict(hidden_size=4, max_iter=6, batch_size=8, random_state=0)
    return getattr(rnnkit, f"GRU{task}")(**{**settings, **parameters})


def train(model, method, y, first=False):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classes = {"classes": ["down", "up"]} if first and y.dtype.kind == "U" else {}
        return getattr(model, method)(X, y, **classes)


def goes_on_elsewhere(model, method, y, path):
    rnnkit.save(model, path, include_training_state=True)
    child = subprocess.run(
        [sys.executable, "-P", "-c", CHILD],
        input=pickle.dumps((str(path), method, X, y)),
        capture_output=True,
    )
    assert child.returncode == 0, child.stderr.decode()
    return rnnkit.load(path)


OPTIONS = {
    **{f"solver {name}": {"solver": name} for name in SOLVERS if name != "lbfgs"},
    **{f"schedule {name}": {"learning_rate": name} for name in SCHEDULES},
    "adaptive, stalled": {"learning_rate": rnnkit.training.Adaptive(2.0), "tol": 10.0,
                          "n_iter_no_change": 1},
    "noise": NOISY,
    "a random state": {"random_state": np.random.RandomState(3), **NOISY},
    "a solver object": {"solver": rnnkit.training.AdamW(1e-3), "shuffle": False},
}  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_partial_fit_goes_on(options, tmp_path):
    y = Y["Classifier"]
    model = estimator(**pickle.loads(pickle.dumps(options)))
    train(model, "partial_fit", y, first=True)
    train(model, "partial_fit", y)
    path = tmp_path / "model"
    rnnkit.save(model, path, include_training_state=True)
    other = rnnkit.load(path)
    twice = pickle.loads(pickle.dumps(other))
    for each in (model, other, twice):
        train(each, "partial_fit", y)
    # The generator that was given is the training's own only as long as it stays in the process.
    apart = TRAINING | {"random_state", "_built_with"}
    assert differences(model, other, without=apart) == []
    assert differences(model, twice, without=apart) == []


def test_partial_fit_goes_on_in_another_process(tmp_path):
    y = Y["SequenceRegressor"]
    model = train(estimator("SequenceRegressor", **NOISY), "partial_fit", y)
    other = goes_on_elsewhere(model, "partial_fit", y, tmp_path / "model")
    assert differences(train(model, "partial_fit", y), other) == []
    train(model, "partial_fit", y)
    train(other, "partial_fit", y)
    assert differences(model, other) == []


@pytest.mark.parametrize("seed", [0, np.random.RandomState(3)], ids=str)
def test_warm_start_goes_on_in_another_process(seed, tmp_path):
    y = Y["Classifier"]
    model = train(estimator(warm_start=True, random_state=seed, **NOISY), "fit", y)
    other = goes_on_elsewhere(model, "fit", y, tmp_path / "model")
    assert differences(train(model, "fit", y), other) == []


def test_dropout_of_rare_ids_goes_on(tmp_path):
    tokens = np.random.RandomState(1).randint(0, 5, (20, 4, 2))
    y = tokens[:, 0, 0] > 2
    model = estimator(embedding_dim=(3, 2), token_dropout=2.0)
    model.partial_fit(tokens, y, classes=[False, True])
    rnnkit.save(model, tmp_path / "model", include_training_state=True)
    other = rnnkit.load(tmp_path / "model")
    for each in (model, other):
        each.partial_fit(tokens, y)
    assert differences(model, other) == []


def test_without_the_state_a_new_run_begins_from_the_weights(tmp_path):
    y = Y["Classifier"]
    model = train(estimator(), "partial_fit", y, first=True)
    rnnkit.save(model, tmp_path / "with", include_training_state=True)
    rnnkit.save(model, tmp_path / "without")
    sizes = [(tmp_path / name).stat().st_size for name in ("without", "with")]
    assert sizes[0] < sizes[1]
    other = rnnkit.load(tmp_path / "without")
    assert not hasattr(other, "_training_state")
    before = other.weights_["head.bias"].copy()
    train(other, "partial_fit", y)
    assert 0 < np.abs(other.weights_["head.bias"] - before).max() < 0.1
    assert len(other.loss_curve_) == 2


def test_the_state_of_another_network_is_refused(tmp_path):
    y = Y["Classifier"]
    small, large = (train(estimator(hidden_size=h), "partial_fit", y, True) for h in (3, 5))
    small._trainer = large._trainer
    with pytest.raises(ValueError, match="weights of the training must be like the weights"):
        rnnkit.save(small, tmp_path / "model", include_training_state=True)

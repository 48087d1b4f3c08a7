"""What is timed beside the neighbours: a small fit, its predict and layers; ours and rivals'."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from bench_recurrent import contenders

from rnnkit import LSTMClassifier

# T, I, H of the layers; B is 1, 32 or 256
LAYERS = {"small": (60, 1, 48), "middle": (50, 64, 128), "wide": (25, 64, 512)}
BATCHES = (1, 32, 256)
N_EPOCHS = 8


class Job(NamedTuple):
    """Equal work of several contenders: {name: (function, number of threads)}."""

    name: str
    calls: dict


def problem(n_sequences):
    """Return X (N, 60, 1) float32 and labels."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_sequences, 60, 1)).astype(np.float32)
    return X, rng.integers(0, 5, n_sequences)


def small_fit(X, y):
    """Fit 48 units, building the model included."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LSTMClassifier(
            hidden_size=48, batch_size=32, max_iter=N_EPOCHS, tol=0, random_state=0
        )
        return model.fit(X, y)


def fit_job(threads):
    """600 sequences of 60 steps, 48 units, minibatches of 32, eight epochs."""
    X, y = problem(600)
    calls = {f"rnnkit/{n}": (lambda: small_fit(X, y), n) for n in (1, threads)}
    try:
        from rivals.torch_fit import plain_loop
    except ImportError:
        pass
    else:
        for n in (1, threads):
            calls[f"torch/{n}"] = (lambda: plain_loop("lstm", X, y, N_EPOCHS), n)
    return Job("fit", calls)


def predict_job(threads):
    """2000 sequences of 60 steps through a fitted classifier."""
    X, y = problem(2000)
    model = small_fit(X[:200], y[:200])
    return Job("predict", {f"rnnkit/{n}": (lambda: model.predict(X), n) for n in (1, threads)})


def layer_job(size, n_sequences, task, threads):
    """One LSTM layer, forward alone or forward and backward."""
    n_steps, n_inputs, hidden_size = LAYERS[size]
    shape = (n_sequences, n_steps, n_inputs, hidden_size)
    found, _ = contenders("lstm", shape, threads, ragged=False)
    calls = {}
    for name, (layer, n) in found.items():
        if not hasattr(layer, task):
            continue
        call = getattr(layer, task)
        if name == "rnnkit":
            calls["rnnkit/1"] = (call, 1)
            calls[f"rnnkit/{threads}"] = (call, threads)
        elif n in (1, threads) and not name.startswith("jax"):
            calls[name] = (call, n)
    return Job(f"{size} layer, B={n_sequences}, {task}", calls)

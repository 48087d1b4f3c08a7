"""Grid searches of rnnkit and skorch, warm in a process and cold in a fresh one.

Two sizes by two learning rates, three folds, two epochs, 600 sequences of 150 steps; both searches
use the same n_jobs. Cold is a fresh process from after the imports that both need (NumPy, SciPy and
scikit-learn, below) to the end of the search: the imports that a library adds count.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.model_selection import GridSearchCV

N_STEPS, N_CLASSES, HIDDEN_SIZE, BATCH_SIZE = 150, 5, 64, 32


def problem(n_sequences):
    """Return X (N, T, 1) float32 and labels."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_sequences, N_STEPS, 1)).astype(np.float32)
    return X, rng.integers(0, N_CLASSES, n_sequences)


def our_classifier(cell, max_iter):
    """Return the estimator that all rivals imitate."""
    import rnnkit

    kind = {"lstm": rnnkit.LSTMClassifier, "gru": rnnkit.GRUClassifier}[cell]
    return kind(HIDDEN_SIZE, batch_size=BATCH_SIZE, max_iter=max_iter, tol=0, random_state=0)


def quietly(call, *arguments):
    """Call without warnings: a single epoch does not converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*arguments)


def search(library, n_jobs):
    """Search the grid once."""
    X, y = problem(600)
    if library == "rnnkit":
        grid = {"hidden_size": [32, 64], "learning_rate_init": [1e-3, 1e-2]}
        model = our_classifier("lstm", 2)
    else:
        from rivals.torch_fit import skorch_classifier

        grid = {"module__hidden_size": [32, 64], "lr": [1e-3, 1e-2]}
        model = skorch_classifier("lstm", 2)
    quietly(GridSearchCV(model, grid, cv=3, n_jobs=n_jobs, refit=False).fit, X, y)


def seconds_when_cold(library, n_jobs):
    """Search in a fresh interpreter; return its seconds after the imports that all share."""
    from harness import run_in_new_process

    code = f"from speed.searches import timed_search; print(timed_search({library!r}, {n_jobs}))"
    return float(run_in_new_process(code, path=[Path(__file__).parents[1]]))


def timed_search(library, n_jobs):
    """Search; return the seconds it took."""
    begin = time.perf_counter()
    search(library, n_jobs)
    return time.perf_counter() - begin

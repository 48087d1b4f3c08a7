"""Rows of whole fits and grid searches against PyTorch's plain loop and skorch.

One epoch: 2000 sequences of 150 steps of one feature, 64 units, batches of 32, 5 classes, Adam,
gradients clipped to norm 1, float32; building the model is part of the time. Grid search: two
sizes by two learning rates, three folds, two epochs, 600 sequences; warm in a process that has
searched before, cold as a fresh process from start to end. A rival is taken at its own best
number of threads up to ours; both searches use the same n_jobs.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from harness import interleaved, run_in_new_process, use_threads
from speed.rows import at_least, missing

import rnnkit

N_STEPS, N_CLASSES, HIDDEN_SIZE, BATCH_SIZE = 150, 5, 64, 32
EPOCH_GOALS = {"lstm": 2.5, "gru": 8}


def problem(n_sequences):
    """Return X (N, T, 1) float32 and labels."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_sequences, N_STEPS, 1)).astype(np.float32)
    return X, rng.integers(0, N_CLASSES, n_sequences)


def our_classifier(cell, max_iter):
    """Return the estimator that all rivals imitate."""
    kind = {"lstm": rnnkit.LSTMClassifier, "gru": rnnkit.GRUClassifier}[cell]
    return kind(HIDDEN_SIZE, batch_size=BATCH_SIZE, max_iter=max_iter, tol=0, random_state=0)


def epoch(run):
    """Rows of one epoch through `fit`."""
    X, y = problem(2000)
    try:
        from rivals.torch_fit import plain_loop, skorch_classifier
    except ImportError:
        return [missing("epoch through fit", "torch and skorch are not installed", ">= 2.5×")]
    rows = []
    for cell, goal in EPOCH_GOALS.items():
        for n_threads in (1, 2):
            runs, prepare = {}, {}
            runs["rnnkit"] = lambda cell=cell: quietly(our_classifier(cell, 1).fit, X, y)
            prepare["rnnkit"] = lambda n=n_threads: use_threads(n)
            for n in range(1, n_threads + 1):
                runs[f"torch/{n}"] = lambda cell=cell: plain_loop(cell, X, y, 1)
                runs[f"skorch/{n}"] = lambda cell=cell: skorch_classifier(cell, 1).fit(X, y)
                prepare[f"torch/{n}"] = prepare[f"skorch/{n}"] = lambda n=n: use_threads(n)
            times = interleaved(runs, run.repeats, run.seconds, prepare)
            run.results.write(kind="epoch", cell=cell, threads=n_threads, milliseconds=times)
            print(f"epoch {cell} {n_threads} thr", shown(times), flush=True)
            torch = min(time for name, time in times.items() if name.startswith("torch"))
            what = f"{cell} epoch through fit, {n_threads} thr, against torch's loop"
            rows.append(at_least(what, torch / times["rnnkit"], goal))
    return rows


def search(library, n_jobs):
    """Search the grid once."""
    from sklearn.model_selection import GridSearchCV

    X, y = problem(600)
    if library == "rnnkit":
        grid = {"hidden_size": [32, 64], "learning_rate_init": [1e-3, 1e-2]}
        model = our_classifier("lstm", 2)
    else:
        from rivals.torch_fit import skorch_classifier

        grid = {"module__hidden_size": [32, 64], "lr": [1e-3, 1e-2]}
        model = skorch_classifier("lstm", 2)
    quietly(GridSearchCV(model, grid, cv=3, n_jobs=n_jobs, refit=False).fit, X, y)


def grid_search(run):
    """Rows of the grid search, warm and cold."""
    try:
        import skorch  # noqa: F401
    except ImportError:
        return [missing("grid search", "skorch is not installed", ">= 4× / >= 8×")]
    rows = []
    use_threads(2)
    for n_jobs in (1, 2):
        for state, goal, start in (("warm", 4, search), ("cold", 8, search_in_new_process)):
            runs = {
                name: lambda name=name, start=start, n_jobs=n_jobs: start(name, n_jobs)
                for name in ("rnnkit", "skorch")
            }
            times = interleaved(runs, 1 if run.quick else 5, run.seconds)
            run.results.write(kind="grid", state=state, n_jobs=n_jobs, milliseconds=times)
            print(f"grid search {state} n_jobs={n_jobs}", shown(times), flush=True)
            what = f"grid search, {state}, n_jobs={n_jobs}, against skorch"
            rows.append(at_least(what, times["skorch"] / times["rnnkit"], goal))
    return rows


def search_in_new_process(library, n_jobs):
    """Search the grid in a fresh interpreter, imports included."""
    code = f"from speed.fits import search; search({library!r}, {n_jobs})"
    run_in_new_process(code, path=[Path(__file__).parents[1]])


def quietly(call, *arguments):
    """Call without warnings: a single epoch does not converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*arguments)


def shown(times):
    """Return milliseconds by name as text."""
    return "  ".join(f"{name} {time:.1f}" for name, time in times.items()) + " ms"

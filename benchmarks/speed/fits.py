"""Rows of whole fits and grid searches against PyTorch's plain loop and skorch.

One epoch: 2000 sequences of 150 steps of one feature, 64 units, batches of 32, 5 classes, Adam,
gradients clipped to norm 1, float32; building the model is part of the time. A rival is taken at
its own best number of threads up to ours. Grid search: speed/searches.py.
"""

from __future__ import annotations

import numpy as np
from bench_recurrent import training_flops
from harness import interleaved, use_threads
from speed.rows import at_least, missing
from speed.searches import (
    HIDDEN_SIZE,
    N_STEPS,
    our_classifier,
    problem,
    quietly,
    search,
    seconds_when_cold,
)

EPOCH_GOALS = {"lstm": 2.5, "gru": 8}
LIBRARIES = ("rnnkit", "skorch")


def epoch(run):
    """Rows of one epoch through `fit`."""
    X, y = problem(2000)
    try:
        from rivals.torch_fit import plain_loop, skorch_classifier
    except ImportError:
        return [missing("epoch through fit", "torch and skorch are not installed", ">= 2.5×")]
    rows, lengths = [], np.full(len(X), N_STEPS)
    for cell, goal in EPOCH_GOALS.items():
        flops = training_flops(cell, lengths, 1, HIDDEN_SIZE)
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
            limited = run.peaks.limited(goal, torch, times["rnnkit"], flops, n_threads)
            rows.append(at_least(what, torch / times["rnnkit"], limited))
    return rows


def grid_search(run):
    """Rows of the grid search, warm and cold."""
    try:
        import skorch  # noqa: F401
    except ImportError:
        return [missing("grid search", "skorch is not installed", ">= 4× / >= 8×")]
    rows = []
    use_threads(2)
    rounds = 1 if run.quick else 5
    for n_jobs in (1, 2):
        runs = {name: lambda name=name, n=n_jobs: search(name, n) for name in LIBRARIES}
        warm = interleaved(runs, rounds, run.seconds)
        cold = dict.fromkeys(LIBRARIES, float("inf"))
        for _ in range(rounds):
            for name in LIBRARIES:
                cold[name] = min(cold[name], 1e3 * seconds_when_cold(name, n_jobs))
        for state, goal, times in (("warm", 4, warm), ("cold", 8, cold)):
            run.results.write(kind="grid", state=state, n_jobs=n_jobs, milliseconds=times)
            print(f"grid search {state} n_jobs={n_jobs}", shown(times), flush=True)
            what = f"grid search, {state}, n_jobs={n_jobs}, against skorch"
            rows.append(at_least(what, times["skorch"] / times["rnnkit"], goal))
    return rows


def shown(times):
    """Return milliseconds by name as text."""
    return "  ".join(f"{name} {time:.1f}" for name, time in times.items()) + " ms"

"""Rows of forecasters against PyTorch training the same networks.

`fit` of one network of 32 units over 20 epochs, on a monthly series of 144 or 600 steps, 24 steps
ahead, float32, one thread. PyTorch gets the windows ready made, all of one length, and trains the
network that the strategy "direct" trains: the next 24 steps said at each step of a window, Adam,
gradients clipped to norm 1, as many windows in a minibatch, what is left out looked at after every
epoch. Ours is the whole call: treatment of the series, windows, training, errors for intervals.
"""

from __future__ import annotations

import warnings

import numpy as np
from harness import interleaved, use_threads
from speed.rows import at_least, missing

import rnnkit

HIDDEN_SIZE, AHEAD, EPOCHS = 32, 24, 20
LENGTHS = (144, 600)
GOAL = 2.0


def series(n):
    """Return a monthly series with a trend and a season."""
    t = np.arange(n)
    noise = np.random.default_rng(0).normal(size=n).cumsum()
    return (100 + 0.3 * t + 10 * np.sin(2 * np.pi * t / 12) + noise).astype(np.float32)


def forecaster(cell):
    """Return the forecaster that PyTorch imitates."""
    kind = {"lstm": rnnkit.LSTMForecaster, "gru": rnnkit.GRUForecaster}[cell]
    settings = dict(strategy="direct", n_estimators=1, max_iter=EPOCHS, n_iter_no_change=EPOCHS)
    return kind(HIDDEN_SIZE, tol=0.0, random_state=0, **settings)


def fit(cell, y):
    """Fit without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return forecaster(cell).fit(y, fh=np.arange(1, AHEAD + 1))


def windows_of(y, window):
    """Return windows (N, W, 1) of changes, and the next steps' distances (N, W, S), part held."""
    changes = np.diff(y) / np.diff(y).std()
    level = np.concatenate([[0.0], changes.cumsum()])
    ends = np.arange(len(changes), window - 1, -max(1, window // 4))
    inputs = np.stack([changes[end - window : end, None] for end in ends])
    steps = np.stack([np.arange(end - window, end) for end in ends]) + 1
    ahead = steps[:, :, None] + 1 + np.arange(AHEAD)
    there = ahead < len(level)
    distances = level[np.minimum(ahead, len(level) - 1)] - level[steps][:, :, None]
    late = ahead >= 0.8 * len(level)
    told = (np.arange(window) >= window // 2)[None, :, None] & there
    targets, held = (np.where(told & part, distances, np.nan) for part in (~late, late))
    return tuple(array.astype(np.float32) for array in (inputs, targets, held))


def training(run):
    """Rows of a fit, by cell and length."""
    try:
        from rivals.torch_forecast import Net, train
    except ImportError:
        return [missing("fitting a forecaster", "torch is not installed", f">= {GOAL}×")]
    use_threads(1)
    rows = []
    for cell in ("gru", "lstm"):
        for n in LENGTHS:
            y = series(n)
            fitted = fit(cell, y)
            windows, targets, held = windows_of(y, fitted.window_)
            batch_size = fitted.estimators_[0]._auto_batch_size(len(windows))
            times = interleaved(
                {
                    "rnnkit": lambda cell=cell, y=y: fit(cell, y),
                    "torch": lambda cell=cell, w=windows, t=targets, h=held, b=batch_size: train(
                        Net(cell, 1, HIDDEN_SIZE, AHEAD), w, t, h, b, EPOCHS
                    ),
                },
                run.repeats,
                run.seconds,
            )
            shown = "  ".join(f"{name} {time:.0f}" for name, time in times.items())
            print(f"fitting a forecaster, {cell}, {n} steps  {shown} ms", flush=True)
            run.results.write(kind="forecaster", cell=cell, steps=n, milliseconds=times)
            what = f"{cell} forecaster, {n} steps, {EPOCHS} epochs, 1 thread, against torch"
            rows.append(at_least(what, times["torch"] / times["rnnkit"], GOAL))
    return rows

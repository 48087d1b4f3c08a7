"""Small problems that every estimator learns in a moment."""

import numpy as np

import rnnkit

CELLS = ("RNN", "LSTM", "GRU")


def estimator(cell, task, **parameters):
    """An estimator with settings that learn these problems in a moment."""
    settings = dict(hidden_size=8, learning_rate_init=0.05, max_iter=40, random_state=0)
    return getattr(rnnkit, f"{cell}{task}")(**{**settings, "learning_rate": "linear", **parameters})


def ragged(n=40, n_features=2, seed=0, shortest=3, longest=8):
    """n sequences of random numbers and of random lengths."""
    rng = np.random.RandomState(seed)
    return [rng.randn(t, n_features) for t in rng.randint(shortest, longest + 1, size=n)]


def labels_of(X):
    """One label per sequence: the sign of its last step's first feature."""
    return np.array(["up" if x[-1, 0] > 0 else "down" for x in X])


def tags_of(X):
    """One label per step: the sign of its first feature."""
    return [["up" if value > 0 else "down" for value in x[:, 0]] for x in X]


def numbers_of(X):
    """One number per step: the sum of the features of this step and half of the one before."""
    return [x.sum(axis=1) + 0.5 * np.append(0, x.sum(axis=1)[:-1]) for x in X]


def padded(X, fill=np.nan):
    """The dense form of ragged sequences: (X, lengths)."""
    lengths = np.array([len(x) for x in X])
    dense = np.full((len(X), lengths.max(), X[0].shape[1]), fill)
    for row, x in zip(dense, X):
        row[: len(x)] = x
    return dense, lengths

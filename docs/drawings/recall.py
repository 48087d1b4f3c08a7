"""The task of the pictures of looking inside: the value beside a mark, told at the end."""

import numpy as np

from rnnkit import LSTMClassifier


def make_recall(n=400, n_steps=25, seed=0):
    """Two columns, a value and a mark at one step; is the value there positive?"""
    rng = np.random.RandomState(seed)
    X = np.zeros((n, n_steps, 2))
    X[..., 0] = rng.uniform(-1, 1, (n, n_steps))
    marked = rng.randint(3, n_steps - 5, n)
    X[np.arange(n), marked, 1] = 1
    y = np.where(X[np.arange(n), marked, 0] > 0, "positive", "negative")
    return X, y


def fitted(cell=LSTMClassifier, **options):
    """The task and a classifier that has learnt it."""
    X, y = make_recall()
    settings = {"learning_rate_init": 0.02, "max_iter": 80, "learning_rate": "linear", "random_state": 0, **options}
    return cell(16, **settings).fit(X, y), X, y

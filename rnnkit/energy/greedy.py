"""Layers trained one on top of the other, each as scikit-learn's restricted Boltzmann machine.

Letters: n rows, F units below, H units above.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit
from sklearn.neural_network import BernoulliRBM

__all__ = ["pretrain_directed", "pretrain_undirected"]


def pretrain_directed(
    rows: np.ndarray,
    sizes: Sequence[int],
    *,
    learning_rate: float,
    batch_size: int,
    n_iter: int,
    random: np.random.RandomState,
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Train a stack of machines, each on the means of the one below.

    Parameters
    ----------
    rows : ndarray of shape (n, F)
    sizes : sequence of int
        Units of each layer, from below.
    learning_rate, batch_size, n_iter
        Of each `BernoulliRBM`.
    random : RandomState

    Returns
    -------
    weights : list of ndarray of shape (F, H)
    biases : list of ndarray of shape (H,)
        Of the units above, for the way upwards.
    visible_biases : list of ndarray of shape (F,)
        Of the units below, for the way down.
    """
    weights, biases, visible_biases = [], [], []
    for size in sizes:
        machine = BernoulliRBM(
            size,
            learning_rate=learning_rate,
            batch_size=min(batch_size, len(rows)),
            n_iter=n_iter,
            random_state=random,
        ).fit(rows)
        rows = machine.transform(rows)
        weights.append(np.ascontiguousarray(machine.components_.T))
        biases.append(machine.intercept_hidden_)
        visible_biases.append(machine.intercept_visible_)
    return weights, biases, visible_biases


def pretrain_undirected(
    rows: np.ndarray,
    sizes: Sequence[int],
    *,
    learning_rate: float,
    batch_size: int,
    n_iter: int,
    random: np.random.RandomState,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Train the layers of a deep Boltzmann machine, one at a time.

    A layer inside is told by both of its neighbours, but the machine below it, and the one above
    it, has one of them alone. So the machine has two copies of that neighbour with the same
    weights: of the units below unless it is the last, of those above unless it is the first
    (R. Salakhutdinov and G. Hinton, "Deep Boltzmann machines", AISTATS 2009, section 3.1). The
    bias of a layer inside is the mean of those that its two machines give it.

    Parameters
    ----------
    rows : ndarray of shape (n, F)
    sizes : sequence of int
        Units of each layer, from below.
    learning_rate, batch_size, n_iter
        Of each `BernoulliRBM`.
    random : RandomState

    Returns
    -------
    weights : list of L ndarray of shape (F, H)
    biases : list of L + 1 ndarray
        The first those of the visible units.
    """
    dtype = rows.dtype
    weights: list[np.ndarray] = []
    biases: list[np.ndarray] = []
    for level, size in enumerate(sizes):
        n_below = 1 if level + 1 == len(sizes) else 2
        n_above = 1 if level == 0 else 2
        weight, below, above = _tied(
            rows, size, n_below, n_above, learning_rate, batch_size, n_iter, random
        )
        biases = [*biases[:-1], (biases[-1] + below) / 2 if biases else below, above]
        weights.append(weight)
        rows = expit(n_below * (rows @ weight) + above)
    return [w.astype(dtype) for w in weights], [b.astype(dtype) for b in biases]


def _tied(
    rows: np.ndarray,
    size: int,
    n_below: int,
    n_above: int,
    learning_rate: float,
    batch_size: int,
    n_iter: int,
    random: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train a machine with copies of its units that share their weights and biases.

    After each minibatch the copies are given their mean, so that the step was that of the shared
    weights. Returns weights (F, H) and the biases below and above.
    """
    n, n_units = rows.shape
    batch_size = min(batch_size, n)
    weight = random.normal(0, 0.01, (size, n_units))
    machine = BernoulliRBM(
        n_above * size, learning_rate=learning_rate, batch_size=batch_size, random_state=random
    )
    machine.components_ = np.tile(weight, (n_above, n_below))
    below, above = np.zeros(n_units), np.zeros(size)
    for _ in range(n_iter):
        order = random.permutation(n)
        # Full minibatches alone: the machine has as many samples of its own to hold against.
        for first in range(0, n - batch_size + 1, batch_size):
            batch = np.tile(rows[order[first : first + batch_size]], (1, n_below))
            machine.partial_fit(batch)
            copies = machine.components_.reshape(n_above, size, n_below, n_units)
            weight = copies.mean(axis=(0, 2))
            below = machine.intercept_visible_.reshape(n_below, n_units).mean(axis=0)
            above = machine.intercept_hidden_.reshape(n_above, size).mean(axis=0)
            machine.components_ = np.tile(weight, (n_above, n_below))
            machine.intercept_visible_ = np.tile(below, n_below)
            machine.intercept_hidden_ = np.tile(above, n_above)
    return np.ascontiguousarray(weight.T), below, above

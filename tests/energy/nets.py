"""States of small networks, all of them, for sums and minima that are counted out."""

import itertools

import numpy as np


def all_states(n, levels=(0.0, 1.0)):
    """Every state of n units, (2 ** n, n)."""
    return np.array(list(itertools.product(levels, repeat=n)))


def random_patterns(n, n_units, seed=0):
    """Patterns of -1 and +1, each as likely, (n, n_units)."""
    return np.random.RandomState(seed).choice([-1.0, 1.0], (n, n_units))


def damaged(patterns, share, seed=1):
    """Patterns with a share of their units turned round, as many in each."""
    random = np.random.RandomState(seed)
    damaged = patterns.copy()
    for row in damaged:
        turned = random.choice(len(row), round(share * len(row)), replace=False)
        row[turned] *= -1
    return damaged

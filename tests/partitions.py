"""Small data of every kind, whole and in the partitions of dask."""

from itertools import pairwise

import numpy as np

from rnnkit import Sequences


def ragged(n=40, seed=0, n_features=2):
    rng = np.random.RandomState(seed)
    return [rng.standard_normal((length, n_features)) for length in rng.randint(1, 7, n)]


def labels(X):
    return np.array(["up" if x.sum() > 0 else "down" for x in X])


def tags(X):
    return [np.where(x[:, 0] > 0, "B-X", "O") for x in X]


def cut(data, n_parts):
    """Return parts of unequal sizes."""
    n = len(data)
    bounds = [0, *[n * k // n_parts + k for k in range(1, n_parts)], n]
    return [data[a:b] for a, b in pairwise(bounds)]


def parted(data, n_parts):
    """Return data as a list of delayed parts."""
    from dask import delayed

    if isinstance(data, (list, np.ndarray)):
        return [delayed(part, traverse=False) for part in cut(data, n_parts)]
    raise TypeError(type(data))


def sequences_in_parts(X, n_parts):
    from dask import delayed

    return [delayed(Sequences.from_list(part)) for part in cut(X, n_parts)]


def threads_used(estimator, X, y):
    """A scorer in a module that the workers can import: a test's own module they cannot."""
    return estimator.n_threads_

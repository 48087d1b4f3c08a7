"""Two numbers marked in a long sequence are to be added or multiplied at its end."""

from __future__ import annotations

import numpy as np

from rnnkit.datasets.drawing import check_count, draw_lengths, random_state_of
from rnnkit.sequences import Sequences

__all__ = ["make_adding", "make_adding_1997", "make_multiplication"]

FIRST_MARKER_RANGE = 10  # the first marker stands at one of the first ten steps
SHORTEST_1997 = 2 * FIRST_MARKER_RANGE + 2  # so that these lie in the first T/2 - 1 steps


def make_adding_1997(
    n_samples: int = 100,
    n_steps: int = 100,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[Sequences, np.ndarray]:
    """Generate the adding problem as it was first posed.

    Every step has a value, uniform in [-1, 1], and a marker: 1 at one of the first ten steps
    (value X1) and at another of the first T/2 - 1 (value X2), -1 at the first and the last
    step, 0 elsewhere. Where the first step itself is chosen its marker stays -1 and its value
    counts as 0. The target is ``0.5 + (X1 + X2) / 4``. A prediction is right if it is off by
    less than 0.04.

    Task: Hochreiter & Schmidhuber (1997), experiment 4.

    Parameters
    ----------
    n_samples : int, default=100
        Number of sequences N.
    n_steps : int, default=100
        The shortest length T, at least 22; lengths are uniform in [T, T + T/10].
    random_state : int, RandomState or None, default=None
        Seeds the generator.

    Returns
    -------
    X : Sequences
        N sequences of 2 features: value, marker.
    y : ndarray of shape (N,), float64

    Raises
    ------
    TypeError, ValueError
        If an argument is no integer or too small.

    Examples
    --------
    >>> from rnnkit.datasets import make_adding_1997
    >>> X, y = make_adding_1997(n_samples=5, n_steps=100, random_state=0)
    >>> X.lengths
    array([105, 100, 103, 103, 107])
    >>> float(X[0][:, 1].sum()), y.shape
    (0.0, (5,))
    """
    X, first, second = _marked_pairs(n_samples, n_steps, -1.0, 0.0, random_state)
    return X, 0.5 + (first + second) / 4


def make_multiplication(
    n_samples: int = 100,
    n_steps: int = 100,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[Sequences, np.ndarray]:
    """Generate the multiplication problem.

    As `make_adding_1997` with values uniform in [0, 1] and the target ``X1 * X2``; where the
    first step itself is chosen its value counts as 1.

    Task: Hochreiter & Schmidhuber (1997), experiment 5.

    Parameters
    ----------
    n_samples, n_steps, random_state
        As in `make_adding_1997`.

    Returns
    -------
    X, y
        As from `make_adding_1997`.

    Raises
    ------
    TypeError, ValueError
        As by `make_adding_1997`.

    Examples
    --------
    >>> from rnnkit.datasets import make_multiplication
    >>> X, y = make_multiplication(n_samples=5, n_steps=100, random_state=0)
    >>> X.n_features, bool((0 <= y).all() and (y <= 1).all())
    (2, True)
    """
    X, first, second = _marked_pairs(n_samples, n_steps, 0.0, 1.0, random_state)
    return X, first * second


def _marked_pairs(
    n_samples: int,
    n_steps: int,
    lowest: float,
    neutral: float,
    random_state: int | np.random.RandomState | None,
) -> tuple[Sequences, np.ndarray, np.ndarray]:
    """Return the sequences and the two marked values; `neutral` replaces one at the first step."""
    n = check_count(n_samples, "n_samples")
    check_count(n_steps, "n_steps", SHORTEST_1997)
    rng = random_state_of(random_state)
    _, offsets = draw_lengths(rng, n, n_steps, n_steps + n_steps // 10)
    values = rng.uniform(lowest, 1.0, size=offsets[-1])
    first = rng.randint(FIRST_MARKER_RANGE, size=n)
    second = rng.randint(n_steps // 2 - 2, size=n)  # one less to choose from: first is taken
    second += second >= first
    starts = offsets[:-1]
    markers = np.zeros(len(values))
    markers[starts + first] = markers[starts + second] = 1.0
    markers[starts] = markers[offsets[1:] - 1] = -1.0
    first_value = np.where(first == 0, neutral, values[starts + first])
    second_value = np.where(second == 0, neutral, values[starts + second])
    return Sequences(np.column_stack([values, markers]), offsets), first_value, second_value


def make_adding(
    n_samples: int = 100,
    n_steps: int = 200,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Generate the adding problem in its later form, with fixed length and a plain sum.

    Every step has a value, uniform in [0, 1], and a marker: 1 at one step of the first half
    and one of the second, 0 elsewhere. The target is the sum of the two marked values; always
    answering 1 has the mean squared error 1/6.

    Task: Arjovsky, Shah & Bengio (2016); also Le, Jaitly & Hinton (2015).

    Parameters
    ----------
    n_samples : int, default=100
        Number of sequences N.
    n_steps : int, default=200
        Length T, at least 2.
    random_state : int, RandomState or None, default=None
        Seeds the generator.

    Returns
    -------
    X : ndarray of shape (N, T, 2), float64
        Value and marker.
    y : ndarray of shape (N,), float64

    Raises
    ------
    TypeError, ValueError
        If an argument is no integer or too small.

    Examples
    --------
    >>> from rnnkit.datasets import make_adding
    >>> X, y = make_adding(n_samples=5, n_steps=200, random_state=0)
    >>> bool(((X[:, :, 0] * X[:, :, 1]).sum(axis=1) == y).all())
    True
    """
    n = check_count(n_samples, "n_samples")
    check_count(n_steps, "n_steps", 2)
    rng = random_state_of(random_state)
    X = np.zeros((n, n_steps, 2))
    X[:, :, 0] = rng.uniform(size=(n, n_steps))
    rows = np.arange(n)
    first = rng.randint(n_steps // 2, size=n)
    second = rng.randint(n_steps // 2, n_steps, size=n)
    X[rows, first, 1] = X[rows, second, 1] = 1.0
    return X, X[rows, first, 0] + X[rows, second, 0]

"""What generators and readers share: the random state, argument checks and one-hot steps."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from rnnkit.sequences import Sequences

__all__ = ["check_count", "check_flag", "draw_lengths", "one_hot", "random_state_of"]


def random_state_of(random_state: int | np.random.RandomState | None) -> np.random.RandomState:
    """Return a `RandomState`: the one given, or one seeded with an integer or by chance."""
    if isinstance(random_state, np.random.RandomState):
        return random_state
    return np.random.RandomState(random_state)


def check_count(value: Any, name: str, minimum: int = 1) -> int:
    """Return an integer argument; raise if it is none or below the minimum.

    Parameters
    ----------
    value : int
    name : str
        The argument's name, for error texts.
    minimum : int, default=1

    Returns
    -------
    int

    Raises
    ------
    TypeError
        If it is no integer.
    ValueError
        If it is below `minimum`.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value!r}")
    return int(value)


def check_flag(value: Any, name: str) -> bool:
    """Return a true or false argument; TypeError if it is neither."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def draw_lengths(
    rng: np.random.RandomState, n: int, shortest: int, longest: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw uniform lengths, both bounds included, and sum them up to offsets.

    Parameters
    ----------
    rng : RandomState
    n : int
        Number of sequences.
    shortest, longest : int
        Bounds of the lengths.

    Returns
    -------
    lengths : ndarray of shape (n,), intp
    offsets : ndarray of shape (n + 1,), intp
    """
    lengths = rng.randint(shortest, longest + 1, size=n)
    return lengths, np.concatenate([[0], np.cumsum(lengths)])


def one_hot(symbols: np.ndarray, n_symbols: int, offsets: np.ndarray) -> Sequences:
    """Return sequences whose steps are the unit vectors of symbols.

    Parameters
    ----------
    symbols : ndarray of shape (ΣT,), integer
        From 0 to n_symbols - 1.
    n_symbols : int
    offsets : ndarray of shape (n + 1,), intp

    Returns
    -------
    Sequences
        With n_symbols features, float64.
    """
    return Sequences(np.eye(n_symbols)[symbols], offsets)

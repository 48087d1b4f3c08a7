"""Strings of the embedded Reber grammar, and which symbols it allows next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit.datasets.drawing import check_count, check_flag, one_hot, random_state_of
from rnnkit.sequences import Sequences

__all__ = ["ReberStrings", "make_embedded_reber", "make_reber_stream"]

SYMBOLS = "BEPSTVX"  # sorted, as the classes of a classifier are

# The inner grammar: state -> {symbol: next state}; each way on has the same probability.
GRAMMAR: tuple[dict[str, int], ...] = (
    {"B": 1},
    {"T": 2, "P": 3},
    {"S": 2, "X": 4},
    {"T": 3, "V": 5},
    {"X": 3, "S": 6},
    {"P": 4, "V": 6},
    {"E": 7},
)
FINAL_STATE = 7


@dataclass(frozen=True, eq=False)
class ReberStrings:
    """Strings of the embedded Reber grammar, ready for next-symbol prediction.

    Parameters
    ----------
    strings : list of n str
        The strings, last symbol included.
    X : Sequences
        n sequences of 7 features, the unit vectors of B, E, P, S, T, V, X: each string
        without its last symbol.
    y : ndarray of shape (n,), object
        The symbols that followed: arrays of shape (T_i,), str.
    allowed : Sequences
        n sequences of 7 features, bool: the symbols that the grammar allows next.
    """

    strings: list[str]
    X: Sequences
    y: np.ndarray
    allowed: Sequences

    def is_correct_step(self, predictions: Any) -> np.ndarray:
        """Return for each step of all strings whether its prediction is right.

        A step is right if every symbol that the grammar allows next is rated higher than
        every one it does not allow.

        Parameters
        ----------
        predictions : list, object array or Sequences of n arrays (T_i, 7), or array (n, T, 7)
            The rating of each symbol, in the order B, E, P, S, T, V, X: probabilities or
            scores. A 3-D array may be longer than the strings.

        Returns
        -------
        ndarray of shape (ΣT,), bool

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        lengths = self.X.lengths if getattr(predictions, "ndim", 1) == 3 else None
        ratings = Sequences.from_any(predictions, lengths, name="predictions")
        if ratings.n_features != len(SYMBOLS) or not np.array_equal(
            ratings.offsets, self.X.offsets
        ):
            raise ValueError(
                f"predictions must hold {len(SYMBOLS)} ratings for each of the "
                f"{len(self.X.values)} steps of {len(self.strings)} strings, got {ratings!r}"
            )
        allowed = self.allowed.values
        lowest_allowed = np.where(allowed, ratings.values, np.inf).min(axis=1)
        highest_other = np.where(allowed, -np.inf, ratings.values).max(axis=1)
        right: np.ndarray = lowest_allowed > highest_other
        return right

    def is_correct(self, predictions: Any) -> np.ndarray:
        """Return for each string whether the predictions at all its steps are right.

        Parameters
        ----------
        predictions : list, object array or Sequences of n arrays (T_i, 7), or array (n, T, 7)
            As for `is_correct_step`.

        Returns
        -------
        ndarray of shape (n,), bool

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        return np.logical_and.reduceat(self.is_correct_step(predictions), self.X.offsets[:-1])


def make_embedded_reber(
    n_samples: int = 256,
    distinct: bool = False,
    random_state: int | np.random.RandomState | None = None,
) -> ReberStrings:
    """Draw strings of the embedded Reber grammar.

    A string is B, then T or P, then a string of the Reber grammar, then the same T or P, then
    E; every branch has probability 1/2. The shortest have 9 symbols, the mean is 12. The last
    but one symbol can be predicted only by remembering the second.

    Task: Hochreiter & Schmidhuber (1997), experiment 1; the grammar is Reber's (1967). There,
    256 strings train and 256 test, and a run succeeds if all 512 are right at every step.

    Parameters
    ----------
    n_samples : int, default=256
        Number of strings.
    distinct : bool, default=False
        Whether no string may come twice.
    random_state : int, RandomState or None, default=None
        Seeds the generator.

    Returns
    -------
    ReberStrings

    Raises
    ------
    TypeError, ValueError
        If `n_samples` is no integer or less than 1, or `distinct` neither true nor false.

    Examples
    --------
    >>> from rnnkit.datasets import make_embedded_reber
    >>> data = make_embedded_reber(n_samples=3, random_state=0)
    >>> data.strings
    ['BTBPVPSETE', 'BPBPVVEPE', 'BPBPTTVPXTTTVPSEPE']
    >>> data.y[0]
    array(['T', 'B', 'P', 'V', 'P', 'S', 'E', 'T', 'E'], dtype='<U1')
    >>> data.is_correct(data.allowed)
    array([ True,  True,  True])
    """
    n, once = check_count(n_samples, "n_samples"), check_flag(distinct, "distinct")
    rng = random_state_of(random_state)
    strings: dict[int | str, str] = {}  # by number, or by themselves where none may come twice
    while len(strings) < n:
        string = _embedded_string(rng)
        strings[string if once else len(strings)] = string
    return _predict_next(list(strings.values()))


def make_reber_stream(
    n_symbols: int = 1000, random_state: int | np.random.RandomState | None = None
) -> ReberStrings:
    """Draw strings of the embedded Reber grammar one after the other, as one sequence.

    Nothing marks where a string ends but the grammar, so a network has to learn when to
    forget.

    Task: Gers, Schmidhuber & Cummins (2000), the continual embedded Reber grammar.

    Parameters
    ----------
    n_symbols : int, default=1000
        Symbols of the stream, at least 2; the last string may be cut.
    random_state : int, RandomState or None, default=None
        Seeds the generator.

    Returns
    -------
    ReberStrings
        One sequence of ``n_symbols - 1`` steps.

    Raises
    ------
    TypeError, ValueError
        If `n_symbols` is no integer or less than 2.

    Examples
    --------
    >>> from rnnkit.datasets import make_reber_stream
    >>> make_reber_stream(n_symbols=20, random_state=0).strings
    ['BTBPVPSETEBPBPVVEPEB']
    """
    check_count(n_symbols, "n_symbols", 2)
    rng = random_state_of(random_state)
    stream = ""
    while len(stream) < n_symbols:
        stream += _embedded_string(rng)
    return _predict_next([stream[:n_symbols]])


def _embedded_string(rng: np.random.RandomState) -> str:
    outer = "TP"[rng.randint(2)]
    inner, state = "", 0
    while state != FINAL_STATE:
        ways = list(GRAMMAR[state])
        symbol = ways[rng.randint(len(ways))] if len(ways) > 1 else ways[0]
        inner, state = inner + symbol, GRAMMAR[state][symbol]
    return f"B{outer}{inner}{outer}E"


def _allowed_next(stream: str) -> list[str]:
    """Return the symbols allowed after each symbol of strings that follow one another."""
    allowed: list[str] = []
    position = 0
    while position < len(stream):
        outer = stream[position + 1 : position + 2]
        allowed += ["TP", "B"]
        position += 2
        state = 0
        while state != FINAL_STATE and position < len(stream):
            state = GRAMMAR[state][stream[position]]
            allowed.append(outer if state == FINAL_STATE else "".join(GRAMMAR[state]))
            position += 1
        allowed += ["E", "B"]
        position += 2
    return allowed[: len(stream)]


def _predict_next(strings: list[str]) -> ReberStrings:
    offsets = np.concatenate([[0], np.cumsum([len(string) - 1 for string in strings])])
    shown = "".join(string[:-1] for string in strings)
    sets = [symbols for string in strings for symbols in _allowed_next(string)[:-1]]
    masks = {symbols: [symbol in symbols for symbol in SYMBOLS] for symbols in set(sets)}
    allowed = np.array([masks[symbols] for symbols in sets])
    y = np.empty(len(strings), dtype=object)
    y[:] = [np.array(list(string[1:])) for string in strings]
    X = one_hot(np.array([SYMBOLS.index(symbol) for symbol in shown]), len(SYMBOLS), offsets)
    return ReberStrings(strings, X, y, Sequences(allowed, offsets))

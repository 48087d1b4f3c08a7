"""Columns that do not change within a sequence: which they are, and where a network finds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnkit.sequences import Sequences

__all__ = ["find_static_columns", "places_of_columns", "refuse_changes"]


def find_static_columns(
    estimator: Any,
    sequences: Sequences,
    names: tuple[Any, ...],
    spelling: tuple[int, ...],
) -> tuple[int, ...]:
    """Return the positions of the columns that make the initial state.

    Parameters
    ----------
    estimator : estimator
        Whose `static` and `static_features` say so.
    sequences : Sequences
        The training data, as numbers.
    names : tuple
        Names of the columns of X, those of a step or of several; empty if there are none.
    spelling : tuple of int
        The columns that spell tokens, which cannot be static.

    Returns
    -------
    tuple of int
        Empty where every column is fed at every step.

    Raises
    ------
    ValueError
        If a named column does not exist or changes within a sequence, or none or all are static.
    """
    if estimator.static != "state":
        return ()
    n = sequences.n_features
    given = estimator.static_features
    if given is None:
        steady = ~_changes(sequences).any(axis=0)
        chosen = [j for j in np.flatnonzero(steady).tolist() if j not in spelling]
        if not chosen:
            raise ValueError(
                "static='state' found no column of X that is constant within every sequence; use "
                "static='steps'"
            )
    else:
        chosen = [place for column in given for place in _places(column, given, names, n)]
        if not chosen or len(set(chosen)) != len(chosen):
            raise ValueError(f"static_features={given!r} must name at least one column, none twice")
        spelt = sorted(set(chosen) & set(spelling))
        if spelt:
            raise ValueError(f"static_features={given!r} names column {spelt[0]}, which spells")
    if len(chosen) == n:
        raise ValueError(
            f"static='state' needs a column of X that changes within a sequence; all {n} are "
            "constant, or named in static_features"
        )
    static = tuple(sorted(chosen))
    refuse_changes(sequences, static, names if len(names) == n else (), "X")
    return static


def refuse_changes(
    sequences: Sequences, static: tuple[int, ...], names: tuple[Any, ...], name: str
) -> None:
    """Raise if a static column changes within a sequence.

    Raises
    ------
    ValueError
        Naming the first such column and sequence.
    """
    changes = _changes(sequences)[:, static]
    if changes.any():
        column = static[int(np.argmax(changes.any(axis=0)))]
        row = int(np.argmax(changes.any(axis=1)))
        sequence = int(np.searchsorted(sequences.offsets, row, side="right")) - 1
        called = repr(names[column]) if names else column
        raise ValueError(
            f"{name} must be constant within every sequence in the static column {called}; it "
            f"changes in sequence {sequence}"
        )


def places_of_columns(
    static: tuple[int, ...],
    numbers: Sequence[int],
    token_columns: tuple[int, ...],
    widths: Sequence[int],
) -> list[int]:
    """Return where columns of a step lie among the features that recurrent layers take.

    Parameters
    ----------
    static : tuple of int
        Positions among the columns of a step.
    numbers : sequence of int
        The columns of numbers, whose features come last.
    token_columns : tuple of int
        Those that are looked up, and of a spelling the first.
    widths : sequence of int
        How many features each of them gives.
    """
    places: list[int] = []
    start = 0
    for column, width in zip(token_columns, widths):
        if column in static:
            places += range(start, start + width)
        start += width
    return places + [start + i for i, column in enumerate(numbers) if column in static]


def _changes(sequences: Sequences) -> np.ndarray:
    """Return which entries (ΣT, F) differ from those of their sequence's first step."""
    lengths = sequences.lengths
    filled = lengths > 0
    first = sequences.values[sequences.offsets[:-1][filled]]
    differs: np.ndarray = sequences.values != np.repeat(first, lengths[filled], axis=0)
    return differs


def _places(column: Any, given: Any, names: tuple[Any, ...], n: int) -> list[int]:
    """Return the positions in a step of a column given by position or name."""
    if isinstance(column, (str, np.str_)):
        places = sorted({i % n for i, name in enumerate(names) if name == column})
        if not places:
            there = f"its columns are {list(names)[:10]}" if names else "they have no names"
            raise ValueError(
                f"static_features={given!r} names the column {column!r}, which X does not have; "
                f"{there}"
            )
        return places
    if isinstance(column, (bool, np.bool_)) or not isinstance(column, (int, np.integer)):
        raise ValueError(f"static_features={given!r} must hold positions or names, got {column!r}")
    if not -n <= column < n:
        raise ValueError(
            f"static_features={given!r} names the column {column}, but a step of X has {n}"
        )
    return [int(column) % n]

"""Labels that may not follow one another: the rules of a random field, and what breaks them.

A pair (i, j) of class indices says that j never stands right after i; None in the first place
is the beginning of a sequence, in the second its end.

Letters: B sequences, P packed rows, K labels, ΣT steps of all sequences.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rnnkit.network.outputs import UNKNOWN

__all__ = ["ForbiddenLabelsError", "Pairs", "check_labellings", "check_lengths", "rules_of"]

Pairs = tuple[tuple[int | None, int | None], ...]


class ForbiddenLabelsError(ValueError):
    """Labels that break a rule.

    Parameters
    ----------
    sequence, step : int
        Where; `step` is that of `after`, or the number of steps if `after` is None.
    before, after : int or None
        The class indices that may not follow one another.
    """

    def __init__(self, sequence: int, step: int, before: int | None, after: int | None) -> None:
        super().__init__(
            f"sequence {sequence} has the forbidden transition {(before, after)} at step {step}"
        )
        self.sequence, self.step, self.before, self.after = sequence, step, before, after


@lru_cache(maxsize=64)
def rules_of(forbidden: Pairs, n_labels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what forbidden pairs add to the scores of a field: -inf where there is one, else 0.

    Parameters
    ----------
    forbidden : tuple of pairs
    n_labels : int
        K.

    Returns
    -------
    transitions : (K, K) float64 array
    start, end : (K,) float64 arrays
    """
    everything = np.zeros((n_labels + 1, n_labels + 1))
    beyond = n_labels
    for before, after in forbidden:
        everything[
            beyond if before is None else before, beyond if after is None else after
        ] = -np.inf
    everything.flags.writeable = False
    return everything[:beyond, :beyond], everything[beyond, :beyond], everything[:beyond, beyond]


def check_labellings(
    labels: np.ndarray, lengths: np.ndarray, forbidden: Pairs, n_labels: int
) -> None:
    """Raise ForbiddenLabelsError, of the first sequence and step, if labels break a rule.

    And ValueError if no allowed labels fill the unknown steps of a sequence.

    Parameters
    ----------
    labels : (ΣT,) int array
        Sequence after sequence; `UNKNOWN` where there is none, which some allowed label must fill.
    lengths : (B,) int array
        Steps of each sequence.
    forbidden : tuple of pairs
    n_labels : int
        K.
    """
    transitions, start, end = rules_of(forbidden, n_labels)
    stops = np.cumsum(lengths)
    stops, starts = stops[lengths > 0], (stops - lengths)[lengths > 0]
    first, last = np.zeros((2, len(labels)), bool)
    first[starts], last[stops - 1] = True, True
    known = labels != UNKNOWN
    wrong_first = first & known & (start[labels] < 0)
    wrong_last = last & known & (end[labels] < 0)
    wrong_pair = np.zeros(len(labels), bool)
    wrong_pair[1:] = ~first[1:] & known[1:] & known[:-1]
    wrong_pair[1:] &= transitions[labels[:-1], labels[1:]] < 0
    wrong = np.flatnonzero(wrong_first | wrong_last | wrong_pair)
    if not len(wrong):
        for sequence, piece in enumerate(np.split(labels, np.cumsum(lengths)[:-1])):
            if (piece == UNKNOWN).any():
                _check_completion(piece, sequence, forbidden, n_labels)
        return
    row = int(wrong[0])
    place = int(np.searchsorted(stops, row, side="right"))
    sequence, step = int(np.flatnonzero(lengths)[place]), row - int(starts[place])
    label = int(labels[row])
    if wrong_first[row]:
        raise ForbiddenLabelsError(sequence, step, None, label)
    if wrong_pair[row]:
        raise ForbiddenLabelsError(sequence, step, int(labels[row - 1]), label)
    raise ForbiddenLabelsError(sequence, step + 1, label, None)


def _check_completion(labels: np.ndarray, sequence: int, forbidden: Pairs, n_labels: int) -> None:
    """Raise ValueError if no allowed labelling of a sequence agrees with its known labels."""
    transitions, start, end = (rules == 0 for rules in rules_of(forbidden, n_labels))
    reached = start
    for step, label in enumerate(labels):
        if step:
            reached = (reached[:, None] & transitions).any(axis=0)
        if label != UNKNOWN:
            reached = reached & (np.arange(n_labels) == label)
        if step == len(labels) - 1:
            reached = reached & end
        if not reached.any():
            raise ValueError(
                f"y: sequence {sequence} has unlabelled steps that no labels fill: "
                f"forbidden_transitions allow none up to step {step}"
            )


def check_lengths(lengths: np.ndarray, forbidden: Pairs, n_labels: int) -> None:
    """Raise ValueError if there is no allowed labelling of as many steps as a sequence has.

    Parameters
    ----------
    lengths : (B,) int array
        Steps of each sequence; an empty one has one labelling, which is empty.
    forbidden : tuple of pairs
    n_labels : int
        K.
    """
    longest = int(lengths.max(initial=0))
    possible = _possible_lengths(forbidden, n_labels, longest)
    impossible = ~possible[np.minimum(lengths, len(possible) - 1)]
    if impossible.any():
        n_steps = int(lengths[impossible].min())
        raise ValueError(
            f"forbidden_transitions allow no labelling of a sequence of {n_steps} "
            f"step{'s' if n_steps > 1 else ''}"
        )


@lru_cache(maxsize=64)
def _possible_lengths(forbidden: Pairs, n_labels: int, longest: int) -> np.ndarray:
    """Return whether there is a labelling of 0, 1, 2 … steps; the last entry holds from there."""
    transitions, start, end = (rules == 0 for rules in rules_of(forbidden, n_labels))
    reached, possible = start, [True]
    for _ in range(longest):
        possible.append(bool((reached & end).any()))
        following = (reached[:, None] & transitions).any(axis=0)
        if np.array_equal(following, reached):
            break
        reached = following
    return np.array(possible)

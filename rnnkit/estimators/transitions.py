"""The rules of a tagger's labels, as a user names them: which may not follow one another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from rnnkit.network.transitions import ForbiddenLabelsError, Pairs
from rnnkit.schemes import forbidden_by_scheme

__all__ = ["TRANSITION_SCHEMES", "describe_forbidden", "forbidden_pairs"]

TRANSITION_SCHEMES = ("bio", "bilou", "bioes", "iob1", "iob2", "iobes")


def forbidden_pairs(rules: Any, classes: np.ndarray) -> Pairs:
    """Return forbidden transitions as pairs of class indices, sorted, each once.

    Parameters
    ----------
    rules : None, str or iterable of pairs
        The parameter `forbidden_transitions`.
    classes : ndarray of shape (K,)
        The labels.

    Returns
    -------
    tuple of pairs of int or None

    Raises
    ------
    ValueError
        If a label is none of the scheme, an entry is no pair, or one names something that is
        no label.
    """
    if rules is None:
        return ()
    labels = classes.tolist()
    named: Iterable[Any] = rules
    if isinstance(rules, str):
        try:
            named = forbidden_by_scheme(rules, labels)
        except ValueError as error:
            raise ValueError(
                f"forbidden_transitions={rules!r} does not fit the labels of y: {error}"
            ) from None
    indices = {label: index for index, label in enumerate(labels)}
    pairs = {(_index(p[0], indices, p), _index(p[1], indices, p)) for p in map(_pair, named)}
    return tuple(sorted(pairs, key=lambda p: tuple(-1 if i is None else i for i in p)))


def _pair(entry: Any) -> tuple[Any, Any]:
    if not isinstance(entry, (tuple, list)) or len(entry) != 2 or entry[0] is entry[1] is None:
        raise ValueError(
            "forbidden_transitions must hold pairs of labels (before, after), with None for the "
            f"beginning or the end of a sequence, got {entry!r}"
        )
    return entry[0], entry[1]


def _index(label: Any, indices: dict[Any, int], pair: tuple[Any, Any]) -> int | None:
    if label is None:
        return None
    try:
        return indices[label]
    except (KeyError, TypeError):
        raise ValueError(
            f"forbidden_transitions names {label!r} in {pair!r}, which is not among the labels: "
            f"{list(indices)[:10]}"
        ) from None


def describe_forbidden(error: ForbiddenLabelsError, rules: Any, classes: np.ndarray) -> str:
    """Return a sentence about labels that break a rule, in the user's words."""
    labels = classes.tolist()
    before, after = (
        None if index is None else labels[index] for index in (error.before, error.after)
    )
    if before is None:
        what = f"begins with {after!r}"
    elif after is None:
        what = f"ends with {before!r}"
    else:
        what = f"has {after!r} at step {error.step} right after {before!r}"
    names = rules if isinstance(rules, str) else [(before, after)]
    return f"y: sequence {error.sequence} {what}, which forbidden_transitions={names!r} forbids"

"""Schemes that write entities as one label per token, and labels brought from one to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnkit import schemes
from rnnkit.datasets.loaded import arrays_of

__all__ = ["SCHEMES", "SchemeError", "convert_entity_labels", "relabel", "scheme_named"]

OUTSIDE = "O"
# What the scheme calls the begin, inside, last and only token of an entity; iob1 has its own rule.
SCHEMES = {scheme.name: scheme.letters for scheme in schemes.SCHEMES.values()}
OTHER_NAMES = {"iob": "iob1"} | {
    name: scheme.name for name, scheme in schemes.SCHEMES.items() if name != scheme.name
}

Entity = tuple[str, int, int]


class SchemeError(ValueError):
    """A label that its scheme does not allow where it stands.

    Parameters
    ----------
    step : int
        Where it stands, from 0.
    text : str
        What is wrong with it.
    """

    def __init__(self, step: int, text: str) -> None:
        super().__init__(text)
        self.step = step


def convert_entity_labels(y: Any, source: str, target: str) -> np.ndarray:
    """Write the entities of label sequences in another scheme.

    Parameters
    ----------
    y : sequence of n sequences of str
        Labels ``O``, or a prefix, a hyphen and a type, such as ``B-PER``; ``B`` alone is a label of
        the empty type.
    source, target : {"iob1", "iob2", "iobes", "bilou"}
        - "iob1": I in an entity, B where one follows another of its type;
        - "iob2" (also "bio"): B at the beginning, then I;
        - "iobes" (also "bioes"): B, I, E at the end, S for a single token;
        - "bilou": B, I, L at the end, U for a single token.

    Returns
    -------
    ndarray of shape (n,), object
        Arrays of shape (T_i,), str.

    Raises
    ------
    ValueError
        If a scheme is unknown, or a label is not allowed in the source scheme where it stands.

    Examples
    --------
    >>> from rnnkit.datasets import convert_entity_labels
    >>> convert_entity_labels([["I-PER", "B-PER", "I-PER", "O"]], "iob1", "iobes")[0]
    array(['S-PER', 'B-PER', 'E-PER', 'O'], dtype='<U5')
    """
    source, target = scheme_named(source, "source"), scheme_named(target, "target")
    converted = []
    for i, labels in enumerate(y):
        if isinstance(labels, str):
            raise ValueError(
                f"y must hold a list of labels for every sequence, got {labels[:40]!r}"
            )
        try:
            converted.append(np.array(relabel(list(labels), source, target), dtype=str))
        except SchemeError as error:
            raise ValueError(f"y: sequence {i}, step {error.step}: {error}") from error
    return arrays_of(converted)


def scheme_named(name: Any, argument: str) -> str:
    """Return the scheme's own name.

    Raises
    ------
    ValueError
        If there is no such scheme.
    """
    found = OTHER_NAMES.get(name, name) if isinstance(name, str) else name
    if found not in SCHEMES:
        names = ", ".join([*SCHEMES, *OTHER_NAMES])
        raise ValueError(f"{argument} must be one of {names}; got {name!r}")
    return str(found)


def relabel(labels: Sequence[str], source: str, target: str) -> list[str]:
    """Return the labels of one sequence in another scheme.

    Raises
    ------
    SchemeError
        If a label is not allowed where it stands.
    """
    entities = (_entities_iob1 if source == "iob1" else _entities)(labels, SCHEMES[source])
    written = [OUTSIDE] * len(labels)
    previous: Entity = ("", 0, 0)
    for entity in entities:
        kind, start, stop = entity
        adjoins = previous[1] < previous[2] == start and previous[0] == kind
        prefixes = _prefixes(target, stop - start, adjoins)
        written[start:stop] = [f"{p}-{kind}" if kind else p for p in prefixes]
        previous = entity
    return written


def _prefixes(scheme: str, length: int, adjoins: bool) -> str:
    """Return the prefixes of an entity; `adjoins` says that one of its type ends right before."""
    begin, inside, *ends = [*SCHEMES[scheme]]
    if not ends:
        first = inside if scheme == "iob1" and not adjoins else begin
        return first + inside * (length - 1)
    last, only = ends
    return only if length == 1 else begin + inside * (length - 2) + last


def _split(label: Any, step: int, prefixes: str) -> tuple[str, str]:
    """Return prefix and type of a label; both empty outside entities."""
    if label == OUTSIDE:
        return "", ""
    if isinstance(label, str):
        prefix, hyphen, kind = label.partition("-")
        if len(prefix) == 1 and prefix in prefixes and bool(hyphen) == bool(kind):
            return prefix, kind
    allowed = ", ".join(f"{prefix}-type" for prefix in prefixes)
    raise SchemeError(step, f"label {label!r} is none of O, {allowed}")


def _entities_iob1(labels: Sequence[str], prefixes: str) -> list[Entity]:
    entities: list[Entity] = []
    for step, label in enumerate(labels):
        prefix, kind = _split(label, step, prefixes)
        if not prefix:
            continue
        goes_on = bool(entities) and entities[-1][2] == step and entities[-1][0] == kind
        if prefix == "B" and not goes_on:
            raise SchemeError(
                step,
                f"label {label!r} follows no entity of its type, which iob1 marks with I; "
                "is the scheme iob2?",
            )
        if prefix == "I" and goes_on:
            entities[-1] = (kind, entities[-1][1], step + 1)
        else:
            entities.append((kind, step, step + 1))
    return entities


def _entities(labels: Sequence[str], prefixes: str) -> list[Entity]:
    begin, inside, *ends = [*prefixes]
    last = ends[0] if ends else ""
    entities: list[Entity] = []
    start: int | None = None
    open_kind = ""
    for step, label in enumerate([*labels, OUTSIDE]):
        prefix, kind = _split(label, step, prefixes)
        if prefix and prefix in (inside, last):
            if start is None or kind != open_kind:
                raise SchemeError(
                    step, f"label {label!r} goes on with an entity that did not begin"
                )
            if prefix == last:
                entities.append((kind, start, step + 1))
                start = None
            continue
        if start is not None:
            if ends:  # only the last token's own label ends an entity
                raise SchemeError(
                    step - 1, f"after label {labels[step - 1]!r} the entity must go on"
                )
            entities.append((open_kind, start, step))
            start = None
        if prefix == begin:
            start, open_kind = step, kind
        elif prefix:
            entities.append((kind, step, step + 1))
    return entities

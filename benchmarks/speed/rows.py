"""A row of the table of goals, and what a measurement of rows is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from harness import Results


class Row(NamedTuple):
    """One goal, what was measured, and whether it is met (None: not measured)."""

    what: str
    measured: str
    goal: str
    met: bool | None


@dataclass
class Run:
    """How thoroughly to measure, and where figures are kept."""

    results: Results
    quick: bool
    repeats: int
    seconds: float


def at_least(what, value, goal, unit="×"):
    """Return the row of a figure that should be large."""
    return Row(what, f"{value:.2f}{unit}", f">= {goal:g}{unit}", _met(value, value >= goal))


def at_most(what, value, goal, unit):
    """Return the row of a figure that should be small."""
    return Row(what, f"{value:.2f}{unit}", f"<= {goal:g}{unit}", _met(value, value <= goal))


def missing(what, why, goal):
    """Return the row of a goal that was not measured."""
    return Row(what, why, goal, None)


def _met(value, met):
    return None if value != value else bool(met)

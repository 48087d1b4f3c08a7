"""Rows in the order of the ids they belong to, so that each id's rows are added in one go."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Segments", "segments_of"]


class Segments(NamedTuple):
    """Segment s holds the rows ``order[bounds[s]:bounds[s + 1]]``, in the order they came in."""

    order: np.ndarray  # (P,) intp
    bounds: np.ndarray  # (S + 1,) intp
    ids: np.ndarray  # (S,), each once

    @property
    def n(self) -> int:
        """Number of segments."""
        return len(self.ids)


def segments_of(ids: np.ndarray) -> Segments:
    """Return the rows of each id; ids (P,) are not negative."""
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    return Segments(order, np.append(starts, len(ids)), ordered[starts])

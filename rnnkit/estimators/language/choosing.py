"""Which token is written next: temperature, the likeliest k, the likeliest share p."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from rnnkit.backends.interface import Backend
from rnnkit.backends.streaming import cumulated_shares

__all__ = ["Choice"]


@dataclass(frozen=True)
class Choice:
    """How a token is drawn from raw scores.

    Parameters
    ----------
    temperature : float
        Scores are divided by it; 0 takes the likeliest token.
    top_k : int or None
        Only the k likeliest tokens are drawn from; None: all.
    top_p : float or None
        And of these only the likeliest that together have a share of p; None: all.

    Raises
    ------
    TypeError, ValueError
        If one is out of its range.

    Notes
    -----
    Sources: Fan, Lewis & Dauphin (2018) for top_k, Holtzman et al. (2020) for top_p.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        _check_number("temperature", self.temperature)
        if not 0 <= self.temperature < np.inf:
            raise ValueError(f"temperature must be at least 0, got {self.temperature!r}")
        if self.top_k is not None:
            if isinstance(self.top_k, bool) or not isinstance(self.top_k, Integral):
                raise TypeError(f"top_k must be an integer or None, got {self.top_k!r}")
            if self.top_k < 1:
                raise ValueError(f"top_k must be at least 1, got {self.top_k!r}")
        if self.top_p is not None:
            _check_number("top_p", self.top_p)
            if not 0 < self.top_p <= 1:
                raise ValueError(f"top_p must lie in (0, 1], got {self.top_p!r}")

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is taken."""
        return self.temperature == 0 or self.top_k == 1

    @property
    def is_plain(self) -> bool:
        """Whether all tokens may be drawn, or the likeliest alone."""
        return self.is_greedy or (self.top_k is None and self.top_p is None)

    def draw(self, scores: np.ndarray, at: np.ndarray, backend: Backend) -> np.ndarray:
        """Return the id drawn for each of m texts, (m,) intp.

        Parameters
        ----------
        scores : ndarray of shape (m, K)
            Raw scores; the first of each row, of the unknown, is never drawn.
        at : ndarray of shape (m,)
            Where in [0, 1) each die fell.
        backend : Backend
            What draws.
        """
        known = scores[:, 1:]
        if self.is_greedy:
            best: np.ndarray = known.argmax(axis=1) + 1
            return best
        if self.top_k is None and self.top_p is None:
            return backend.draw(known, self.temperature, at) + 1
        order = np.argsort(-known, axis=1, kind="stable")[:, : self.top_k]
        likeliest = np.take_along_axis(known, order, axis=1)
        if self.top_p is not None:
            total = cumulated_shares(likeliest, self.temperature)
            before = np.concatenate([np.zeros((len(total), 1)), total[:, :-1]], axis=1)
            beyond = before >= self.top_p * total[:, -1:]
            beyond[:, 0] = False
            likeliest = np.where(beyond, -np.inf, likeliest)
        place = backend.draw(likeliest, self.temperature, at)
        return np.take_along_axis(order, place[:, None], axis=1)[:, 0] + 1


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")

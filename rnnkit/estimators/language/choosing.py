"""Which token is written next: temperature, the likeliest k, the likeliest share p."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

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

    def draw(self, scores: np.ndarray, at: float) -> int:
        """Return the id drawn.

        Parameters
        ----------
        scores : ndarray of shape (K,)
            Raw scores; the first, of the unknown, is never drawn.
        at : float
            Where in [0, 1) the die fell.
        """
        known = scores[1:]
        if self.temperature == 0 or self.top_k == 1:
            return int(known.argmax()) + 1
        shares = known.astype(np.float64)
        shares -= shares.max()
        shares /= self.temperature
        np.exp(shares, out=shares)
        if self.top_k is None and self.top_p is None:
            total = shares.cumsum()
            return min(int(total.searchsorted(at * total[-1], side="right")), len(total) - 1) + 1
        order = np.argsort(-shares, kind="stable")[: self.top_k]
        total = shares[order].cumsum()
        if self.top_p is not None:
            n = int(total.searchsorted(self.top_p * total[-1], side="left")) + 1
            total = total[:n]
        place = min(int(total.searchsorted(at * total[-1], side="right")), len(total) - 1)
        return int(order[place]) + 1


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")

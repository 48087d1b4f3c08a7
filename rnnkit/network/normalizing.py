"""Normalization of the rows of a layer: over the numbers of each row, or over all rows of a call.

Letters: Q rows, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from rnnkit.backends.interface import Array
from rnnkit.network.layers import Binding, Call

__all__ = ["BatchNormalization", "LayerNormalization", "Normalization"]

_EPSILON = 1e-5  # added to a variance, as in the cells
_LEAST_SHARE = 0.1  # of a minibatch in the mean and variance that are kept, after the first ten


class Normalization(Protocol):
    """What brings rows (Q, C) to mean 0 and variance 1, then scales and shifts them."""

    def forward(self, x: Array, call: Call) -> Array:
        """Return the rows (Q, C)."""
        ...

    def backward(self, dy: Array) -> Array:
        """Add to the gradients by gain and shift; return that by the rows."""
        ...


class _Scaled:
    """Scales by a gain and adds a shift, both (C,), and knows what follows for their gradients."""

    def __init__(self, names: Mapping[str, str], binding: Binding) -> None:
        self._gain, self._shift = (binding.parameters[names[part]] for part in ("gain", "shift"))
        self._dgain, self._dshift = (
            binding.gradients.get(names[part]) for part in ("gain", "shift")
        )
        self._normal: Any = None
        self._inverse: Any = None

    def _back(self, dy: Array) -> Array:
        """Add to both gradients; return that by the normal rows."""
        self._dgain += (dy * self._normal).sum(axis=0)
        self._dshift += dy.sum(axis=0)
        return dy * self._gain

    def _back_along(self, dnormal: Array, axis: int) -> Array:
        """Return the gradient by rows whose mean and variance over an axis were taken away."""
        normal = self._normal
        mean = dnormal.mean(axis=axis, keepdims=True)
        along = (dnormal * normal).mean(axis=axis, keepdims=True)
        return (dnormal - mean - normal * along) * self._inverse


class LayerNormalization(_Scaled):
    """Of each row by itself (Ba et al. 2016).

    Parameters
    ----------
    names : mapping of str to str
        The full names of "gain" and "shift".
    binding : Binding
    """

    def forward(self, x: Array, call: Call) -> Array:
        """Return the rows (Q, C)."""
        centred = x - x.mean(axis=1, keepdims=True)
        variance = (centred * centred).mean(axis=1, keepdims=True)
        self._inverse = 1 / (variance + _EPSILON) ** 0.5
        self._normal = centred * self._inverse
        return self._normal * self._gain + self._shift

    def backward(self, dy: Array) -> Array:
        """Add to the gradients; return that by the rows."""
        return self._back_along(self._back(dy), 1)


class BatchNormalization(_Scaled):
    """Of each channel over all rows of a minibatch; outside training by what was kept of those.

    Parameters
    ----------
    names : mapping of str to str
        The full names of "gain", "shift", "mean", "variance" and "share".
    binding : Binding

    Notes
    -----
    What a minibatch's mean and variance m are worth in those that are kept is a share r of them,
    ``kept += r (m - kept)``. It begins at 1 and becomes ``max(0.1, r / (1 + r))``: the first ten
    minibatches count alike, whatever was kept before them has no part in it. The variance that is
    kept is that of the rows times Q / (Q - 1) (Ioffe & Szegedy 2015).
    """

    def __init__(self, names: Mapping[str, str], binding: Binding) -> None:
        super().__init__(names, binding)
        self._xp = binding.backend.xp
        parts = ("mean", "variance", "share")
        self._mean, self._variance, self._share = (binding.parameters[names[p]] for p in parts)
        self._of_rows = False

    def forward(self, x: Array, call: Call) -> Array:
        """Return the rows (Q, C); while noise is drawn, those of training, keep what they tell."""
        self._of_rows = call.training and call.noise is not None and len(x) > 0
        if self._of_rows:
            mean = x.mean(axis=0)
            centred = x - mean
            variance = (centred * centred).mean(axis=0)
            self._keep(mean, variance * (len(x) / max(len(x) - 1, 1)))
        else:
            centred, variance = x - self._mean, self._variance
        self._inverse = 1 / (variance + _EPSILON) ** 0.5
        self._normal = centred * self._inverse
        return self._normal * self._gain + self._shift

    def _keep(self, mean: Array, variance: Array) -> None:
        share = self._share
        self._mean += share * (mean - self._mean)
        self._variance += share * (variance - self._variance)
        share[...] = self._xp.maximum(share / (1 + share), _LEAST_SHARE)

    def backward(self, dy: Array) -> Array:
        """Add to the gradients; return that by the rows."""
        dnormal = self._back(dy)
        return self._back_along(dnormal, 0) if self._of_rows else dnormal * self._inverse

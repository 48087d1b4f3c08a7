"""Layers that disturb what passes through them while training: dropout and Gaussian noise."""

from __future__ import annotations

from math import isfinite

import numpy as np

from rnnkit.backends.interface import Array, Backend
from rnnkit.network.layers import Binding, Call, Layer, Operation

__all__ = ["Dropout", "InputNoise", "check_rate", "dropout_mask"]


def dropout_mask(
    noise: np.random.Generator,
    shape: tuple[int, ...],
    rate: float,
    dtype: np.dtype,
    backend: Backend,
) -> Array:
    """Draw a mask of 0, with probability `rate`, and ``1 / (1 - rate)``.

    Drawn on the host, so that the bits depend on neither threads nor backend.
    """

    def draw() -> np.ndarray:
        kept = noise.random(shape, dtype=np.float32) >= rate
        mask: np.ndarray = np.multiply(kept, 1.0 / (1.0 - rate), dtype=dtype)
        return mask

    return backend.from_host(draw)


def check_rate(name: str, rate: float) -> None:
    """Raise ValueError unless 0 <= rate < 1."""
    if not 0 <= rate < 1:
        raise ValueError(f"{name} must lie in [0, 1), got {rate!r}")


class Dropout(Layer):
    """Zero each entry with probability `rate` while training; scale the others up.

    Parameters
    ----------
    rate : float
        In [0, 1).

    Raises
    ------
    ValueError
        If `rate` is out of range.
    """

    acts_in_training_alone = True

    def __init__(self, rate: float) -> None:
        check_rate("dropout", rate)
        self.rate = rate

    def bind(self, binding: Binding) -> Operation:
        """Return the layer's operation."""
        return _DropoutOperation(self.rate, binding)


class _DropoutOperation:
    def __init__(self, rate: float, binding: Binding) -> None:
        self._rate = rate
        self._dtype = binding.dtype
        self._backend = binding.backend
        self._mask: Array | None = None

    def forward(self, x: Array, call: Call) -> Array:
        self._mask = None
        if not call.training or call.noise is None:
            return x
        self._mask = dropout_mask(call.noise, x.shape, self._rate, self._dtype, self._backend)
        return x * self._mask

    def backward(self, dy: Array) -> Array:
        return dy if self._mask is None else dy * self._mask


class InputNoise(Layer):
    """Add Gaussian noise to numeric inputs while training.

    Parameters
    ----------
    std : float
        Standard deviation of the noise.

    Raises
    ------
    ValueError
        If `std` is negative or not finite.
    """

    acts_in_training_alone = True

    def __init__(self, std: float) -> None:
        if not (std >= 0 and isfinite(std)):
            raise ValueError(f"input_noise must be a finite number >= 0, got {std!r}")
        self.std = std

    def bind(self, binding: Binding) -> Operation:
        """Return the layer's operation."""
        return _InputNoiseOperation(self.std, binding)


class _InputNoiseOperation:
    def __init__(self, std: float, binding: Binding) -> None:
        self._std = std
        self._dtype = binding.dtype
        self._backend = binding.backend

    def forward(self, x: Array, call: Call) -> Array:
        if not (self._std and call.training and call.noise is not None):
            return x
        noise, shape = call.noise, x.shape

        def draw() -> np.ndarray:
            normal: np.ndarray = noise.standard_normal(shape, dtype=self._dtype)
            normal *= self._std
            return normal

        return x + self._backend.from_host(draw)

    def backward(self, dy: Array) -> Array:
        return dy

"""Checks of the plain arrays that a caller hands over."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.backends.interface import Array
from rnnkit.sequences.reading import refuse_masked

__all__ = ["finite_array", "of_shape"]


def finite_array(value: Any, name: str, dtype: np.dtype) -> Array:
    """Return real numbers as a contiguous array of the compute dtype."""
    refuse_masked(value, name)
    given = np.asarray(value)
    if given.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers, got dtype {given.dtype}")
    with np.errstate(over="ignore"):
        array = np.require(given, dtype, ["C", "A"])
    if not np.isfinite(array).all():
        raise ValueError(f"{name} contains NaN, infinity or a value too large for {dtype}")
    return array


def of_shape(array: Array, name: str, shape: tuple[int, ...]) -> Array:
    """Return the array; ValueError if it has another shape."""
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    return array

"""One flat vector that holds every parameter, and named views into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

import numpy as np

__all__ = ["ParameterVector", "named_views"]

Shapes = Mapping[str, tuple[int, ...]]


def named_views(flat: Any, shapes: Shapes) -> dict[str, Any]:
    """Cut a flat vector into named views, in the order of `shapes`.

    Parameters
    ----------
    flat : array of shape (n,)
        Of any array module; n is the sum of the sizes of `shapes`.
    shapes : mapping of str to tuple of int
        The name and shape of each view.

    Returns
    -------
    dict of str to array
        Views that share the memory of `flat`.
    """
    views = {}
    start = 0
    for name, shape in shapes.items():
        end = start + prod(shape)
        views[name] = flat[start:end].reshape(shape)
        start = end
    return views


class ParameterVector(Mapping[str, np.ndarray]):
    """A mapping from parameter names to views of one flat vector.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Name and shape of each parameter, in storage order.
    dtype : dtype
        float32 or float64.
    flat : ndarray of shape (n,), default=None
        The memory to use; None allocates zeros.

    Attributes
    ----------
    flat : ndarray of shape (n,)
        All parameters, one after the other.
    shapes : dict of str to tuple of int
        Name and shape of each parameter.

    Raises
    ------
    ValueError
        If `flat` has not the length or the dtype that `shapes` and `dtype` ask for.

    Examples
    --------
    >>> from rnnkit.network import ParameterVector
    >>> parameters = ParameterVector({"head.weight": (2, 3), "head.bias": (2,)}, "float32")
    >>> parameters["head.bias"][:] = 1
    >>> parameters.flat
    array([0., 0., 0., 0., 0., 0., 1., 1.], dtype=float32)
    """

    def __init__(self, shapes: Shapes, dtype: Any, flat: np.ndarray | None = None) -> None:
        self.shapes = {name: tuple(shape) for name, shape in shapes.items()}
        size = sum(prod(shape) for shape in self.shapes.values())
        dtype = np.dtype(dtype)
        if flat is None:
            flat = np.zeros(size, dtype)
        if flat.shape != (size,) or flat.dtype != dtype:
            raise ValueError(
                f"flat must have shape ({size},) and dtype {dtype}, "
                f"got {flat.shape} and {flat.dtype}"
            )
        self.flat = flat
        self._views: dict[str, np.ndarray] = named_views(flat, self.shapes)

    @property
    def dtype(self) -> np.dtype:
        """The dtype of every parameter."""
        return self.flat.dtype

    def __getitem__(self, name: str) -> np.ndarray:
        return self._views[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def zeros_like(self) -> ParameterVector:
        """Return a vector of the same names and shapes, filled with zeros."""
        return ParameterVector(self.shapes, self.dtype)

    def copy(self) -> ParameterVector:
        """Return a copy that shares no memory with this vector."""
        return ParameterVector(self.shapes, self.dtype, self.flat.copy())

    def __getstate__(self) -> dict[str, Any]:
        return {"shapes": self.shapes, "flat": self.flat}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.shapes = state["shapes"]
        self.flat = state["flat"]
        self._views = named_views(self.flat, self.shapes)

    def __deepcopy__(self, memo: dict[int, Any]) -> ParameterVector:
        return self.copy()

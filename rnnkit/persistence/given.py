"""Arrays that another library wrote: named or listed, in memory or in a safetensors file.

What comes in here is untrusted: nothing is executed, and every array is taken by its key with the
shape that it must have.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from rnnkit.functional.arrays import finite_array

__all__ = ["GivenArrays", "as_numbers", "natural_order", "read_arrays"]

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def read_arrays(source: Any, argument: str) -> dict[str, np.ndarray]:
    """Return named arrays as float32, or as float64 where one of them is.

    Parameters
    ----------
    source : mapping of str to array-like, or path
        Arrays or tensors by their keys, or the path of a safetensors file.
    argument : str
        How error messages call it.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    TypeError
        If it is neither.
    OSError
        If there is no such file.
    ValueError
        If the file is no safetensors file, or an array holds other than finite real numbers.
    """
    if isinstance(source, (str, os.PathLike)):
        source = _read_file(source)
    if not isinstance(source, Mapping):
        raise TypeError(
            f"{argument} must be a dict of arrays or the path of a safetensors file, "
            f"got a {type(source).__name__}"
        )
    values = {str(key): _host_array(value) for key, value in source.items()}
    return dict(zip(values, as_numbers(values.values(), values)))


def as_numbers(values: Iterable[Any], names: Iterable[str]) -> list[np.ndarray]:
    """Return arrays of finite numbers in one dtype: float64 if one of them has it, else float32.

    Raises
    ------
    ValueError
        If an array holds other than finite real numbers; it is called by its name.
    """
    values = [_host_array(value) for value in values]
    wide = any(value.dtype == np.float64 for value in values)
    dtype = np.dtype("float64" if wide else "float32")
    return [finite_array(value, repr(name), dtype) for value, name in zip(values, names)]


def _host_array(value: Any) -> np.ndarray:
    """Return an array, or what a tensor of another library holds."""
    for method in ("detach", "cpu"):  # of a PyTorch tensor
        if hasattr(value, method):
            value = getattr(value, method)()
    if "bfloat16" in str(getattr(value, "dtype", "")):
        value = value.float() if hasattr(value, "float") else np.asarray(value, np.float32)
    return np.asarray(value)


def _read_file(path: Any) -> dict[str, np.ndarray]:
    import safetensors

    name = os.fspath(path)
    if str(name).endswith((".pt", ".pth", ".bin", ".ckpt", ".pkl", ".h5", ".hdf5", ".keras")):
        raise ValueError(
            f"{name!r} is no safetensors file and is not opened, as such files may execute code; "
            "load it with the library that wrote it and pass the arrays"
        )
    with open(path, "rb") as file:
        content = file.read()
    try:
        tensors: Any = safetensors.deserialize(content)  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError as error:
        raise ValueError(f"{name!r} is no safetensors file: {error}") from error
    return {key: _stored_array(key, tensor) for key, tensor in tensors}


def _stored_array(key: str, tensor: Mapping[str, Any]) -> np.ndarray:
    dtype = _DTYPES.get(tensor["dtype"])
    if dtype is None:
        raise ValueError(
            f"{key!r} has the dtype {tensor['dtype']}; read are {', '.join(_DTYPES)} alone"
        )
    array = np.frombuffer(tensor["data"], dtype).reshape(tensor["shape"])
    if tensor["dtype"] == "BF16":  # the upper half of a float32
        array = (array.astype("<u4") << 16).view("<f4")
    return array.astype(array.dtype.newbyteorder("="))


def natural_order(key: str) -> list[tuple[int, Any]]:
    """Return what sorts keys so that "lstm_10" comes after "lstm_2", and "lstm" before both."""
    return [
        (0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", key) if part
    ]


class GivenArrays:
    """Arrays by key, each of which is used once.

    Parameters
    ----------
    arrays : dict of str to ndarray
    """

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.arrays = arrays
        self._used: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.arrays

    def shape(self, key: str, n_dimensions: int) -> tuple[int, ...]:
        """Return the shape of an array that must be there and have so many dimensions.

        Raises
        ------
        ValueError
            If it is not so.
        """
        self._need(key)
        shape = self.arrays[key].shape
        if len(shape) != n_dimensions:
            raise ValueError(f"{key!r} must have {n_dimensions} dimensions, got shape {shape}")
        return shape

    def take(self, key: str, shape: tuple[int, ...], why: str = "") -> np.ndarray:
        """Return an array that must be there and have a shape.

        Raises
        ------
        ValueError
            If it is not so; `why` says what asks for the shape.
        """
        self._need(key)
        array = self.arrays[key]
        if array.shape != shape:
            reason = f" for {why}" if why else ""
            raise ValueError(f"{key!r} must have shape {shape}{reason}, got {array.shape}")
        self._used.add(key)
        return array

    def _need(self, key: str) -> None:
        if key not in self.arrays:
            there = ", ".join(map(repr, sorted(self.arrays, key=natural_order)[:12]))
            raise ValueError(f"{key!r} is missing; there are {there or 'no arrays'}")

    def refuse_unused(self) -> None:
        """Raise ValueError if an array was not taken."""
        left = sorted(self.arrays.keys() - self._used, key=natural_order)
        if left:
            raise ValueError(
                f"{', '.join(map(repr, left[:8]))} {'has' if len(left) == 1 else 'have'} no place "
                "in the network that the estimator's parameters describe (n_layers, "
                "bidirectional, embedding_dim, pooling, output)"
            )

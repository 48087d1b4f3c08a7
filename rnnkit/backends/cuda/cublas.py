"""Matrix products by cuBLAS through a handle of our own, called with ctypes.

CuPy refuses its own cuBLAS calls while a stream is captured, and its choice of arithmetic is a
setting of the whole process; a handle of our own has neither limit. Products are computed in the
arrays' own type; RNNKIT_CUDA_TF32=1 lets tensor cores round the factors of those in float32 to the
11 significant bits of TF32.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array

__all__ = ["Cublas", "load_cublas", "row_distance", "tf32_asked_for"]

_NORMAL, _TRANSPOSED = 0, 1  # cublasOperation_t
_TF32 = 3  # cublasMath_t


def load_cublas() -> Any:
    """Return the cuBLAS library of this machine, or None if there is none."""
    try:
        from cuda.pathfinder import load_nvidia_dynamic_lib

        return ctypes.CDLL(load_nvidia_dynamic_lib("cublas").abs_path)
    except (ImportError, OSError, RuntimeError):
        return None


def tf32_asked_for() -> bool:
    """Return whether RNNKIT_CUDA_TF32 asks for products in TF32.

    Raises
    ------
    ValueError
        If it has another value than 0 or 1.
    """
    asked = os.environ.get("RNNKIT_CUDA_TF32") or "0"
    if asked not in ("0", "1"):
        raise ValueError(f"RNNKIT_CUDA_TF32 must be 0 or 1, got {asked!r}")
    return asked == "1"


class Cublas:
    """A handle of cuBLAS on the current device.

    Parameters
    ----------
    library : ctypes.CDLL
        cuBLAS.
    workspace : cupy.cuda.MemoryPointer
        Memory that products work in: without it cuBLAS would ask for some while a stream is
        captured, and a product could differ from the captured one.
    workspace_bytes : int
        How much it is.
    tf32 : bool
        Whether products in float32 are computed in TF32.

    Raises
    ------
    RuntimeError
        If cuBLAS reports an error, here or in a later call.
    """

    def __init__(self, library: Any, workspace: Any, workspace_bytes: int, tf32: bool) -> None:
        self._library = library
        self._workspace = workspace
        self._workspace_bytes = workspace_bytes
        self._stream: int | None = None
        self._handle = ctypes.c_void_p()
        self._check("cublasCreate_v2", ctypes.byref(self._handle))
        if tf32:
            self._check("cublasSetMathMode", self._handle, ctypes.c_int(_TF32))

    def __del__(self) -> None:
        if self._handle and not sys.is_finalizing():  # the driver may be gone by then
            self._library.cublasDestroy_v2(self._handle)

    def multiply(
        self,
        stream: int,
        a: Array,
        transpose_a: bool,
        b: Array,
        transpose_b: bool,
        c: Array,
        accumulate: bool,
    ) -> None:
        """Compute ``c = op(a) op(b)``, or ``c += op(a) op(b)``, on a stream.

        Every array is row-major with rows any distance apart; cuBLAS counts in columns, so it is
        asked for the transposed product of the transposed matrices.
        """
        m, n = c.shape
        k = a.shape[0] if transpose_a else a.shape[1]
        number = ctypes.c_float if c.dtype == np.float32 else ctypes.c_double
        name = "cublasSgemm_v2" if c.dtype == np.float32 else "cublasDgemm_v2"
        self._use(stream)
        self._check(
            name,
            self._handle,
            ctypes.c_int(_TRANSPOSED if transpose_b else _NORMAL),
            ctypes.c_int(_TRANSPOSED if transpose_a else _NORMAL),
            ctypes.c_int(n),
            ctypes.c_int(m),
            ctypes.c_int(k),
            ctypes.byref(number(1.0)),
            *_matrix(b),
            *_matrix(a),
            ctypes.byref(number(1.0 if accumulate else 0.0)),
            *_matrix(c),
        )

    def _use(self, stream: int) -> None:
        """Make a stream the one of later products; cuBLAS then forgets its workspace."""
        if stream != self._stream:
            workspace = (
                ctypes.c_void_p(self._workspace.ptr),
                ctypes.c_size_t(self._workspace_bytes),
            )
            self._check("cublasSetStream_v2", self._handle, ctypes.c_void_p(stream))
            self._check("cublasSetWorkspace_v2", self._handle, *workspace)
            self._stream = stream

    def _check(self, name: str, *arguments: Any) -> None:
        status = getattr(self._library, name)(*arguments)
        if status != 0:
            raise RuntimeError(f"{name} failed with status {status}")


def _matrix(array: Array) -> tuple[ctypes.c_void_p, ctypes.c_int]:
    """Return a matrix's address and the distance of its rows in entries."""
    return ctypes.c_void_p(array.data.ptr), ctypes.c_int(row_distance(array))


def row_distance(array: Array) -> int:
    """Return how many entries lie from the start of a matrix's row to that of the next.

    Raises
    ------
    ValueError
        If the entries of a row do not lie next to each other.
    """
    if array.size and array.shape[1] > 1 and array.strides[1] != array.itemsize:
        raise ValueError(
            f"a matrix's rows must have no gaps, got strides {array.strides} of shape {array.shape}"
        )
    distance: int = array.strides[0] // array.itemsize if len(array) > 1 else array.shape[1]
    return distance

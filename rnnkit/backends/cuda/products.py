"""Products and column sums over whole minibatches, and the dense layer they make.

Letters: P packed rows, I inputs, K outputs.
"""

from __future__ import annotations

import threading
import warnings
from functools import cache

from rnnkit.backends.cuda.cublas import Cublas, load_cublas, row_distance, tf32_asked_for
from rnnkit.backends.cuda.device import device_of, import_cupy, pool_of
from rnnkit.backends.cuda.kernels.sources import defined_number, general_source
from rnnkit.backends.cuda.launching import THREADS, general_kernels
from rnnkit.backends.interface import Array, ArrayModule

__all__ = ["CudaDense", "Products", "cublas_of"]

_GRID_ROWS = 65535  # the largest grid in y
_TILE = defined_number(general_source(), "RK_TILE")
_DEPTH = defined_number(general_source(), "RK_DEPTH")
_COLUMNS = defined_number(general_source(), "RK_COLUMNS")
_ROWS_OF_A_SHARE, _MOST_SHARES = 256, 64  # of the rows whose columns are summed
_WORKSPACE_BYTES, _WORKSPACE_BYTES_HOPPER = 4 * 2**20, 32 * 2**20  # of a handle of cuBLAS


class _Handles(threading.local):
    """The handles of cuBLAS of this thread, by device and arithmetic; they go when it ends."""

    def __init__(self) -> None:
        self.by_use: dict[tuple[int, bool], Cublas] = {}


_HANDLES = _Handles()


def cublas_of(device: int) -> Cublas | None:
    """Return this thread's handle of cuBLAS on a device; None, with one warning, without cuBLAS."""
    use = device, tf32_asked_for()
    if use not in _HANDLES.by_use:
        library = load_cublas()
        if library is None:
            _warn_of_missing_cublas()
            return None
        hopper = device_of(device).is_hopper_or_later
        n_bytes = _WORKSPACE_BYTES_HOPPER if hopper else _WORKSPACE_BYTES
        with import_cupy().cuda.Device(device):
            workspace = pool_of(device).malloc(n_bytes)
            _HANDLES.by_use[use] = Cublas(library, workspace, n_bytes, use[1])
    return _HANDLES.by_use[use]


@cache
def _warn_of_missing_cublas() -> None:
    """Say once in a process that our own kernel multiplies."""
    warnings.warn(
        "cuBLAS was not found, so a kernel of rnnkit's own multiplies matrices on the GPU, several "
        'times slower; pip install "rnnkit[cuda12]" or "rnnkit[cuda13]" brings it',
        UserWarning,
        stacklevel=2,
    )


class Products:
    """What multiplies matrices on the current device: cuBLAS, or without it our own kernel."""

    def __init__(self, xp: ArrayModule, cublas: Cublas | None) -> None:
        self._xp = xp
        self.cublas = cublas

    def multiply(
        self,
        a: Array,
        b: Array,
        out: Array,
        *,
        transpose_a: bool = False,
        transpose_b: bool = False,
        bias: Array | None = None,
        accumulate: bool = False,
    ) -> None:
        """Compute ``out = op(a) op(b) + bias``, or ``out += op(a) op(b)``.

        The rows of each matrix lie any distance apart, those of `out` (M, N) next to each other;
        bias is (N,).
        """
        (m, n), k = out.shape, a.shape[0] if transpose_a else a.shape[1]
        if m == 0 or n == 0:
            return
        if self.cublas is not None and k:
            if bias is not None:
                out[...] = bias
            stream = self._xp.cuda.get_current_stream().ptr
            add = accumulate or bias is not None
            self.cublas.multiply(stream, a, transpose_a, b, transpose_b, out, add)
            return
        grid = (-(-n // _TILE), min(-(-m // _TILE), _GRID_ROWS))
        arguments = (*_strided(a, transpose_a), *_strided(b, transpose_b), bias, accumulate, out)
        shared = 2 * _DEPTH * (_TILE + 1) * out.itemsize
        general_kernels(out.dtype).gemm(grid, THREADS, m, n, k, *arguments, shared=shared)

    def add_column_sums(self, a: Array, sums: Array) -> None:
        """Add the sums of the columns of a (M, N) to sums (N,)."""
        m, n = a.shape
        if m == 0 or n == 0:
            return
        kernel, n_blocks = general_kernels(a.dtype).column_sums, -(-n // _COLUMNS)
        shared = THREADS * a.itemsize
        n_shares = min(_MOST_SHARES, -(-m // _ROWS_OF_A_SHARE))
        if n_shares > 1:
            shares = self._xp.empty((n_shares, n), a.dtype)
            kernel((n_blocks, n_shares), THREADS, a, m, n, False, shares, shared=shared)
            a, m = shares, n_shares
        kernel((n_blocks, 1), THREADS, a, m, n, True, sums, shared=shared)


def _strided(array: Array, transposed: bool) -> tuple[Array, int, int]:
    """Return a matrix with the distances between the rows and columns of op(matrix)."""
    distance = row_distance(array)
    return (array, 1, distance) if transposed else (array, distance, 1)


class CudaDense:
    """``y = x Wᵀ + b``; see `interface.DenseOperation`."""

    def __init__(self, xp: ArrayModule, products: Products) -> None:
        self._xp = xp
        self._products = products

    def forward(self, x: Array, weight: Array, bias: Array) -> Array:
        """Map x (P, I) with weight (K, I) and bias (K,) to (P, K)."""
        y = self._xp.empty((len(x), len(weight)), x.dtype)
        self._products.multiply(x, weight, y, transpose_b=True, bias=bias)
        return y

    def backward(
        self,
        x: Array,
        dy: Array,
        weight: Array,
        dweight: Array,
        dbias: Array,
        *,
        input_gradient: bool = True,
    ) -> Array | None:
        """Add to dweight and dbias; return dx (P, I), or None if not asked for."""
        products = self._products
        dy = self._xp.ascontiguousarray(dy)
        products.multiply(dy, x, dweight, transpose_a=True, accumulate=True)
        products.add_column_sums(dy, dbias)
        if not input_gradient:
            return None
        dx = self._xp.empty_like(x)
        products.multiply(dy, weight, dx)
        return dx

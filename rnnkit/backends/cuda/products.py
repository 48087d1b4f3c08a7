"""Products and column sums over whole minibatches, and the dense layer they make.

Letters: P packed rows, I inputs, K outputs.
"""

from __future__ import annotations

from functools import cache

from rnnkit.backends.cuda.cublas import Cublas, load_cublas, row_distance
from rnnkit.backends.cuda.device import device_of, import_cupy, pool_of
from rnnkit.backends.cuda.kernels.sources import defined_number, general_source
from rnnkit.backends.cuda.launching import THREADS, general_kernels
from rnnkit.backends.interface import Array, ArrayModule

__all__ = ["CudaDense", "Products", "cublas_of"]

_GRID_ROWS = 65535  # the largest grid in y
_TILE = defined_number(general_source(), "RK_TILE")
_DEPTH = defined_number(general_source(), "RK_DEPTH")
_COLUMNS = defined_number(general_source(), "RK_COLUMNS")
_WORKSPACE_BYTES, _WORKSPACE_BYTES_HOPPER = 4 * 2**20, 32 * 2**20  # of a handle of cuBLAS


@cache
def cublas_of(device: int, thread: int) -> Cublas | None:
    """Return a thread's handle of cuBLAS on a device, or None if there is no cuBLAS."""
    library = load_cublas()
    if library is None:
        return None
    hopper = device_of(device).is_hopper_or_later
    workspace_bytes = _WORKSPACE_BYTES_HOPPER if hopper else _WORKSPACE_BYTES
    with import_cupy().cuda.Device(device):
        return Cublas(library, pool_of(device).malloc(workspace_bytes), workspace_bytes)


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
        if m and n:
            kernel = general_kernels(a.dtype).column_sums
            kernel(-(-n // _COLUMNS), THREADS, a, m, n, sums, shared=THREADS * a.itemsize)


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

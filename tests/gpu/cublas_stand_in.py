"""A stand-in for the cuBLAS library: the few functions that are called, column-major in NumPy."""

import ctypes

import numpy as np
from gpu.cupy_stand_in import Memory, Stream, submit

SUCCESS, INVALID = 0, 7
TF32 = 3


def rounded(matrix):
    """Return a matrix of float32 with 11 significant bits."""
    bits = np.ascontiguousarray(matrix).view(np.uint32)
    return (bits + 0x1000 & np.uint32(0xFFFFE000)).view(np.float32)


def column_major(address, n_rows, n_columns, distance, number):
    """Return a view of a column-major matrix with columns `distance` apart."""
    pointer = ctypes.cast(address, ctypes.POINTER(number))
    flat = np.ctypeslib.as_array(pointer, shape=(distance * (n_columns - 1) + n_rows,))
    step = flat.itemsize
    return np.lib.stride_tricks.as_strided(
        flat, (n_rows, n_columns), (step, distance * step), writeable=True
    )


class CublasStandIn:
    """Every argument must be the ctypes object that its C type asks for.

    Products go to the current stream; a captured one needs a workspace of the handle's own.
    """

    def __init__(self):
        self.n_products = 0
        self.n_handles = 0
        self.is_tf32 = False
        self.stream = None
        self.workspace = None

    def cublasCreate_v2(self, handle):
        handle._obj.value = 42
        self.n_handles += 1
        return SUCCESS

    def cublasDestroy_v2(self, handle):
        assert handle.value == 42
        self.n_handles -= 1
        return SUCCESS

    def cublasSetMathMode(self, handle, mode):
        assert handle.value == 42
        assert isinstance(mode, ctypes.c_int)
        self.is_tf32 = mode.value == TF32
        return SUCCESS

    def cublasSetStream_v2(self, handle, stream):
        assert handle.value == 42
        assert isinstance(stream, ctypes.c_void_p)
        self.stream, self.workspace = stream.value or 0, None
        return SUCCESS

    def cublasSetWorkspace_v2(self, handle, workspace, n_bytes):
        assert handle.value == 42
        assert isinstance(workspace, ctypes.c_void_p)
        assert isinstance(n_bytes, ctypes.c_size_t)
        self.workspace = Memory.at(workspace.value)
        assert self.workspace.array.nbytes == n_bytes.value
        return SUCCESS

    def cublasSgemm_v2(self, *arguments):
        return self.multiply(ctypes.c_float, *arguments)

    def cublasDgemm_v2(self, *arguments):
        return self.multiply(ctypes.c_double, *arguments)

    def multiply(self, number, handle, op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
        integers = (op_a, op_b, m, n, k, lda, ldb, ldc)
        assert all(isinstance(i, ctypes.c_int) for i in integers)
        assert isinstance(alpha._obj, number)
        assert isinstance(beta._obj, number)
        op_a, op_b, m, n, k, lda, ldb, ldc = (i.value for i in integers)
        shape_a, shape_b = (k, m) if op_a else (m, k), (n, k) if op_b else (k, n)
        if lda < shape_a[0] or ldb < shape_b[0] or ldc < m:
            return INVALID
        assert self.stream == Stream.current[-1].ptr
        if Stream.captured is not None:
            assert self.workspace is not None, "memory would be allocated by the graph"
        matrix_a = column_major(a, *shape_a, lda, number)
        matrix_b = column_major(b, *shape_b, ldb, number)
        matrix_c = column_major(c, m, n, ldc, number)
        factor, share = alpha._obj.value, beta._obj.value

        def multiply():
            given = [matrix_a.T if op_a else matrix_a, matrix_b.T if op_b else matrix_b]
            if self.is_tf32 and number is ctypes.c_float:
                given = map(rounded, given)
            product = np.matmul(*given)
            if share:
                product = product + share * matrix_c
            matrix_c[...] = factor * product

        submit(multiply, (Memory.at(pointer.value) for pointer in (a, b, c)))
        self.n_products += 1
        return SUCCESS

"""Layers and heads fed step by step, for what is composed of them."""
cimport numpy as cnp

from rnnkit._core.kernels cimport rk_kernels
from rnnkit._core.memory cimport Buffer

cdef class PackedDense:
    cdef ptrdiff_t n, n_inputs, n_outputs
    cdef const rk_kernels *kernels
    cdef Buffer panels, bias
    cdef void *panels_data
    cdef void *bias_data
    cdef cnp.ndarray y               # (n, K)

    cdef cnp.ndarray map_rows(self, cnp.ndarray x)

cdef class ChainStep:
    cdef tuple layers, heads, shape  # of the x that is taken as it is
    cdef readonly object dtype
    cdef readonly ptrdiff_t n_scores
    cdef readonly cnp.ndarray scores  # (n, K), overwritten by every step
    cdef int number_type
    cdef char taken

    cdef bint takes(self, x)
    cdef cnp.ndarray through(self, cnp.ndarray x)
    cdef cnp.ndarray onward(self, cnp.ndarray x, ptrdiff_t first)

"""Row-major matrix products over the BLAS that SciPy brings."""
from scipy.linalg.cython_blas cimport dgemm, sgemm
from cython cimport floating


cdef inline void add_outer(floating *a, floating *b, floating *c, int rows, int n_a,
                           int n_b) noexcept nogil:
    """c (n_a, n_b) += aᵀ b for a (rows, n_a), b (rows, n_b)."""
    cdef floating one = 1
    if floating is float:
        sgemm("N", "T", &n_b, &n_a, &rows, &one, b, &n_b, a, &n_a, &one, c, &n_b)
    else:
        dgemm("N", "T", &n_b, &n_a, &rows, &one, b, &n_b, a, &n_a, &one, c, &n_b)


cdef inline void multiply(floating *a, floating *b, floating *c, int rows, int n_inner,
                          int n_b) noexcept nogil:
    """c (rows, n_b) = a (rows, n_inner) b (n_inner, n_b)."""
    cdef floating one = 1, zero = 0
    if floating is float:
        sgemm("N", "N", &n_b, &rows, &n_inner, &one, b, &n_b, a, &n_inner, &zero, c, &n_b)
    else:
        dgemm("N", "N", &n_b, &rows, &n_inner, &one, b, &n_b, a, &n_inner, &zero, c, &n_b)

"""What a recurrent layer reads: rows as they lie, or looked up in a table."""
cimport numpy as cnp

from rnnkit._core.kernels cimport rk_call, rk_kernels
from rnnkit._core.memory cimport Buffer

cdef class LayerInputs:
    cdef object dtype
    cdef size_t itemsize
    cdef rk_call *call
    cdef const rk_kernels *kernels
    cdef object x, table             # held while pointers to them are
    cdef cnp.ndarray store, different
    cdef Buffer starts, table_operand, operands, numbers, number_of
    cdef ptrdiff_t n_known           # rows that number_of has a place for, each of them -1

    cdef int place(self, x, row_of, bint training) except -1
    cdef bint place_table(self, table, size_t most_bytes) except -1
    cdef ptrdiff_t number_different(self, const ptrdiff_t *rows, ptrdiff_t n_rows) except -1
    cdef int reserve_operands(self, bint training) except -1
    cdef cnp.ndarray gathered(self, cnp.ndarray store, x, const ptrdiff_t *rows, ptrdiff_t n)

cdef LayerInputs inputs_of(dtype, rk_call *call, const rk_kernels *kernels)

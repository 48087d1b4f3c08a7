"""A recurrent layer fed step by step, for what is composed of it."""
cimport numpy as cnp

from rnnkit._core.kernels cimport rk_call
from rnnkit._core.recurrent cimport RecurrentLayer

cdef class RecurrentStep:
    cdef RecurrentLayer layer
    cdef rk_call *call               # the layer's
    cdef ptrdiff_t n
    cdef tuple shape                 # of a step
    cdef cnp.ndarray h, h_next       # (n, H), in turn
    cdef char *scratch
    cdef void *starts                # of a table's rows

    cdef cnp.ndarray advance(self, cnp.ndarray x)
    cdef bint take_table(self, table) except -1
    cdef cnp.ndarray advance_row(self, ptrdiff_t row)
    cdef cnp.ndarray run(self)
    cdef tuple state_alone(self)
    cdef int set_state_alone(self, h, c) except -1

"""A recurrent layer fed step by step, for what is composed of it."""
cimport numpy as cnp

from rnnkit._core.kernels cimport rk_call
from rnnkit._core.recurrent cimport RecurrentLayer

cdef class RecurrentStep:
    cdef RecurrentLayer layer
    cdef rk_call *call               # the layer's
    cdef ptrdiff_t[2] one_row
    cdef cnp.ndarray h, h_next       # (1, H), in turn
    cdef char *scratch

    cdef object step_alone(self, x)
    cdef tuple state_alone(self)
    cdef int set_state_alone(self, h, c) except -1

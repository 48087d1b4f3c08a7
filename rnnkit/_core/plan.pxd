"""The plan of a packed minibatch, copied and checked."""
from rnnkit._core.memory cimport Buffer

cdef class PlanCopy:
    cdef ptrdiff_t batch, steps, rows  # B, T, P
    cdef const ptrdiff_t *offsets      # (T + 1), first packed row of each step
    cdef const ptrdiff_t *lengths      # (B), longest first
    cdef Buffer memory, previous
    cdef int take(self, plan) except -1
    cdef const ptrdiff_t *previous_rows(self, bint reverse) except NULL

# cython: wraparound=False
"""The plan of a packed minibatch, copied and checked: what the kernels use as indices.

The caller's arrays may change while a call runs, and between a call and its backward pass. So
they are copied first, and what is checked, and used, is the copy.
"""

import numpy as np

cimport numpy as cnp
from libc.string cimport memcpy

from rnnkit._core.memory cimport Buffer

cnp.import_array()

cdef class PlanCopy:
    """Lengths and step offsets of the last plan taken; all zero before the first."""

    def __cinit__(self):
        self.batch = self.steps = self.rows = 0
        self.offsets = self.lengths = NULL
        self.memory = Buffer()
        self.previous = Buffer()

    cdef int take(self, plan) except -1:
        """Copy a plan; raise ValueError unless its steps are those of its lengths."""
        cdef cnp.ndarray step_offsets = index_array("step_offsets", plan.step_offsets)
        cdef cnp.ndarray lengths = index_array("lengths", plan.lengths)
        cdef ptrdiff_t n_offsets = cnp.PyArray_SIZE(step_offsets)
        cdef ptrdiff_t batch = cnp.PyArray_SIZE(lengths), steps = n_offsets - 1
        cdef ptrdiff_t t, longest, b = batch, item = sizeof(ptrdiff_t)
        cdef ptrdiff_t *offsets
        cdef ptrdiff_t *own_lengths
        self.batch = self.steps = self.rows = 0
        if steps < 0:
            raise ValueError("step_offsets must have at least one entry, got none")
        offsets = <ptrdiff_t *>self.memory.reserve((n_offsets + batch) * item)
        own_lengths = offsets + n_offsets
        memcpy(offsets, cnp.PyArray_DATA(step_offsets), n_offsets * item)
        if batch:
            memcpy(own_lengths, cnp.PyArray_DATA(lengths), batch * item)
        for t in range(batch):
            if own_lengths[t] < 0 or (t > 0 and own_lengths[t] > own_lengths[t - 1]):
                raise ValueError(
                    "lengths must not be negative and must not grow, got "
                    f"{own_lengths[t]} as number {t}"
                )
        longest = own_lengths[0] if batch else 0
        if offsets[0] != 0 or steps != longest:
            raise ValueError(
                "step_offsets must begin with 0 and have one entry more than the longest of "
                f"lengths, {longest}, got {offsets[0]} and {n_offsets} entries"
            )
        for t in range(steps):
            while own_lengths[b - 1] <= t:
                b -= 1
            if offsets[t + 1] != offsets[t] + b:
                raise ValueError(
                    f"step_offsets must grow by the {b} sequences of lengths that have step {t}, "
                    f"got {offsets[t]} before {offsets[t + 1]}"
                )
        self.offsets = offsets
        self.lengths = own_lengths
        self.batch = batch
        self.steps = steps
        self.rows = offsets[steps]
        return 0

    cdef const ptrdiff_t *previous_rows(self, bint reverse) except NULL:
        """For each packed row, the packed row of the step before, or -1 - b where h0 is."""
        cdef ptrdiff_t t, before, b, n, going, first
        cdef const ptrdiff_t *offsets = self.offsets
        cdef ptrdiff_t *previous = <ptrdiff_t *>self.previous.reserve(
            self.rows * sizeof(ptrdiff_t))
        for t in range(self.steps):
            before = t + 1 if reverse else t - 1
            first = offsets[t]
            n = offsets[t + 1] - first
            going = 0
            if 0 <= before < self.steps:
                going = min(n, offsets[before + 1] - offsets[before])
            for b in range(going):
                previous[first + b] = offsets[before] + b
            for b in range(going, n):
                previous[first + b] = -1 - b
        return previous


cdef cnp.ndarray index_array(str name, array):
    """Return a contiguous array of one dimension of indices."""
    if (type(array) is not np.ndarray or cnp.PyArray_TYPE(array) != cnp.NPY_INTP
            or not cnp.PyArray_ISCARRAY_RO(array) or cnp.PyArray_NDIM(array) != 1):
        raise ValueError(f"{name} must be a contiguous array of indices, got {array!r:.60}")
    return array

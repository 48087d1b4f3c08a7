# cython: wraparound=False
"""Sequences through a recurrent layer, one step of each a call.

Letters: n sequences, I inputs, H hidden units.
"""

import numpy as np

cimport numpy as cnp

from rnnkit._core.inputs cimport LayerInputs
from rnnkit._core.kernels cimport RK_LSTM, RK_TABLE_BYTES_OF_A_STREAM
from rnnkit._core.memory cimport checked_array
from rnnkit._core.owner cimport give_back, take
from rnnkit._core.recurrent cimport RecurrentLayer
from rnnkit._core.threads cimport run_input_sums, run_step

cnp.import_array()


class OneStep:
    """The plan of one step of n sequences."""

    def __init__(self, n):
        self.lengths = np.ones(n, np.intp)
        self.step_offsets = np.array([0, n], np.intp)


cdef class RecurrentStep:
    """A layer bound to its weights and to the states of n sequences.

    The weights are packed here, once; later changes to them are not seen. A call that comes
    while another one runs raises RuntimeError.
    """

    def __cinit__(self, spec, dtype, dict weights, ptrdiff_t n=1):
        cdef RecurrentLayer layer = RecurrentLayer(spec, dtype)
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        self.layer = layer
        self.call = &layer.call
        layer.plan.take(OneStep(n))
        self.call.steps = 1
        self.call.batch = self.call.rows = self.n = n
        self.call.step_offsets = layer.plan.offsets
        self.call.y_stride = layer.call.layer.hidden
        layer.parameters.pack(weights)
        self.shape = (n, layer.call.layer.inputs)
        if n == 1:
            self.shape = self.shape[1:]
        self.h = np.zeros((n, layer.call.layer.hidden), layer.dtype)
        self.h_next = np.zeros_like(self.h)
        if layer.call.layer.cell == RK_LSTM:
            layer.load_state(None)
        self.scratch = <char *>layer.scratch.reserve(
            layer.kernels.scratch_bytes(&layer.call.layer, n))

    def step(self, x):
        """Take x, I numbers of the layer's dtype for each sequence; return the states h (n, H).

        The array is overwritten by the call after the next.
        """
        cdef ptrdiff_t size = self.n * self.call.layer.inputs
        take(&self.layer.taken, "RecurrentStep")
        try:
            if (type(x) is not np.ndarray or cnp.PyArray_TYPE(x) != cnp.PyArray_TYPE(self.h)
                    or not cnp.PyArray_ISCARRAY_RO(x) or cnp.PyArray_SIZE(x) != size):
                if isinstance(x, np.ndarray) and x.size == size:
                    x = x.reshape(self.shape)
                x = checked_array("x", x, self.layer.dtype, self.shape)
            return self.advance(x)
        finally:
            give_back(&self.layer.taken)

    cdef cnp.ndarray advance(self, cnp.ndarray x):
        """Take a step that was checked."""
        self.call.x = cnp.PyArray_DATA(x)
        return self.run()

    cdef bint take_table(self, table) except -1:
        """Take the rows (V, I) that `advance_row` looks up; False if it cannot be called.

        A second table is not taken: the first one's user goes on with it.
        """
        cdef LayerInputs inputs = self.layer.inputs
        if self.starts != NULL or not inputs.place_table(table, RK_TABLE_BYTES_OF_A_STREAM):
            return False
        run_input_sums(self.layer.kernels, self.call)
        self.starts = self.call.starts
        self.call.starts = NULL
        return True

    cdef cnp.ndarray advance_row(self, ptrdiff_t row):
        """Take a step of one sequence, whose inputs are a row of the table."""
        cdef rk_call *call = self.call
        call.x = NULL
        call.starts = self.starts
        call.row_of = &row
        self.run()
        call.starts = NULL
        return self.h

    cdef cnp.ndarray run(self):
        """Go on from the states with the inputs of the call."""
        cdef RecurrentLayer layer = self.layer
        cdef rk_call *call = self.call
        call.h0 = cnp.PyArray_DATA(self.h)
        call.y = cnp.PyArray_DATA(self.h_next)
        if layer.has_operands:
            layer.inputs.reserve_operands(False)
            if call.x != NULL:
                layer.kernels.pair_columns(call.x, self.n, call.layer.inputs, call.x_pairs,
                                           layer.kernels.operand_length(call.layer.inputs))
        if self.n == 1:
            run_step(layer.kernels, call, self.scratch)
        else:
            with nogil:
                run_step(layer.kernels, call, self.scratch)
        call.turned ^= 1  # so that a step meets first the weights that the one before met last
        self.h, self.h_next = self.h_next, self.h
        return self.h

    @property
    def state(self):
        """Copies of h and c, (n, H) each; c is None but for lstm."""
        take(&self.layer.taken, "RecurrentStep")
        try:
            return self.state_alone()
        finally:
            give_back(&self.layer.taken)

    cdef tuple state_alone(self):
        cdef RecurrentLayer layer = self.layer
        if layer.call.layer.cell != RK_LSTM:
            return self.h.copy(), None
        return self.h.copy(), layer.gathered(layer.call.c, layer.parts)

    @state.setter
    def state(self, state):
        """Take over h and c; None: zeros."""
        h, c = (None, None) if state is None else state
        take(&self.layer.taken, "RecurrentStep")
        try:
            self.set_state_alone(h, c)
        finally:
            give_back(&self.layer.taken)

    cdef int set_state_alone(self, h, c) except -1:
        cdef RecurrentLayer layer = self.layer
        shape = (self.n, layer.call.layer.hidden)
        h = layer.checked_or_none("h", h, shape)
        c = layer.checked_or_none("c", c, (self.n, layer.parts * layer.call.layer.hidden))
        self.h = np.zeros(shape, layer.dtype) if h is None else h.copy()
        if layer.call.layer.cell == RK_LSTM:
            layer.load_state(c)
        return 0

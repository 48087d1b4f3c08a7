# cython: wraparound=False
"""One sequence through a recurrent layer, one step a call."""

import numpy as np

cimport numpy as cnp

from rnnkit._core.kernels cimport RK_LSTM, rk_call
from rnnkit._core.memory cimport address, checked_array
from rnnkit._core.owner cimport give_back, take
from rnnkit._core.recurrent cimport RecurrentLayer
from rnnkit._core.threads cimport run_step

cnp.import_array()

cdef class RecurrentStep:
    """A layer bound to its weights and its own state.

    The weights are packed here, once; later changes to them are not seen. A call that comes
    while another one runs raises RuntimeError.
    """

    def __cinit__(self, spec, dtype, dict weights):
        cdef RecurrentLayer layer = RecurrentLayer(spec, dtype)
        self.layer = layer
        self.call = &layer.call
        self.call.batch = self.call.steps = self.call.rows = 1
        self.one_row[0] = 0
        self.one_row[1] = 1
        self.call.step_offsets = self.one_row
        layer.parameters.pack(weights)
        self.h = np.zeros((1, layer.call.layer.hidden), layer.dtype)
        self.h_next = np.zeros_like(self.h)
        if layer.call.layer.cell == RK_LSTM:
            layer.load_state(None)
        self.scratch = <char *>layer.scratch.reserve(
            layer.kernels.scratch_bytes(&layer.call.layer, 1))

    def step(self, x):
        """Take x, I numbers of the layer's dtype; return the state h (1, H).

        The array is overwritten by the call after the next.
        """
        take(&self.layer.taken, "RecurrentStep")
        try:
            return self.step_alone(x)
        finally:
            give_back(&self.layer.taken)

    cdef object step_alone(self, x):
        cdef RecurrentLayer layer = self.layer
        cdef rk_call *call = self.call
        cdef cnp.ndarray numbers
        if (type(x) is not np.ndarray or cnp.PyArray_TYPE(x) != cnp.PyArray_TYPE(self.h)
                or not cnp.PyArray_ISCARRAY_RO(x) or cnp.PyArray_SIZE(x) != call.layer.inputs):
            if isinstance(x, np.ndarray) and x.size == call.layer.inputs:
                x = x.reshape(call.layer.inputs)
            x = checked_array("x", x, layer.dtype, (call.layer.inputs,))
        numbers = x
        call.x = cnp.PyArray_DATA(numbers)
        call.h0 = cnp.PyArray_DATA(self.h)
        call.y = cnp.PyArray_DATA(self.h_next)
        if layer.with_pairs:
            layer.reserve_pairs(False)
            layer.kernels.pair_columns(call.x, 1, call.layer.inputs, call.x_pairs,
                                       (call.layer.inputs + 1) // 2)
        run_step(layer.kernels, call, self.scratch)
        self.h, self.h_next = self.h_next, self.h
        return self.h

    @property
    def state(self):
        """Copies of h and c, (1, H) each; c is None but for lstm."""
        take(&self.layer.taken, "RecurrentStep")
        try:
            return self.state_alone()
        finally:
            give_back(&self.layer.taken)

    cdef tuple state_alone(self):
        cdef RecurrentLayer layer = self.layer
        if layer.call.layer.cell != RK_LSTM:
            return self.h.copy(), None
        c = np.empty_like(self.h)
        layer.copy_rows(layer.call.c, layer.padded, address(c), layer.call.layer.hidden, 1)
        return self.h.copy(), c

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
        shape = (1, layer.call.layer.hidden)
        h = layer.checked_or_none("h", h, shape)
        c = layer.checked_or_none("c", c, shape)
        self.h = np.zeros(shape, layer.dtype) if h is None else h.copy()
        if layer.call.layer.cell == RK_LSTM:
            layer.load_state(c)
        return 0

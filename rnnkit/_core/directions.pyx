"""Both directions of a recurrent layer over a packed minibatch, at once and into the same rows."""

import numpy as np

cimport numpy as cnp

from rnnkit._core.owner cimport give_back, take
from rnnkit._core.recurrent cimport RecurrentLayer, run_directions

cnp.import_array()

cdef class JoinedDirections:
    """Two layers of equal cell and widths, of opposite directions; their threads share both.

    Each keeps its own buffers and serves alone as well. A call that comes while one of the layers
    is in use raises RuntimeError.
    """
    cdef RecurrentLayer one, other
    cdef cnp.ndarray y_store

    def __cinit__(self, RecurrentLayer one, RecurrentLayer other):
        if one is None or other is None:
            raise TypeError("two directions need two layers, got None")
        if one is other or one.kernels != other.kernels or one.dtype != other.dtype:
            raise ValueError("two directions need two layers of one dtype and instruction set")
        for name in ("cell", "n_inputs", "hidden_size"):
            if getattr(one.spec, name) != getattr(other.spec, name):
                raise ValueError(f"two directions need equal {name}, got "
                                 f"{getattr(one.spec, name)} and {getattr(other.spec, name)}")
        self.one = one
        self.other = other
        self.y_store = np.empty(0, one.dtype)

    def forward(self, plan, x, weights, state, *, training=False, masks=({}, {}), row_of=None):
        """Run all steps; see `rnnkit.backends.interface.JoinedOperation.forward`."""
        take(&self.one.taken, "RecurrentLayer")
        try:
            take(&self.other.taken, "RecurrentLayer")
            try:
                return self.forward_alone(plan, x, weights, state, training, masks, row_of)
            finally:
                give_back(&self.other.taken)
        finally:
            give_back(&self.one.taken)

    cdef tuple forward_alone(self, plan, x, weights, state, bint training, masks, row_of):
        cdef RecurrentLayer one = self.one, other = self.other
        cdef ptrdiff_t hidden = one.call.layer.hidden
        self.begin_forward(one, plan, x, weights[0], state[:2], training, masks[0], row_of)
        self.begin_forward(other, plan, x, weights[1], state[2:], training, masks[1], row_of)
        if self.y_store.shape[0] < 2 * one.call.rows * hidden:
            self.y_store = np.empty(2 * one.call.rows * hidden, one.dtype)
        y = self.y_store[:2 * one.call.rows * hidden].reshape(one.call.rows, 2 * hidden)
        one.place_y(y, 0)
        other.place_y(y, hidden)
        run_directions(one, other, False)
        return y, (*one.end_forward(), *other.end_forward())

    cdef int begin_forward(self, RecurrentLayer layer, plan, x, weights, state, bint training,
                           masks, row_of) except -1:
        return layer.begin_forward(plan, x, weights, state[0], state[1], training,
                                   masks.get("recurrent_mask"), masks.get("zoneout_masks"), row_of)

    def backward(self, dy, gradients, dstate, *, input_gradient=True):
        """Run back, once; see `rnnkit.backends.interface.JoinedOperation.backward`."""
        take(&self.one.taken, "RecurrentLayer")
        try:
            take(&self.other.taken, "RecurrentLayer")
            try:
                return self.backward_alone(dy, gradients, dstate, input_gradient)
            finally:
                give_back(&self.other.taken)
        finally:
            give_back(&self.one.taken)

    cdef tuple backward_alone(self, dy, gradients, dstate, bint input_gradient):
        cdef RecurrentLayer one = self.one, other = self.other
        cdef ptrdiff_t hidden = one.call.layer.hidden
        dy = one.checked_dy(dy, 2 * hidden)
        other.checked_dy(None, 0)
        if one.y is not other.y:
            raise RuntimeError("backward() needs the forward call of both directions before it")
        one.begin_backward(gradients[0], dstate[0], dstate[1], input_gradient)
        other.begin_backward(gradients[1], dstate[2], dstate[3], input_gradient)
        one.place_dy(dy, 0)
        other.place_dy(dy, hidden)
        run_directions(one, other, True)
        dx, *start = one.end_backward()
        dx_other, *start_other = other.end_backward()
        if input_gradient:
            np.add(dx, dx_other, out=dx)
        return dx, (*start, *start_other)

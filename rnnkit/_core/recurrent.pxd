"""A recurrent layer in one direction, for what is composed of it."""
cimport numpy as cnp

from rnnkit._core.kernels cimport rk_call, rk_kernels
from rnnkit._core.inputs cimport LayerInputs
from rnnkit._core.memory cimport Buffer
from rnnkit._core.parameters cimport LayerParameters
from rnnkit._core.plan cimport PlanCopy

cdef class RecurrentLayer:
    cdef readonly object spec, dtype
    cdef char taken  # while a call uses what follows
    cdef const rk_kernels *kernels
    cdef rk_call call
    cdef LayerParameters parameters
    cdef LayerInputs inputs
    cdef size_t itemsize
    cdef ptrdiff_t panels, padded
    cdef ptrdiff_t parts             # of the second state: c, and the gates where they are carried
    cdef bint ready_for_backward, has_operands
    cdef bint constant               # whether the weights of the first call are those of all
    cdef object y, h0, mask, zoneout_h, zoneout_c, dy, dx  # held while pointers to them are
    cdef PlanCopy plan
    cdef cnp.ndarray y_store
    cdef Buffer tiles, gates, cells, kept, state, scratch, carried, normed

    cdef tuple forward_alone(self, plan, x, dict weights, h0, c0, bint training, recurrent_mask,
                             zoneout_masks, row_of)
    cdef int begin_forward(self, plan, x, dict weights, h0, c0, bint training, recurrent_mask,
                           zoneout_masks, row_of) except -1
    cdef int place_y(self, cnp.ndarray y, ptrdiff_t column) except -1
    cdef tuple end_forward(self)
    cdef tuple backward_alone(self, dy, dict gradients, dh_n, dc_n, bint input_gradient)
    cdef object checked_dy(self, dy, ptrdiff_t width)
    cdef int begin_backward(self, dict gradients, dh_n, dc_n, bint input_gradient) except -1
    cdef int place_dy(self, cnp.ndarray dy, ptrdiff_t column) except -1
    cdef tuple end_backward(self)
    cdef object gate_alone(self, str name)
    cdef double operations(self, ptrdiff_t rows)
    cdef int tile_count(self, int threads)
    cdef const ptrdiff_t *cut_evenly(self, int n_tiles) except NULL
    cdef size_t scratch_stride(self, const ptrdiff_t *tiles, int n_tiles) except? 0
    cdef object checked_or_none(self, str name, array, tuple shape)
    cdef int bind_masks(self, recurrent_mask, zoneout_masks) except -1
    cdef int load_state(self, c0) except -1
    cdef void lay_out(self, array, void *state, ptrdiff_t parts) noexcept
    cdef object gathered(self, const void *state, ptrdiff_t parts)
    cdef int keep_for_backward(self) except -1
    cdef void gather_last(self, void *h_n) noexcept

cdef int run_directions(RecurrentLayer one, RecurrentLayer other, bint backward) except -1

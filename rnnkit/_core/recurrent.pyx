"""A recurrent layer in one direction over a packed minibatch, forward and backward."""

import numpy as np

cimport numpy as cnp
from libc.string cimport memcpy, memset

from rnnkit._core.kernels cimport (
    RK_GRU,
    RK_LSTM,
    RK_OPERATIONS_WORTH_A_MEETING,
    RK_RNN,
    RK_SEQUENCES_WORTH_A_TILE,
    rk_activation,
    rk_activation_named,
    rk_call,
    rk_layer_spec,
    rk_pass,
    rk_set_option,
)
from rnnkit._core.inputs cimport inputs_of
from rnnkit._core.memory cimport Buffer, address, checked_array, checked_bytes, copy_rows
from rnnkit._core.owner cimport give_back, take
from rnnkit._core.parameters cimport parameters_of
from rnnkit._core.plan cimport PlanCopy
from rnnkit._core.threads cimport current_kernels, run_backward, run_forward, thread_count

cnp.import_array()

# cell: code, slots, and of these what inputs and recurrent product feed (src/kernels.h)
CELLS = {"rnn": (RK_RNN, 1, 1, 1), "lstm": (RK_LSTM, 4, 4, 4), "gru": (RK_GRU, 4, 3, 3)}
KERNELS = {"bf16": "bfloat16", "int8": "int8"}  # of a precision, where not those of a dtype

cdef class RecurrentLayer:
    """One layer in one direction, bound to an instruction set; owns the memory of its calls.

    `spec` is any object with the attributes of `rnnkit.cells.LayerSpec`. Arrays are
    C-contiguous and of the layer's dtype. A call that comes while another one runs raises
    RuntimeError. `constant` weights are packed once, in the first call.
    """

    def __cinit__(self, spec, dtype, *, bint constant=False):
        cdef ptrdiff_t lanes
        self.spec = spec
        self.dtype = np.dtype(dtype)
        self.itemsize = self.dtype.itemsize
        self.constant = constant
        self.has_operands = spec.precision != "full"
        if self.has_operands and self.dtype != np.float32:
            raise ValueError(f"precision={spec.precision!r} computes in float32, got {self.dtype}")
        self.kernels = current_kernels(KERNELS.get(spec.precision, self.dtype))
        memset(&self.call, 0, sizeof(rk_call))
        describe(spec, &self.call.layer)
        self.call.y_stride = self.call.dy_stride = self.call.layer.hidden
        lanes = self.kernels.lanes
        self.panels = (self.call.layer.hidden + lanes - 1) // lanes
        self.padded = self.panels * lanes
        self.parts = self.call.layer.operand // self.call.layer.hidden
        self.parameters = parameters_of(spec, self.dtype, &self.call, self.kernels)
        self.inputs = inputs_of(self.dtype, &self.call, self.kernels)
        self.plan = PlanCopy()
        self.tiles = Buffer()
        self.gates = Buffer()
        self.cells = Buffer()
        self.kept = Buffer()
        self.state = Buffer()
        self.scratch = Buffer()
        self.carried = Buffer()
        self.normed = Buffer()
        self.y_store = np.empty(0, self.dtype)

    # ---- forward ----

    def forward(self, plan, x, weights, h0=None, c0=None, *, training=False,
                recurrent_mask=None, zoneout_masks=None, row_of=None):
        """Run all steps; see `rnnkit.backends.interface.RecurrentOperation.forward`.

        Returns (y, h_n, c_n); y may be reused by the next call.
        """
        take(&self.taken, "RecurrentLayer")
        try:
            return self.forward_alone(plan, x, weights, h0, c0, training, recurrent_mask,
                                      zoneout_masks, row_of)
        finally:
            give_back(&self.taken)

    cdef tuple forward_alone(self, plan, x, dict weights, h0, c0, bint training, recurrent_mask,
                             zoneout_masks, row_of):
        self.begin_forward(plan, x, weights, h0, c0, training, recurrent_mask, zoneout_masks,
                           row_of)
        if self.y_store.shape[0] < self.call.rows * self.call.layer.hidden:
            self.y_store = np.empty(self.call.rows * self.call.layer.hidden, self.dtype)
        self.place_y(self.y_store[:self.call.rows * self.call.layer.hidden].reshape(
            self.call.rows, self.call.layer.hidden), 0)
        run_directions(self, None, False)
        return (self.y, *self.end_forward())

    cdef int begin_forward(self, plan, x, dict weights, h0, c0, bint training, recurrent_mask,
                           zoneout_masks, row_of) except -1:
        """Make the call ready to run, but for the place of y."""
        cdef rk_call *call = &self.call
        cdef ptrdiff_t n_batch, hidden = call.layer.hidden
        self.ready_for_backward = False
        self.plan.take(plan)
        n_batch = call.batch = self.plan.batch
        call.steps = self.plan.steps
        call.rows = self.plan.rows
        call.training = training
        call.step_offsets = self.plan.offsets
        self.inputs.place(x, row_of, training)
        self.h0 = self.checked_or_none("h0", h0, (n_batch, hidden))
        c0 = self.checked_or_none("c0", c0, (n_batch, self.parts * hidden))
        call.h0 = address(self.h0)
        if self.has_operands and training and (
                recurrent_mask is not None
                or zoneout_masks is not None and self.kernels.backward != NULL):
            raise ValueError(f"precision={self.spec.precision!r} has no recurrent dropout, and "
                             "'bf16' no zoneout")
        self.bind_masks(recurrent_mask if training else None, zoneout_masks if training else None)
        if not (self.constant and self.parameters.packed):
            self.parameters.pack(weights)
        if call.layer.cell == RK_LSTM:
            self.load_state(c0)
        if self.has_operands:
            self.inputs.reserve_operands(training)
        if training:
            self.keep_for_backward()
        return 0

    cdef int place_y(self, cnp.ndarray y, ptrdiff_t column) except -1:
        """Let y be some columns of an array (P, at least H)."""
        self.y = y
        self.call.y = <char *>address(y) + column * self.itemsize
        self.call.y_stride = y.shape[1]
        return 0

    cdef tuple end_forward(self):
        """The states (h_n, c_n) after a call that has run."""
        cdef rk_call *call = &self.call
        cdef ptrdiff_t n_batch = call.batch, hidden = call.layer.hidden
        self.ready_for_backward = call.training
        h_n = np.empty((n_batch, hidden), self.dtype)
        self.gather_last(address(h_n))
        return h_n, self.gathered(call.c, self.parts) if call.layer.cell == RK_LSTM else None

    cdef double operations(self, ptrdiff_t rows):
        """The floating-point operations of the forward products of so many packed rows."""
        cdef rk_layer_spec *layer = &self.call.layer
        return 2.0 * rows * layer.hidden * layer.input_slots * (layer.inputs + layer.operand)

    cdef int tile_count(self, int threads):
        """The number of tiles of sequences; 0: all threads share the hidden units, step by step."""
        cdef double step = self.operations(self.call.batch)
        if (threads > 1 and self.call.batch <= RK_SEQUENCES_WORTH_A_TILE * threads
                and step >= RK_OPERATIONS_WORTH_A_MEETING * threads
                and self.kernels.most_shares(&self.call) > 1):
            return 0
        return max(1, min(threads, self.call.batch))

    cdef const ptrdiff_t *cut_evenly(self, int n_tiles) except NULL:
        """Cut the sequences, longest first, into tiles of about equal total length."""
        cdef ptrdiff_t *tiles = <ptrdiff_t *>self.tiles.reserve((n_tiles + 1) * sizeof(ptrdiff_t))
        cdef const ptrdiff_t *lengths = self.plan.lengths
        cdef ptrdiff_t b = 0, total = 0
        cdef int tile
        tiles[0] = 0
        for tile in range(1, n_tiles):
            while b < self.call.batch and total * n_tiles < self.call.rows * tile:
                total += lengths[b]
                b += 1
            tiles[tile] = b
        tiles[n_tiles] = self.call.batch
        return tiles

    cdef size_t scratch_stride(self, const ptrdiff_t *tiles, int n_tiles) except? 0:
        cdef ptrdiff_t i, widest = 1
        cdef size_t n_bytes
        for i in range(n_tiles):
            widest = max(widest, tiles[i + 1] - tiles[i])
        n_bytes = self.kernels.scratch_bytes(&self.call.layer, widest)
        return (n_bytes + 4095) // 4096 * 4096  # whole pages: no line shared by two threads

    cdef object checked_or_none(self, str name, array, tuple shape):
        return None if array is None else checked_array(name, array, self.dtype, shape)

    cdef int bind_masks(self, recurrent_mask, zoneout_masks) except -1:
        cdef rk_call *call = &self.call
        cdef tuple rows = (call.rows, call.layer.hidden)
        masks = (None, None) if zoneout_masks is None else zoneout_masks
        self.mask = self.checked_or_none(
            "recurrent_mask", recurrent_mask, (call.batch, call.layer.hidden))
        self.zoneout_h = self.checked_or_none("zoneout_masks[0]", masks[0], rows)
        self.zoneout_c = self.checked_or_none("zoneout_masks[1]", masks[1], rows)
        call.recurrent_mask = address(self.mask)
        call.zoneout_h = address(self.zoneout_h)
        call.zoneout_c = address(self.zoneout_c)
        return 0

    cdef int load_state(self, c0) except -1:
        """Put c0 into the padded running state."""
        self.call.c = self.state.reserve_zeros(
            checked_bytes(self.itemsize, (self.parts, self.call.batch, self.padded)))
        self.lay_out(c0, self.call.c, self.parts)
        return 0

    cdef void lay_out(self, array, void *state, ptrdiff_t parts) noexcept:
        """Copy an array (B, parts * H), if any, to where parts (B, Hp) follow each other."""
        cdef size_t width = self.call.layer.hidden * self.itemsize
        cdef size_t room = self.padded * self.itemsize
        cdef ptrdiff_t part
        for part in range(parts if array is not None else 0):
            copy_rows(<char *>address(array) + part * width, parts * width,
                      <char *>state + part * self.call.batch * room, room, width, self.call.batch)

    cdef object gathered(self, const void *state, ptrdiff_t parts):
        """The array that `lay_out` lays out so."""
        cdef size_t width = self.call.layer.hidden * self.itemsize
        cdef size_t room = self.padded * self.itemsize
        cdef ptrdiff_t part
        array = np.empty((self.call.batch, parts * self.call.layer.hidden), self.dtype)
        for part in range(parts):
            copy_rows(<const char *>state + part * self.call.batch * room, room,
                      <char *>address(array) + part * width, parts * width, width, self.call.batch)
        return array

    cdef int keep_for_backward(self) except -1:
        """Reserve what the forward pass leaves for the backward pass."""
        cdef rk_call *call = &self.call
        cdef ptrdiff_t rows = call.rows, lanes = self.kernels.lanes
        cdef size_t gates = checked_bytes(
            self.itemsize, (self.panels, rows, call.layer.slots, lanes))
        cdef size_t units = checked_bytes(self.itemsize, (rows, self.padded))
        cdef char *room
        call.gates = self.gates.reserve(gates)
        call.dgates_ih = call.dgates_hh = call.gates
        call.c_prev = call.c_new = call.h_used = call.h_reset = NULL
        if call.layer.cell == RK_LSTM:
            room = <char *>self.cells.reserve((2 if call.layer.peephole else 1) * units)
            call.c_prev = room
            if call.layer.peephole:
                call.c_new = room + units
        if self.mask is not None or call.layer.reset_before or self.parts > 1:
            room = <char *>self.kept.reserve((1 + self.parts) * units)
            call.h_used = room if self.mask is not None or self.parts > 1 else NULL
            call.h_reset = room + units if call.layer.reset_before else NULL
        if call.layer.layer_norm:
            room = <char *>self.normed.reserve(
                4 * gates + 4 * units + checked_bytes(self.itemsize, (rows, 3)))
            call.norm_hat_ih = room
            call.norm_hat_hh = room + gates
            call.dgates_ih = room + 2 * gates
            call.dgates_hh = room + 3 * gates
            room += 4 * gates
            call.norm_hat_c = room
            call.d_out = room + units
            call.dc_normed = room + 2 * units
            call.dc_state = room + 3 * units
            call.norm_scale = room + 4 * units
        call.previous = self.plan.previous_rows(call.layer.reverse)
        return 0

    cdef void gather_last(self, void *h_n) noexcept:
        """The state after each sequence's last step; h0 where the sequence is empty."""
        cdef rk_call *call = &self.call
        cdef size_t n_bytes = call.layer.hidden * self.itemsize
        cdef size_t stride = call.y_stride * self.itemsize
        cdef const ptrdiff_t *lengths = self.plan.lengths
        cdef ptrdiff_t b, row
        cdef const char *source
        for b in range(call.batch):
            if lengths[b] == 0:
                source = NULL
                if call.h0 != NULL:
                    source = <const char *>call.h0 + b * n_bytes
            else:
                row = b if call.layer.reverse else call.step_offsets[lengths[b] - 1] + b
                source = <const char *>call.y + row * stride
            if source == NULL:
                memset(<char *>h_n + b * n_bytes, 0, n_bytes)
            else:
                memcpy(<char *>h_n + b * n_bytes, source, n_bytes)

    def gate(self, str name):
        """Return a gate's activations (P, H) of the last training forward call."""
        take(&self.taken, "RecurrentLayer")
        try:
            return self.gate_alone(name)
        finally:
            give_back(&self.taken)

    cdef object gate_alone(self, str name):
        cdef rk_call *call = &self.call
        cdef ptrdiff_t slot, rows = call.rows, lanes = self.kernels.lanes
        if not self.ready_for_backward:
            raise RuntimeError("gate() needs a forward call with training=True before it")
        if name not in self.spec.gates:
            raise ValueError(f"gate must be one of {', '.join(self.spec.gates)}, got {name!r}")
        slot = self.parameters.slot_of(self.spec.gates.index(name))
        shape = (self.panels, rows, call.layer.slots, lanes)
        cdef cnp.npy_intp size = self.panels * rows * call.layer.slots * lanes
        cdef int code = cnp.NPY_FLOAT32 if self.itemsize == 4 else cnp.NPY_FLOAT64
        flat = cnp.PyArray_SimpleNewFromData(1, &size, code, call.gates)
        panels = flat.reshape(shape)[:, :, slot, :]
        return panels.transpose(1, 0, 2).reshape(rows, self.padded)[:, :call.layer.hidden].copy()

    # ---- backward ----

    def backward(self, dy, gradients, dh_n=None, dc_n=None, *, input_gradient=True):
        """Run back through the last training forward call, once.

        See `rnnkit.backends.interface.RecurrentOperation.backward`. Returns (dx, dh0, dc0).
        """
        take(&self.taken, "RecurrentLayer")
        try:
            return self.backward_alone(dy, gradients, dh_n, dc_n, input_gradient)
        finally:
            give_back(&self.taken)

    cdef tuple backward_alone(self, dy, dict gradients, dh_n, dc_n, bint input_gradient):
        dy = self.checked_dy(dy, self.call.layer.hidden)
        self.begin_backward(gradients, dh_n, dc_n, input_gradient)
        self.place_dy(dy, 0)
        run_directions(self, None, True)
        return self.end_backward()

    cdef object checked_dy(self, dy, ptrdiff_t width):
        """The gradient by rows of so many columns, if there is anything to run back through."""
        if self.kernels.backward == NULL:
            raise RuntimeError(f"precision={self.spec.precision!r} is for inference alone")
        if not self.ready_for_backward:
            raise RuntimeError("backward() needs a forward call with training=True before it")
        return self.checked_or_none("dy", dy, (self.call.rows, width))

    cdef int begin_backward(self, dict gradients, dh_n, dc_n, bint input_gradient) except -1:
        """Make the call ready to run back, but for the place of dy."""
        cdef rk_call *call = &self.call
        cdef ptrdiff_t n_batch = call.batch, hidden = call.layer.hidden
        cdef size_t carried = checked_bytes(self.itemsize, (n_batch, self.padded))
        cdef char *room
        dh_n = self.checked_or_none("dh_n", dh_n, (n_batch, hidden))
        dc_n = self.checked_or_none("dc_n", dc_n, (n_batch, self.parts * hidden))
        self.parameters.check_gradients(gradients)
        self.ready_for_backward = False
        room = <char *>self.carried.reserve_zeros((1 + self.parts) * carried)
        call.dh = room
        call.dc = room + carried
        self.lay_out(dh_n, call.dh, 1)
        if call.layer.cell == RK_LSTM:
            self.lay_out(dc_n, call.dc, self.parts)
        self.dx = None
        if input_gradient:
            self.dx = np.empty((call.rows, call.layer.inputs), self.dtype)
        call.dx = address(self.dx)
        self.parameters.pack_for_backward(input_gradient)
        self.parameters.reserve_gradients()
        return 0

    cdef int place_dy(self, cnp.ndarray dy, ptrdiff_t column) except -1:
        """Let dy be some columns of an array (P, at least H), or None for zeros."""
        self.dy = dy
        self.call.dy = NULL
        if dy is not None:
            self.call.dy = <char *>address(dy) + column * self.itemsize
            self.call.dy_stride = dy.shape[1]
        return 0

    cdef tuple end_backward(self):
        """Add to the gradients; return (dx, dh0, dc0)."""
        cdef rk_call *call = &self.call
        self.parameters.add_gradients()
        dx, self.dx, self.dy = self.dx, None, None
        return (dx, self.gathered(call.dh, 1),
                self.gathered(call.dc, self.parts) if call.layer.cell == RK_LSTM else None)


cdef int run_directions(RecurrentLayer one, RecurrentLayer other, bint backward) except -1:
    """Run a layer, made ready, and at once with it the other direction, if there is one."""
    cdef rk_pass both
    cdef int directions = 1 if other is None else 2
    cdef double operations = directions * one.operations(one.call.rows)  # both ways: rows stay put
    cdef int threads = thread_count(operations)
    cdef int each = (threads + directions - 1) // directions, n_tiles = one.tile_count(each)
    both.calls[0] = both.calls[1] = &one.call
    if other is not None:
        both.calls[1] = &other.call
        n_tiles = max(n_tiles, other.tile_count(each))
    cdef int n_cut = max(n_tiles, 1)
    both.n_calls, both.n_tiles, both.threads = directions, n_tiles, threads
    both.tiles = one.cut_evenly(n_cut)
    if n_tiles > 0 and not backward:
        both.threads = min(threads, directions * n_tiles)
    elif directions * n_tiles == 1:  # one sequence: only its parameter gradients are shared
        both.threads = thread_count(operations / 3)
    both.scratch_stride = one.scratch_stride(both.tiles, n_cut)
    if other is not None:
        both.scratch_stride = max(both.scratch_stride, other.scratch_stride(both.tiles, n_cut))
    both.scratch = <char *>one.scratch.reserve(both.scratch_stride * both.threads)
    cdef int (*run)(const rk_kernels *, const rk_pass *) except -1 nogil
    run = run_backward if backward else run_forward
    with nogil:
        run(one.kernels, &both)
    return 0


cdef int describe(spec, rk_layer_spec *layer) except -1:
    """Write down a layer for the kernels."""
    layer.cell, layer.slots, layer.input_slots, layer.recurrent_slots = CELLS[spec.cell]
    layer.reverse = spec.reverse
    layer.inputs = spec.n_inputs
    layer.hidden = spec.hidden_size
    if layer.inputs < 1 or layer.hidden < 1:
        raise ValueError(f"a layer needs inputs and hidden units, got {layer.inputs} and "
                         f"{layer.hidden}")
    layer.activation = activation_of(spec.activation)
    layer.gate_activation = activation_of(spec.gate_activation)
    layer.output_activation = activation_of(spec.output_activation)
    for option, value in spec.options.items():
        if rk_set_option(layer, option.encode(), value) < 0:
            raise ValueError(f"the core does not know the option {option!r}")
    layer.operand = (4 if layer.gate_recurrence else 1) * layer.hidden
    return 0


cdef rk_activation activation_of(activation) except *:
    cdef rk_activation f
    f.kind = rk_activation_named(activation.name.encode())
    if f.kind < 0:
        raise ValueError(f"the core does not know the activation {activation.name!r}")
    f.alpha = activation.alpha
    f.beta = activation.beta
    return f


def activate(activation, x):
    """Apply an activation of the kernels in use to an array; what the cells compute with."""
    x = np.ascontiguousarray(x)
    y = np.empty_like(x)
    current_kernels(x.dtype).activate(activation_of(activation), address(x), address(y), x.size)
    return y

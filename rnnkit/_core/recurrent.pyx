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
    rk_set_option,
)
from rnnkit._core.inputs cimport inputs_of
from rnnkit._core.memory cimport Buffer, address, checked_array, checked_bytes
from rnnkit._core.owner cimport give_back, take
from rnnkit._core.parameters cimport parameters_of
from rnnkit._core.plan cimport PlanCopy
from rnnkit._core.threads cimport current_kernels, run_backward, run_forward, thread_count

cnp.import_array()

# cell: code, slots, and of these what inputs and recurrent product feed (src/kernels.h)
CELLS = {"rnn": (RK_RNN, 1, 1, 1), "lstm": (RK_LSTM, 4, 4, 4), "gru": (RK_GRU, 4, 3, 3)}

cdef class RecurrentLayer:
    """One layer in one direction, bound to an instruction set; owns the memory of its calls.

    `spec` is any object with the attributes of `rnnkit.cells.LayerSpec`. Arrays are
    C-contiguous and of the layer's dtype. A call that comes while another one runs raises
    RuntimeError.
    """

    def __cinit__(self, spec, dtype):
        cdef ptrdiff_t lanes
        self.spec = spec
        self.dtype = np.dtype(dtype)
        self.itemsize = self.dtype.itemsize
        self.with_pairs = spec.precision == "bf16"
        if self.with_pairs and self.dtype != np.float32:
            raise ValueError(f"precision='bf16' computes in float32, got {self.dtype}")
        self.kernels = current_kernels("bfloat16" if self.with_pairs else self.dtype)
        memset(&self.call, 0, sizeof(rk_call))
        describe(spec, &self.call.layer)
        lanes = self.kernels.lanes
        self.panels = (self.call.layer.hidden + lanes - 1) // lanes
        self.padded = self.panels * lanes
        self.parameters = parameters_of(spec, self.dtype, &self.call, self.kernels)
        self.inputs = inputs_of(self.dtype, &self.call, self.kernels, self.with_pairs)
        self.plan = PlanCopy()
        self.tiles = Buffer()
        self.gates = Buffer()
        self.cells = Buffer()
        self.kept = Buffer()
        self.previous = Buffer()
        self.state = Buffer()
        self.scratch = Buffer()
        self.carried = Buffer()
        self.normed = Buffer()
        self.pairs = Buffer()
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
        c0 = self.checked_or_none("c0", c0, (n_batch, hidden))
        call.h0 = address(self.h0)
        if self.with_pairs and (recurrent_mask is not None or zoneout_masks is not None):
            raise ValueError("precision='bf16' has no recurrent dropout and no zoneout")
        self.bind_masks(recurrent_mask if training else None, zoneout_masks if training else None)
        self.parameters.pack(weights)
        y = self.room_for_y()
        call.y = address(y)
        if call.layer.cell == RK_LSTM:
            self.load_state(c0)
        if self.with_pairs:
            self.reserve_pairs(training)
        if training:
            self.keep_for_backward()

        self.forward_tiles(thread_count(self.operations(call.rows)))
        self.ready_for_backward = training

        h_n = np.empty((n_batch, hidden), self.dtype)
        self.gather_last(address(h_n))
        c_n = None
        if call.layer.cell == RK_LSTM:
            c_n = np.empty((n_batch, hidden), self.dtype)
            self.copy_rows(call.c, self.padded, address(c_n), hidden, n_batch)
        return y, h_n, c_n

    cdef double operations(self, ptrdiff_t rows):
        """The floating-point operations of the forward products of so many packed rows."""
        cdef rk_layer_spec *layer = &self.call.layer
        return 2.0 * rows * layer.hidden * layer.input_slots * (layer.inputs + layer.hidden)

    cdef int forward_tiles(self, int threads) except -1:
        cdef int n_tiles = self.tile_count(threads)
        cdef const ptrdiff_t *tiles = self.cut_evenly(max(n_tiles, 1))
        cdef size_t stride = self.scratch_stride(tiles, max(n_tiles, 1))
        threads = n_tiles if n_tiles > 0 else threads
        cdef char *scratch = <char *>self.scratch.reserve(stride * threads)
        with nogil:
            run_forward(self.kernels, &self.call, tiles, n_tiles, threads, scratch, stride)
        return 0

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

    cdef int reserve_pairs(self, bint training) except -1:
        """Make room for the operands of the products in pairs; h0 is paired here."""
        cdef rk_call *call = &self.call
        cdef size_t x = checked_bytes(self.itemsize, (call.rows, (call.layer.inputs + 1) // 2))
        cdef size_t y = checked_bytes(self.itemsize, (call.rows, self.padded // 2))
        cdef size_t h0 = checked_bytes(self.itemsize, (call.batch, self.padded // 2))
        cdef size_t gates = call.layer.slots * y if training else 0
        cdef char *room = <char *>self.pairs.reserve(x + y + h0 + gates)
        call.x_pairs = room
        call.y_pairs = room + x
        call.h0_pairs = NULL
        if call.h0 != NULL:
            call.h0_pairs = room + x + y
            self.kernels.pair_columns(call.h0, call.batch, call.layer.hidden, room + x + y,
                                      self.padded // 2)
        call.gate_pairs = room + x + y + h0 if training else NULL
        return 0

    cdef object room_for_y(self):
        cdef ptrdiff_t size = self.call.rows * self.call.layer.hidden
        if self.y_store.shape[0] < size:
            self.y_store = np.empty(size, self.dtype)
        return self.y_store[:size].reshape(self.call.rows, self.call.layer.hidden)

    cdef int load_state(self, c0) except -1:
        """Put c0 into the padded running state."""
        cdef rk_call *call = &self.call
        call.c = self.state.reserve_zeros(
            checked_bytes(self.itemsize, (call.batch, self.padded)))
        if c0 is not None:
            self.copy_rows(address(c0), call.layer.hidden, call.c, self.padded, call.batch)
        return 0

    cdef void copy_rows(self, const void *source, ptrdiff_t source_width, void *target,
                        ptrdiff_t target_width, ptrdiff_t rows) noexcept:
        """Copy the first H entries of each row."""
        cdef size_t item = self.itemsize, n_bytes = self.call.layer.hidden * item
        cdef ptrdiff_t r
        for r in range(rows):
            memcpy(<char *>target + r * target_width * item,
                   <const char *>source + r * source_width * item, n_bytes)

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
        if self.mask is not None or call.layer.reset_before:
            room = <char *>self.kept.reserve(2 * units)
            call.h_used = room if self.mask is not None else NULL
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
        self.note_previous()
        return 0

    cdef int note_previous(self) except -1:
        """For each packed row, the packed row of the step before, or -1 - b where h0 is."""
        cdef rk_call *call = &self.call
        cdef ptrdiff_t t, before, b, n, going, first
        cdef ptrdiff_t *previous = <ptrdiff_t *>self.previous.reserve(
            call.rows * sizeof(ptrdiff_t))
        cdef const ptrdiff_t *offsets = call.step_offsets
        for t in range(call.steps):
            before = t + 1 if call.layer.reverse else t - 1
            first = offsets[t]
            n = offsets[t + 1] - first
            going = 0
            if 0 <= before < call.steps:
                going = min(n, offsets[before + 1] - offsets[before])
            for b in range(going):
                previous[first + b] = offsets[before] + b
            for b in range(going, n):
                previous[first + b] = -1 - b
        call.previous = previous
        return 0

    cdef void gather_last(self, void *h_n) noexcept:
        """The state after each sequence's last step; h0 where the sequence is empty."""
        cdef rk_call *call = &self.call
        cdef size_t n_bytes = call.layer.hidden * self.itemsize
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
                source = <const char *>call.y + row * n_bytes
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
        cdef rk_call *call = &self.call
        cdef ptrdiff_t n_batch = call.batch, hidden = call.layer.hidden
        cdef bint is_lstm = call.layer.cell == RK_LSTM
        cdef size_t carried = checked_bytes(self.itemsize, (n_batch, self.padded))
        cdef char *room
        if not self.ready_for_backward:
            raise RuntimeError("backward() needs a forward call with training=True before it")
        dy = self.checked_or_none("dy", dy, (call.rows, hidden))
        dh_n = self.checked_or_none("dh_n", dh_n, (n_batch, hidden))
        dc_n = self.checked_or_none("dc_n", dc_n, (n_batch, hidden))
        self.parameters.check_gradients(gradients)
        self.ready_for_backward = False
        call.dy = address(dy)
        room = <char *>self.carried.reserve_zeros(2 * carried)
        call.dh = room
        call.dc = room + carried
        if dh_n is not None:
            self.copy_rows(address(dh_n), hidden, call.dh, self.padded, n_batch)
        if dc_n is not None and is_lstm:
            self.copy_rows(address(dc_n), hidden, call.dc, self.padded, n_batch)
        dx = np.empty((call.rows, call.layer.inputs), self.dtype) if input_gradient else None
        call.dx = address(dx)
        self.parameters.pack_for_backward(input_gradient)
        self.parameters.reserve_gradients()

        self.backward_tiles(thread_count(2 * self.operations(call.rows)))
        self.parameters.add_gradients()

        dh0 = np.empty((n_batch, hidden), self.dtype)
        self.copy_rows(call.dh, self.padded, address(dh0), hidden, n_batch)
        dc0 = None
        if is_lstm:
            dc0 = np.empty((n_batch, hidden), self.dtype)
            self.copy_rows(call.dc, self.padded, address(dc0), hidden, n_batch)
        return dx, dh0, dc0

    cdef int backward_tiles(self, int threads) except -1:
        cdef int n_tiles = self.tile_count(threads)
        cdef const ptrdiff_t *tiles = self.cut_evenly(max(n_tiles, 1))
        cdef size_t stride = self.scratch_stride(tiles, max(n_tiles, 1))
        cdef char *scratch = <char *>self.scratch.reserve(stride * threads)
        with nogil:
            run_backward(self.kernels, &self.call, tiles, n_tiles, threads, scratch, stride)
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

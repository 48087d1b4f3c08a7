"""A recurrent layer in one direction over a packed minibatch, forward and backward."""

import numpy as np

cimport numpy as cnp
from libc.string cimport memcpy, memset

from rnnkit._core.kernels cimport rk_activation, rk_call, rk_kernels
from rnnkit._core.memory cimport Buffer, checked_bytes
from rnnkit._core.threads cimport current_kernels, run_backward, run_forward, run_step, thread_count

cnp.import_array()

# Fewer sequences a thread, and the threads share the hidden units instead, if a step has enough
# operations to pay for the meeting at its end (benchmarks/bench_recurrent.py).
cdef double SEQUENCES_WORTH_A_TILE = 4
cdef double OPERATIONS_WORTH_A_MEETING = 4e4

CELL_CODES = {"rnn": 0, "lstm": 1, "gru": 2}
ACTIVATION_CODES = {
    "tanh": 0,
    "sigmoid": 1,
    "softsign": 2,
    "relu": 3,
    "hard_sigmoid": 4,
    "linear": 5,
    "leaky_relu": 6,
    "scaled_tanh": 7,
}
cdef enum:
    RNN = 0
    LSTM = 1
    GRU = 2

# Slots of a panel in their order, as gates of the weights (src/kernels.h).
cdef int[1] RNN_GATES = [0]
cdef int[4] LSTM_GATES = [0, 1, 2, 3]
cdef int[3] GRU_INPUT_GATES = [2, 0, 1]      # n r z of the weights' r z n
cdef int[3] GRU_RECURRENT_GATES = [0, 1, 2]  # r z hn
GRU_SLOTS = {"n": 0, "r": 1, "z": 2}

cdef class RecurrentLayer:
    """One layer in one direction, bound to an instruction set; owns the memory of its calls.

    `spec` is any object with the fields of `rnnkit.cells.LayerSpec`. Arrays are C-contiguous
    and of the layer's dtype. Not for use by two threads at once.
    """

    cdef readonly object spec
    cdef readonly object dtype
    cdef dict shapes  # of the parameters
    cdef const rk_kernels *kernels
    cdef rk_call call
    cdef size_t itemsize
    cdef ptrdiff_t panels, padded
    cdef bint ready_for_backward, with_pairs
    cdef int *input_gates
    cdef int *recurrent_gates
    cdef object x, h0, mask, zoneout_h, zoneout_c, weights  # held while pointers to them are
    cdef object offsets, lengths
    cdef int number_type  # NumPy's number of the dtype
    cdef cnp.ndarray y_store
    cdef Buffer weight_ih, weight_hh, bias, extras, transposed_ih, transposed_hh
    cdef Buffer tiles, gates, cells, kept, previous, state, scratch, carried, normed
    cdef Buffer panel_gradients, pairs

    def __init__(self, spec, dtype):
        self.spec = spec
        self.shapes = spec.parameter_shapes()
        self.dtype = np.dtype(dtype)
        self.itemsize = self.dtype.itemsize
        self.number_type = self.dtype.num
        self.with_pairs = spec.precision == "bf16"
        if self.with_pairs and self.dtype != np.float32:
            raise ValueError(f"precision='bf16' computes in float32, got {self.dtype}")
        self.kernels = current_kernels("bfloat16" if self.with_pairs else self.dtype)
        memset(&self.call, 0, sizeof(rk_call))
        layer = &self.call.layer
        layer.cell = CELL_CODES[spec.cell]
        layer.reverse = spec.reverse
        layer.peephole = spec.peephole
        layer.coupled_gates = spec.coupled_gates
        layer.reset_before = spec.cell == "gru" and spec.reset == "before"
        layer.layer_norm = spec.layer_norm
        layer.has_clip = spec.cell_clip is not None
        layer.clip = spec.cell_clip if layer.has_clip else 0.0
        layer.zoneout = spec.zoneout
        layer.activation = activation_of(spec.activation)
        layer.gate_activation = activation_of(spec.gate_activation)
        layer.output_activation = activation_of(spec.output_activation)
        layer.inputs = spec.n_inputs
        layer.hidden = spec.hidden_size
        if layer.cell == LSTM:
            layer.slots = layer.input_slots = layer.recurrent_slots = 4
            self.input_gates = self.recurrent_gates = LSTM_GATES
        elif layer.cell == GRU:
            layer.slots = 4
            layer.input_slots = layer.recurrent_slots = 3
            self.input_gates = GRU_INPUT_GATES
            self.recurrent_gates = GRU_RECURRENT_GATES
        else:
            layer.slots = layer.input_slots = layer.recurrent_slots = 1
            self.input_gates = self.recurrent_gates = RNN_GATES
        self.panels = (layer.hidden + self.kernels.lanes - 1) // self.kernels.lanes
        self.padded = self.panels * self.kernels.lanes
        self.weight_ih = Buffer()
        self.weight_hh = Buffer()
        self.bias = Buffer()
        self.extras = Buffer()
        self.transposed_ih = Buffer()
        self.transposed_hh = Buffer()
        self.tiles = Buffer()
        self.gates = Buffer()
        self.cells = Buffer()
        self.kept = Buffer()
        self.previous = Buffer()
        self.state = Buffer()
        self.scratch = Buffer()
        self.carried = Buffer()
        self.panel_gradients = Buffer()
        self.normed = Buffer()
        self.pairs = Buffer()
        self.y_store = np.empty(0, self.dtype)

    # ---- forward ----

    def forward(self, plan, x, weights, h0=None, c0=None, *, training=False,
                recurrent_mask=None, zoneout_masks=None):
        """Run all steps; see `rnnkit.backends.interface.RecurrentOperation.forward`.

        Returns (y, h_n, c_n); y may be reused by the next call.
        """
        cdef rk_call *call = &self.call
        cdef ptrdiff_t n_batch = plan.n_sequences, hidden = call.layer.hidden
        cdef double operations
        self.ready_for_backward = False
        call.batch = n_batch
        call.steps = plan.n_steps
        call.rows = plan.n_rows
        call.training = training
        self.offsets = plan.step_offsets
        self.lengths = plan.lengths
        call.step_offsets = indices("step_offsets", self.offsets, call.steps + 1)
        indices("lengths", self.lengths, n_batch)
        self.x = self.checked("x", x, (call.rows, call.layer.inputs))
        self.h0 = self.checked_or_none("h0", h0, (n_batch, hidden))
        c0 = self.checked_or_none("c0", c0, (n_batch, hidden))
        call.x = address(self.x)
        call.h0 = address(self.h0)
        if self.with_pairs and (recurrent_mask is not None or zoneout_masks is not None):
            raise ValueError("precision='bf16' has no recurrent dropout and no zoneout")
        self.bind_masks(recurrent_mask if training else None, zoneout_masks if training else None)
        self.bind_weights(weights)
        y = self.room_for_y()
        call.y = address(y)
        if call.layer.cell == LSTM:
            self.load_state(c0)
        if self.with_pairs:
            self.reserve_pairs(training)
        if training:
            self.keep_for_backward()

        operations = 2.0 * call.rows * hidden * self.gate_count() * (call.layer.inputs + hidden)
        self.forward_tiles(thread_count(operations))
        self.ready_for_backward = training

        h_n = np.empty((n_batch, hidden), self.dtype)
        self.gather_last(address(h_n))
        c_n = None
        if call.layer.cell == LSTM:
            c_n = np.empty((n_batch, hidden), self.dtype)
            self.copy_rows(call.c, self.padded, address(c_n), hidden, n_batch)
        return y, h_n, c_n

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
        """The number of tiles of sequences; 0: all threads share the hidden units of all."""
        cdef double step = 2.0 * self.call.batch * self.call.layer.hidden * self.gate_count() * (
            self.call.layer.inputs + self.call.layer.hidden)
        if (threads > 1 and self.call.batch <= SEQUENCES_WORTH_A_TILE * threads
                and step >= OPERATIONS_WORTH_A_MEETING * threads
                and self.kernels.largest_team(&self.call) > 1):
            return 0
        return max(1, min(threads, self.call.batch))

    cdef const ptrdiff_t *cut_evenly(self, int n_tiles) except NULL:
        """Cut the sequences, longest first, into tiles of about equal total length."""
        cdef ptrdiff_t *tiles = <ptrdiff_t *>self.tiles.reserve((n_tiles + 1) * sizeof(ptrdiff_t))
        cdef const ptrdiff_t *lengths = <const ptrdiff_t *>address(self.lengths)
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

    cdef int gate_count(self):
        return 4 if self.call.layer.cell == LSTM else 3 if self.call.layer.cell == GRU else 1

    cdef object checked(self, str name, array, tuple shape):
        """Return an array of the layer's dtype and this shape, contiguous."""
        cdef int axis
        if (type(array) is np.ndarray and cnp.PyArray_TYPE(array) == self.number_type
                and cnp.PyArray_ISCARRAY_RO(array) and cnp.PyArray_NDIM(array) == len(shape)):
            for axis in range(len(shape)):
                if cnp.PyArray_DIM(array, axis) != <ptrdiff_t>shape[axis]:
                    break
            else:
                return array
        if not isinstance(array, np.ndarray) or array.dtype != self.dtype:
            raise TypeError(f"{name} must be an array of {self.dtype}, got {array!r:.60}")
        if array.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
        return np.ascontiguousarray(array)

    cdef object checked_or_none(self, str name, array, tuple shape):
        return None if array is None else self.checked(name, array, shape)

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

    cdef object weight(self, dict weights, str name):
        if name not in weights:
            raise ValueError(f"the weight {name!r} is missing; got {', '.join(sorted(weights))}")
        return self.checked(name, weights[name], self.shapes[name])

    cdef int bind_weights(self, weights) except -1:
        """Pack the weights into panels."""
        cdef rk_call *call = &self.call
        cdef ptrdiff_t hidden = call.layer.hidden, inputs = call.layer.inputs
        cdef ptrdiff_t slots = call.layer.slots, gates = self.gate_count()
        cdef size_t row = checked_bytes(self.itemsize, (self.padded, slots))
        cdef const rk_kernels *k = self.kernels
        self.weights = {name: self.weight(weights, name) for name in self.shapes}
        weight_ih, weight_hh = self.weights["weight_ih"], self.weights["weight_hh"]
        call.weight_ih = self.weight_ih.reserve(checked_bytes(row, (inputs,)))
        call.weight_hh = self.weight_hh.reserve(checked_bytes(row, (hidden,)))
        k.pack_operand(address(weight_ih), hidden, inputs, self.input_gates, gates, 0,
                       call.layer.input_slots, <void *>call.weight_ih)
        k.pack_operand(address(weight_hh), hidden, hidden, self.recurrent_gates, gates, 0,
                       call.layer.recurrent_slots, <void *>call.weight_hh)
        call.bias = self.bias.reserve_zeros(row)
        self.pack_vector("bias", self.input_gates, gates, 0, slots, <void *>call.bias)
        if call.layer.cell == GRU:
            self.pack_vector("bias_hn", RNN_GATES, 1, 3, slots, <void *>call.bias)
        if call.layer.peephole or call.layer.layer_norm:
            self.bind_extras(row)
        return 0

    cdef int pack_vector(self, str name, const int *gates, ptrdiff_t n_gates,
                         ptrdiff_t first_slot, ptrdiff_t slots, void *panels) except -1:
        self.kernels.pack(address(self.weights[name]), self.call.layer.hidden, 1, gates, n_gates,
                          first_slot, slots, panels)
        return 0

    cdef int bind_extras(self, size_t row) except -1:
        """Pack peepholes and normalisation gains: five pieces of one row of slots each."""
        cdef rk_call *call = &self.call
        cdef char *room = <char *>self.extras.reserve_zeros(5 * row)
        cdef ptrdiff_t slots = call.layer.slots, gates = self.gate_count()
        if call.layer.peephole:
            call.peephole = room
            self.pack_vector("peephole", LSTM_GATES, 3, 0, 3, room)
        if call.layer.layer_norm:
            call.norm_ih = room + row
            call.norm_hh = room + 2 * row
            self.pack_vector("norm_ih", self.input_gates, gates, 0, slots, room + row)
            self.pack_vector("norm_hh", self.recurrent_gates, gates,
                             slots - call.layer.recurrent_slots, slots, room + 2 * row)
            if call.layer.cell == LSTM:
                call.norm_c = room + 3 * row
                call.norm_c_bias = room + 4 * row
                self.pack_vector("norm_c", RNN_GATES, 1, 0, 1, room + 3 * row)
                self.pack_vector("norm_c_bias", RNN_GATES, 1, 0, 1, room + 4 * row)
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
        if call.layer.cell == LSTM:
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
        cdef const ptrdiff_t *lengths = <const ptrdiff_t *>address(self.lengths)
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

    def gate(self, name):
        """Return a gate's activations (P, H) of the last training forward call."""
        cdef rk_call *call = &self.call
        cdef ptrdiff_t slot, rows = call.rows, lanes = self.kernels.lanes
        if not self.ready_for_backward:
            raise RuntimeError("gate() needs a forward call with training=True before it")
        if name not in self.spec.gates:
            raise ValueError(f"gate must be one of {', '.join(self.spec.gates)}, got {name!r}")
        slot = GRU_SLOTS[name] if call.layer.cell == GRU else self.spec.gates.index(name)
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
        cdef rk_call *call = &self.call
        cdef ptrdiff_t n_batch = call.batch, hidden = call.layer.hidden
        cdef bint is_lstm = call.layer.cell == LSTM
        cdef size_t carried = checked_bytes(self.itemsize, (n_batch, self.padded))
        cdef double operations
        cdef int threads
        cdef char *room
        if not self.ready_for_backward:
            raise RuntimeError("backward() needs a forward call with training=True before it")
        dy = self.checked_or_none("dy", dy, (call.rows, hidden))
        dh_n = self.checked_or_none("dh_n", dh_n, (n_batch, hidden))
        dc_n = self.checked_or_none("dc_n", dc_n, (n_batch, hidden))
        for name, shape in self.shapes.items():
            target = gradients[name]
            if target.shape != shape or target.dtype != self.dtype or not target.flags.c_contiguous:
                raise ValueError(f"gradients[{name!r}] must be a contiguous {self.dtype} {shape}")
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
        self.pack_for_backward(input_gradient)
        self.reserve_panel_gradients()

        operations = 4.0 * call.rows * hidden * self.gate_count() * (call.layer.inputs + hidden)
        threads = max(1, thread_count(operations))
        self.backward_tiles(threads)
        self.add_gradients(gradients)

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

    cdef int pack_for_backward(self, bint input_gradient) except -1:
        cdef rk_call *call = &self.call
        cdef ptrdiff_t lanes = self.kernels.lanes, hidden = call.layer.hidden
        cdef ptrdiff_t inputs = call.layer.inputs, gates = self.gate_count()
        cdef ptrdiff_t padded_inputs = (inputs + lanes - 1) // lanes * lanes
        call.weight_hh_t = self.transposed_hh.reserve(
            checked_bytes(self.itemsize, (self.padded, gates, self.padded)))
        self.kernels.pack_transposed(address(self.weights["weight_hh"]), hidden, hidden,
                                     self.recurrent_gates, gates, <void *>call.weight_hh_t)
        if input_gradient:
            call.weight_ih_t = self.transposed_ih.reserve(
                checked_bytes(self.itemsize, (self.padded, gates, padded_inputs)))
            self.kernels.pack_transposed(address(self.weights["weight_ih"]), hidden, inputs,
                                         self.input_gates, gates, <void *>call.weight_ih_t)
        return 0

    cdef int reserve_panel_gradients(self) except -1:
        """Zeroed panels: input and recurrent weights, then rows of slots for the vectors."""
        cdef rk_call *call = &self.call
        cdef size_t row = checked_bytes(self.itemsize, (self.padded, call.layer.slots))
        cdef size_t n_ih = row * call.layer.inputs, n_hh = row * call.layer.hidden
        cdef char *room = <char *>self.panel_gradients.reserve_zeros(n_ih + n_hh + 6 * row)
        call.dweight_ih = room
        call.dweight_hh = room + n_ih
        room += n_ih + n_hh
        call.dbias = room
        call.dpeephole = room + row
        call.dnorm_ih = room + 2 * row
        call.dnorm_hh = room + 3 * row
        call.dnorm_c = room + 4 * row
        call.dnorm_c_bias = room + 5 * row
        return 0

    cdef int add_gradients(self, gradients) except -1:
        """Add the packed gradients to the plain ones."""
        cdef rk_call *call = &self.call
        cdef const rk_kernels *k = self.kernels
        cdef ptrdiff_t hidden = call.layer.hidden, gates = self.gate_count()
        cdef ptrdiff_t slots = call.layer.slots
        k.unpack_add(call.dweight_ih, hidden, call.layer.inputs, self.input_gates, gates, 0,
                     call.layer.input_slots, address(gradients["weight_ih"]))
        k.unpack_add(call.dweight_hh, hidden, hidden, self.recurrent_gates, gates, 0,
                     call.layer.recurrent_slots, address(gradients["weight_hh"]))
        k.unpack_add(call.dbias, hidden, 1, self.input_gates, gates, 0, slots,
                     address(gradients["bias"]))
        if call.layer.cell == GRU:
            k.unpack_add(call.dbias, hidden, 1, RNN_GATES, 1, 3, slots,
                         address(gradients["bias_hn"]))
        if call.layer.peephole:
            k.unpack_add(call.dpeephole, hidden, 1, LSTM_GATES, 3, 0, 3,
                         address(gradients["peephole"]))
        if call.layer.layer_norm:
            k.unpack_add(call.dnorm_ih, hidden, 1, self.input_gates, gates, 0, slots,
                         address(gradients["norm_ih"]))
            k.unpack_add(call.dnorm_hh, hidden, 1, self.recurrent_gates, gates,
                         slots - call.layer.recurrent_slots, slots,
                         address(gradients["norm_hh"]))
            if call.layer.cell == LSTM:
                k.unpack_add(call.dnorm_c, hidden, 1, RNN_GATES, 1, 0, 1,
                             address(gradients["norm_c"]))
                k.unpack_add(call.dnorm_c_bias, hidden, 1, RNN_GATES, 1, 0, 1,
                             address(gradients["norm_c_bias"]))
        return 0


cdef class RecurrentStep(RecurrentLayer):
    """A layer bound to its weights and its own state: one sequence, one step a call.

    The weights are packed here, once; later changes to them are not seen.
    """

    cdef ptrdiff_t[2] one_row
    cdef cnp.ndarray h, h_next  # (1, H), in turn
    cdef char *step_scratch

    def __init__(self, spec, dtype, weights):
        cdef rk_call *call = &self.call
        super().__init__(spec, dtype)
        call.batch = call.steps = call.rows = 1
        self.one_row[0] = 0
        self.one_row[1] = 1
        call.step_offsets = self.one_row
        self.bind_weights(weights)
        self.h = np.zeros((1, call.layer.hidden), self.dtype)
        self.h_next = np.zeros_like(self.h)
        if call.layer.cell == LSTM:
            self.load_state(None)
        self.step_scratch = <char *>self.scratch.reserve(
            self.kernels.scratch_bytes(&call.layer, 1))

    def step(self, x):
        """Take x, I numbers of the layer's dtype; return the state h (1, H).

        The array is overwritten by the call after the next.
        """
        cdef rk_call *call = &self.call
        cdef cnp.ndarray numbers
        if (type(x) is not np.ndarray or cnp.PyArray_TYPE(x) != self.number_type
                or not cnp.PyArray_ISCARRAY_RO(x) or cnp.PyArray_SIZE(x) != call.layer.inputs):
            if isinstance(x, np.ndarray) and x.size == call.layer.inputs:
                x = x.reshape(call.layer.inputs)
            x = self.checked("x", x, (call.layer.inputs,))
        numbers = x
        call.x = cnp.PyArray_DATA(numbers)
        call.h0 = cnp.PyArray_DATA(self.h)
        call.y = cnp.PyArray_DATA(self.h_next)
        if self.with_pairs:
            self.reserve_pairs(False)
            self.kernels.pair_columns(call.x, 1, call.layer.inputs, call.x_pairs,
                                      (call.layer.inputs + 1) // 2)
        run_step(self.kernels, call, self.step_scratch)
        self.h, self.h_next = self.h_next, self.h
        return self.h

    @property
    def state(self):
        """Copies of h and c, (1, H) each; c is None but for lstm."""
        if self.call.layer.cell != LSTM:
            return self.h.copy(), None
        c = np.empty_like(self.h)
        self.copy_rows(self.call.c, self.padded, address(c), self.call.layer.hidden, 1)
        return self.h.copy(), c

    @state.setter
    def state(self, state):
        """Take over h and c; None: zeros."""
        h, c = (None, None) if state is None else state
        shape = (1, self.call.layer.hidden)
        h = self.checked_or_none("h", h, shape)
        c = self.checked_or_none("c", c, shape)
        self.h = np.zeros(shape, self.dtype) if h is None else h.copy()
        if self.call.layer.cell == LSTM:
            self.load_state(c)


cdef rk_activation activation_of(activation):
    cdef rk_activation f
    f.kind = ACTIVATION_CODES[activation.name]
    f.alpha = activation.alpha
    f.beta = activation.beta
    return f


cdef void *address(array) noexcept:
    """The first byte of a contiguous array; NULL for None."""
    return NULL if array is None else cnp.PyArray_DATA(array)


cdef const ptrdiff_t *indices(str name, array, ptrdiff_t n) except? NULL:
    """The entries of a contiguous array of n indices."""
    if (type(array) is not np.ndarray or cnp.PyArray_TYPE(array) != cnp.NPY_INTP
            or not cnp.PyArray_ISCARRAY_RO(array) or cnp.PyArray_SIZE(array) != n):
        raise ValueError(f"{name} must be a contiguous array of {n} indices, got {array!r:.60}")
    return <const ptrdiff_t *>cnp.PyArray_DATA(array)


def activate(activation, x):
    """Apply an activation of the kernels in use to an array; what the cells compute with."""
    x = np.ascontiguousarray(x)
    y = np.empty_like(x)
    current_kernels(x.dtype).activate(activation_of(activation), address(x), address(y), x.size)
    return y

# cython: wraparound=False
"""The parameters of a recurrent layer as the kernels want them: one table, all else follows.

The table says of each parameter in which panels it lies and where in them: its gates, in the order
of the slots that they fill, and the first of those slots. src/kernels.h has the layouts.
"""

import numpy as np

from rnnkit._core.kernels cimport (
    RK_GRU,
    RK_PACK_OPERAND,
    RK_PACK_TRANSPOSED,
    RK_UNPACK_ADD,
    rk_call,
    rk_kernels,
    rk_matrix,
    rk_panels_named,
)
from rnnkit._core.memory cimport Buffer, address, checked_array, checked_bytes, lies_writable
from rnnkit._core.threads cimport run_clear, run_convert

JOINED = ("weight_hh", "gate_recurrence")

cdef int[4] AS_STORED = [0, 1, 2, 3]
cdef int[3] N_FIRST = [2, 0, 1]  # the slots n r z of a gru, stored r z n

cdef class Parameter:
    """One row of the table."""


cdef class LayerParameters:
    """The parameters of one call structure: packed for it, and their gradients unpacked from it."""

    cdef int fill(self) except -1:
        """Write the table; a parameter that the layer lacks has no row."""
        cdef rk_call *call = self.call
        cdef ptrdiff_t slots = call.layer.slots, inner = slots - call.layer.recurrent_slots
        cdef const int *gates = AS_STORED
        if call.layer.cell == RK_GRU:
            gates = N_FIRST
        # its name, its panels, its gates in the order of their slots, the first slot, of how many
        self.add("weight_ih", "weight_ih", gates, 0, call.layer.input_slots)
        self.add("weight_hh", "weight_hh", AS_STORED, 0, call.layer.recurrent_slots)
        self.add("bias", "bias", gates, 0, slots)
        self.add("bias_hn", "bias", AS_STORED, 3, slots)
        self.add("peephole", "peephole", AS_STORED, 0, 3)
        self.add("norm_ih", "norm_ih", gates, 0, slots)
        self.add("norm_hh", "norm_hh", AS_STORED, inner, slots)
        self.add("norm_c", "norm_c", AS_STORED, 0, 1)
        self.add("norm_c_bias", "norm_c_bias", AS_STORED, 0, 1)
        if len(self.table) != len(self.shapes):
            raise ValueError(f"the core does not know all of {', '.join(self.shapes)}")
        return 0

    cdef int add(self, str name, str panels, const int *gates, ptrdiff_t first_slot,
                 ptrdiff_t slots) except -1:
        cdef Parameter parameter, before
        if name not in self.shapes:
            return 0
        parameter = Parameter()
        parameter.name = name
        parameter.shape = self.shapes[name]
        parameter.gates = gates
        parameter.n_gates = parameter.shape[0] // self.call.layer.hidden
        parameter.columns = parameter.shape[1] if len(parameter.shape) == 2 else 1
        if (parameter.n_gates < 1 or first_slot + parameter.n_gates > slots
                or parameter.shape[0] != parameter.n_gates * self.call.layer.hidden):
            raise ValueError(f"the core has no place for {name!r} of shape {parameter.shape}")
        parameter.first_slot = first_slot
        parameter.slots = slots
        if rk_panels_named(self.call, panels.encode(), &parameter.packed, &parameter.gradient) < 0:
            raise ValueError(f"the core has no panels called {panels!r}")
        parameter.n_bytes = checked_bytes(self.dtype.itemsize, (
            self.padded, slots,
            max(parameter.columns, self.kernels.operand_length(parameter.columns))))
        parameter.panels = Buffer()
        parameter.transposed = Buffer()
        for before in self.table:
            if before.packed == parameter.packed:
                parameter.n_bytes = 0
        self.table.append(parameter)
        return 0

    cdef int pack(self, dict weights) except -1:
        """Pack the plain arrays of all names into panels."""
        cdef Parameter parameter
        cdef ptrdiff_t hidden = self.call.layer.hidden
        self.packed = False
        if self.gates is not None:
            weights = self.beside_gates(weights)
        for parameter in self.table:
            if parameter.name not in weights:
                raise ValueError(f"the weight {parameter.name!r} is missing; got "
                                 f"{', '.join(sorted(weights))}")
            parameter.array = checked_array(parameter.name, weights[parameter.name], self.dtype,
                                            parameter.shape)
        for parameter in self.table:
            if len(parameter.shape) == 2:
                parameter.packed[0] = parameter.panels.reserve(parameter.n_bytes)
                self.convert(parameter, RK_PACK_OPERAND, address(parameter.array),
                             <void *>parameter.packed[0])
                continue
            if parameter.n_bytes:
                parameter.packed[0] = parameter.panels.reserve_zeros(parameter.n_bytes)
            self.kernels.pack(address(parameter.array), hidden, 1, parameter.gates,
                              parameter.n_gates, parameter.first_slot, parameter.slots,
                              <void *>parameter.packed[0], 0, self.padded // self.kernels.lanes)
        self.packed = True
        return 0

    cdef int convert(self, Parameter parameter, int form, const void *source,
                     void *target) except -1:
        """Bring a matrix into another form."""
        cdef rk_matrix matrix
        matrix.form = form
        matrix.source = source
        matrix.to = target
        matrix.hidden = self.call.layer.hidden
        matrix.columns = parameter.columns
        matrix.gates = parameter.gates
        matrix.n_gates = parameter.n_gates
        matrix.first_slot = parameter.first_slot
        matrix.slots = parameter.slots
        return run_convert(self.kernels, &matrix, parameter.n_bytes)

    cdef int pack_transposed(self, Parameter parameter, const void **groups) except -1:
        cdef ptrdiff_t lanes = self.kernels.lanes, columns = parameter.columns
        cdef ptrdiff_t padded = (columns + lanes - 1) // lanes * lanes
        groups[0] = parameter.transposed.reserve(
            checked_bytes(self.dtype.itemsize, (self.padded, parameter.n_gates, padded)))
        return self.convert(parameter, RK_PACK_TRANSPOSED, address(parameter.array),
                            <void *>groups[0])

    cdef int pack_for_backward(self, bint input_gradient) except -1:
        """Pack the matrices as right operands of the dh and dx products."""
        self.pack_transposed(self.table[1], &self.call.weight_hh_t)
        if input_gradient:
            self.pack_transposed(self.table[0], &self.call.weight_ih_t)
        return 0

    cdef int check_gradients(self, dict gradients) except -1:
        """Keep the arrays that are added to at the end; refuse others than can be, as they lie."""
        cdef Parameter parameter
        if self.gates is not None:
            gradients = self.gradients_beside_gates(gradients)
        for parameter in self.table:
            parameter.target = gradients[parameter.name]
            if not lies_writable(parameter.target, self.dtype.num, parameter.shape):
                raise ValueError(f"gradients[{parameter.name!r}] must be a contiguous array of "
                                 f"{self.dtype} and shape {parameter.shape} to write to")
        return 0

    cdef int reserve_gradients(self) except -1:
        """Zeroed panels for the gradient of every parameter."""
        cdef Parameter parameter
        cdef size_t total = 0
        cdef char *room
        for parameter in self.table:
            total += parameter.n_bytes
        room = <char *>self.gradients.reserve(total)
        run_clear(room, total)
        for parameter in self.table:
            if parameter.n_bytes:
                parameter.gradient[0] = room
                room += parameter.n_bytes
        return 0

    cdef int add_gradients(self) except -1:
        """Add the panels to the plain arrays that were checked."""
        cdef Parameter parameter
        for parameter in self.table:
            if len(parameter.shape) == 2:
                self.convert(parameter, RK_UNPACK_ADD, parameter.gradient[0],
                             address(parameter.target))
            else:
                self.kernels.unpack_add(parameter.gradient[0], self.call.layer.hidden, 1,
                                        parameter.gates, parameter.n_gates, parameter.first_slot,
                                        parameter.slots, address(parameter.target), 0,
                                        self.padded // self.kernels.lanes)
            parameter.target = None
        if self.gates is not None:
            self.add_gates()
        return 0

    # With gate recurrence the table has one matrix (4 H, 4 H), W_hh with R (3 H, 3 H) beside it.
    # The rows of g see no gates.

    cdef dict beside_gates(self, dict weights):
        """The weights with R beside W_hh."""
        cdef ptrdiff_t h = self.call.layer.hidden
        joined = np.zeros((4 * h, 4 * h), self.dtype)
        parts = []
        for name, shape in zip(JOINED, self.gates):
            if name not in weights:
                raise ValueError(f"the weight {name!r} is missing; got "
                                 f"{', '.join(sorted(weights))}")
            parts.append(checked_array(name, weights[name], self.dtype, shape))
        joined[:, :h] = parts[0]
        joined[:2 * h, h:] = parts[1][:2 * h]
        joined[3 * h:, h:] = parts[1][2 * h:]
        return {**weights, JOINED[0]: joined}

    cdef dict gradients_beside_gates(self, dict gradients):
        """The gradients with a zero one for the joined matrix, once both plain ones are checked."""
        for name, shape in zip(JOINED, self.gates):
            if not lies_writable(gradients[name], self.dtype.num, shape):
                raise ValueError(f"gradients[{name!r}] must be a contiguous array of {self.dtype} "
                                 f"and shape {shape} to write to")
        joined = np.zeros(self.shapes[JOINED[0]], self.dtype)
        self.targets = (joined, *[gradients[name] for name in JOINED])
        return {**gradients, JOINED[0]: joined}

    cdef int add_gates(self) except -1:
        """Part the gradient of the joined matrix and add it to the plain ones."""
        cdef ptrdiff_t h = self.call.layer.hidden
        joined, recurrent, gates = self.targets
        self.targets = None
        recurrent += joined[:, :h]
        gates[:2 * h] += joined[:2 * h, h:]
        gates[2 * h:] += joined[3 * h:, h:]
        return 0

    cdef ptrdiff_t slot_of(self, ptrdiff_t gate):
        """The slot that holds the activations of a gate."""
        cdef Parameter bias = self.table[2]
        cdef ptrdiff_t slot = 0
        while bias.gates[slot] != gate:
            slot += 1
        return slot


cdef LayerParameters parameters_of(spec, dtype, rk_call *call, const rk_kernels *kernels):
    """The parameters of a layer in a call structure that lives as long and has its layer set."""
    parameters = LayerParameters()
    parameters.shapes = spec.parameter_shapes()
    if call.layer.gate_recurrence:
        parameters.gates = tuple([parameters.shapes[name] for name in JOINED])
        parameters.shapes[JOINED[0]] = (4 * call.layer.hidden, 4 * call.layer.hidden)
        del parameters.shapes[JOINED[1]]
    parameters.call = call
    parameters.kernels = kernels
    parameters.dtype = np.dtype(dtype)
    parameters.padded = (call.layer.hidden + kernels.lanes - 1) // kernels.lanes * kernels.lanes
    parameters.table = []
    parameters.gradients = Buffer()
    parameters.fill()
    return parameters

# cython: wraparound=False
"""What a recurrent layer reads: rows as they lie, or looked up in a table.

Where fewer different rows are looked up than there are packed rows, each has its product with the
input weights once, on the bias, and the sums of every packed row's gates begin with it. These are
the very numbers of the product of the packed row, since a sum of gates adds up the inputs first.

Letters: P packed rows, V rows of a table, I inputs.
"""

import numpy as np

cimport numpy as cnp
from libc.string cimport memcpy, memset

from rnnkit._core.kernels cimport RK_TABLE_BYTES, RK_TABLE_REPEATS, rk_call, rk_kernels
from rnnkit._core.memory cimport Buffer, address, checked_array, checked_bytes

cnp.import_array()


cdef class LayerInputs:
    """The inputs of a call."""

    cdef int place(self, x, row_of, bint training) except -1:
        """Take rows (P, I); or, with row_of (P,), rows (V, I) of which each packed row is one."""
        cdef rk_call *call = self.call
        cdef const ptrdiff_t *rows
        cdef ptrdiff_t n
        call.starts = NULL
        if row_of is None:
            self.x = checked_array("x", x, self.dtype, (call.rows, call.layer.inputs))
            call.x = address(self.x)
            return 0
        x = checked_array("x", x, self.dtype, (len(x), call.layer.inputs))
        row_of = row_numbers(row_of, call.rows, len(x))
        rows = <const ptrdiff_t *>cnp.PyArray_DATA(row_of)
        n = self.number_different(rows, len(x))
        if RK_TABLE_REPEATS * n <= call.rows:
            self.different = self.gathered(self.different, x, call.row_of + call.rows, n)
            self.place_table(self.different[:n], RK_TABLE_BYTES)
        self.x = None
        if training or call.starts == NULL:  # backward multiplies by the rows themselves
            self.store = self.gathered(self.store, x, rows, call.rows)
            self.x = self.store[:call.rows]
        call.x = address(self.x)
        return 0

    cdef ptrdiff_t number_different(self, const ptrdiff_t *rows, ptrdiff_t n_rows) except -1:
        """Number the rows that occur, in the order in which they come; return how many there are.

        The number of each packed row goes to `row_of` of the call, and after these the row of
        each number.
        """
        cdef ptrdiff_t p, row, n = 0, packed = self.call.rows
        cdef ptrdiff_t *numbers = <ptrdiff_t *>self.numbers.reserve(
            checked_bytes(sizeof(ptrdiff_t), (2, packed)))
        cdef ptrdiff_t *different = numbers + packed
        cdef int *number_of
        if n_rows > self.n_known:
            number_of = <int *>self.number_of.reserve(checked_bytes(sizeof(int), (n_rows,)))
            memset(number_of, -1, n_rows * sizeof(int))
            self.n_known = n_rows
        number_of = <int *>self.number_of.data
        for p in range(packed):
            row = rows[p]
            if number_of[row] < 0:
                number_of[row] = <int>n
                different[n] = row
                n += 1
            numbers[p] = number_of[row]
        for p in range(n):
            number_of[different[p]] = -1
        self.call.row_of = numbers
        return n

    cdef bint place_table(self, table, size_t most_bytes) except -1:
        """Make room for the input products of rows (V, I), which `input_sums` makes.

        False if a call cannot begin with them, or they take more than `most_bytes`.
        """
        cdef rk_call *call = self.call
        cdef ptrdiff_t rows = len(table), inputs = call.layer.inputs, lanes = self.kernels.lanes
        cdef ptrdiff_t length
        cdef ptrdiff_t padded = (call.layer.hidden + lanes - 1) // lanes * lanes
        cdef size_t n_bytes = checked_bytes(self.itemsize, (padded, call.layer.slots, rows))
        if n_bytes > most_bytes or not self.kernels.takes_starts(&call.layer):
            return False
        self.table = table
        call.table = address(table)
        call.table_rows = rows
        if self.kernels.pair_columns != NULL:
            length = self.kernels.operand_length(inputs)
            call.table = self.table_operand.reserve(checked_bytes(self.itemsize, (rows, length)))
            self.kernels.pair_columns(address(table), rows, inputs, <void *>call.table, length)
        call.starts = self.starts.reserve(n_bytes)
        return True

    cdef int reserve_operands(self, bint training) except -1:
        """Make room for the row operands of products that take no reals; h0 gets its form here.

        With quads h gets its form in scratch, step by step.
        """
        cdef rk_call *call = self.call
        cdef ptrdiff_t hidden = call.layer.hidden, lanes = self.kernels.lanes
        cdef ptrdiff_t half = (hidden + lanes - 1) // lanes * lanes // 2
        cdef size_t x = checked_bytes(
            self.itemsize, (call.rows, self.kernels.operand_length(call.layer.inputs)))
        cdef size_t y = 0, h0 = 0, gates = 0
        cdef char *room
        if self.kernels.backward != NULL:  # pairs
            y = checked_bytes(self.itemsize, (call.rows, half))
            h0 = checked_bytes(self.itemsize, (call.batch, half))
            gates = call.layer.slots * y if training else 0
        room = <char *>self.operands.reserve(x + y + h0 + gates)
        call.x_pairs = room
        call.y_pairs = room + x if y else NULL
        call.h0_pairs = NULL
        if h0 and call.h0 != NULL:
            call.h0_pairs = room + x + y
            self.kernels.pair_columns(call.h0, call.batch, hidden, room + x + y, half)
        call.gate_pairs = room + x + y + h0 if gates else NULL
        return 0

    cdef cnp.ndarray gathered(self, cnp.ndarray store, x, const ptrdiff_t *rows, ptrdiff_t n):
        """Copy n rows of x to the beginning of a store; return it, or a longer one."""
        cdef ptrdiff_t p
        cdef size_t n_bytes = self.call.layer.inputs * self.itemsize
        cdef const char *source = <const char *>cnp.PyArray_DATA(x)
        cdef char *target
        if len(store) < n:
            store = np.empty((n, self.call.layer.inputs), self.dtype)
        target = <char *>cnp.PyArray_DATA(store)
        with nogil:
            for p in range(n):
                memcpy(target + p * n_bytes, source + rows[p] * n_bytes, n_bytes)
        return store


cdef cnp.ndarray row_numbers(row_of, ptrdiff_t rows, ptrdiff_t n):
    """A copy of what says which of n rows each packed row is, checked."""
    cdef ptrdiff_t p
    row_of = np.array(row_of, dtype=np.intp)
    if row_of.ndim != 1 or len(row_of) != rows:
        raise ValueError(f"row_of must have shape ({rows},), got {row_of.shape}")
    cdef const cnp.npy_intp[::1] numbers = row_of
    for p in range(rows):
        if not 0 <= numbers[p] < n:
            raise IndexError(f"row_of must lie in 0 .. {n - 1}, got {numbers[p]}")
    return row_of


cdef LayerInputs inputs_of(dtype, rk_call *call, const rk_kernels *kernels):
    """The inputs of a call structure that lives as long and has its layer set."""
    inputs = LayerInputs()
    inputs.dtype = dtype
    inputs.itemsize = dtype.itemsize
    inputs.call = call
    inputs.kernels = kernels
    inputs.store = inputs.different = np.empty((0, call.layer.inputs), dtype)
    inputs.starts = Buffer()
    inputs.table_operand = Buffer()
    inputs.operands = Buffer()
    inputs.numbers = Buffer()
    inputs.number_of = Buffer()
    return inputs

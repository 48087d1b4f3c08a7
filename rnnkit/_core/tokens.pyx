# cython: wraparound=False
"""A text through table, layers and head, one token a call; and the draw of what comes next.

Letters: V ids, E numbers of an embedding, H hidden units, K scores, m texts.
"""

import numpy as np

cimport numpy as cnp
from libc.math cimport exp
from libc.string cimport memcpy

from rnnkit._core.kernels cimport rk_kernels
from rnnkit._core.memory cimport Buffer, checked_array, checked_bytes
from rnnkit._core.owner cimport give_back, take
from rnnkit._core.step cimport RecurrentStep
from rnnkit._core.threads cimport current_kernels, run_dense

cnp.import_array()

ctypedef fused number:
    float
    double


cdef class PackedDense:
    """A dense layer whose weights are packed once, for one row at a time."""

    cdef ptrdiff_t n_inputs, n_outputs
    cdef const rk_kernels *kernels
    cdef Buffer panels, bias
    cdef void *panels_data
    cdef void *bias_data
    cdef cnp.ndarray y

    def __cinit__(self, dtype, weight, bias):
        dtype = np.dtype(dtype)
        self.n_outputs, self.n_inputs = weight.shape
        weight = checked_array("weight", weight, dtype, (self.n_outputs, self.n_inputs))
        if bias is not None:
            bias = checked_array("bias", bias, dtype, (self.n_outputs,))
        self.kernels = current_kernels(dtype)
        self.panels = Buffer()
        self.bias = Buffer()
        cdef ptrdiff_t lanes = self.kernels.lanes
        cdef ptrdiff_t padded = (self.n_outputs + lanes - 1) // lanes * lanes
        cdef size_t item = dtype.itemsize
        self.panels_data = self.panels.reserve(checked_bytes(item, (padded, self.n_inputs)))
        self.bias_data = self.bias.reserve(padded * item)
        self.kernels.pack_dense(cnp.PyArray_DATA(weight), 1, self.n_inputs,
                                NULL if bias is None else cnp.PyArray_DATA(bias), self.n_inputs,
                                self.n_outputs, self.panels_data, self.bias_data)
        self.y = np.empty((1, self.n_outputs), dtype)

    cdef cnp.ndarray map_row(self, cnp.ndarray x):
        """Return the row that one row x, of as many numbers as there are inputs, becomes."""
        run_dense(self.kernels, cnp.PyArray_DATA(x), self.panels_data, self.bias_data,
                  cnp.PyArray_DATA(self.y), self.n_inputs, self.n_outputs, 1, 1)
        return self.y


cdef class TokenStep:
    """A text, of which each token's id is looked up and goes through all layers.

    The table is copied and the head packed here, once. The states are those of the layers' own
    `RecurrentStep`, which nobody else calls meanwhile. A call that comes while another one runs
    raises RuntimeError.
    """

    cdef tuple layers, heads
    cdef object dtype
    cdef cnp.ndarray table, row, shares
    cdef ptrdiff_t n_ids, n_scores
    cdef size_t row_bytes
    cdef char taken

    def __cinit__(self, dtype, table, layers, heads):
        dtype = np.dtype(dtype)
        self.table = np.array(table, dtype, order="C")
        self.n_ids, width = self.table.shape[0], self.table.shape[1]
        self.row = np.zeros(width, dtype)
        self.row_bytes = width * dtype.itemsize
        cdef RecurrentStep layer
        cdef PackedDense head
        for entry in layers:
            if not isinstance(entry, RecurrentStep):
                raise TypeError(f"layers must be RecurrentStep, got {type(entry).__name__}")
            layer = entry
            if layer.layer.dtype != dtype or layer.call.layer.inputs != width:
                raise ValueError(f"a layer takes {layer.call.layer.inputs} {layer.layer.dtype}, "
                                 f"and is given {width} {dtype}")
            width = layer.call.layer.hidden
        self.layers = tuple(layers)
        self.heads = tuple(PackedDense(dtype, weight, bias) for weight, bias in heads)
        for entry in self.heads:
            head = entry
            if head.n_inputs != width:
                raise ValueError(f"a head takes {head.n_inputs} numbers, and is given {width}")
            width = head.n_outputs
        self.dtype = dtype
        self.n_scores = width
        self.shares = np.empty(width)

    def feed(self, ptrdiff_t token):
        """Read the token of an id; return the raw scores (1, K), overwritten by the next call."""
        if not 0 <= token < self.n_ids:
            raise ValueError(f"token must lie in 0 .. {self.n_ids - 1}, got {token}")
        take(&self.taken, "TokenStep")
        try:
            return self.feed_alone(token)
        finally:
            give_back(&self.taken)

    def write(self, scores, double temperature, at, ptrdiff_t end):
        """Draw a token, read it, draw the next; return the ids drawn and the scores after them.

        scores (1, K) are those to begin with, of which the first, that of no token, is never
        drawn; the temperature 0 takes the largest. at says where in [0, 1) the die of each token
        falls. The id `end`, which is not read, is the last.
        """
        scores = checked_array("scores", scores, self.dtype, (1, self.n_scores))
        cdef const double[::1] dice = np.ascontiguousarray(at, dtype=np.float64)
        if self.n_scores < 2 or self.n_scores > self.n_ids:
            raise ValueError(f"there must be a score for each of {self.n_ids} ids, "
                             f"got {self.n_scores}")
        take(&self.taken, "TokenStep")
        try:
            return self.write_alone(scores, temperature, dice, end)
        finally:
            give_back(&self.taken)

    cdef tuple write_alone(self, scores, double temperature, const double[::1] dice,
                           ptrdiff_t end):
        cdef ptrdiff_t i, token, n = self.n_scores - 1
        cdef bint single = self.dtype == np.float32
        cdef double *shares = <double *>cnp.PyArray_DATA(self.shares)
        cdef void *data
        ids = np.empty(dice.shape[0], np.intp)
        cdef cnp.npy_intp[::1] drawn = ids
        for i in range(dice.shape[0]):
            data = cnp.PyArray_DATA(scores)
            if single:
                token = draw_one(<float *>data + 1, n, temperature, dice[i], shares) + 1
            else:
                token = draw_one(<double *>data + 1, n, temperature, dice[i], shares) + 1
            drawn[i] = token
            if token == end:
                return ids[:i + 1], scores
            scores = self.feed_alone(token)
        return ids, scores

    cdef object feed_alone(self, ptrdiff_t token):
        memcpy(cnp.PyArray_DATA(self.row),
               <char *>cnp.PyArray_DATA(self.table) + token * self.row_bytes, self.row_bytes)
        x = self.row
        for layer in self.layers:
            x = (<RecurrentStep>layer).step_alone(x)
        for head in self.heads:
            x = (<PackedDense>head).map_row(x)
        return x


def draw(scores, double temperature, at):
    """Draw an entry of each row; see `rnnkit.backends.interface`."""
    scores = np.ascontiguousarray(scores)
    at = np.ascontiguousarray(at, dtype=np.float64)
    if scores.ndim != 2 or at.shape != scores.shape[:1] or scores.shape[1] == 0:
        raise ValueError(f"there must be a die for each row of scores, got {at.shape} and "
                         f"{scores.shape}")
    drawn = np.empty(len(at), np.intp)
    shares = np.empty(scores.shape[1])
    if scores.dtype == np.float32:
        draw_rows[float](scores, temperature, at, shares, drawn)
    else:
        draw_rows[double](scores, temperature, at, shares, drawn)
    return drawn


cdef int draw_rows(const number[:, ::1] scores, double temperature, const double[::1] at,
                   double[::1] shares, cnp.npy_intp[::1] drawn) except -1:
    cdef ptrdiff_t p
    with nogil:
        for p in range(scores.shape[0]):
            drawn[p] = draw_one(&scores[p, 0], scores.shape[1], temperature, at[p], &shares[0])
    return 0


cdef ptrdiff_t draw_one(const number *scores, ptrdiff_t n, double temperature, double at,
                        double *shares) noexcept nogil:
    """Return the entry of n > 0 into which a die falls; the first of the largest for 0."""
    cdef ptrdiff_t k, best = 0
    cdef double total = 0, top, limit
    for k in range(1, n):
        if scores[k] > scores[best]:
            best = k
    if temperature == 0:
        return best
    top = scores[best]
    for k in range(n):
        total += exp((scores[k] - top) / temperature)
        shares[k] = total
    limit = at * total
    k = 0
    while k < n - 1 and shares[k] <= limit:
        k += 1
    while k > 0 and shares[k] == shares[k - 1]:  # of no share, at the very end
        k -= 1
    return k

# cython: wraparound=False
"""A text through table, layers and head, one token a call; and the draw of what comes next.

Letters: V ids, E numbers of an embedding, H hidden units, K scores, m texts.
"""

import numpy as np

cimport numpy as cnp
from libc.math cimport exp
from libc.string cimport memcpy

from rnnkit._core.chain_step cimport ChainStep
from rnnkit._core.memory cimport checked_array
from rnnkit._core.owner cimport give_back, take
from rnnkit._core.step cimport RecurrentStep

cnp.import_array()

ctypedef fused number:
    float
    double


cdef class TokenStep:
    """A text, of which each token's id is looked up and goes through all layers.

    The table is copied and the head packed here, once. The states are those of the layers' own
    `RecurrentStep`, which nobody else calls meanwhile. A call that comes while another one runs
    raises RuntimeError.
    """

    cdef ChainStep chain
    cdef RecurrentStep first         # that takes ids; None: it takes rows of the table
    cdef cnp.ndarray table, row, shares
    cdef ptrdiff_t n_ids
    cdef size_t row_bytes
    cdef char taken

    def __cinit__(self, dtype, table, layers, heads):
        dtype = np.dtype(dtype)
        self.table = np.array(table, dtype, order="C")
        self.n_ids, width = self.table.shape[0], self.table.shape[1]
        self.row = np.zeros(width, dtype)
        self.row_bytes = width * dtype.itemsize
        self.chain = ChainStep(dtype, (width,), layers, heads)
        if layers and (<RecurrentStep>layers[0]).take_table(self.table):
            self.first = layers[0]
        self.shares = np.empty(self.chain.n_scores)

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
        cdef ptrdiff_t n_scores = self.chain.n_scores
        scores = checked_array("scores", scores, self.chain.dtype, (1, n_scores))
        cdef const double[::1] dice = np.ascontiguousarray(at, dtype=np.float64)
        if n_scores < 2 or n_scores > self.n_ids:
            raise ValueError(f"there must be a score for each of {self.n_ids} ids, "
                             f"got {n_scores}")
        take(&self.taken, "TokenStep")
        try:
            return self.write_alone(scores, temperature, dice, end)
        finally:
            give_back(&self.taken)

    cdef tuple write_alone(self, scores, double temperature, const double[::1] dice,
                           ptrdiff_t end):
        cdef ptrdiff_t i, token, n = self.chain.n_scores - 1
        cdef bint single = self.chain.number_type == cnp.NPY_FLOAT32
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
        if self.first is not None:
            return self.chain.onward(self.first.advance_row(token), 1)
        memcpy(cnp.PyArray_DATA(self.row),
               <char *>cnp.PyArray_DATA(self.table) + token * self.row_bytes, self.row_bytes)
        return self.chain.through(self.row)


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

# cython: wraparound=False
"""Attention of the steps that are written to those that were read: weights and weighted sums.

Every sum runs in a fixed order over the steps, or the numbers, of one pair of sequences, so that
no bit depends on the sequences beside it. Letters: P steps written, R steps read, A numbers that
are compared, W numbers of a value, E pairs of a step written and a step read.
"""

import numpy as np

cimport numpy as cnp
from cython cimport floating
from libc.math cimport exp

from rnnkit._core.memory cimport lies_ready
from rnnkit._core.plan cimport PlanCopy

cnp.import_array()


cdef class Pairs:
    """Which steps read belong to each step written; its plans are copied and checked.

    The pairs of a sequence written lie one after the other, step after step of it, and for each
    the steps read.
    """

    cdef PlanCopy written, read
    cdef object sources
    cdef const cnp.npy_intp[::1] source
    cdef readonly ptrdiff_t n

    def __cinit__(self, written, read, source):
        cdef ptrdiff_t d
        self.written = PlanCopy()
        self.read = PlanCopy()
        self.written.take(written)
        self.read.take(read)
        self.sources = np.array(source, dtype=np.intp)
        if self.sources.shape != (self.written.batch,):
            raise ValueError(f"source must have shape ({self.written.batch},), one for each "
                             f"sequence written, got {self.sources.shape}")
        self.source = self.sources
        self.n = 0
        for d in range(self.written.batch):
            if not 0 <= self.source[d] < self.read.batch:
                raise ValueError(f"source must lie in [0, {self.read.batch}), got "
                                 f"{self.source[d]}")
            self.n += self.written.lengths[d] * self.read.lengths[self.source[d]]

    cdef int check(self, str name, array, ptrdiff_t rows, ptrdiff_t width, dtype) except -1:
        cdef tuple shape = (rows, width)
        if width < 0:
            shape = (rows,)
        if not lies_ready(array, (<cnp.dtype>dtype).type_num, shape):
            raise ValueError(f"{name} must be a contiguous array of {dtype} and shape {shape}")
        return 0

    def dot_energies(self, queries, keys):
        """Return the products (E,) of queries (P, A) and keys (R, A)."""
        self.check("queries", queries, self.written.rows, queries.shape[1], queries.dtype)
        self.check("keys", keys, self.read.rows, queries.shape[1], queries.dtype)
        energies = np.empty(self.n, queries.dtype)
        if queries.dtype == np.float32:
            products[float](self, queries, keys, energies)
        else:
            products[double](self, queries, keys, energies)
        return energies

    def sums(self, queries, keys):
        """Return the sums (E, A) of queries (P, A) and keys (R, A)."""
        self.check("queries", queries, self.written.rows, queries.shape[1], queries.dtype)
        self.check("keys", keys, self.read.rows, queries.shape[1], queries.dtype)
        total = np.empty((self.n, queries.shape[1]), queries.dtype)
        if queries.dtype == np.float32:
            add_pairs[float](self, queries, keys, total)
        else:
            add_pairs[double](self, queries, keys, total)
        return total

    def attend(self, energies, values):
        """Turn energies (E,) into weights, in place; return the sums (P, W) of values (R, W)."""
        self.check("energies", energies, self.n, -1, energies.dtype)
        self.check("values", values, self.read.rows, values.shape[1], energies.dtype)
        contexts = np.zeros((self.written.rows, values.shape[1]), energies.dtype)
        if energies.dtype == np.float32:
            softmax_sums[float](self, energies, values, contexts)
        else:
            softmax_sums[double](self, energies, values, contexts)
        return contexts

    def attend_back(self, weights, values, dcontexts):
        """Return the gradients by energies (E,) and values (R, W), from that by the sums."""
        self.check("weights", weights, self.n, -1, weights.dtype)
        self.check("values", values, self.read.rows, values.shape[1], weights.dtype)
        self.check("dcontexts", dcontexts, self.written.rows, values.shape[1], weights.dtype)
        denergies = np.empty_like(weights)
        dvalues = np.zeros_like(values)
        if weights.dtype == np.float32:
            softmax_sums_back[float](self, weights, values, dcontexts, denergies, dvalues)
        else:
            softmax_sums_back[double](self, weights, values, dcontexts, denergies, dvalues)
        return denergies, dvalues

    def dot_back(self, denergies, queries, keys):
        """Return the gradients by queries and keys, from that by their products."""
        self.check("denergies", denergies, self.n, -1, queries.dtype)
        self.check("queries", queries, self.written.rows, queries.shape[1], queries.dtype)
        self.check("keys", keys, self.read.rows, queries.shape[1], queries.dtype)
        dqueries, dkeys = np.zeros_like(queries), np.zeros_like(keys)
        if queries.dtype == np.float32:
            products_back[float](self, denergies, queries, keys, dqueries, dkeys)
        else:
            products_back[double](self, denergies, queries, keys, dqueries, dkeys)
        return dqueries, dkeys

    def sums_back(self, dsums):
        """Return the gradients by queries (P, A) and keys (R, A), from that by their sums."""
        self.check("dsums", dsums, self.n, dsums.shape[1], dsums.dtype)
        dqueries = np.zeros((self.written.rows, dsums.shape[1]), dsums.dtype)
        dkeys = np.zeros((self.read.rows, dsums.shape[1]), dsums.dtype)
        if dsums.dtype == np.float32:
            add_pairs_back[float](self, dsums, dqueries, dkeys)
        else:
            add_pairs_back[double](self, dsums, dqueries, dkeys)
        return dqueries, dkeys


def row_products(rows, vector):
    """Return the products (E,) of rows (E, A) with a vector (A,)."""
    found = np.empty(len(rows), rows.dtype)
    if vector.shape != rows.shape[1:] or vector.dtype != rows.dtype:
        raise ValueError(f"vector must be {rows.dtype} of shape {rows.shape[1:]}")
    if rows.dtype == np.float32:
        each_product[float](rows, vector, found)
    else:
        each_product[double](rows, vector, found)
    return found


def weighted_rows(weights, rows):
    """Return the sum (A,) of rows (E, A), each times its weight (E,), in their order."""
    total = np.zeros(rows.shape[1], rows.dtype)
    if weights.shape != rows.shape[:1] or weights.dtype != rows.dtype:
        raise ValueError(f"weights must be {rows.dtype} of shape {rows.shape[:1]}")
    if rows.dtype == np.float32:
        add_weighted[float](weights, rows, total)
    else:
        add_weighted[double](weights, rows, total)
    return total


cdef inline floating dot(const floating *a, const floating *b, ptrdiff_t n) noexcept nogil:
    """Sum products in eight chains, then these pair by pair."""
    cdef floating part[8]
    cdef ptrdiff_t k, j
    for j in range(8):
        part[j] = 0
    for k in range(0, n - 7, 8):
        for j in range(8):
            part[j] += a[k + j] * b[k + j]
    for k in range(n - n % 8, n):
        part[k % 8] += a[k] * b[k]
    return (((part[0] + part[1]) + (part[2] + part[3]))
            + ((part[4] + part[5]) + (part[6] + part[7])))


cdef inline void add_times(floating *total, floating factor, const floating *row,
                           ptrdiff_t n) noexcept nogil:
    cdef ptrdiff_t k
    for k in range(n):
        total[k] += factor * row[k]


cdef int each_product(const floating[:, ::1] rows, const floating[::1] vector,
                      floating[::1] found) except -1:
    cdef ptrdiff_t p, n = rows.shape[1]
    with nogil:
        for p in range(rows.shape[0]):
            found[p] = dot(&rows[p, 0], &vector[0], n)
    return 0


cdef int add_weighted(const floating[::1] weights, const floating[:, ::1] rows,
                      floating[::1] total) except -1:
    cdef ptrdiff_t p, n = rows.shape[1]
    with nogil:
        for p in range(rows.shape[0]):
            add_times(&total[0], weights[p], &rows[p, 0], n)
    return 0


cdef int products(Pairs pairs, const floating[:, ::1] queries, const floating[:, ::1] keys,
                  floating[::1] energies) except -1:
    cdef ptrdiff_t d, u, t, s, pair = 0, n = queries.shape[1]
    cdef const floating *query
    cdef const ptrdiff_t *reads = pairs.read.offsets
    with nogil:
        for d in range(pairs.written.batch):
            s = pairs.source[d]
            for u in range(pairs.written.lengths[d]):
                query = &queries[pairs.written.offsets[u] + d, 0]
                for t in range(pairs.read.lengths[s]):
                    energies[pair] = dot(query, &keys[reads[t] + s, 0], n)
                    pair += 1
    return 0


cdef int products_back(Pairs pairs, const floating[::1] denergies,
                       const floating[:, ::1] queries, const floating[:, ::1] keys,
                       floating[:, ::1] dqueries, floating[:, ::1] dkeys) except -1:
    cdef ptrdiff_t d, u, t, s, row, pair = 0, n = queries.shape[1]
    cdef const ptrdiff_t *reads = pairs.read.offsets
    with nogil:
        for d in range(pairs.written.batch):
            s = pairs.source[d]
            for u in range(pairs.written.lengths[d]):
                row = pairs.written.offsets[u] + d
                for t in range(pairs.read.lengths[s]):
                    add_times(&dqueries[row, 0], denergies[pair], &keys[reads[t] + s, 0], n)
                    add_times(&dkeys[reads[t] + s, 0], denergies[pair], &queries[row, 0], n)
                    pair += 1
    return 0


cdef int add_pairs(Pairs pairs, const floating[:, ::1] queries, const floating[:, ::1] keys,
                   floating[:, ::1] total) except -1:
    cdef ptrdiff_t d, u, t, s, k, pair = 0, n = queries.shape[1]
    cdef const floating *query
    cdef const floating *key
    cdef floating *out
    with nogil:
        for d in range(pairs.written.batch):
            s = pairs.source[d]
            for u in range(pairs.written.lengths[d]):
                query = &queries[pairs.written.offsets[u] + d, 0]
                for t in range(pairs.read.lengths[s]):
                    key = &keys[pairs.read.offsets[t] + s, 0]
                    out = &total[pair, 0]
                    for k in range(n):
                        out[k] = query[k] + key[k]
                    pair += 1
    return 0


cdef int add_pairs_back(Pairs pairs, const floating[:, ::1] dsums, floating[:, ::1] dqueries,
                        floating[:, ::1] dkeys) except -1:
    cdef ptrdiff_t d, u, t, s, pair = 0, n = dsums.shape[1]
    with nogil:
        for d in range(pairs.written.batch):
            s = pairs.source[d]
            for u in range(pairs.written.lengths[d]):
                for t in range(pairs.read.lengths[s]):
                    add_times(&dqueries[pairs.written.offsets[u] + d, 0], 1, &dsums[pair, 0], n)
                    add_times(&dkeys[pairs.read.offsets[t] + s, 0], 1, &dsums[pair, 0], n)
                    pair += 1
    return 0


cdef int softmax_sums(Pairs pairs, floating[::1] energies, const floating[:, ::1] values,
                      floating[:, ::1] contexts) except -1:
    cdef ptrdiff_t d, u, t, s, length, row, first = 0, n = values.shape[1]
    cdef double top, total
    with nogil:
        for d in range(pairs.written.batch):
            s = pairs.source[d]
            length = pairs.read.lengths[s]
            if length == 0:
                continue
            for u in range(pairs.written.lengths[d]):
                row = pairs.written.offsets[u] + d
                top = energies[first]
                for t in range(1, length):
                    if energies[first + t] > top:
                        top = energies[first + t]
                total = 0
                for t in range(length):
                    energies[first + t] = <floating>exp(energies[first + t] - top)
                    total += energies[first + t]
                for t in range(length):
                    energies[first + t] = <floating>(energies[first + t] / total)
                    add_times(&contexts[row, 0], energies[first + t],
                              &values[pairs.read.offsets[t] + s, 0], n)
                first += length
    return 0


cdef int softmax_sums_back(Pairs pairs, const floating[::1] weights,
                           const floating[:, ::1] values, const floating[:, ::1] dcontexts,
                           floating[::1] denergies, floating[:, ::1] dvalues) except -1:
    cdef ptrdiff_t d, u, t, s, length, row, source, first = 0, n = values.shape[1]
    cdef floating mean
    with nogil:
        for d in range(pairs.written.batch):
            s = pairs.source[d]
            length = pairs.read.lengths[s]
            for u in range(pairs.written.lengths[d]):
                row = pairs.written.offsets[u] + d
                mean = 0
                for t in range(length):
                    source = pairs.read.offsets[t] + s
                    denergies[first + t] = dot(&dcontexts[row, 0], &values[source, 0], n)
                    mean += weights[first + t] * denergies[first + t]
                    add_times(&dvalues[source, 0], weights[first + t], &dcontexts[row, 0], n)
                for t in range(length):
                    denergies[first + t] = weights[first + t] * (denergies[first + t] - mean)
                first += length
    return 0

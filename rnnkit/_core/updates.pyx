# cython: wraparound=False
"""Gradients of rows looked up, clipping and optimizer rules, in place, one pass each.

With ranges they pass over these alone: elsewhere nothing would change.
"""

import numpy as np

cimport numpy as cnp
from cython cimport floating
from libc.math cimport fabs, isfinite, sqrt

cdef enum:
    LANES = 8  # partial sums of a norm: a fixed order that a compiler can vectorise


cdef object checked_ranges(ranges, ptrdiff_t n):
    """Return a copy of ranges (m, 2), first and last of each, which lie in order within n entries.

    None stands for all of them.
    """
    if ranges is None:
        return np.array([[0, n]], np.intp)
    ranges = np.array(ranges, dtype=np.intp)
    if ranges.ndim != 2 or ranges.shape[1] != 2:
        raise ValueError(f"ranges must have shape (m, 2), got {ranges.shape}")
    cdef const cnp.npy_intp[:, ::1] places = ranges
    cdef ptrdiff_t r, end = 0
    for r in range(places.shape[0]):
        if not end <= places[r, 0] <= places[r, 1] <= n:
            raise ValueError(f"ranges must lie in order in 0 .. {n}, got {places[r, 0]} to "
                             f"{places[r, 1]} after {end}")
        end = places[r, 1]
    return ranges


def add_rows(table, ids, rows):
    """Add to each row of table (V, W) the sum, in order, of those of rows (P, W) with its id."""
    ids = np.array(ids, dtype=np.intp)  # a copy, as these become places in the table
    if ids.shape != rows.shape[:1]:
        raise ValueError(f"ids must have shape {rows.shape[:1]}, got {ids.shape}")
    order = np.argsort(ids, kind="stable")
    total = np.zeros(table.shape[1], table.dtype)
    if table.dtype == np.float32:
        scatter[float](table, ids, order, rows, total)
    else:
        scatter[double](table, ids, order, rows, total)


cdef int scatter(floating[:, ::1] table, const cnp.npy_intp[::1] ids,
                 const cnp.npy_intp[::1] order, const floating[:, :] rows,
                 floating[::1] total) except -1:
    cdef ptrdiff_t i, p, k, n = table.shape[1], n_rows = ids.shape[0]
    cdef floating *to
    cdef floating *sums
    cdef const floating *row
    if rows.shape[1] != n:
        raise ValueError(f"rows must have {n} columns, got {rows.shape[1]}")
    for p in range(ids.shape[0]):
        if not 0 <= ids[p] < table.shape[0]:
            raise IndexError(f"ids must lie in 0 .. {table.shape[0] - 1}, got {ids[p]}")
    if n > 1 and rows.strides[1] != sizeof(floating):
        rows = np.ascontiguousarray(rows)
    if n == 0:
        return 0
    sums = &total[0]
    with nogil:
        for i in range(n_rows):
            p = order[i]
            row = &rows[p, 0]
            for k in range(n):
                sums[k] += row[k]
            if i + 1 == n_rows or ids[order[i + 1]] != ids[p]:
                to = &table[ids[p], 0]
                for k in range(n):
                    to[k] += sums[k]
                    sums[k] = 0
    return 0


def clip_norm(gradient, double limit, ranges=None):
    """Scale the gradient in place to a 2-norm of at most `limit`; return the norm found."""
    places = checked_ranges(ranges, len(gradient))
    if gradient.dtype == np.float32:
        return clip[float](gradient, limit, places)
    return clip[double](gradient, limit, places)


cdef double clip(floating[::1] gradient, double limit,
                 const cnp.npy_intp[:, ::1] ranges) except? -1:
    cdef double partial[LANES]
    cdef double norm, total = 0
    cdef floating factor
    cdef ptrdiff_t i, lane, r, last, n = gradient.shape[0], whole = n // LANES * LANES
    with nogil:
        for lane in range(LANES):
            partial[lane] = 0
        for r in range(ranges.shape[0]):
            i = ranges[r, 0]
            last = min(ranges[r, 1], whole)
            while i < last and i % LANES:
                partial[i % LANES] += <double>gradient[i] * gradient[i]
                i += 1
            while i + LANES <= last:
                for lane in range(LANES):
                    partial[lane] += <double>gradient[i + lane] * gradient[i + lane]
                i += LANES
            while i < last:
                partial[i % LANES] += <double>gradient[i] * gradient[i]
                i += 1
        for lane in range(LANES):
            total += partial[lane]
        for r in range(ranges.shape[0]):
            for i in range(max(ranges[r, 0], whole), ranges[r, 1]):
                total += <double>gradient[i] * gradient[i]
        norm = sqrt(total)
        if not isfinite(norm):
            norm = norm_of_large(gradient)
        if isfinite(norm) and norm > limit:
            factor = <floating>(limit / norm)
            for r in range(ranges.shape[0]):
                for i in range(ranges[r, 0], ranges[r, 1]):
                    gradient[i] *= factor
    return norm


cdef double norm_of_large(const floating[::1] gradient) noexcept nogil:
    """Return the 2-norm of entries whose squares may overflow; as it is if one is not finite."""
    cdef double largest = 0, total = 0, scaled
    cdef ptrdiff_t i
    for i in range(gradient.shape[0]):
        if not isfinite(gradient[i]):
            return fabs(gradient[i])
        largest = max(largest, fabs(gradient[i]))
    for i in range(gradient.shape[0]):
        scaled = gradient[i] / largest
        total += scaled * scaled
    return largest * sqrt(total)


cdef int check_sizes(ptrdiff_t parameters, ptrdiff_t gradient, ptrdiff_t first,
                     ptrdiff_t second) except -1:
    """Raise ValueError unless all vectors of a rule are as long as the parameters."""
    if parameters != gradient or parameters != first or parameters != second:
        raise ValueError(f"gradient and state must have the {parameters} entries of the "
                         f"parameters, got {gradient}, {first} and {second}")
    return 0


def sgd(floating[::1] w, const floating[::1] g, floating[::1] velocity,
        floating rate, floating momentum, bint nesterov, ranges=None):
    """Stochastic gradient descent with classical or Nesterov momentum."""
    cdef ptrdiff_t i, r
    cdef const cnp.npy_intp[:, ::1] places = checked_ranges(ranges, w.shape[0])
    check_sizes(w.shape[0], g.shape[0], velocity.shape[0], velocity.shape[0])
    with nogil:
        for r in range(places.shape[0]):
            for i in range(places[r, 0], places[r, 1]):
                velocity[i] = momentum * velocity[i] - rate * g[i]
                w[i] += momentum * velocity[i] - rate * g[i] if nesterov else velocity[i]


def rmsprop(floating[::1] w, const floating[::1] g, floating[::1] square, floating[::1] velocity,
            floating rate, floating decay, floating epsilon, floating momentum, ranges=None):
    """RMSProp, with momentum on the scaled step."""
    cdef ptrdiff_t i, r
    cdef const cnp.npy_intp[:, ::1] places = checked_ranges(ranges, w.shape[0])
    cdef floating root
    check_sizes(w.shape[0], g.shape[0], square.shape[0], velocity.shape[0])
    with nogil:
        for r in range(places.shape[0]):
            for i in range(places[r, 0], places[r, 1]):
                square[i] = decay * square[i] + (1 - decay) * g[i] * g[i]
                root = <floating>sqrt(square[i])
                velocity[i] = momentum * velocity[i] - rate * g[i] / (root + epsilon)
                w[i] += velocity[i]


def adagrad(floating[::1] w, const floating[::1] g, floating[::1] square, floating rate,
            floating epsilon, ranges=None):
    """AdaGrad."""
    cdef ptrdiff_t i, r
    cdef const cnp.npy_intp[:, ::1] places = checked_ranges(ranges, w.shape[0])
    check_sizes(w.shape[0], g.shape[0], square.shape[0], square.shape[0])
    with nogil:
        for r in range(places.shape[0]):
            for i in range(places[r, 0], places[r, 1]):
                square[i] += g[i] * g[i]
                w[i] -= rate * g[i] / (<floating>sqrt(square[i]) + epsilon)


def adadelta(floating[::1] w, const floating[::1] g, floating[::1] square, floating[::1] change,
             floating rate, floating decay, floating epsilon, ranges=None):
    """AdaDelta."""
    cdef ptrdiff_t i, r
    cdef const cnp.npy_intp[:, ::1] places = checked_ranges(ranges, w.shape[0])
    cdef floating step
    check_sizes(w.shape[0], g.shape[0], square.shape[0], change.shape[0])
    with nogil:
        for r in range(places.shape[0]):
            for i in range(places[r, 0], places[r, 1]):
                square[i] = decay * square[i] + (1 - decay) * g[i] * g[i]
                step = g[i] * <floating>sqrt((change[i] + epsilon) / (square[i] + epsilon))
                change[i] = decay * change[i] + (1 - decay) * step * step
                w[i] -= rate * step


def adam(floating[::1] w, const floating[::1] g, floating[::1] mean, floating[::1] square,
         double rate, double beta_1, double beta_2, floating epsilon, double weight_decay,
         double step, ranges=None):
    """Adam; with weight_decay the decoupled decay of AdamW, on every entry."""
    cdef ptrdiff_t i, r
    cdef const cnp.npy_intp[:, ::1] places = checked_ranges(ranges, w.shape[0])
    cdef floating b1 = <floating>beta_1, b2 = <floating>beta_2
    cdef floating c1 = <floating>(1 - beta_1), c2 = <floating>(1 - beta_2)
    cdef floating scaled = <floating>(rate / (1 - beta_1 ** step))
    cdef floating root = <floating>(1 / sqrt(1 - beta_2 ** step))
    cdef floating keep = <floating>(1 - rate * weight_decay)
    check_sizes(w.shape[0], g.shape[0], mean.shape[0], square.shape[0])
    with nogil:
        for r in range(places.shape[0]):
            for i in range(places[r, 0], places[r, 1]):
                mean[i] = b1 * mean[i] + c1 * g[i]
                square[i] = b2 * square[i] + c2 * g[i] * g[i]
                w[i] = keep * w[i] - scaled * mean[i] / (<floating>sqrt(square[i]) * root + epsilon)


RULES = {"sgd": sgd, "rmsprop": rmsprop, "adagrad": adagrad, "adadelta": adadelta, "adam": adam}

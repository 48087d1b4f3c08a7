# cython: wraparound=False
"""Gradients of rows looked up, clipping and optimizer rules, in place, one pass each.

With ranges they pass over these alone: elsewhere nothing would change.
"""

import numpy as np

cimport numpy as cnp
from cython cimport floating
from libc.math cimport fabs, isfinite, sqrt

from rnnkit._core.memory cimport lies_ready, lies_writable

cnp.import_array()

cdef enum:
    LANES = 8  # partial sums of a norm: a fixed order that a compiler can vectorise


cdef class Places:
    """Ranges of a flat vector, first and last of each, in order."""

    cdef ptrdiff_t n
    cdef const cnp.npy_intp *at      # (n, 2)
    cdef cnp.npy_intp[2] whole
    cdef object array                # held while `at` points to it


cdef Places places_of(ranges, ptrdiff_t n):
    """Return a copy of ranges (m, 2) of a vector of n entries, checked; None stands for all."""
    cdef Places places = Places()
    cdef ptrdiff_t r, end = 0
    if ranges is None:
        places.whole[0] = 0
        places.whole[1] = n
        places.n = 1
        places.at = places.whole
        return places
    places.array = ranges = np.array(ranges, dtype=np.intp, order="C")
    if ranges.ndim != 2 or ranges.shape[1] != 2:
        raise ValueError(f"ranges must have shape (m, 2), got {ranges.shape}")
    places.n = len(ranges)
    places.at = <const cnp.npy_intp *>cnp.PyArray_DATA(ranges)
    for r in range(places.n):
        if not end <= places.at[2 * r] <= places.at[2 * r + 1] <= n:
            raise ValueError(f"ranges must lie in order in 0 .. {n}, got {places.at[2 * r]} to "
                             f"{places.at[2 * r + 1]} after {end}")
        end = places.at[2 * r + 1]
    return places


cdef bint is_single(vector) except -1:
    """Whether a flat vector is of float32, else float64, and lies so that it can be written to."""
    cdef int number_type
    if isinstance(vector, np.ndarray) and vector.ndim == 1:
        number_type = cnp.PyArray_TYPE(vector)
        if (number_type in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64)
                and lies_writable(vector, number_type, (len(vector),))):
            return number_type == cnp.NPY_FLOAT32
    raise ValueError("a flat vector must be a contiguous array of float32 or float64 to write to, "
                     f"got {vector!r:.60}")


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
    cdef bint single = is_single(gradient)
    cdef ptrdiff_t n = len(gradient)
    cdef Places places = places_of(ranges, n)
    cdef void *data = cnp.PyArray_DATA(gradient)
    cdef double norm
    with nogil:
        if single:
            norm = clip(<float *>data, n, limit, places.at, places.n)
        else:
            norm = clip(<double *>data, n, limit, places.at, places.n)
    return norm


cdef double clip(floating *gradient, ptrdiff_t n, double limit, const cnp.npy_intp *places,
                 ptrdiff_t n_places) noexcept nogil:
    cdef double[LANES] partial
    cdef double norm, total = 0
    cdef floating factor
    cdef ptrdiff_t i, lane, r, last, whole = n // LANES * LANES
    for lane in range(LANES):
        partial[lane] = 0
    for r in range(n_places):
        i = places[2 * r]
        last = min(places[2 * r + 1], whole)
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
    for r in range(n_places):
        for i in range(max(places[2 * r], whole), places[2 * r + 1]):
            total += <double>gradient[i] * gradient[i]
    norm = sqrt(total)
    if not isfinite(norm):
        norm = norm_of_large(gradient, n)
    if isfinite(norm) and norm > limit:
        factor = <floating>(limit / norm)
        for r in range(n_places):
            for i in range(places[2 * r], places[2 * r + 1]):
                gradient[i] *= factor
    return norm


cdef double norm_of_large(const floating *gradient, ptrdiff_t n) noexcept nogil:
    """Return the 2-norm of entries whose squares may overflow; as it is if one is not finite."""
    cdef double largest = 0, total = 0, scaled
    cdef ptrdiff_t i
    for i in range(n):
        if not isfinite(gradient[i]):
            return fabs(gradient[i])
        largest = max(largest, fabs(gradient[i]))
    for i in range(n):
        scaled = gradient[i] / largest
        total += scaled * scaled
    return largest * sqrt(total)


cdef int check_vectors(w, g, first, second) except -1:
    """Raise ValueError unless all vectors of a rule are as long as the parameters, and alike."""
    cdef int number_type = cnp.PyArray_TYPE(w)
    cdef tuple shape = (len(w),)
    if (lies_ready(g, number_type, shape) and lies_writable(first, number_type, shape)
            and lies_writable(second, number_type, shape)):
        return 0
    if not len(g) == len(first) == len(second) == len(w):
        raise ValueError(f"gradient and state must have the {len(w)} entries of the "
                         f"parameters, got {len(g)}, {len(first)} and {len(second)}")
    raise ValueError(f"gradient and state must be contiguous arrays of {w.dtype}, the state to "
                     "write to")


def sgd(w, g, velocity, double rate, double momentum, bint nesterov, ranges=None):
    """Stochastic gradient descent with classical or Nesterov momentum."""
    cdef bint single = is_single(w)
    cdef Places at = places_of(ranges, len(w))
    check_vectors(w, g, velocity, velocity)
    cdef void *w_data = cnp.PyArray_DATA(w)
    cdef void *g_data = cnp.PyArray_DATA(g)
    cdef void *v_data = cnp.PyArray_DATA(velocity)
    with nogil:
        if single:
            sgd_places(<float *>w_data, <float *>g_data, <float *>v_data, rate, momentum,
                       nesterov, at.at, at.n)
        else:
            sgd_places(<double *>w_data, <double *>g_data, <double *>v_data, rate, momentum,
                       nesterov, at.at, at.n)


cdef void sgd_places(floating *w, const floating *g, floating *velocity, double rate_wide,
                     double momentum_wide, bint nesterov, const cnp.npy_intp *places,
                     ptrdiff_t n) noexcept nogil:
    cdef ptrdiff_t i, r
    cdef floating rate = <floating>rate_wide, momentum = <floating>momentum_wide
    for r in range(n):
        for i in range(places[2 * r], places[2 * r + 1]):
            velocity[i] = momentum * velocity[i] - rate * g[i]
            w[i] += momentum * velocity[i] - rate * g[i] if nesterov else velocity[i]


def rmsprop(w, g, square, velocity, double rate, double decay, double epsilon, double momentum,
            ranges=None):
    """RMSProp, with momentum on the scaled step."""
    cdef bint single = is_single(w)
    cdef Places at = places_of(ranges, len(w))
    check_vectors(w, g, square, velocity)
    cdef void *w_data = cnp.PyArray_DATA(w)
    cdef void *g_data = cnp.PyArray_DATA(g)
    cdef void *s_data = cnp.PyArray_DATA(square)
    cdef void *v_data = cnp.PyArray_DATA(velocity)
    with nogil:
        if single:
            rmsprop_places(<float *>w_data, <float *>g_data, <float *>s_data, <float *>v_data,
                           rate, decay, epsilon, momentum, at.at, at.n)
        else:
            rmsprop_places(<double *>w_data, <double *>g_data, <double *>s_data, <double *>v_data,
                           rate, decay, epsilon, momentum, at.at, at.n)


cdef void rmsprop_places(floating *w, const floating *g, floating *square, floating *velocity,
                         double rate_wide, double decay_wide, double epsilon_wide,
                         double momentum_wide, const cnp.npy_intp *places,
                         ptrdiff_t n) noexcept nogil:
    cdef ptrdiff_t i, r
    cdef floating rate = <floating>rate_wide, decay = <floating>decay_wide
    cdef floating epsilon = <floating>epsilon_wide, momentum = <floating>momentum_wide
    cdef floating root
    for r in range(n):
        for i in range(places[2 * r], places[2 * r + 1]):
            square[i] = decay * square[i] + (1 - decay) * g[i] * g[i]
            root = <floating>sqrt(square[i])
            velocity[i] = momentum * velocity[i] - rate * g[i] / (root + epsilon)
            w[i] += velocity[i]


def adagrad(w, g, square, double rate, double epsilon, ranges=None):
    """AdaGrad."""
    cdef bint single = is_single(w)
    cdef Places at = places_of(ranges, len(w))
    check_vectors(w, g, square, square)
    cdef void *w_data = cnp.PyArray_DATA(w)
    cdef void *g_data = cnp.PyArray_DATA(g)
    cdef void *s_data = cnp.PyArray_DATA(square)
    with nogil:
        if single:
            adagrad_places(<float *>w_data, <float *>g_data, <float *>s_data, rate, epsilon,
                           at.at, at.n)
        else:
            adagrad_places(<double *>w_data, <double *>g_data, <double *>s_data, rate, epsilon,
                           at.at, at.n)


cdef void adagrad_places(floating *w, const floating *g, floating *square, double rate_wide,
                         double epsilon_wide, const cnp.npy_intp *places,
                         ptrdiff_t n) noexcept nogil:
    cdef ptrdiff_t i, r
    cdef floating rate = <floating>rate_wide, epsilon = <floating>epsilon_wide
    for r in range(n):
        for i in range(places[2 * r], places[2 * r + 1]):
            square[i] += g[i] * g[i]
            w[i] -= rate * g[i] / (<floating>sqrt(square[i]) + epsilon)


def adadelta(w, g, square, change, double rate, double decay, double epsilon, ranges=None):
    """AdaDelta."""
    cdef bint single = is_single(w)
    cdef Places at = places_of(ranges, len(w))
    check_vectors(w, g, square, change)
    cdef void *w_data = cnp.PyArray_DATA(w)
    cdef void *g_data = cnp.PyArray_DATA(g)
    cdef void *s_data = cnp.PyArray_DATA(square)
    cdef void *c_data = cnp.PyArray_DATA(change)
    with nogil:
        if single:
            adadelta_places(<float *>w_data, <float *>g_data, <float *>s_data, <float *>c_data,
                            rate, decay, epsilon, at.at, at.n)
        else:
            adadelta_places(<double *>w_data, <double *>g_data, <double *>s_data,
                            <double *>c_data, rate, decay, epsilon, at.at, at.n)


cdef void adadelta_places(floating *w, const floating *g, floating *square, floating *change,
                          double rate_wide, double decay_wide, double epsilon_wide,
                          const cnp.npy_intp *places, ptrdiff_t n) noexcept nogil:
    cdef ptrdiff_t i, r
    cdef floating rate = <floating>rate_wide, decay = <floating>decay_wide
    cdef floating epsilon = <floating>epsilon_wide, step
    for r in range(n):
        for i in range(places[2 * r], places[2 * r + 1]):
            square[i] = decay * square[i] + (1 - decay) * g[i] * g[i]
            step = g[i] * <floating>sqrt((change[i] + epsilon) / (square[i] + epsilon))
            change[i] = decay * change[i] + (1 - decay) * step * step
            w[i] -= rate * step


def adam(w, g, mean, square, double rate, double beta_1, double beta_2, double epsilon,
         double weight_decay, double step, ranges=None):
    """Adam; with weight_decay the decoupled decay of AdamW, on every entry."""
    cdef bint single = is_single(w)
    cdef Places at = places_of(ranges, len(w))
    check_vectors(w, g, mean, square)
    cdef void *w_data = cnp.PyArray_DATA(w)
    cdef void *g_data = cnp.PyArray_DATA(g)
    cdef void *m_data = cnp.PyArray_DATA(mean)
    cdef void *s_data = cnp.PyArray_DATA(square)
    with nogil:
        if single:
            adam_places(<float *>w_data, <float *>g_data, <float *>m_data, <float *>s_data, rate,
                        beta_1, beta_2, epsilon, weight_decay, step, at.at, at.n)
        else:
            adam_places(<double *>w_data, <double *>g_data, <double *>m_data, <double *>s_data,
                        rate, beta_1, beta_2, epsilon, weight_decay, step, at.at, at.n)


cdef void adam_places(floating *w, const floating *g, floating *mean, floating *square,
                      double rate, double beta_1, double beta_2, double epsilon_wide,
                      double weight_decay, double step, const cnp.npy_intp *places,
                      ptrdiff_t n) noexcept nogil:
    cdef ptrdiff_t i, r
    cdef floating b1 = <floating>beta_1, b2 = <floating>beta_2
    cdef floating c1 = <floating>(1 - beta_1), c2 = <floating>(1 - beta_2)
    cdef floating scaled = <floating>(rate / (1 - beta_1 ** step))
    cdef floating root = <floating>(1 / sqrt(1 - beta_2 ** step))
    cdef floating keep = <floating>(1 - rate * weight_decay), epsilon = <floating>epsilon_wide
    for r in range(n):
        for i in range(places[2 * r], places[2 * r + 1]):
            mean[i] = b1 * mean[i] + c1 * g[i]
            square[i] = b2 * square[i] + c2 * g[i] * g[i]
            w[i] = keep * w[i] - scaled * mean[i] / (<floating>sqrt(square[i]) * root + epsilon)


RULES = {"sgd": sgd, "rmsprop": rmsprop, "adagrad": adagrad, "adadelta": adadelta, "adam": adam}

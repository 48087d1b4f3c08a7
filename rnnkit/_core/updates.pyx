# cython: wraparound=False
"""Gradient clipping and optimizer rules in place on flat vectors, one pass each."""

import numpy as np

from cython cimport floating
from libc.math cimport fabs, isfinite, sqrt

cdef enum:
    LANES = 8  # partial sums of a norm: a fixed order that a compiler can vectorise


def clip_norm(gradient, double limit):
    """Scale the gradient in place to a 2-norm of at most `limit`; return the norm found."""
    if gradient.dtype == np.float32:
        return clip[float](gradient, limit)
    return clip[double](gradient, limit)


cdef double clip(floating[::1] gradient, double limit) except? -1:
    cdef double partial[LANES]
    cdef double norm, total = 0
    cdef floating factor
    cdef ptrdiff_t i, lane, block, n = gradient.shape[0]
    with nogil:
        for lane in range(LANES):
            partial[lane] = 0
        for block in range(n // LANES):
            for lane in range(LANES):
                i = block * LANES + lane
                partial[lane] += <double>gradient[i] * gradient[i]
        for lane in range(LANES):
            total += partial[lane]
        for i in range(n // LANES * LANES, n):
            total += <double>gradient[i] * gradient[i]
        norm = sqrt(total)
        if not isfinite(norm):
            norm = norm_of_large(gradient)
        if isfinite(norm) and norm > limit:
            factor = <floating>(limit / norm)
            for i in range(n):
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
        floating rate, floating momentum, bint nesterov):
    """Stochastic gradient descent with classical or Nesterov momentum."""
    cdef ptrdiff_t i
    check_sizes(w.shape[0], g.shape[0], velocity.shape[0], velocity.shape[0])
    with nogil:
        for i in range(w.shape[0]):
            velocity[i] = momentum * velocity[i] - rate * g[i]
            w[i] += momentum * velocity[i] - rate * g[i] if nesterov else velocity[i]


def rmsprop(floating[::1] w, const floating[::1] g, floating[::1] square, floating[::1] velocity,
            floating rate, floating decay, floating epsilon, floating momentum):
    """RMSProp, with momentum on the scaled step."""
    cdef ptrdiff_t i
    cdef floating root
    check_sizes(w.shape[0], g.shape[0], square.shape[0], velocity.shape[0])
    with nogil:
        for i in range(w.shape[0]):
            square[i] = decay * square[i] + (1 - decay) * g[i] * g[i]
            root = <floating>sqrt(square[i])
            velocity[i] = momentum * velocity[i] - rate * g[i] / (root + epsilon)
            w[i] += velocity[i]


def adagrad(floating[::1] w, const floating[::1] g, floating[::1] square, floating rate,
            floating epsilon):
    """AdaGrad."""
    cdef ptrdiff_t i
    check_sizes(w.shape[0], g.shape[0], square.shape[0], square.shape[0])
    with nogil:
        for i in range(w.shape[0]):
            square[i] += g[i] * g[i]
            w[i] -= rate * g[i] / (<floating>sqrt(square[i]) + epsilon)


def adadelta(floating[::1] w, const floating[::1] g, floating[::1] square, floating[::1] change,
             floating rate, floating decay, floating epsilon):
    """AdaDelta."""
    cdef ptrdiff_t i
    cdef floating step
    check_sizes(w.shape[0], g.shape[0], square.shape[0], change.shape[0])
    with nogil:
        for i in range(w.shape[0]):
            square[i] = decay * square[i] + (1 - decay) * g[i] * g[i]
            step = g[i] * <floating>sqrt((change[i] + epsilon) / (square[i] + epsilon))
            change[i] = decay * change[i] + (1 - decay) * step * step
            w[i] -= rate * step


def adam(floating[::1] w, const floating[::1] g, floating[::1] mean, floating[::1] square,
         double rate, double beta_1, double beta_2, floating epsilon, double weight_decay,
         double step):
    """Adam; with weight_decay the decoupled decay of AdamW, on every entry."""
    cdef ptrdiff_t i
    cdef floating b1 = <floating>beta_1, b2 = <floating>beta_2
    cdef floating c1 = <floating>(1 - beta_1), c2 = <floating>(1 - beta_2)
    cdef floating scaled = <floating>(rate / (1 - beta_1 ** step))
    cdef floating root = <floating>(1 / sqrt(1 - beta_2 ** step))
    cdef floating keep = <floating>(1 - rate * weight_decay)
    check_sizes(w.shape[0], g.shape[0], mean.shape[0], square.shape[0])
    with nogil:
        for i in range(w.shape[0]):
            mean[i] = b1 * mean[i] + c1 * g[i]
            square[i] = b2 * square[i] + c2 * g[i] * g[i]
            w[i] = keep * w[i] - scaled * mean[i] / (<floating>sqrt(square[i]) * root + epsilon)


RULES = {"sgd": sgd, "rmsprop": rmsprop, "adagrad": adagrad, "adadelta": adadelta, "adam": adam}

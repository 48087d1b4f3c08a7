# cython: wraparound=False
"""The output side: dense products whose rows do not depend on their neighbours, and softmax."""

import numpy as np

cimport numpy as cnp
from libc.math cimport exp, log
from cython cimport floating

from rnnkit._core.kernels cimport rk_kernels
from rnnkit._core.memory cimport (
    Buffer,
    address,
    checked_array,
    checked_bytes,
    lies_writable,
)
from rnnkit._core.owner cimport give_back, take
from rnnkit._core.threads cimport current_kernels, run_dense, run_dense_gradient, thread_count

cnp.import_array()

cdef class Dense:
    """``y = x Wᵀ + b``, bound to an instruction set; owns its packed weights.

    A call that comes while another one runs raises RuntimeError. A `constant` weight and bias are
    packed once, in the first call of `forward`.
    """

    cdef readonly object dtype
    cdef readonly ptrdiff_t n_inputs, n_outputs
    cdef int number_type  # NumPy's number of the dtype
    cdef const rk_kernels *kernels
    cdef bint constant
    cdef char taken  # while a call uses what follows
    cdef bint packed  # whether the panels hold weight and bias
    cdef Buffer panels, bias

    def __cinit__(self, n_inputs, n_outputs, dtype, *, bint constant=False):
        self.dtype = np.dtype(dtype)
        self.number_type = self.dtype.num
        self.n_inputs = n_inputs
        self.n_outputs = n_outputs
        self.constant = constant
        self.kernels = current_kernels(self.dtype)
        self.panels = Buffer()
        self.bias = Buffer()

    cdef object product(self, x, weight, bias, ptrdiff_t input_stride, ptrdiff_t output_stride,
                        ptrdiff_t n_inputs, ptrdiff_t n_outputs, bint is_packed):
        """x (P, n_inputs) times the transpose of a matrix given by its strides, plus bias."""
        cdef ptrdiff_t rows = len(x), lanes = self.kernels.lanes
        cdef ptrdiff_t padded = (n_outputs + lanes - 1) // lanes * lanes
        cdef size_t item = self.dtype.itemsize
        cdef int threads = thread_count(2.0 * rows * n_inputs * n_outputs)
        cdef void *panels = self.panels.reserve(checked_bytes(item, (padded, n_inputs)))
        cdef void *padded_bias = self.bias.reserve(padded * item)
        y = np.empty((rows, n_outputs), self.dtype)
        cdef void *x_data = cnp.PyArray_DATA(x)
        cdef void *y_data = cnp.PyArray_DATA(y)
        if not is_packed:
            self.packed = False
            self.kernels.pack_dense(cnp.PyArray_DATA(weight), input_stride, output_stride,
                                    NULL if bias is None else cnp.PyArray_DATA(bias), n_inputs,
                                    n_outputs, panels, padded_bias)
        with nogil:
            run_dense(self.kernels, x_data, panels, padded_bias, y_data, n_inputs, n_outputs,
                      rows, threads)
        return y

    def forward(self, x, weight, bias):
        """Map x (P, I) with weight (K, I) and bias (K,) to (P, K)."""
        x = checked_array("x", x, self.dtype, (len(x), self.n_inputs))
        weight = checked_array("weight", weight, self.dtype, (self.n_outputs, self.n_inputs))
        bias = checked_array("bias", bias, self.dtype, (self.n_outputs,))
        take(&self.taken, "Dense")
        try:
            y = self.product(x, weight, bias, 1, self.n_inputs, self.n_inputs, self.n_outputs,
                             self.constant and self.packed)
            self.packed = True
            return y
        finally:
            give_back(&self.taken)

    def backward(self, x, dy, weight, dweight, dbias, *, input_gradient=True):
        """Add to dweight (K, I) and dbias (K,); return dx (P, I), or None if not asked for."""
        cdef ptrdiff_t rows = len(x), n_inputs = self.n_inputs, n_outputs = self.n_outputs
        x = checked_array("x", x, self.dtype, (rows, n_inputs))
        dy = checked_array("dy", dy, self.dtype, (rows, n_outputs))
        weight = checked_array("weight", weight, self.dtype, (n_outputs, n_inputs))
        for name, array, shape in (("dweight", dweight, (n_outputs, n_inputs)),
                                   ("dbias", dbias, (n_outputs,))):
            if not lies_writable(array, self.number_type, shape):
                raise ValueError(f"{name} must be a contiguous array of {self.dtype} and shape "
                                 f"{shape} to write to")
        take(&self.taken, "Dense")
        try:
            return self.backward_alone(x, dy, weight, dweight, dbias, rows, input_gradient)
        finally:
            give_back(&self.taken)

    cdef object backward_alone(self, x, dy, weight, dweight, dbias, ptrdiff_t rows,
                               bint input_gradient):
        cdef ptrdiff_t n_inputs = self.n_inputs, n_outputs = self.n_outputs
        cdef int threads = thread_count(2.0 * rows * n_inputs * n_outputs)
        cdef void *x_data = cnp.PyArray_DATA(x)
        cdef void *dy_data = cnp.PyArray_DATA(dy)
        cdef void *dw_data = cnp.PyArray_DATA(dweight)
        cdef void *db_data = cnp.PyArray_DATA(dbias)
        with nogil:
            run_dense_gradient(self.kernels, x_data, dy_data, dw_data, rows, n_inputs, n_outputs,
                               threads)
            if self.number_type == cnp.NPY_FLOAT32:
                add_columns(<float *>dy_data, rows, n_outputs, <float *>db_data)
            else:
                add_columns(<double *>dy_data, rows, n_outputs, <double *>db_data)
        if not input_gradient:
            return None
        return self.product(dy, weight, None, n_inputs, 1, n_outputs, n_inputs, False)


cdef void add_columns(const floating *rows, ptrdiff_t n, ptrdiff_t width,
                      floating *total) noexcept nogil:
    """Add every row, in order."""
    cdef ptrdiff_t p, k
    for p in range(n):
        for k in range(width):
            total[k] += rows[p * width + k]


def softmax(scores):
    """Return the probabilities (P, K) of raw scores (P, K)."""
    scores = np.ascontiguousarray(scores)
    probabilities = np.empty_like(scores)
    if scores.dtype == np.float32:
        softmax_rows[float](scores, probabilities)
    else:
        softmax_rows[double](scores, probabilities)
    return probabilities


cdef int softmax_rows(const floating[:, ::1] scores, floating[:, ::1] out) except -1:
    cdef ptrdiff_t p
    if scores.shape[1] == 0:
        return 0
    with nogil:
        for p in range(scores.shape[0]):
            softmax_row(&scores[p, 0], &out[p, 0], scores.shape[1])
    return 0


cdef double softmax_row(const floating *scores, floating *out, ptrdiff_t n) noexcept nogil:
    """Write the probabilities of one row; return the logarithm of the sum of exponentials."""
    cdef ptrdiff_t k
    cdef double top = scores[0], total = 0
    for k in range(1, n):
        if scores[k] > top:
            top = scores[k]
    for k in range(n):
        out[k] = <floating>exp(scores[k] - top)
        total += out[k]
    for k in range(n):
        out[k] = <floating>(out[k] / total)
    return top + log(total)


def largest(scores):
    """Return the place of the largest score of each row (P,), the first of equals, as argmax."""
    scores = np.ascontiguousarray(scores)
    cdef int number_type = cnp.PyArray_TYPE(scores)
    if (cnp.PyArray_NDIM(scores) != 2 or not cnp.PyArray_ISCARRAY_RO(scores)
            or scores.shape[1] == 0 or number_type not in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64)):
        return scores.argmax(axis=1)
    cdef ptrdiff_t n_rows = len(scores), n = scores.shape[1]
    places = np.empty(n_rows, np.intp)
    cdef const void *row = cnp.PyArray_DATA(scores)
    cdef cnp.npy_intp *to = <cnp.npy_intp *>cnp.PyArray_DATA(places)
    with nogil:
        if number_type == cnp.NPY_FLOAT32:
            largest_rows(<float *>row, n_rows, n, to)
        else:
            largest_rows(<double *>row, n_rows, n, to)
    return places


cdef void largest_rows(const floating *scores, ptrdiff_t n_rows, ptrdiff_t n,
                       cnp.npy_intp *places) noexcept nogil:
    cdef ptrdiff_t p, k, best
    cdef floating top
    for p in range(n_rows):
        best = 0
        top = scores[0]
        for k in range(1, n):
            if not scores[k] <= top and top == top:  # a score that is no number is the largest
                top = scores[k]
                best = k
        places[p] = best
        scores += n


def softmax_cross_entropy(scores, labels, weights, double label_smoothing):
    """Return the summed loss in nats and its gradient; see `rnnkit.backends.interface`."""
    scores = np.ascontiguousarray(scores)
    cdef int number_type = cnp.PyArray_TYPE(scores)
    if (cnp.PyArray_NDIM(scores) != 2 or not cnp.PyArray_ISCARRAY_RO(scores)
            or number_type not in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64)):
        raise ValueError(f"scores must be rows of float32 or float64, got {scores!r:.60}")
    labels = np.array(labels, dtype=np.intp)  # a copy, as these become places in a row
    if labels.shape != scores.shape[:1]:
        raise ValueError(f"labels must have shape {scores.shape[:1]}, got {labels.shape}")
    gradient = np.empty_like(scores)
    if weights is not None:
        weights = np.ascontiguousarray(weights, dtype=scores.dtype)
        if weights.shape != labels.shape:
            raise ValueError(f"weights must have shape {labels.shape}, got {weights.shape}")
    cdef ptrdiff_t p, n_rows = len(scores), n = scores.shape[1]
    cdef const cnp.npy_intp *places = <cnp.npy_intp *>cnp.PyArray_DATA(labels)
    cdef const void *row = cnp.PyArray_DATA(scores)
    cdef void *to = cnp.PyArray_DATA(gradient)
    cdef const void *weight = address(weights)
    cdef bint single = number_type == cnp.NPY_FLOAT32
    cdef double loss
    for p in range(n_rows):
        if not 0 <= places[p] < n:
            raise ValueError(f"labels must lie in 0 .. {n - 1}, got {places[p]}")
    with nogil:
        if single:
            loss = cross_entropy_rows(<float *>row, places, <float *>weight, n_rows, n,
                                      label_smoothing, <float *>to)
        else:
            loss = cross_entropy_rows(<double *>row, places, <double *>weight, n_rows, n,
                                      label_smoothing, <double *>to)
    return loss, gradient


cdef double cross_entropy_rows(const floating *scores, const cnp.npy_intp *labels,
                               const floating *weights, ptrdiff_t n_rows, ptrdiff_t n,
                               double smoothing, floating *gradient) noexcept nogil:
    """Sum up the losses; weights NULL: ones."""
    cdef ptrdiff_t p, k
    cdef double total = 0, row_loss, log_sum, share = smoothing / n
    cdef floating weight = 1
    for p in range(n_rows):
        if weights != NULL:
            weight = weights[p]
        log_sum = softmax_row(scores, gradient, n)
        row_loss = (1 - smoothing) * (log_sum - scores[labels[p]])
        if smoothing != 0:
            for k in range(n):
                row_loss += share * (log_sum - scores[k])
                gradient[k] -= <floating>share
        gradient[labels[p]] -= <floating>(1 - smoothing)
        if weights != NULL:
            for k in range(n):
                gradient[k] *= weight
        if weight != 0:
            total += weight * row_loss
        scores += n
        gradient += n
    return total

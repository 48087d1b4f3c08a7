# cython: wraparound=False
"""Layers and heads, one step a call: raw scores, and which of them is the largest.

Letters: n sequences, I inputs, K scores.
"""

import numpy as np

cimport numpy as cnp
from libc.math cimport isfinite

from rnnkit._core.memory cimport Buffer, checked_array, checked_bytes, lies_ready
from rnnkit._core.owner cimport give_back, take
from rnnkit._core.step cimport RecurrentStep
from rnnkit._core.threads cimport current_kernels, run_dense_step

cnp.import_array()

ctypedef fused number:
    float
    double


cdef class PackedDense:
    """A dense layer whose weights are packed once, for n rows at a time."""

    def __cinit__(self, dtype, weight, bias, ptrdiff_t n=1):
        dtype = np.dtype(dtype)
        self.n = n
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
        self.y = np.zeros((n, self.n_outputs), dtype)

    cdef cnp.ndarray map_rows(self, cnp.ndarray x):
        """Return what n rows x, of as many numbers as there are inputs, become."""
        run_dense_step(self.kernels, cnp.PyArray_DATA(x), self.panels_data, self.bias_data,
                       cnp.PyArray_DATA(self.y), self.n_inputs, self.n_outputs, self.n)
        return self.y


cdef class ChainStep:
    """The layers and heads of n sequences that are fed step by step.

    The heads are packed here, once. The states are those of the layers' own `RecurrentStep`,
    which nobody else calls meanwhile. A call that comes while another one runs raises
    RuntimeError.

    `shape` is that of the x which `step` takes as it is, (I,) or (n, I).
    """

    def __cinit__(self, dtype, tuple shape, layers, heads):
        cdef RecurrentStep layer
        cdef PackedDense head
        cdef ptrdiff_t width = shape[len(shape) - 1], n = shape[0] if len(shape) == 2 else 1
        dtype = np.dtype(dtype)
        for entry in layers:
            if not isinstance(entry, RecurrentStep):
                raise TypeError(f"layers must be RecurrentStep, got {type(entry).__name__}")
            layer = entry
            if (layer.layer.dtype != dtype or layer.call.layer.inputs != width
                    or layer.n != n):
                raise ValueError(f"a layer takes {layer.n} times {layer.call.layer.inputs} "
                                 f"{layer.layer.dtype}, and is given {n} times {width} {dtype}")
            width = layer.call.layer.hidden
        self.layers = tuple(layers)
        self.heads = tuple(PackedDense(dtype, weight, bias, n) for weight, bias in heads)
        if not self.heads:
            raise ValueError("there must be a head")
        for entry in self.heads:
            head = entry
            if head.n_inputs != width:
                raise ValueError(f"a head takes {head.n_inputs} numbers, and is given {width}")
            width = head.n_outputs
        self.shape = shape
        self.dtype = dtype
        self.number_type = dtype.num
        self.n_scores = width
        self.scores = head.y

    def step(self, x):
        """Take a step and return True, the raw scores are then in `scores`.

        False, and nothing has changed: x is no array of the dtype and `shape`, contiguous and
        finite.
        """
        take(&self.taken, "ChainStep")
        try:
            if not self.takes(x):
                return False
            self.through(x)
            return True
        finally:
            give_back(&self.taken)

    def decide(self, x):
        """Take a step of one sequence as `step` does; return the place of the largest score.

        The first of equals, as NumPy's argmax; -1 where `step` returns False.
        """
        cdef void *scores = cnp.PyArray_DATA(self.scores)
        take(&self.taken, "ChainStep")
        try:
            if not self.takes(x):
                return -1
            self.through(x)
            if self.number_type == cnp.NPY_FLOAT32:
                return largest(<float *>scores, self.n_scores)
            return largest(<double *>scores, self.n_scores)
        finally:
            give_back(&self.taken)

    cdef bint takes(self, x):
        """Whether x is in the form of a step, and finite."""
        if not lies_ready(x, self.number_type, self.shape):
            return False
        if self.number_type == cnp.NPY_FLOAT32:
            return all_finite(<const float *>cnp.PyArray_DATA(x), cnp.PyArray_SIZE(x))
        return all_finite(<const double *>cnp.PyArray_DATA(x), cnp.PyArray_SIZE(x))

    cdef cnp.ndarray through(self, cnp.ndarray x):
        """Take a step that was checked; return `scores`."""
        return self.onward(x, 0)

    cdef cnp.ndarray onward(self, cnp.ndarray x, ptrdiff_t first):
        """Take a step from a layer on."""
        cdef ptrdiff_t i
        for i in range(first, len(self.layers)):
            x = (<RecurrentStep>self.layers[i]).advance(x)
        for head in self.heads:
            x = (<PackedDense>head).map_rows(x)
        return x


cdef bint all_finite(const number *x, ptrdiff_t n) noexcept nogil:
    cdef ptrdiff_t i
    for i in range(n):
        if not isfinite(x[i]):
            return False
    return True


cdef ptrdiff_t largest(const number *scores, ptrdiff_t n) noexcept nogil:
    """Return the first place of the largest entry; the first that is NaN, if any is."""
    cdef ptrdiff_t k, best = 0
    for k in range(n):
        if scores[k] != scores[k]:
            return k
        if scores[k] > scores[best]:
            best = k
    return best

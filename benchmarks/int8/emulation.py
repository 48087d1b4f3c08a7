"""Predictions with what enters a product rounded to 8 bits, in NumPy, through the reference.

A row v of what enters a product becomes ``round(127 v / m) m / 127`` with m its own largest
magnitude, and so does each row of a weight matrix, which is all weights of one output channel. The
sums are those of integers times two scales, but for the rounding of float32. Nothing is looked at
but the row: no other sequence of a minibatch and no calibration data has a say.
"""

import copy
from contextlib import contextmanager

import numpy as np

from rnnkit.backends import reference

LEVELS = 127


def largest_of_rows(a):
    """Return the largest magnitude of each row, and 1 for rows of zeros, as a column."""
    largest = np.abs(a).max(axis=-1, keepdims=True)
    return np.where(largest > 0, largest, 1).astype(a.dtype)


def rounded(a):
    """Round each row to the 255 levels between plus and minus its largest magnitude."""
    scale = largest_of_rows(a) / a.dtype.type(LEVELS)
    return np.rint(a / scale) * scale


class RoundedProduct(reference.Product):
    """``W v`` of rounded weights and rounded rows."""

    def __init__(self, spec, weight, gain=None):
        super().__init__(spec, weight, gain)
        self.factor = rounded
        # Rows are rounded once: rounding their own values again changes nothing but time.
        self.weight = rounded(weight)


@contextmanager
def products_of_8_bits():
    """Have the reference round what enters the products of recurrent layers."""
    exact = reference.Product
    reference.Product = RoundedProduct
    try:
        yield
    finally:
        reference.Product = exact


def quantised(estimator):
    """Return a copy that computes on the reference, all its matrices rounded row by row."""
    copied = copy.deepcopy(estimator)
    copied.set_params(device="reference")
    for weight in copied.weights_.values():
        if weight.ndim == 2:
            weight[...] = rounded(weight)
    return copied


def bytes_of_file(estimator, bytes_of_float32_file):
    """Return (bytes of the float32 file, with a byte for each entry of a matrix).

    A rounded row keeps its scale as one float32; vectors stay float32.
    """
    saved = 0
    for weight in estimator.weights_.values():
        if weight.ndim == 2:
            saved += weight.size * 3 - len(weight) * 4
    return bytes_of_float32_file - saved

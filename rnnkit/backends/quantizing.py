"""Numbers of 8 bits: rows as integers and a scale, and products of such rows.

A row v becomes the integers nearest to v / s, ties to even, with s = m / 127 and m its largest
magnitude; nothing but the row has a say. The scale has 16 significant bits: then integers times s
are exact in float32, and rounding them again gives the very same. This is the definition that
the core's products of bytes (`_core/src/quads.inl`) are measured against.
"""

from __future__ import annotations

import numpy as np

__all__ = ["LEAST", "LEVELS", "QuantizedMatrix", "dequantized", "quantized_rows"]

LEVELS = 127
LEAST = 2.0**-118  # of the largest magnitude of a row that does not count as zeros


def quantized_rows(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round each row of a matrix to integers of 8 bits.

    Parameters
    ----------
    a : ndarray of shape (R, n)
        Read as float32.

    Returns
    -------
    integers : ndarray of shape (R, n), int8
        -127 to 127; of a row that is not finite zeros.
    scales : ndarray of shape (R,), float32
        What they are multiplied with; 0 for rows of zeros, NaN for those that are not finite.
    """
    a = np.asarray(a, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # a double may be none of float32
        largest = np.abs(a).max(axis=1, initial=0)
    finite = np.isfinite(largest)
    counts = finite & (largest >= LEAST)
    bits = (np.where(counts, largest, 1) / np.float32(LEVELS)).view(np.uint32)
    bits = (bits + 0x7F + ((bits >> 8) & 1)) & np.uint32(0xFFFFFF00)
    scales = bits.view(np.float32)
    inverse = np.where(counts, 1 / scales, np.float32(0))
    integers = np.rint(np.where(finite[:, None], a, 0) * inverse[:, None]).astype(np.int8)
    scales = np.where(counts, scales, np.where(finite, np.float32(0), np.float32(np.nan)))
    return integers, scales


def dequantized(integers: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Return the numbers (R, n), float32, that integers and scales stand for."""
    numbers: np.ndarray = integers.astype(np.float32) * scales[:, None]
    return numbers


class QuantizedMatrix:
    """A matrix (G·H, n) by which rows (R, n) are multiplied, both in 8 bits.

    Parameters
    ----------
    weight : ndarray of shape (G·H, n)
    """

    def __init__(self, weight: np.ndarray) -> None:
        integers, self._scales = quantized_rows(weight)
        self._integers = integers.astype(np.float64)  # in which sums of them are exact

    def times(self, rows: np.ndarray) -> np.ndarray:
        """Return the products (R, G·H), in the dtype of the rows: exact sums times both scales."""
        integers, scales = quantized_rows(rows)
        sums = integers.astype(np.float64) @ self._integers.T
        products: np.ndarray = sums.astype(rows.dtype) * self._scales * scales[:, None]
        return products

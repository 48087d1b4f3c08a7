"""The one rule for how far two computations of the same number may lie apart."""

import math

import numpy as np


def tolerance(dtype, accumulations=1):
    """Return the tolerance relative to the scale of the values compared.

    Parameters
    ----------
    dtype : dtype-like
        The dtype of the computation.
    accumulations : int, default=1
        The number of terms summed on the way to one result.

    Returns
    -------
    float
        ``4 * ceil(log2(max(accumulations, 2))) * eps(dtype)``.
    """
    return 4 * math.ceil(math.log2(max(accumulations, 2))) * float(np.finfo(dtype).eps)


def assert_close(actual, expected, dtype, accumulations=1, scale=None):
    """Assert that two arrays agree within `tolerance`, relative to their scale.

    Parameters
    ----------
    actual, expected : array-like of the same shape
    dtype : dtype-like
        The dtype of the less exact of the two computations.
    accumulations : int, default=1
        The number of terms summed on the way to one entry.
    scale : float, default=None
        The size of the terms; None takes the largest magnitude in `expected`, at least 1.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    if actual.size == 0:
        return
    scale = max(1.0, float(np.abs(expected).max())) if scale is None else scale
    error = float(np.abs(actual - expected).max())
    allowed = tolerance(dtype, accumulations) * scale
    assert error <= allowed, f"largest difference {error:.3g}, allowed {allowed:.3g}"

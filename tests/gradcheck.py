"""Gradients by central differences in float64, and how far the computed ones lie off."""

import numpy as np

STEP = 2e-5  # error of a difference: about STEP⁴ by truncation, eps / STEP by rounding
BOUND = 1e-6  # allowed error, relative to the array's largest gradient


def numerical_gradient(loss, array):
    """Return the gradient of ``loss()`` by `array`, whose entries are changed and put back.

    Differences of fourth order: ``(8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h``.
    """
    assert array.dtype == np.float64
    gradient = np.empty_like(array)
    for index in np.ndindex(array.shape):
        value = array[index]
        at = {}
        for steps in (-2, -1, 1, 2):
            array[index] = value + steps * STEP
            at[steps] = loss()
        array[index] = value
        gradient[index] = (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * STEP)
    return gradient


def assert_gradient(computed, loss, array, name):
    """Assert that `computed` is the gradient of ``loss()`` by `array`."""
    numerical = numerical_gradient(loss, array)
    assert computed.shape == array.shape, f"d{name} has shape {computed.shape}"
    if array.size == 0:
        return
    scale = np.abs(numerical).max()
    assert scale > 0, f"the loss does not depend on {name}: nothing would be tested"
    error = np.abs(computed - numerical).max() / scale
    assert error <= BOUND, f"d{name} is off by {error:.2g} of its largest entry"


def assert_gradients(computed, loss, arrays):
    """Assert the gradient of ``loss()`` by each of the arrays in a dict; both have its keys."""
    assert set(computed) == set(arrays)
    for name, array in arrays.items():
        assert_gradient(computed[name], loss, array, name)


def assert_gradients_along_a_direction(computed, loss, arrays):
    """Assert the derivative of ``loss()`` along one random direction in each of the arrays.

    Four evaluations of the loss for an array instead of four for each entry: for layers put
    together whose own gradients `assert_gradients` has proven.
    """
    assert set(computed) == set(arrays)
    rng = np.random.RandomState(0)
    for name, array in arrays.items():
        direction = rng.normal(size=array.shape)
        position = np.zeros(1)
        origin = array.copy()

        def along(array=array, origin=origin, direction=direction, position=position):
            array[...] = origin + position * direction
            return loss()

        slope = np.array([(computed[name] * direction).sum()])
        assert_gradient(slope, along, position, name)
        array[...] = origin

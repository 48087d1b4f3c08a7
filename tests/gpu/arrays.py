"""Problems of the reference's tests taken to a backend on the GPU and back."""

import numpy as np
from gpu.cupy_stand_in import COUNTS, CUPY

# What is promised of float32, relative to the scale of the numbers compared: of the gradients of
# one minibatch, and of the losses of the first twenty updates, in which differences grow.
ONE_BATCH = 1e-5
FIRST_LOSSES = 1e-4


def uploaded(backend, item):
    """Return arrays, and dicts and tuples of them, on the backend."""
    if isinstance(item, dict):
        return {name: uploaded(backend, part) for name, part in item.items()}
    if isinstance(item, tuple):
        return tuple(uploaded(backend, part) for part in item)
    return None if item is None else backend.xp.asarray(item)


def downloaded(backend, arrays):
    return {name: backend.download(array) for name, array in arrays.items() if array is not None}


def run_both(backend, problem, starts=True, ends=True, dy=True):
    """Return all outputs and the gradients by all inputs, as `recurrent_problem.run_both` does."""
    operation = backend.recurrent(problem.spec, problem.x.dtype)
    weights = uploaded(backend, problem.weights)
    result = operation.forward(
        problem.plan,
        uploaded(backend, problem.x),
        weights,
        **(uploaded(backend, problem.starts) if starts else {}),
        training=True,
        **uploaded(backend, problem.masks),
    )
    outputs = downloaded(backend, result._asdict())
    gradients = {name: backend.xp.zeros_like(weight) for name, weight in weights.items()}
    dx, dh0, dc0 = operation.backward(
        uploaded(backend, problem.dy) if dy else None,
        gradients,
        **(uploaded(backend, problem.ends) if ends else {}),
    )
    return outputs, downloaded(backend, {"x": dx, "h0": dh0, "c0": dc0, **gradients})


def largest_error(found, expected):
    """Return the largest difference of outputs and gradients, relative to each array's scale."""
    errors = []
    for got, want in zip(found, expected, strict=True):
        assert set(got) == set(want)
        for name in want:
            scale = max(1.0, np.abs(want[name]).max(initial=0))
            errors.append(np.abs(got[name] - want[name]).max(initial=0) / scale)
    return max(errors)


def assert_waits(backend, n):
    """Assert how often the host has waited; a real GPU does not count it."""
    if backend.xp is CUPY:
        assert COUNTS.waits == n

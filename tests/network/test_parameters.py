"""The flat parameter vector and its views."""

import copy
import pickle

import numpy as np
import pytest

from rnnkit.network import ParameterVector

SHAPES = {"a.weight": (2, 3), "a.bias": (2,), "empty": (0, 4)}


def test_views_share_the_flat_vector_in_order():
    parameters = ParameterVector(SHAPES, "float32")
    parameters["a.weight"][1, 0] = 5
    parameters["a.bias"][:] = 7
    np.testing.assert_array_equal(parameters.flat, [0, 0, 0, 5, 0, 0, 7, 7])
    assert parameters.dtype == np.float32
    assert list(parameters) == list(SHAPES)
    assert len(parameters) == 3


@pytest.mark.parametrize(
    "copied",
    [
        lambda p: pickle.loads(pickle.dumps(p)),
        copy.deepcopy,
        ParameterVector.copy,
    ],
    ids=["pickle", "deepcopy", "copy"],
)
def test_copies_have_views_of_their_own_memory(copied):
    parameters = ParameterVector(SHAPES, "float64")
    parameters.flat[:] = np.arange(8)
    twin = copied(parameters)
    np.testing.assert_array_equal(twin.flat, parameters.flat)
    twin["a.bias"][0] = -1
    assert twin.flat[6] == -1
    assert parameters.flat[6] == 6


def test_zeros_like_has_the_same_names():
    zeros = ParameterVector(SHAPES, "float64").zeros_like()
    assert zeros.shapes == SHAPES
    assert not zeros.flat.any()


@pytest.mark.parametrize("flat", [np.zeros(7), np.zeros(8, np.float32)])
def test_unfit_memory_is_refused(flat):
    with pytest.raises(ValueError, match=r"flat must have shape \(8,\) and dtype float64"):
        ParameterVector(SHAPES, "float64", flat)

"""A convolution as a value: equal, copied, pickled, printed, and refused where it is none."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone

from rnnkit import Convolution

SHAPE = Convolution(32, 8, 2, pooling=3, causal=True, activation="tanh", layer_norm=True)


def test_it_is_a_value():
    assert Convolution(**SHAPE.get_params()) == SHAPE
    assert Convolution(32, 8) != SHAPE
    assert len({SHAPE, Convolution(**SHAPE.get_params())}) == 1
    for other in (copy.deepcopy(SHAPE), pickle.loads(pickle.dumps(SHAPE)), clone(SHAPE)):
        assert other == SHAPE
    assert eval(repr(SHAPE)) == SHAPE
    assert repr(Convolution(32, 8)) == "Convolution(32, 8)"
    assert Convolution(np.int64(3), np.int32(2)) == Convolution(3, 2)
    with pytest.raises(AttributeError):
        SHAPE.width = 3


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"channels": 0}, ValueError, "channels of Convolution must be an integer of at least 1"),
        ({"width": 2.0}, TypeError, "width of Convolution must be .*, got 2.0"),
        ({"stride": True}, TypeError, "stride of Convolution must be .*, got True"),
        ({"pooling": 0}, ValueError, "pooling of Convolution must be .* or None, got 0"),
        ({"causal": 1}, TypeError, "causal of Convolution must be True or False, got 1"),
        ({"layer_norm": None}, TypeError, "layer_norm of Convolution must be True or False"),
        ({"batch_norm": 1}, TypeError, "batch_norm of Convolution must be True or False"),
        ({"layer_norm": True, "batch_norm": True}, ValueError, "batch_norm .* normalized once"),
        ({"activation": "gelu"}, ValueError, "one of 'relu', 'tanh', 'identity', got 'gelu'"),
    ],
)
def test_what_is_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        Convolution(**{"channels": 3, "width": 2, **arguments})


def test_how_many_steps_are_seen_and_left():
    assert (Convolution(1, 4).n_before, Convolution(1, 4, causal=True).n_before) == (1, 3)
    assert Convolution(1, 4, 2, 3).shortening == 6
    assert Convolution(1, 4).needs_whole_sequences
    assert not Convolution(1, 4, causal=True).needs_whole_sequences
    assert Convolution(1, 1, 2).needs_whole_sequences
    assert not Convolution(1, 1).needs_whole_sequences

"""Casts keep numbers finite and cost nothing where there is nothing to cast."""

import numpy as np
import pytest

from rnnkit.sequences import Sequences, looks_channel_first
from rnnkit.sequences.numbers import cast
from rnnkit.sequences.reading import refuse_masked


def test_a_cast_of_what_fits_already_is_the_same_array():
    values = np.arange(4.0)
    assert cast(values, np.float64, "X") is values
    assert cast(values.astype(np.float32), np.float64, "X").dtype == np.float64


@pytest.mark.parametrize("value", [1e39, -1e39, 3.5e38])
def test_a_cast_to_infinity_is_refused_with_its_place(value):
    values = np.zeros((3, 2))
    values[2, 1] = value
    with pytest.raises(ValueError, match=r"too large for float32: index \(2, 1\)"):
        cast(values, np.float32, "X")
    with pytest.raises(ValueError, match=r"Input y contains .*too large for float32: index 5"):
        cast(values.ravel(), "float32", "y")
    with pytest.raises(ValueError, match="too large for float32: there 5"):
        cast(values, np.float32, "X", lambda entry: f"there {entry}")


def test_what_is_infinite_or_nan_already_and_sums_that_overflow_pass():
    values = np.array([np.inf, -np.inf, np.nan, 3e38, 3e38])
    np.testing.assert_array_equal(cast(values, np.float32, "X"), values.astype(np.float32))


def test_a_fill_that_the_dtype_cannot_hold_is_refused():
    X = Sequences(np.arange(3), [0, 2, 3])
    assert X.to_padded(fill=-1)[0][1, 1, 0] == -1
    for fill in (0.5, np.nan, 2**70):
        with pytest.raises(ValueError, match="fill"):
            X.to_padded(fill=fill)
    X = Sequences(np.arange(3, dtype=np.float32), [0, 2, 3])
    assert X.to_padded(fill=0.1)[0][1, 1, 0] == np.float32(0.1)
    assert np.isnan(X.to_padded(fill=np.nan)[0][1, 1, 0])
    with pytest.raises(ValueError, match=r"Input fill contains .*too large for float32"):
        X.to_padded(fill=1e39)


def test_sequences_of_objects_hold_their_numbers():
    X = Sequences(np.array([[1, True], [2.5, 0]], dtype=object), [0, 1, 2])
    assert X.dtype == np.float64
    assert X.values.tolist() == [[1.0, 1.0], [2.5, 0.0]]
    with pytest.raises(ValueError, match=r"got the string 'a' at index \(1, 0\)"):
        Sequences(np.array([1, "a"], dtype=object), [0, 2])
    with pytest.raises(ValueError, match="values is a masked array"):
        Sequences(np.ma.masked_equal([1.0, 2.0], 1.0), [0, 2])


def test_masked_entries_are_refused_wherever_they_are():
    masked = np.ma.masked_equal([1.0, 2.0], 1.0)
    refuse_masked(np.ma.masked_equal([1.0, 2.0], 3.0), "y")
    refuse_masked([np.ones(2), [1.0], None], "y")
    with pytest.raises(ValueError, match="y is a masked array"):
        refuse_masked(masked, "y")
    with pytest.raises(ValueError, match=r"y\[1\] is a masked array"):
        refuse_masked([np.ones(2), masked], "y")


def test_channels_before_steps_are_seen_by_the_shape():
    assert looks_channel_first(np.zeros((60, 3, 200)))
    assert looks_channel_first(np.zeros((60, 1, 30)))
    for shape in ((60, 200, 3), (60, 20, 100), (60, 200), (200,)):
        assert not looks_channel_first(np.zeros(shape))
    assert not looks_channel_first([np.zeros((3, 200))])

"""Channel-first data become steps of features, and what has other axes is told so."""

import numpy as np
import pytest

from rnnkit.sequences import Sequences

read = Sequences.from_channel_first


@pytest.fixture
def X():
    """Five cases of three channels and four time points."""
    return np.random.RandomState(0).randn(5, 3, 4)


def objects(entries):
    array = np.empty(len(entries), dtype=object)
    array[:] = entries
    return array


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
@pytest.mark.parametrize("form", [np.asarray, list, tuple, lambda X: objects(list(X))])
def test_every_form_gives_the_channels_of_a_time_point_as_a_step(X, dtype, form):
    X = (10 * X).astype(dtype)
    sequences = read(form(X))
    expected = Sequences.from_array(np.ascontiguousarray(X.transpose(0, 2, 1)))
    assert sequences.values.tobytes() == expected.values.tobytes()
    assert sequences.dtype == expected.dtype
    assert sequences.offsets.tolist() == expected.offsets.tolist()


def test_cases_of_other_lengths(X):
    sequences = read([X[0], X[1][:, :2], X[2][:, :1]], ids=["a", "b", "c"])
    assert sequences.lengths.tolist() == [4, 2, 1]
    assert np.array_equal(sequences[1], X[1][:, :2].T)
    assert sequences.ids.tolist() == ["a", "b", "c"]


def test_one_channel(X):
    assert np.array_equal(read(X[:, 0]).values, read(X[:, :1]).values)
    assert np.array_equal(read(list(X[:, 0])).values, read(X[:, :1]).values)


def test_padding_and_missing_values(X):
    X[0, :, 3] = np.nan
    assert read(X, "nan").lengths.tolist() == [3, 4, 4, 4, 4]
    assert read(X, [3, 4, 2, 1, 4]).lengths.tolist() == [3, 4, 2, 1, 4]
    assert np.isnan(read(X, allow_nan=True)[0][3]).all()
    with pytest.raises(ValueError, match="NaN"):
        read(X)


@pytest.mark.parametrize(
    "wrong, told",
    [
        (np.zeros(3), r"\(sequences, channels, steps\).*got shape \(3,\)"),
        (np.zeros((2, 2, 2, 2)), r"\(sequences, channels, steps\).*got shape \(2, 2, 2, 2\)"),
        ([np.zeros((2, 3)), np.zeros((1, 2, 3))], r"sequence 1 .*\(channels, steps\).*\(1, 2, 3\)"),
        ([np.zeros((2, 3)), np.zeros((3, 3))], "sequence 1"),
        ([], "0 sample"),
        (np.zeros((2, 1, 0)), "sequence 0|minimum of 1"),
    ],
)
def test_what_has_other_axes_is_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        read(wrong)

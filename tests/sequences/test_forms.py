"""Results per step come back in the form of the input."""

import numpy as np
import pytest

from rnnkit.sequences import Sequences, restore_form

LENGTHS = [2, 3, 1]


@pytest.fixture
def arrays():
    rng = np.random.RandomState(0)
    return [rng.randn(n, 2) for n in LENGTHS]


def test_list_and_tuple_give_a_list(arrays):
    steps = Sequences.from_list(arrays)
    for form in (arrays, tuple(arrays)):
        restored = restore_form(form, steps.values, steps.offsets)
        assert isinstance(restored, list)
        for actual, expected in zip(restored, arrays):
            np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("n", [2, 3])
def test_object_array_stays_one_even_with_equal_lengths(n):
    X = np.empty(n, dtype=object)
    X[:] = [np.ones((2, 1)) * i for i in range(n)]
    steps = Sequences.from_any(X)
    restored = restore_form(X, steps.values, steps.offsets)
    assert restored.shape == (n,)
    assert restored.dtype == object
    np.testing.assert_array_equal(restored[1], X[1])


def test_sequences_stay_sequences(arrays):
    steps = Sequences.from_list(arrays)
    restored = restore_form(steps, steps.values * 2, steps.offsets)
    assert isinstance(restored, Sequences)
    np.testing.assert_array_equal(restored.values, steps.values * 2)


@pytest.mark.parametrize("values", [np.array(list("abcdef")), np.arange(6)])
def test_labels_of_sequences_come_in_an_object_array(arrays, values):
    steps = Sequences.from_list(arrays)
    restored = restore_form(steps, values, steps.offsets)
    assert restored.dtype == object
    assert [labels.tolist() for labels in restored] == [
        part.tolist() for part in np.split(values, [2, 5])
    ]


def test_padded_arrays_keep_their_steps():
    X = np.random.RandomState(0).randn(3, 5, 2)
    steps = Sequences.from_any(X, LENGTHS)
    restored = restore_form(X, steps.values, steps.offsets, fill=-7)
    assert restored.shape == X.shape
    for actual, x, length in zip(restored, X, LENGTHS):
        np.testing.assert_array_equal(actual[:length], x[:length])
        assert (actual[length:] == -7).all()
    assert restore_form(X, np.arange(6), steps.offsets).shape == (3, 5)


def test_rows_give_steps():
    X = np.random.RandomState(0).randn(3, 6)
    steps = Sequences.from_any(X, step_features=2)
    restored = restore_form(X, steps.values, steps.offsets)
    np.testing.assert_array_equal(restored, X.reshape(3, 3, 2))


def test_frames_give_arrays():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(np.arange(6.0).reshape(2, 3))
    steps = Sequences.from_any(X)
    restored = restore_form(X, steps.values, steps.offsets)
    np.testing.assert_array_equal(restored[:, :, 0], X.to_numpy())

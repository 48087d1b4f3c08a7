"""Fold by hand, there and back, and the refusals."""

import numpy as np
import pytest

from rnnkit.preprocessing import Fold
from rnnkit.sequences import Sequences

X = [np.arange(1.0, 6.0), np.arange(10.0, 14.0), np.array([7.0])]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, [[[0, 1], [2, 3], [4, 5]], [[10, 11], [12, 13]], [[0, 7]]]),
        ({"fill": -1}, [[[-1, 1], [2, 3], [4, 5]], [[10, 11], [12, 13]], [[-1, 7]]]),
        ({"fill": "edge"}, [[[1, 1], [2, 3], [4, 5]], [[10, 11], [12, 13]], [[7, 7]]]),
        (
            {"remainder": "pad_end"},
            [[[1, 2], [3, 4], [5, 0]], [[10, 11], [12, 13]], [[7, 0]]],
        ),
        (
            {"remainder": "pad_end", "fill": "edge"},
            [[[1, 2], [3, 4], [5, 5]], [[10, 11], [12, 13]], [[7, 7]]],
        ),
    ],
)
def test_by_hand(parameters, expected):
    found = Fold(2, **parameters).fit_transform(X)
    for got, x in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, x)


def test_edges_of_every_length():
    """More than one step is padded, in sequences side by side."""
    steps = [np.arange(float(t))[:, None] + [[100.0 * t, 0.5]] for t in range(1, 12)]
    for k in (3, 4, 7):
        for remainder in ("pad_start", "pad_end"):
            found = Fold(k, remainder=remainder, fill="edge").fit_transform(steps)
            for x, got in zip(steps, found, strict=True):
                sides = ((-len(x) % k, 0), (0, 0))
                if remainder == "pad_end":
                    sides = ((0, -len(x) % k), (0, 0))
                expected = np.pad(x, sides, mode="edge").reshape(-1, 2 * k)
                np.testing.assert_array_equal(got, expected)


def test_what_is_dropped_is_the_beginning():
    found = Fold(2, remainder="drop").fit_transform(X[:2])
    np.testing.assert_array_equal(found[0], [[2, 3], [4, 5]])
    np.testing.assert_array_equal(found[1], [[10, 11], [12, 13]])
    with pytest.raises(ValueError, match=r"X: sequence 2 has 1 steps, less than k=2"):
        Fold(2, remainder="drop").fit(X).transform(X)


@pytest.mark.parametrize("k", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("remainder", ["pad_start", "pad_end"])
@pytest.mark.parametrize("fill", [0.0, "edge"])
def test_there_and_back(k, remainder, fill):
    rng = np.random.RandomState(k)
    steps = [rng.randn(t, 3).astype(np.float32) for t in rng.randint(1, 15, 20)]
    fold = Fold(k, remainder=remainder, fill=fill)
    lengths = [len(x) for x in steps]
    back = fold.inverse_transform(fold.fit_transform(steps), lengths=lengths)
    assert isinstance(back, list)
    for got, x in zip(back, steps, strict=True):
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, x)
    back = fold.inverse_transform(fold.transform(Sequences.from_list(steps)), lengths=lengths)
    np.testing.assert_array_equal(back.values, np.concatenate(steps))


def test_back_without_lengths_keeps_the_padding():
    fold = Fold(2).fit(X)
    back = fold.inverse_transform(fold.transform(X))
    np.testing.assert_array_equal(back[0], [0, 1, 2, 3, 4, 5])
    assert back[0].ndim == 1


def test_dense_there_and_back():
    dense = np.random.RandomState(0).randn(3, 5, 2)
    fold = Fold(2).fit(dense)
    folded = fold.transform(dense, lengths=[5, 4, 1])
    assert folded.shape == (3, 3, 4)
    back = fold.inverse_transform(folded, lengths=[5, 4, 1])
    assert back.shape == (3, 6, 2)
    for got, x, n in zip(back, dense, (5, 4, 1)):
        np.testing.assert_array_equal(got[:n], x[:n])
        assert (got[n:] == 0).all()
    rows = Fold(2, step_features=2).fit(dense.reshape(3, 10))
    np.testing.assert_array_equal(
        rows.inverse_transform(rows.transform(dense.reshape(3, 10)), lengths=[5, 5, 5])[:, :10],
        dense.reshape(3, 10),
    )


def test_names_say_which_step():
    frame = pytest.importorskip("pandas").DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]})
    fold = Fold(2).fit([frame])
    assert fold.get_feature_names_out().tolist() == ["a_0", "b_0", "a_1", "b_1"]
    rows = Fold(2).fit(np.ones((2, 3)))
    assert rows.get_feature_names_out().tolist() == ["pad0_0", "x0", "x1", "x2"]


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"k": 0}, ValueError, "k must be at least 1, got 0"),
        ({"k": 2.0}, TypeError, "k must be an integer, got 2.0"),
        ({"k": True}, TypeError, "k must be an integer, got True"),
        ({"remainder": "cut"}, ValueError, "remainder must be one of"),
        ({"fill": "zero"}, ValueError, "fill must be a number or \"edge\", got 'zero'"),
        ({"fill": None}, TypeError, 'fill must be a number or "edge", got None'),
        ({"step_features": 2}, ValueError, "step_features"),
    ],
)
def test_bad_parameters_are_named(parameters, error, message):
    with pytest.raises(error, match=message):
        Fold(**parameters).fit(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([5, 4], "lengths has 2 entries, but X has 3 sequences"),
        ([5, 4, 3], "lengths: 3 steps are folded into 2, but sequence 2 of X has 1"),
        ([5, 4, 0], "lengths must hold a positive integer per sequence"),
        ([5.0, 4.0, 1.0], "lengths must hold a positive integer per sequence"),
    ],
)
def test_lengths_that_do_not_fit(lengths, message):
    fold = Fold(2).fit(X)
    with pytest.raises(ValueError, match=message):
        fold.inverse_transform(fold.transform(X), lengths=lengths)


def test_another_width_cannot_be_unfolded():
    with pytest.raises(ValueError, match=r"X has 3 features, but Fold gives 2 \(k=2 steps of 1\)"):
        Fold(2).fit(X).inverse_transform([np.ones((2, 3))])

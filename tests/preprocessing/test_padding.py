"""Padder fills, cuts and refuses as its parameters say."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from rnnkit.preprocessing import Padder
from rnnkit.sequences import Sequences

X = [np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([[7.0, 8.0]])]


@pytest.mark.parametrize("form", [X, tuple(X), Sequences.from_list(X)])
def test_fills_up_to_the_longest(form):
    padder = Padder()
    padded = padder.fit_transform(form)
    assert padder.length_ == 3
    assert padder.n_features_in_ == 2
    np.testing.assert_array_equal(padded, [X[0], [[7, 8], [0, 0], [0, 0]]])


def test_fill_side_and_flatten():
    padded = Padder(length=4, fill=-1, side="start", flatten=True).fit_transform(X)
    expected = [[-1, -1, 1, 2, 3, 4, 5, 6], [-1, -1, -1, -1, -1, -1, 7, 8]]
    np.testing.assert_array_equal(padded, expected)


@pytest.mark.parametrize(
    "side, expected",
    [("end", [[1, 2, 3, 4], [7, 8, 0, 0]]), ("start", [[3, 4, 5, 6], [0, 0, 7, 8]])],
)
def test_cut(side, expected):
    padder = Padder(length=2, side=side, overlong="cut", flatten=True)
    np.testing.assert_array_equal(padder.fit_transform(X), expected)


def test_overlong_is_refused():
    padder = Padder().fit(X[1:])
    with pytest.raises(ValueError, match="sequence 0 has 3 steps, more than the length 1"):
        padder.transform(X)


def test_dtype_follows_X():
    assert Padder().fit_transform([x.astype(np.float32) for x in X]).dtype == np.float32


def test_another_number_of_features_is_refused():
    with pytest.raises(ValueError, match="X has 1 features, but Padder is expecting 2 features"):
        Padder().fit(X).transform([[1.0]])


def test_not_fitted():
    with pytest.raises(NotFittedError):
        Padder().transform(X)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"length": 0}, ValueError, "length must be at least 1, got 0"),
        ({"length": 2.0}, TypeError, "length must be an integer or None, got 2.0"),
        ({"length": True}, TypeError, "length must be an integer or None, got True"),
        ({"side": "left"}, ValueError, "side must be one of .*got 'left'"),
        ({"overlong": "drop"}, ValueError, "overlong must be one of .*got 'drop'"),
    ],
)
def test_wrong_parameters(options, error, message):
    with pytest.raises(error, match=message):
        Padder(**options).fit(X)


def test_a_fill_is_a_number_that_the_dtype_can_hold():
    X = [np.ones((2, 1), np.float32), np.ones((1, 1), np.float32)]
    with pytest.raises(ValueError, match=r"Input fill contains .*too large for float32"):
        Padder(fill=1e39).fit_transform(X)
    for fill in (None, "0", True):
        with pytest.raises(TypeError, match="fill must be a real number"):
            Padder(fill=fill).fit(X)
    assert np.isnan(Padder(fill=np.nan).fit_transform(X)[1, 1, 0])

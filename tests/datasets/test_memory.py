"""The tasks that ask for memory keep to their definitions."""

import numpy as np
import pytest

from rnnkit.datasets import (
    make_copying,
    make_noise_free_lag,
    make_noisy_lag,
    make_temporal_order,
    make_two_sequence,
)


def symbols_of(X, letters):
    assert (np.concatenate(list(X)).sum(axis=1) == 1).all()
    return ["".join(letters[k] for k in x.argmax(axis=1)) for x in X]


@pytest.mark.parametrize(
    "n_relevant, ranges", [(2, [(10, 20), (50, 60)]), (3, [(10, 20), (33, 43), (66, 76)])]
)
def test_temporal_order(n_relevant, ranges):
    X, y = make_temporal_order(1500, n_relevant, random_state=0)
    assert X.n_features == 8
    assert set(X.lengths.tolist()) == set(range(100, 111))
    seen = [set() for _ in ranges]
    for string, label in zip(symbols_of(X, "abcdXYEB"), y):
        assert string[0] == "E"
        assert string[-1] == "B"
        relevant = [(t, s) for t, s in enumerate(string) if s in "XY"]
        assert "".join(s for _, s in relevant) == label
        assert set(string[1:-1]) <= set("abcdXY")
        for steps, (t, _) in zip(seen, relevant):
            steps.add(t)
    for steps, (lowest, highest) in zip(seen, ranges):
        assert steps == set(range(lowest, highest + 1))
    assert len(set(y)) == 2**n_relevant


def test_copying():
    X, y = make_copying(200, n_blanks=7, n_symbols=3, n_copied=4, random_state=0)
    assert X.shape == (200, 15, 5)
    assert y.shape == (200, 15)
    assert y.dtype == np.intp
    inputs = X.argmax(axis=2)
    assert (X.sum(axis=2) == 1).all()
    assert set(inputs[:, :4].ravel()) == {1, 2, 3}
    assert (inputs[:, 4:10] == 0).all()
    assert (inputs[:, 10] == 4).all()
    assert (inputs[:, 11:] == 0).all()
    np.testing.assert_array_equal(y[:, -4:], inputs[:, :4])
    assert (y[:, :-4] == 0).all()


def test_copying_has_the_published_length():
    X, _ = make_copying(1, n_blanks=1000, random_state=0)
    assert X.shape == (1, 1020, 10)


def test_noise_free_lag():
    X, y = make_noise_free_lag(50, lag=6, random_state=0)
    assert X.shape == (50, 6, 7)
    symbols = X.argmax(axis=2)
    assert set(symbols[:, 0]) == {5, 6}
    np.testing.assert_array_equal(y[:, -1], symbols[:, 0])
    np.testing.assert_array_equal(y[:, :-1], symbols[:, 1:])
    assert (symbols[:, 1:] == np.arange(5)).all()


def test_noisy_lag():
    p, q = 6, 20
    X, y = make_noisy_lag(3000, lag=q, n_distractors=p, random_state=0)
    assert X.n_features == p + 4
    tails = X.lengths - (q + 3)
    assert tails.min() == 0
    standard_error = np.sqrt(0.9) / 0.1 / np.sqrt(len(tails))
    assert abs(tails.mean() - 9) < 4 * standard_error
    for string, label in zip(symbols_of(X, "012345ebxy"), y):
        assert string[0] == "b"
        assert string[1] == label
        assert string[-1] == "e"
        assert set(string[2:-1]) <= set("012345")
    assert set("".join(symbols_of(X[:50], "012345ebxy"))) == set("012345ebxy")
    assert set(y) == {"x", "y"}


@pytest.mark.parametrize("noisy", [False, True])
def test_two_sequence(noisy):
    X, y = make_two_sequence(500, 100, 3, noisy_information=noisy, random_state=0)
    assert set(X.lengths.tolist()) == set(range(100, 111))
    assert set(y) == {0, 1}
    information = np.array([x[:3, 0] for x in X]) - (2 * y[:, None] - 1)
    noise = np.concatenate([x[3:, 0] for x in X])
    assert abs(noise.mean()) < 4 * np.sqrt(0.2 / len(noise))
    assert abs(noise.var() / 0.2 - 1) < 4 * np.sqrt(2 / len(noise))
    if noisy:
        assert abs(information.var() / 0.2 - 1) < 4 * np.sqrt(2 / information.size)
    else:
        assert (information == 0).all()


MAKERS = [
    make_temporal_order,
    make_copying,
    make_noise_free_lag,
    make_noisy_lag,
    make_two_sequence,
]


@pytest.mark.parametrize("make", MAKERS)
def test_the_seed_decides(make):
    (X, y), (X_again, y_again), (X_other, _) = (make(10, random_state=s) for s in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(X, X_again))
    np.testing.assert_array_equal(y, y_again)
    assert not all(np.array_equal(a, b) for a, b in zip(X, X_other))


@pytest.mark.parametrize(
    "make, options, message",
    [
        (make_temporal_order, {"n_relevant": 4}, "n_relevant must be 2 or 3, got 4"),
        (make_temporal_order, {"n_samples": 0}, "n_samples must be at least 1, got 0"),
        (make_copying, {"n_blanks": 0}, "n_blanks must be at least 1, got 0"),
        (make_copying, {"n_symbols": 0}, "n_symbols must be at least 1, got 0"),
        (make_copying, {"n_copied": 0}, "n_copied must be at least 1, got 0"),
        (make_noise_free_lag, {"lag": 1}, "lag must be at least 2, got 1"),
        (make_noisy_lag, {"lag": 0}, "lag must be at least 1, got 0"),
        (make_noisy_lag, {"n_distractors": 0}, "n_distractors must be at least 1, got 0"),
        (make_two_sequence, {"n_informative": 0}, "n_informative must be at least 1, got 0"),
        (make_two_sequence, {"n_steps": 3}, "n_steps must be at least 4, got 3"),
    ],
)
def test_wrong_arguments(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)

"""Sine waves have one frequency and random phases."""

import numpy as np
import pytest

from rnnkit.datasets import make_sine_waves


def test_waves_obey_the_recurrence_of_a_sine():
    waves = make_sine_waves(20, 300, scale=15.0, random_state=0)
    assert waves.shape == (20, 300)
    following = 2 * np.cos(1 / 15.0) * waves[:, 1:-1] - waves[:, :-2]
    assert np.abs(following - waves[:, 2:]).max() < 100 * np.finfo(float).eps
    assert len({wave[0] for wave in waves}) > 10


def test_the_seed_decides():
    first, again, other = (make_sine_waves(3, 5, random_state=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_published_size():
    assert make_sine_waves(random_state=0).shape == (100, 1000)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"n_samples": 0}, "n_samples must be at least 1, got 0"),
        ({"n_steps": 0}, "n_steps must be at least 1, got 0"),
        ({"scale": 0.0}, r"scale must be positive, got 0\.0"),
        ({"scale": float("nan")}, "scale must be positive, got nan"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        make_sine_waves(**options)

"""Sine waves have one frequency and random phases."""

import numpy as np
import pytest

from rnnkit.datasets import make_embedded_reber, make_sine_waves, make_two_sequence


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
        ({"scale": 0.0}, r"scale must be at least 0\.25 and less than 2\*\*60, got 0\.0"),
        ({"scale": 0.1}, "scale must be at least .* got 0.1"),
        ({"scale": float("nan")}, "scale must be at least .* got nan"),
        ({"scale": float("inf")}, "scale must be at least .* got inf"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        make_sine_waves(**options)


def test_the_least_and_the_largest_scale():
    assert np.isfinite(make_sine_waves(2, 5, scale=0.25, random_state=0)).all()
    assert np.isfinite(make_sine_waves(2, 5, scale=1e18, random_state=0)).all()


@pytest.mark.parametrize("wrong", ["a", None, True, 1j])
def test_a_scale_that_is_no_number(wrong):
    with pytest.raises(TypeError, match="scale must be a number, got"):
        make_sine_waves(scale=wrong)


@pytest.mark.parametrize("wrong", [0, 1.0, "no", None, float("nan")])
def test_switches_are_true_or_false(wrong):
    with pytest.raises(TypeError, match="distinct must be True or False, got"):
        make_embedded_reber(2, distinct=wrong)
    with pytest.raises(TypeError, match="noisy_information must be True or False, got"):
        make_two_sequence(2, noisy_information=wrong)

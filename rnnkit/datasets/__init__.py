"""Seeded generators of the tasks on which the literature compares recurrent networks.

What is drawn from a random state may enter; nothing is downloaded or shipped.
"""

from rnnkit.datasets.arithmetic import make_adding, make_adding_1997, make_multiplication
from rnnkit.datasets.memory import (
    make_copying,
    make_noise_free_lag,
    make_noisy_lag,
    make_temporal_order,
    make_two_sequence,
)
from rnnkit.datasets.reber import ReberStrings, make_embedded_reber, make_reber_stream
from rnnkit.datasets.waves import make_sine_waves

__all__ = [
    "ReberStrings",
    "make_adding",
    "make_adding_1997",
    "make_copying",
    "make_embedded_reber",
    "make_multiplication",
    "make_noise_free_lag",
    "make_noisy_lag",
    "make_reber_stream",
    "make_sine_waves",
    "make_temporal_order",
    "make_two_sequence",
]

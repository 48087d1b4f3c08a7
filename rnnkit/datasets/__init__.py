"""Seeded generators of the literature's tasks, and readers of the field's files.

What is drawn from a random state or read from a file that the user has may enter; nothing is
downloaded or shipped.
"""

from rnnkit.datasets.arff import load_arff
from rnnkit.datasets.arithmetic import make_adding, make_adding_1997, make_multiplication
from rnnkit.datasets.attributes import load_crfsuite, load_svmhmm
from rnnkit.datasets.conll import load_conll, load_conllu
from rnnkit.datasets.expressions import make_expressions
from rnnkit.datasets.loaded import LoadedData
from rnnkit.datasets.memory import (
    make_copying,
    make_noise_free_lag,
    make_noisy_lag,
    make_temporal_order,
    make_two_sequence,
)
from rnnkit.datasets.reber import ReberStrings, make_embedded_reber, make_reber_stream
from rnnkit.datasets.schemes import convert_entity_labels
from rnnkit.datasets.series import load_ts, load_ucr
from rnnkit.datasets.waves import make_sine_waves

__all__ = [
    "LoadedData",
    "ReberStrings",
    "convert_entity_labels",
    "load_arff",
    "load_conll",
    "load_conllu",
    "load_crfsuite",
    "load_svmhmm",
    "load_ts",
    "load_ucr",
    "make_adding",
    "make_adding_1997",
    "make_copying",
    "make_embedded_reber",
    "make_expressions",
    "make_multiplication",
    "make_noise_free_lag",
    "make_noisy_lag",
    "make_reber_stream",
    "make_sine_waves",
    "make_temporal_order",
    "make_two_sequence",
]

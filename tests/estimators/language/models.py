"""Small language models, fitted once."""

from functools import cache

import numpy as np

import rnnkit

CELLS = ("RNN", "LSTM", "GRU")
NAMES = ["anna", "ada", "hannah", "ivan", "igor", "oleg", "nina"]
SEXES = ["f", "f", "f", "m", "m", "m", "f"]
TEXT = "to be or not to be. that is the question. " * 6


def model(cell="GRU", **parameters):
    settings = dict(hidden_size=12, embedding_dim=5, stretch_steps=40, bptt_steps=10, max_iter=3)
    settings |= dict(learning_rate_init=0.03, random_state=0)
    return getattr(rnnkit, f"{cell}LanguageModel")(**{**settings, **parameters})


@cache
def of_text(cell="GRU", **parameters):
    return model(cell, **parameters).fit(TEXT)


@cache
def of_names(cell="GRU", **parameters):
    return model(cell, **parameters).fit(NAMES * 8)


@cache
def of_people(cell="GRU", **parameters):
    """Names, each with a label."""
    return model(cell, **{"max_iter": 40, **parameters}).fit(NAMES * 8, context=SEXES * 8)


@cache
def of_vectors(cell="GRU", **parameters):
    vectors = np.array([[sex == "f", len(name) / 6] for name, sex in zip(NAMES, SEXES)], float)
    return model(cell, **parameters).fit(NAMES, context=vectors), vectors

"""Sequence classification: JapaneseVowels, GunPoint, ItalyPowerDemand, digits row by row."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rnnkit import GRUClassifier, LSTMClassifier
from rnnkit.preprocessing import SequenceScaler

from .runner import Task, loaders


def whole_schedule(max_iter):
    """Return the parameters that let the rate decay over all epochs, none of them cut off."""
    return dict(max_iter=max_iter, n_iter_no_change=max_iter, learning_rate="cosine")


def ragged(name, split):
    """Return a list of arrays (T_i, channels), float32, and their labels."""
    X, y = loaders().ts(name, split)
    return [series.astype(np.float32) for series in X], y


def japanese_vowels(seed):
    """Ragged, 12 channels, 9 speakers; the archive's own split."""
    X, y = ragged("JapaneseVowels", "TRAIN")
    X_test, y_test = ragged("JapaneseVowels", "TEST")
    model = make_pipeline(
        SequenceScaler(StandardScaler()),
        GRUClassifier(
            64,
            bidirectional=True,
            pooling="mean",
            dropout=0.3,
            input_noise=0.5,
            solver="adamw",
            learning_rate_init=5e-3,
            batch_size=32,
            random_state=seed,
            **whole_schedule(60),
        ),
    )
    return model.fit(X, y).score(X_test, y_test)


def univariate(name, split):
    """Return a univariate set of equal lengths as (n, T) and its labels."""
    X, y = ragged(name, split)
    return np.stack([series[:, 0] for series in X]), y


def gunpoint(seed):
    """150 steps folded to 30 steps of 5."""
    model = GRUClassifier(
        64,
        bidirectional=True,
        step_features=5,
        input_noise=0.05,
        solver="adamw",
        learning_rate_init=5e-3,
        batch_size=16,
        random_state=seed,
        **whole_schedule(100),
    )
    return model.fit(*univariate("GunPoint", "TRAIN")).score(*univariate("GunPoint", "TEST"))


def italy_power_demand(seed):
    """24 hourly values a day, 67 days to train on."""
    model = LSTMClassifier(
        64,
        bidirectional=True,
        input_noise=0.2,
        solver="adamw",
        learning_rate_init=5e-3,
        batch_size=16,
        random_state=seed,
        **whole_schedule(80),
    )
    train, test = (univariate("ItalyPowerDemand", split) for split in ("TRAIN", "TEST"))
    return model.fit(*train).score(*test)


def digits(seed):
    """Images of 8 x 8 read row by row: 8 steps of 8 features; a quarter held out by the seed."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(
        np.float32(X / 16), y, test_size=0.25, stratify=y, random_state=seed
    )
    model = LSTMClassifier(
        128,
        step_features=8,
        dropout=0.3,
        input_noise=0.2,
        solver="adamw",
        learning_rate_init=3e-3,
        batch_size=32,
        random_state=seed,
        **whole_schedule(40),
    )
    return model.fit(X, y).score(X_test, y_test)


TASKS = [
    Task("JapaneseVowels", japanese_vowels, 0.98),
    Task("GunPoint", gunpoint, 0.97),
    Task("ItalyPowerDemand", italy_power_demand, 0.96),
    Task("digits", digits, 0.985),
]

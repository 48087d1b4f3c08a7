"""Fits on real data: task -> (fitted estimator, its held-out figure as a function, unit)."""

import numpy as np
from scores.classification import ragged
from scores.runner import loaders
from scores.text import tagged
from sklearn.preprocessing import StandardScaler

from rnnkit import (
    GRUClassifier,
    GRURegressor,
    GRUSequenceTagger,
    LSTMClassifier,
    LSTMLanguageModel,
    LSTMRegressor,
    LSTMSequenceRegressor,
    LSTMSequenceTagger,
    RNNClassifier,
)
from rnnkit.preprocessing import SequenceScaler, TokenEncoder

SENTENCES = 2000  # of the tagger's training split
LETTERS = 300_000  # of the language model's training text
HELD_OUT_LETTERS = 20_000


def vowels(make):
    """9 speakers, 12 channels, the archive's own split, standardised."""
    X, y = ragged("JapaneseVowels", "TRAIN")
    X_test, y_test = ragged("JapaneseVowels", "TEST")
    scaler = SequenceScaler(StandardScaler()).fit(X)
    model = make().fit(scaler.transform(X), y)
    return model, lambda of: of.score(scaler.transform(X_test), y_test)


def names(make):
    """18 nationalities by the letters; the fifth that a hash picks is held out."""
    pairs = loaders().names()
    spellings, nations = map(np.array, zip(*pairs, strict=True))
    held_out = loaders().hash_split([f"{spelling}|{nation}" for spelling, nation in pairs])
    encoder = TokenEncoder(min_frequency=2)
    X = encoder.fit_transform(list(spellings[~held_out]))
    model = make(n_tokens=encoder.vocabulary_sizes_[0], embedding_dim=48)
    model.fit(X, nations[~held_out])
    X_test = encoder.transform(list(spellings[held_out]))
    return model, lambda of: of.score(X_test, nations[held_out])


def parts_of_speech(make):
    """UPOS of English words, the first sentences of the training split alone."""
    words, tags = tagged("train")
    encoder = TokenEncoder(lowercase=True)
    X = encoder.fit_transform(words[:SENTENCES])
    model = make(n_tokens=encoder.vocabulary_sizes_[0], embedding_dim=64, bidirectional=True)
    model.fit(X, tags[:SENTENCES])
    test_words, test_tags = tagged("test")
    X_test = encoder.transform(test_words)
    return model, lambda of: of.score(X_test, test_tags)


def sunspots(make):
    """The next month's root of sunspots; windows of 120 months, the last fifth held out."""
    values = np.sqrt(loaders().series("monthly-sunspots")).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(values, 121)
    cut = len(windows) * 4 // 5
    model = make().fit(windows[:cut:3, :-1, None], windows[:cut:3, -1])
    return model, lambda of: of.score(windows[cut:, :-1, None], windows[cut:, -1])


def sunspots_by_step(make):
    """The same at every step."""
    values = np.sqrt(loaders().series("monthly-sunspots")).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(values, 121)
    cut = len(windows) * 4 // 5
    model = make().fit(windows[:cut:6, :-1, None], windows[:cut:6, 1:])
    return model, lambda of: of.score(windows[cut::6, :-1, None], windows[cut::6, 1:])


def letters(make):
    """Nats of a letter of Shakespeare's plays."""
    text = loaders().tinyshakespeare()
    model = make().fit(text[:LETTERS])
    held_out = text[-HELD_OUT_LETTERS:]
    return model, lambda of: -of.score(held_out)


# name: (data, estimators, unit)
TASKS = {
    "vowels": (vowels, (LSTMClassifier, GRUClassifier, RNNClassifier), "accuracy"),
    "names": (names, (LSTMClassifier, GRUClassifier), "accuracy"),
    "parts-of-speech": (parts_of_speech, (LSTMSequenceTagger, GRUSequenceTagger), "accuracy"),
    "sunspots": (sunspots, (LSTMRegressor, GRURegressor), "R²"),
    "sunspots-by-step": (sunspots_by_step, (LSTMSequenceRegressor,), "R²"),
    "letters": (letters, (LSTMLanguageModel,), "nats"),
}

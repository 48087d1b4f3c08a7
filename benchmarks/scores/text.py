"""Text: the nationality of a name by its characters, the parts of speech of a sentence."""

import numpy as np

from rnnkit import GRUClassifier, LSTMSequenceTagger
from rnnkit.preprocessing import TokenEncoder
from rnnkit.training import AdamW

from .runner import Task, loaders


def names(seed):
    """18 nationalities; the fifth of the pairs that a hash picks is held out."""
    pairs = loaders().names()
    spellings, nations = map(np.array, zip(*pairs))
    held_out = loaders().hash_split([f"{spelling}|{nation}" for spelling, nation in pairs])
    encoder = TokenEncoder(min_frequency=2)
    train = encoder.fit_transform(list(spellings[~held_out]))
    model = GRUClassifier(
        128,
        bidirectional=True,
        embedding_dim=48,
        n_tokens=encoder.vocabulary_sizes_[0],
        dropout=0.5,
        input_dropout=0.2,
        label_smoothing=0.05,
        solver=AdamW(weight_decay=0.05),
        learning_rate_init=3e-3,
        learning_rate="cosine",
        batch_size=64,
        max_iter=16,
        n_iter_no_change=16,
        random_state=seed,
    )
    model.fit(train, nations[~held_out])
    return model.score(encoder.transform(list(spellings[held_out])), nations[held_out])


def tagged(split):
    """Return the words and the UPOS tags of every sentence of a split."""
    sentences = loaders().ud(split)
    words = [[word for word, _, _ in sentence] for sentence in sentences]
    tags = [np.array([tag for _, tag, _ in sentence]) for sentence in sentences]
    return words, tags


def upos_tagger(seed, encoder, embedding_dim, **options):
    """Fit a bidirectional LSTM over the encoder's tokens; return its test accuracy."""
    words, tags = tagged("train")
    test_words, test_tags = tagged("test")
    X = encoder.fit_transform(words)
    model = LSTMSequenceTagger(
        128,
        bidirectional=True,
        embedding_dim=embedding_dim,
        n_tokens=tuple(encoder.vocabulary_sizes_),
        dropout=0.4,
        input_dropout=0.4,
        solver="adamw",
        learning_rate_init=5e-3,
        learning_rate="cosine",
        batch_size=16,
        max_iter=5,
        n_iter_no_change=5,
        random_state=seed,
        **options,
    )
    return model.fit(X, tags).score(encoder.transform(test_words), test_tags)


def upos_words(seed):
    """Lower-cased words alone; those seen once are unknown."""
    encoder = TokenEncoder(lowercase=True, min_frequency=2)
    return upos_tagger(seed, encoder, (100,))


def shape_and_affixes():
    """Return an encoder of words, shapes and affixes, and the widths of its embeddings."""
    encoder = TokenEncoder(("word", "shape", "affixes"), lowercase=True, min_frequency=2)
    return encoder, (100, 16, 8, 8, 16, 16, 24, 24)


def upos_features(seed):
    """Words, and the shape and affixes of every word."""
    return upos_tagger(seed, *shape_and_affixes())


def upos_features_crf(seed):
    """The same, the tags of a sentence scored as a whole."""
    return upos_tagger(seed, *shape_and_affixes(), output="crf")


TASKS = [
    Task("names", names, 0.80),
    Task("UPOS-words", upos_words, 0.93),
    Task("UPOS-features", upos_features, 0.956),
    Task("UPOS-features-CRF", upos_features_crf, 0.956),
]

"""Text: the nationality of a name by its characters, the parts of speech of a sentence."""

import numpy as np

from rnnkit import LSTMClassifier, LSTMSequenceTagger
from rnnkit.preprocessing import TokenEncoder
from rnnkit.training import AdamW

from .runner import Task, loaders


def names(seed):
    """18 nationalities; the fifth of the pairs that a hash picks is held out.

    The recipe was chosen by the accuracy on three further fifths, of the pairs trained on.
    """
    pairs = loaders().names()
    spellings, nations = map(np.array, zip(*pairs))
    held_out = loaders().hash_split([f"{spelling}|{nation}" for spelling, nation in pairs])
    encoder = TokenEncoder(min_frequency=2)
    train = encoder.fit_transform(list(spellings[~held_out]))
    model = LSTMClassifier(
        128,
        bidirectional=True,
        embedding_dim=48,
        n_tokens=encoder.vocabulary_sizes_[0],
        dropout=0.5,
        input_dropout=0.2,
        recurrent_dropout=0.25,
        label_smoothing=0.05,
        solver=AdamW(weight_decay=0.05),
        learning_rate_init=3e-3,
        learning_rate="cosine",
        batch_size=64,
        max_iter=20,
        n_iter_no_change=20,
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


def upos_tagger(seed, encoder, embedding_dim, held_out="test", **options):
    """Fit a bidirectional LSTM over the encoder's tokens; return its accuracy on a split.

    The recipes were chosen by the accuracy on the split "dev".
    """
    words, tags = tagged("train")
    X = encoder.fit_transform(words)
    model = LSTMSequenceTagger(
        128,
        bidirectional=True,
        embedding_dim=embedding_dim,
        n_tokens=tuple(encoder.vocabulary_sizes_),
        token_dropout=1.0,
        dropout=0.5,
        input_dropout=0.5,
        solver="adamw",
        learning_rate_init=5e-3,
        learning_rate="cosine",
        batch_size=16,
        max_iter=6,
        n_iter_no_change=6,
        random_state=seed,
        **options,
    )
    held_out_words, held_out_tags = tagged(held_out)
    return model.fit(X, tags).score(encoder.transform(held_out_words), held_out_tags)


def upos_words(seed, **options):
    """Lower-cased words alone."""
    return upos_tagger(seed, TokenEncoder(lowercase=True), 100, **options)


def upos_features(seed, **options):
    """Words, their shapes and affixes, and their spelling read character by character."""
    features = ("word", "shape", "affixes", "spelling")
    encoder = TokenEncoder(features, lowercase=True, max_word_length=16)
    widths = (100, 16, 8, 8, 16, 16, 24, 24)
    characters = dict(spelling_columns=16, character_dim=24, character_hidden_size=48)
    return upos_tagger(seed, encoder, widths, **characters, **options)


def with_crf(task):
    """Return a task whose tags are scored sentence by sentence."""
    return lambda seed: task(seed, output="crf")


TASKS = [
    Task("names", names, 0.80),
    Task("UPOS-words", upos_words, 0.93),
    Task("UPOS-words-CRF", with_crf(upos_words), 0.93),
    Task("UPOS-features", upos_features, 0.956),
    Task("UPOS-features-CRF", with_crf(upos_features), 0.956),
]

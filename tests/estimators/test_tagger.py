"""The sequence taggers: labels per step in every form, with and without a CRF."""

import warnings

import numpy as np
import pytest
from estimators.problems import CELLS, estimator, padded, ragged, tags_of
from sklearn.base import is_classifier
from tolerances import assert_close

from rnnkit import Sequences
from rnnkit.metrics import token_accuracy

X = ragged(60, seed=2)
Y = tags_of(X)


def accuracy(tagger, X, y):
    return token_accuracy(y, tagger.predict(X))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_learns(cell, output):
    tagger = estimator(cell, "SequenceTagger", output=output).fit(X, Y)
    assert tagger.score(X, Y) == pytest.approx(accuracy(tagger, X, Y))
    assert tagger.score(X, Y) > 0.95
    predictions = tagger.predict(X)
    assert predictions.dtype == object
    assert [len(p) for p in predictions] == [len(x) for x in X]
    assert set(predictions[0]) <= {"up", "down"}
    assert not is_classifier(tagger)


@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_probabilities(output):
    tagger = estimator("LSTM", "SequenceTagger", output=output).fit(X, Y)
    for p, logarithm in zip(tagger.predict_proba(X), tagger.predict_log_proba(X)):
        # A CRF sums over both labels of up to 8 steps, forwards and backwards.
        assert_close(p.sum(axis=1), np.ones(len(p)), np.float64, 2 * 8 * 2)
        np.testing.assert_array_equal(np.log(p), logarithm)


def test_crf_learns_what_follows_what():
    """The second of two equal steps is tagged after the first: only transitions tell it."""
    rng = np.random.RandomState(0)
    steps = [rng.randn(6, 1) for _ in range(80)]
    tags = [["a", "b"] * 3 for _ in steps]
    tagger = estimator("RNN", "SequenceTagger", output="crf").fit(steps, tags)
    assert tagger.score(steps, tags) == 1.0
    transitions = tagger.weights_["crf.transitions"]
    assert transitions[0, 1] > transitions[0, 0]
    assert transitions[1, 0] > transitions[1, 1]


def test_crf_takes_no_weights_of_labels():
    with pytest.raises(ValueError, match="class_weight"):
        estimator("GRU", "SequenceTagger", output="crf", class_weight="balanced").fit(X, Y)
    with pytest.raises(ValueError, match="sample_weight"):
        estimator("GRU", "SequenceTagger", output="crf").fit(
            X, Y, sample_weight=[np.ones(len(x)) for x in X]
        )


def test_every_form_gives_the_same_bits():
    dense, lengths = padded(X, fill=np.nan)
    objects = np.empty(len(Y), dtype=object)
    objects[:] = [np.array(tags) for tags in Y]
    dense_y = np.array([tags + ["?"] * (dense.shape[1] - len(tags)) for tags in Y])
    expected = estimator("GRU", "SequenceTagger").fit(X, Y).predict_proba(X)
    for form, y in ((X, objects), (Sequences.from_list(X), [tuple(tags) for tags in Y])):
        got = estimator("GRU", "SequenceTagger").fit(form, y).predict_proba(form)
        for one, other in zip(got, expected):
            np.testing.assert_array_equal(one, other)
    for y in (dense_y, Y, objects):
        tagger = estimator("GRU", "SequenceTagger").fit(dense, y, lengths=lengths)
        got = tagger.predict_proba(dense, lengths=lengths)
        assert got.shape == (*dense.shape[:2], 2)
        for one, other, length in zip(got, expected, lengths):
            np.testing.assert_array_equal(one[:length], other)
            assert not one[length:].any()
        assert tagger.classes_.tolist() == ["down", "up"]
        predictions = tagger.predict(dense, lengths=lengths)
        assert predictions.shape == dense.shape[:2]
        assert set(predictions[np.arange(dense.shape[1]) >= lengths[:, None]]) == {""}


@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_padding_never_counts(output):
    """Neither what stands beyond a sequence nor how much of it changes loss, score or model."""
    dense, lengths = padded(X, fill=0.0)
    wide = np.concatenate([dense, np.full((len(X), 9, 2), 7.0)], axis=1)
    wide_y = np.array([tags + ["up"] * (wide.shape[1] - len(tags)) for tags in Y])
    expected = estimator("LSTM", "SequenceTagger", output=output).fit(X, Y)
    got = estimator("LSTM", "SequenceTagger", output=output).fit(wide, wide_y, lengths=lengths)
    assert got.loss_curve_ == expected.loss_curve_
    assert got.score(wide, wide_y, lengths=lengths) == expected.score(X, Y)


def test_no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tagger = estimator("GRU", "SequenceTagger").fit(X, Y)
        tagger.predict(X)
        tagger.score(X, Y)


@pytest.mark.parametrize("labels", [(True, False), (5, -2), ("é", "b")])
def test_labels_of_any_type(labels):
    y = [np.array(labels)[(np.array(tags) == "up").astype(int)] for tags in Y]
    tagger = estimator("GRU", "SequenceTagger").fit(X, y)
    assert tagger.classes_.tolist() == sorted(labels)
    assert tagger.score(X, y) > 0.95


def test_empty_sequences():
    tagger = estimator("GRU", "SequenceTagger").fit(X, Y)
    predictions = tagger.predict([np.empty((0, 2)), X[0]])
    assert [len(p) for p in predictions] == [0, len(X[0])]
    assert [p.shape for p in tagger.predict_proba([np.empty((0, 2)), X[0]])] == [
        (0, 2),
        (len(X[0]), 2),
    ]
    assert len(tagger.predict([np.empty((0, 2))])[0]) == 0
    with pytest.raises(ValueError, match="sequence 1 is empty"):
        tagger.fit([X[0], np.empty((0, 2))], [Y[0], []])


def test_step_weights_equal_class_weights():
    expected = estimator("GRU", "SequenceTagger", class_weight={"up": 2.0, "down": 0.5}).fit(X, Y)
    weights = [[2.0 if tag == "up" else 0.5 for tag in tags] for tags in Y]
    got = estimator("GRU", "SequenceTagger").fit(X, Y, sample_weight=weights)
    assert got.loss_curve_ == expected.loss_curve_
    per_sequence = estimator("GRU", "SequenceTagger").fit(X, Y, sample_weight=np.arange(len(X)))
    assert per_sequence.loss_curve_ != got.loss_curve_


def test_several_labels_per_step():
    y = [(x > 0).astype(int) for x in X]
    tagger = estimator("GRU", "SequenceTagger").fit(X, y)
    assert tagger.score(X, y) > 0.9
    assert [p.shape for p in tagger.predict(X)] == [x.shape for x in X]
    assert [p.shape for p in tagger.predict_proba(X)] == [x.shape for x in X]
    with pytest.raises(ValueError, match="2 times 0 or 1"):
        tagger.score(X, [2 * one for one in y])


def test_wrong_y_is_refused():
    tagger = estimator("GRU", "SequenceTagger")
    with pytest.raises(ValueError, match=f"sequence 2 has {len(X[2])} steps but 1 labels"):
        tagger.fit(X, Y[:2] + [["up"]] + Y[3:])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        tagger.fit(X, Y[:-1])
    with pytest.raises(ValueError, match="not whole"):
        tagger.fit(X, [x[:, 0] for x in X])
    with pytest.raises(ValueError, match="must have a labelled step"):
        tagger.fit(X, [np.full(len(x), np.nan) for x in X])
    with pytest.raises(ValueError, match="at least 2 classes"):
        tagger.fit(X, [["up"] * len(x) for x in X])
    with pytest.raises(ValueError, match="a list of labels for every sequence"):
        tagger.fit(X, ["up"] * len(X))


@pytest.mark.parametrize("cell", CELLS)
def test_words_and_suffixes_through_embeddings(cell):
    rng = np.random.RandomState(0)
    tokens = [rng.randint(0, 9, size=(t, 2)) for t in rng.randint(2, 6, size=80)]
    y = [["even" if a % 2 == 0 else "odd" for a, _ in sentence] for sentence in tokens]
    tagger = estimator(cell, "SequenceTagger", embedding_dim=(6, 2), input_dropout=0.05)
    assert tagger.fit(tokens, y).score(tokens, y) > 0.95


def test_partial_fit():
    tagger = estimator("GRU", "SequenceTagger", learning_rate="constant")
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        tagger.partial_fit(X, Y)
    for _ in range(40):
        tagger.partial_fit(X, Y, classes=["up", "down", "still"])
    assert tagger.score(X, Y) > 0.95
    assert tagger.classes_.tolist() == ["down", "still", "up"]


def spelled_words(n=80):
    """Sentences of two-column words and their spelling in three characters; the last decides."""
    rng = np.random.RandomState(0)
    tokens = [rng.randint(1, 5, size=(t, 4)) for t in rng.randint(2, 6, size=n)]
    for sentence in tokens:
        sentence[:, 3] *= rng.randint(0, 2, size=len(sentence))
    return tokens, [["long" if word[3] else "short" for word in s] for s in tokens]


@pytest.mark.parametrize("cell", CELLS)
def test_spellings_are_read_by_characters(cell):
    tokens, y = spelled_words()
    tagger = estimator(
        cell, "SequenceTagger", embedding_dim=3, spelling_columns=3, character_dim=4,
        character_hidden_size=5, max_iter=80,
    ).fit(tokens, y)  # fmt: skip
    assert tagger.score(tokens, y) > 0.95
    shapes = {name: weight.shape for name, weight in tagger.weights_.items()}
    assert shapes["embedding.weight_0"] == (5, 3)
    assert shapes["characters.embedding"] == (5, 4)
    assert shapes["rnn.weight_ih_l0"][1] == 3 + 2 * 5
    only = estimator(cell, "SequenceTagger", embedding_dim=3, spelling_columns=4, max_iter=2)
    assert "embedding.weight_0" not in only.fit(tokens, y).weights_
    with pytest.raises(ValueError, match="spelling_columns=5 exceeds the 4 columns"):
        only.set_params(spelling_columns=5).fit(tokens, y)


def test_token_dropout_teaches_what_the_unknown_means():
    """Rare ids are read as 0 in training, so that its vector is learnt."""
    rng = np.random.RandomState(0)
    tokens = [rng.randint(1, 30, size=6) for _ in range(60)]
    y = [["a" if token % 2 else "b" for token in sentence] for sentence in tokens]
    plain = estimator("GRU", "SequenceTagger", embedding_dim=4, max_iter=5).fit(tokens, y)
    dropped = estimator(
        "GRU", "SequenceTagger", embedding_dim=4, max_iter=5, token_dropout=2.0
    ).fit(tokens, y)
    assert not plain.weights_["embedding.weight_0"][0].any()
    assert dropped.weights_["embedding.weight_0"][0].any()


def test_score_of_a_crf_weighs_sequences():
    tagger = estimator("GRU", "SequenceTagger", output="crf", max_iter=2).fit(X, Y)
    weights = np.random.RandomState(0).uniform(size=len(X))
    right = [tag == p for y, found in zip(Y, tagger.predict(X)) for tag, p in zip(y, found)]
    expected = np.average(right, weights=np.repeat(weights, [len(x) for x in X]))
    assert tagger.score(X, Y, weights) == pytest.approx(expected)
    early = estimator("GRU", "SequenceTagger", output="crf", max_iter=2, early_stopping=True)
    assert len(early.fit(X, Y, weights).validation_scores_) == 2

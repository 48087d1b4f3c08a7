"""Likelihoods: against the plain forward pass, as probabilities, and by their bits."""

import itertools
import math

import numpy as np
import pytest
import sklearn
from estimators.language.models import (
    CELLS,
    NAMES,
    SEXES,
    TEXT,
    model,
    of_names,
    of_people,
    of_text,
)
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.network import Inputs
from rnnkit.sequences import pack


def by_hand(fitted, text, context=None):
    """The log-probability of each token, by one forward pass of the reference over all of it."""
    index = fitted.vocabulary_
    n = len(index)
    has_ends = fitted.n_outputs_ == n + 2
    ids = [index.get(c, 0) for c in text] + ([n + 1] if has_ends else [])
    read = np.array([n + 1 if has_ends else 0, *ids[:-1]])[:, None]
    numeric = None
    if context is not None:
        numeric = np.tile(np.asarray(context, "f4"), (len(ids), 1))
    bound = fitted.network_.bind(get_backend("reference"))
    scores = bound.forward(pack(np.array([len(ids)])), Inputs(numeric, read)).astype("f8")
    scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return scores[np.arange(len(ids)), ids]


@pytest.mark.parametrize("cell", CELLS)
def test_score_samples_are_those_of_a_pass_over_all(cell):
    fitted = of_names(cell)
    found = fitted.score_samples([*NAMES, "x", ""])
    expected = [by_hand(fitted, name).sum() for name in [*NAMES, "x", ""]]
    assert_close(found, expected, "float32", 400)
    text = of_text(cell)
    assert_close(text.score(TEXT), by_hand(text, TEXT).mean(), "float32", 400)


def test_contexts_reach_the_network():
    fitted = of_people()
    expected = [
        by_hand(fitted, n, [s == "f", s == "m"]).sum() for n, s in zip(NAMES, SEXES, strict=True)
    ]
    assert_close(fitted.score_samples(NAMES, context=SEXES), expected, "float32", 400)


def test_probabilities_of_all_documents_sum_to_one():
    """All documents of up to 5 letters, the unknown among them, and what is longer than that."""
    fitted = model(vocabulary="ab").fit(["ab", "abb", "c"] * 5)
    letters = "ab?"
    total = 0.0
    for length in range(6):
        documents = ["".join(letters) for letters in itertools.product(letters, repeat=length)]
        found = np.exp(fitted.score_samples(documents))
        total += found.sum()
    longest = [(d, sum(by_hand(fitted, d)[:-1])) for d in documents]  # before their end
    beyond = sum(math.exp(p) - math.exp(by_hand(fitted, d).sum()) for d, p in longest)
    assert total + beyond == pytest.approx(1.0, abs=1e-5)


def test_bits_do_not_depend_on_neighbours_or_pieces():
    texts = [TEXT, *NAMES, TEXT[5:50], ""]
    fitted = of_names()
    together = fitted.score_samples(texts)
    alone = [fitted.score_samples([text])[0] for text in texts]
    np.testing.assert_array_equal(together, alone)
    with sklearn.config_context(working_memory=0.02):  # MiB: a few steps at once
        np.testing.assert_array_equal(fitted.score_samples(texts), together)
    np.testing.assert_array_equal(fitted.score_samples(texts[::-1]), together[::-1])


def test_figures_follow_from_each_other():
    fitted, weights = of_names(), np.arange(len(NAMES)) / 2
    found = fitted.score_samples(NAMES)
    n_steps = np.array([len(name) + 1 for name in NAMES])
    score = fitted.score(NAMES, sample_weight=weights)
    assert score == pytest.approx((weights @ found) / (weights @ n_steps))
    assert fitted.perplexity(NAMES, weights) == pytest.approx(math.exp(-score))
    bits = -(weights @ found) / math.log(2) / (weights @ (n_steps - 1))
    assert fitted.bits_per_character(NAMES, weights) == pytest.approx(bits)
    assert fitted.score(NAMES) == pytest.approx(found.sum() / n_steps.sum())


def test_characters_of_words():
    words = model(tokens="words").fit(["to be", "or not"] * 5)
    listed = model().fit([["to", "be"], ["or", "not"]] * 5)
    for fitted, X in ((words, ["to be"]), (listed, [["to", "be"]])):
        expected = -fitted.score_samples(X)[0] / math.log(2) / 5
        assert fitted.bits_per_character(X) == pytest.approx(expected)
    ids = model().fit([[1, 2], [2, 1]] * 5)
    with pytest.raises(ValueError, match="got ids"):
        ids.bits_per_character([[1, 2]])


def test_one_text_is_a_document_where_texts_have_ends():
    fitted = of_names()
    assert fitted.score_samples("anna") == fitted.score_samples(["anna"])
    piece = of_text()
    np.testing.assert_array_equal(piece.score_samples(["to", "be"])[:1], piece.score_samples("to"))


def test_the_unknown_is_one_token():
    fitted = of_names()
    a, b = fitted.score_samples(["a?", "a§"])
    assert a == b
    frequent = model(min_frequency=9).fit(NAMES * 8)
    assert set(frequent.vocabulary_) < set("".join(NAMES))
    assert frequent.score(["xyz"]) > -3  # it has learnt how often there is one


def test_a_long_text_takes_memory_of_a_piece():
    """The scores of all steps at once would be a hundred times what may be used."""
    import tracemalloc

    fitted = of_text()
    text = TEXT * 200
    fitted.score(text[:1000])
    with sklearn.config_context(working_memory=1):
        tracemalloc.start()
        fitted.score(text)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    of_ids = 8 * 8 * len(text)  # ids, places and likelihoods
    assert most < of_ids + 4 * 2**20


def test_what_is_not_as_in_fit_is_refused():
    fitted = of_names()
    for call in (fitted.score, fitted.score_samples, fitted.perplexity, fitted.bits_per_character):
        with pytest.raises(ValueError, match="X must hold characters as in fit, got ids"):
            call([[1, 2]])
        with pytest.raises(ValueError, match="context must be None"):
            call(NAMES, context=SEXES)
        with pytest.raises(ValueError, match="context must be given"):
            getattr(of_people(), call.__name__)(NAMES)
    for weights in ([1.0], np.full(7, np.nan), -np.ones(7), np.zeros(7)):
        with pytest.raises(ValueError, match=r"[Ss]ample.weight"):
            fitted.score(NAMES, sample_weight=weights)
    with pytest.raises(ValueError, match="mean over tokens"):
        of_text().score("")


@pytest.mark.parametrize("cell", CELLS)
def test_backends_agree(cell):
    fitted = of_people(cell)
    expected = fitted.score_samples(NAMES, context=SEXES)
    reference = model(cell, device="reference", max_iter=40).fit(NAMES * 8, context=SEXES * 8)
    for name, weight in reference.weights_.items():
        assert_close(weight, fitted.weights_[name], "float32", 10**6)
    assert_close(reference.score_samples(NAMES, context=SEXES), expected, "float32", 10**6)

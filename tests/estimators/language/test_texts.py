"""Texts in every form, and what is none."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import rnnkit
from rnnkit.estimators.language.contexts import Contexts
from rnnkit.estimators.language.texts import read_texts
from rnnkit.estimators.language.vocabulary import Vocabulary

LONE = "a\ud800"  # a lone surrogate, as undecodable file names have


def learnt(X, tokens="auto", given=None, min_frequency=1, *, has_ends=True):
    texts = read_texts(X, tokens)
    return Vocabulary.learn(texts, given, min_frequency, has_ends=has_ends, contexts=None), texts


@pytest.mark.parametrize(
    "X, kind, form, is_one, lengths",
    [
        ("abc", "characters", "text", True, [3]),
        ("", "characters", "text", True, [0]),
        (["ab", "", "c"], "characters", "text", False, [2, 0, 1]),
        (np.array(["ab", "c"]), "characters", "text", False, [2, 1]),
        (np.array(["ab", "c"], object), "characters", "text", False, [2, 1]),
        (pd.Series(["ab", "c"], index=[5, 3]), "characters", "text", False, [2, 1]),
        (("ab", "c"), "characters", "text", False, [2, 1]),
        ([["to", "be"], ["or"]], "words", "list", False, [2, 1]),
        ([[], ["or"]], "words", "list", False, [0, 1]),
        ([np.array(["to", "be"])], "words", "list", False, [2]),
        ([3, 1, 3], "ids", "list", True, [3]),
        (np.array([3, 1, 3]), "ids", "array", True, [3]),
        (np.array([[3, 1], [3, 2]], "u1"), "ids", "array", False, [2, 2]),
        (np.array([[3.0, 1.0]]), "ids", "array", False, [2]),
        ([[3, 1], [2]], "ids", "list", False, [2, 1]),
        ([np.array([3, 1]), np.array([2])], "ids", "array", False, [2, 1]),
        (rnnkit.Sequences.from_list([[3.0, 1.0], [2.0]]), "ids", "array", False, [2, 1]),
    ],
)
def test_forms(X, kind, form, is_one, lengths):
    texts = read_texts(X)
    assert (texts.kind, texts.form, texts.is_one) == (kind, form, is_one)
    assert texts.lengths.tolist() == lengths


def test_words_of_strings_are_what_white_space_separates():
    texts = read_texts(["to  be\nor", ""], "words")
    assert texts.tokens.tolist() == ["to", "be", "or"]
    assert texts.n_characters.tolist() == [9, 0]


def test_words_of_lists_count_one_space_between_them():
    assert read_texts([["to", "be"], []]).n_characters.tolist() == [5, 0]


@pytest.mark.parametrize(
    "X, error, words",
    [
        (None, TypeError, "X must be a string"),
        (3, TypeError, "X must be a string"),
        (b"ab", TypeError, "X must be a string"),
        ({"a": 1}, TypeError, "X must be a string"),
        ([], ValueError, "0 sample"),
        (pd.DataFrame({"t": ["a"]}), TypeError, r"X\['t'\]"),
        (["ab", 3], TypeError, r"X\[1\] must be a string like the others, got 3"),
        ([["to", 3]], TypeError, r"X\[0\] must hold words like the others, got 3"),
        ([["to"], "be"], TypeError, "documents of one kind"),
        ([3, "a"], TypeError, "must hold ids"),
        ([[3], ["a"]], TypeError, r"X\[1\] must hold ids"),
        ([1.5, 2.0], TypeError, "got 1.5"),
        (np.array([1.5, 2.0]), ValueError, "1.5"),
        (np.array([-1, 2]), ValueError, "-1"),
        (np.zeros((2, 2, 2), int), ValueError, r"\(2, 2, 2\)"),
        ([True, False], TypeError, "got True"),
        (rnnkit.Sequences.from_list([np.zeros((2, 3))]), ValueError, "3 features"),
    ],
)
def test_what_is_no_text_is_refused(X, error, words):
    with pytest.raises(error, match=words):
        read_texts(X)


@pytest.mark.parametrize(
    "X, tokens", [("ab", "ids"), ([[1]], "words"), ([["to"]], "characters"), ([1], "characters")]
)
def test_tokens_of_another_kind_are_refused(X, tokens):
    with pytest.raises(ValueError, match=f"tokens='{tokens}'"):
        read_texts(X, tokens)


@pytest.mark.parametrize("text", ["abca", "héllo ☃ 𝄞", LONE])
def test_characters_there_and_back(text):
    vocabulary, texts = learnt([text])
    ids = vocabulary.ids(texts)
    assert vocabulary.text(ids.tolist()) == text
    assert vocabulary.tokens == tuple(sorted(set(text)))


@pytest.mark.parametrize("X", [[["to", "be"]], [[5, 3, 5]], np.array([[5, 3, 5]])])
def test_lists_and_arrays_there_and_back(X):
    vocabulary, texts = learnt(X)
    back = vocabulary.text(vocabulary.ids(texts).tolist())
    assert type(back) is type(X)
    assert list(back) == list(X[0])


def test_words_of_a_string_come_back_with_spaces():
    vocabulary, texts = learnt(["to be\nor"], "words")
    assert vocabulary.text(vocabulary.ids(texts).tolist()) == "to be or"


def test_what_fit_did_not_see_is_the_unknown():
    for X, new in (("bd", "abcde"), ([["b", "d"]], [list("abcde")]), ([[1, 3]], [[0, 1, 2, 3, 4]])):
        vocabulary, _ = learnt(X)
        assert vocabulary.ids(read_texts(new)).tolist() == [0, 1, 0, 2, 0]


def test_rare_tokens_are_the_unknown():
    vocabulary, texts = learnt("aabbc", min_frequency=2)
    assert vocabulary.tokens == ("a", "b")
    assert vocabulary.ids(texts).tolist() == [1, 1, 2, 2, 0]
    with pytest.raises(ValueError, match="min_frequency=3"):
        learnt("aabbc", min_frequency=3)


def test_a_vocabulary_given():
    vocabulary, texts = learnt("abc", given="cb")
    assert vocabulary.tokens == ("b", "c")
    assert vocabulary.ids(texts).tolist() == [0, 1, 2]
    assert (vocabulary.start, vocabulary.end, vocabulary.width) == (3, 3, 4)
    without, _ = learnt("abc", has_ends=False)
    assert (without.start, without.end, without.width) == (0, None, 4)


@pytest.mark.parametrize(
    "X, given, error, words",
    [
        ("ab", ["ab"], TypeError, "hold characters, got 'ab'"),
        ("ab", ["a", "a"], ValueError, "twice"),
        ([[1, 2]], ["a"], TypeError, "hold ids"),
        ([[1, 2]], [-1], TypeError, "hold ids"),
        ([["to"]], [1], TypeError, "hold words, got 1"),
        ("ab", [], ValueError, r"vocabulary must hold at least one token, got \[\]"),
        ("ab", "", ValueError, "vocabulary must hold at least one token, got ''"),
        ([["to"]], [], ValueError, "vocabulary must hold at least one token"),
        ([["to"]], "the", TypeError, "must be a list of words, got the string 'the'"),
        ([[1, 2]], "12", TypeError, "must be a list of ids, .* got the string '12'"),
    ],
)
def test_a_vocabulary_of_something_else_is_refused(X, given, error, words):
    with pytest.raises(error, match=words):
        learnt(X, given=given)


def test_a_vocabulary_as_plain_data():
    for X in ("ab", [["to", "be"]], [[4, 2]]):
        vocabulary, texts = learnt(X)
        again = Vocabulary._restore(vocabulary.to_dict())
        assert (again.tokens, again.form) == (vocabulary.tokens, vocabulary.form)
        np.testing.assert_array_equal(again.ids(texts), vocabulary.ids(texts))


@pytest.mark.parametrize("change", [{"token_kind": "x"}, {"form": "x"}, {"has_ends": 1}])
def test_plain_data_of_no_vocabulary_are_refused(change):
    with pytest.raises(ValueError):
        Vocabulary._restore({**learnt("ab")[0].to_dict(), **change})


@pytest.mark.parametrize("labels", [["b", "a", "b"], [3, 1, 3], [True, False, True]])
def test_contexts_of_labels(labels):
    contexts = Contexts.learn(labels, 3)
    assert contexts.labels == tuple(sorted(set(labels)))
    np.testing.assert_array_equal(contexts.read(labels, 3), [[0, 1], [1, 0], [0, 1]])
    np.testing.assert_array_equal(contexts.read(labels[0], 2), [[0, 1], [0, 1]])
    again = Contexts.from_dict(contexts.to_dict())
    np.testing.assert_array_equal(again.read(np.array(labels), 3), contexts.read(labels, 3))


@pytest.mark.parametrize("vectors", [[0.5, 1.5], [[0.5, 1.0], [2.0, 3.0]], np.ones((2, 3), int)])
def test_contexts_of_vectors(vectors):
    contexts = Contexts.learn(vectors, 2)
    assert contexts.labels is None
    np.testing.assert_array_equal(contexts.read(vectors, 2), np.reshape(vectors, (2, -1)))


def test_one_vector_of_one_document():
    contexts = Contexts.learn(np.ones((2, 3)), 2)
    np.testing.assert_array_equal(contexts.read([1.0, 2, 3], 1), [[1, 2, 3]])


def test_the_context_of_one_document():
    for alone, listed in (("ab", ["ab"]), (3, [3]), ([0.5, 2.0], [[0.5, 2.0]]), (0.5, [[0.5]])):
        contexts = Contexts.learn(alone, 1)
        assert contexts.to_dict() == Contexts.learn(listed, 1).to_dict()
        np.testing.assert_array_equal(contexts.read(alone, 1), contexts.read(listed, 1))


@pytest.mark.parametrize(
    "fitted, given, n, error, words",
    [
        (["a", "b"], ["c", "a"], 2, ValueError, "labels seen in fit.*got 'c'"),
        (["a", "b"], ["a"], 2, ValueError, "for each document, 2, got 1"),
        (["a", "b"], [["a"], ["b"]], 2, ValueError, "label"),
        (np.ones((2, 3)), np.ones((2, 2)), 2, ValueError, "3 numbers as in fit, got 2"),
        (np.ones((2, 3)), np.ones((1, 3)), 2, ValueError, "for each document, 2, got 1"),
        (np.ones((2, 1)), [np.nan, 1.0], 2, ValueError, "NaN"),
        (["a", "b"], ["a", None], 2, ValueError, "missing"),
    ],
)
def test_contexts_unlike_those_of_fit_are_refused(fitted, given, n, error, words):
    with pytest.raises(error, match=words):
        Contexts.learn(fitted, 2).read(given, n)


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_columns_of_contexts_are_those_of_fit(library):
    frame = library({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    contexts = Contexts.learn(frame, 2)
    for same in (contexts, Contexts.from_dict(contexts.to_dict())):
        np.testing.assert_array_equal(same.read(frame, 2), [[1, 3], [2, 4]])
        np.testing.assert_array_equal(same.read([[1, 3], [2, 4]], 2), [[1, 3], [2, 4]])
        for other in (frame[["b", "a"]], library({"a": [1.0, 2.0], "c": [3.0, 4.0]})):
            with pytest.raises(ValueError, match=r"columns of fit in their order, \['a', 'b'\]"):
                same.read(other, 2)
    with pytest.raises(ValueError, match="names"):
        Contexts.from_dict({**contexts.to_dict(), "names": ["a"]})


@pytest.mark.parametrize("context", [["a", None], ["a", 1], np.zeros((2, 2, 2))])
def test_what_is_no_context_is_refused(context):
    with pytest.raises((TypeError, ValueError), match="context"):
        Contexts.learn(context, 2)

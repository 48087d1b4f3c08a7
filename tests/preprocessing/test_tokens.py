"""TokenEncoder: ids by frequency, unknowns, several columns and the way back."""

import pickle
from itertools import chain

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from rnnkit.preprocessing import TokenEncoder
from rnnkit.sequences import Sequences

SENTENCES = [["The", "cat", "saw", "the", "dog"], ["the", "dog", "ran"], ["2024", "!"]]


def test_ids_by_falling_frequency_then_alphabet():
    encoder = TokenEncoder().fit(SENTENCES)
    assert list(encoder.vocabularies_[0]) == ["dog", "the", "!", "2024", "The", "cat", "ran", "saw"]
    assert list(encoder.vocabularies_[0].values()) == list(range(1, 9))
    assert encoder.vocabulary_sizes_ == [9]
    assert encoder.columns_ == ["word"]


def test_one_column_is_one_dimensional():
    ids = TokenEncoder().fit_transform(SENTENCES)
    assert [i.shape for i in ids] == [(5,), (3,), (2,)]
    assert all(i.dtype == np.intp for i in ids)
    assert Sequences.from_any(ids, dtype="tokens").lengths.tolist() == [5, 3, 2]


def test_unknown_tokens_are_zero():
    encoder = TokenEncoder().fit(SENTENCES)
    assert encoder.transform([["bird", "the"]])[0].tolist() == [0, 2]


def test_lowercase_joins_words():
    encoder = TokenEncoder(lowercase=True).fit(SENTENCES)
    assert encoder.transform([["The", "THE", "the"]])[0].tolist() == [1, 1, 1]
    assert "The" not in encoder.vocabularies_[0]


def test_rare_words_are_unknown():
    encoder = TokenEncoder(min_frequency=2).fit(SENTENCES)
    assert encoder.vocabularies_ == [{"dog": 1, "the": 2}]
    assert encoder.transform(SENTENCES)[0].tolist() == [0, 0, 0, 2, 1]


def test_lowercase_counts_before_frequency():
    encoder = TokenEncoder(min_frequency=3, lowercase=True).fit(SENTENCES)
    assert encoder.vocabularies_ == [{"the": 1}]


def test_strings_are_sequences_of_characters():
    encoder = TokenEncoder().fit(["anna", "ada"])
    assert encoder.vocabularies_ == [{"a": 1, "n": 2, "d": 3}]
    assert [i.tolist() for i in encoder.transform(["nad", "x"])] == [[2, 1, 3], [0]]


@pytest.mark.parametrize(
    "token, shape",
    [
        ("Apple", "Xxx"),
        ("USA", "XX"),
        ("iPhone", "xXxx"),
        ("12.50", "dd.dd"),
        ("x-ray", "x-xx"),
        ("...", ".."),
        ("Élan", "Xxx"),
        ("漢字", "xx"),
    ],
)
def test_shapes(token, shape):
    encoder = TokenEncoder(features=("shape",)).fit([[token]])
    assert list(encoder.vocabularies_[0]) == [shape]


def test_affixes():
    encoder = TokenEncoder(features=("affixes",), affix_lengths=(1, 3), lowercase=True)
    encoder.fit([["Running", "at"]])
    assert encoder.columns_ == ["prefix_1", "suffix_1", "prefix_3", "suffix_3"]
    entries = [sorted(vocabulary) for vocabulary in encoder.vocabularies_]
    assert entries == [["a", "r"], ["g", "t"], ["at", "run"], ["at", "ing"]]


def test_characters_share_a_vocabulary():
    encoder = TokenEncoder(features=("chars",), n_chars=2).fit([["Ab", "c"]])
    assert encoder.columns_ == ["first_char_0", "first_char_1", "last_char_0", "last_char_1"]
    assert len(set(encoder.vocabulary_sizes_)) == 1
    assert all(v == encoder.vocabularies_[0] for v in encoder.vocabularies_)
    assert sorted(encoder.vocabularies_[0]) == ["", "A", "b", "c"]
    ids = encoder.transform([["Ab", "c", "z"]])[0]
    v = encoder.vocabularies_[0]
    expected = [[v["A"], v["b"], v["b"], v["A"]], [v["c"], v[""], v["c"], v[""]]]
    assert ids[:2].tolist() == expected
    assert ids[2].tolist() == [0, v[""], 0, v[""]]


def test_a_spelling_has_one_vocabulary_and_ends_in_zeros():
    encoder = TokenEncoder(features=("word", "spelling"), max_word_length=4)
    ids = encoder.fit_transform([["Abba", "a"]])[0]
    assert encoder.columns_ == ["word", "char_0", "char_1", "char_2", "char_3"]
    v = encoder.vocabularies_[1]
    assert v == {"a": 1, "b": 2, "A": 3}
    assert encoder.vocabularies_[2:] == [v, v, v]
    assert encoder.vocabulary_sizes_ == [3, 4, 4, 4, 4]
    assert ids[:, 1:].tolist() == [[3, 2, 2, 1], [1, 0, 0, 0]]
    assert encoder.transform([["xab"]])[0].tolist() == [[0, 0, 1, 2, 0]]


@pytest.mark.parametrize("length, kept", [(5, "abcgh"), (4, "abgh"), (1, "a"), (8, "abcdefgh")])
def test_the_middle_of_a_long_word_is_not_spelled(length, kept):
    encoder = TokenEncoder(features=("spelling",), max_word_length=length)
    ids = np.atleast_1d(encoder.fit_transform([["abcdefgh"]])[0][0])
    letters = {number: letter for letter, number in encoder.vocabularies_[0].items()}
    assert "".join(letters[number] for number in ids) == kept


def test_columns_in_the_order_asked_for():
    features = ("affixes", "word", "chars", "shape", "spelling")
    encoder = TokenEncoder(features, affix_lengths=(2,), n_chars=1, max_word_length=1)
    encoder.fit(SENTENCES)
    assert encoder.columns_ == [
        "prefix_2",
        "suffix_2",
        "word",
        "first_char_0",
        "last_char_0",
        "shape",
        "char_0",
    ]
    ids = encoder.transform(SENTENCES)
    assert [i.shape for i in ids] == [(5, 7), (3, 7), (2, 7)]
    for column, size in enumerate(encoder.vocabulary_sizes_):
        assert max(i[:, column].max() for i in ids) < size
    assert ids[1][:, 2].tolist() == TokenEncoder().fit(SENTENCES).transform(SENTENCES)[1].tolist()


def test_rarity_holds_in_every_column():
    encoder = TokenEncoder(features=("word", "shape"), min_frequency=2).fit(SENTENCES)
    assert encoder.transform([["cat", "Zebra"]])[0].tolist() == [[0, 1], [0, 0]]


def test_empty_sentences_are_kept():
    encoder = TokenEncoder().fit([*SENTENCES, []])
    assert [len(i) for i in encoder.transform([[], ["the"], []])] == [0, 1, 0]
    assert encoder.transform([[]])[0].shape == (0,)
    many = TokenEncoder(features=("word", "shape")).fit(SENTENCES)
    assert many.transform([[], ["the"]])[0].shape == (0, 2)


WORDS = st.lists(st.lists(st.text(min_size=1, max_size=5), max_size=5), min_size=1, max_size=5)


@given(WORDS)
def test_round_trip(sentences):
    encoder = TokenEncoder().fit(sentences)
    assert encoder.inverse_transform(encoder.transform(sentences)) == sentences
    assert encoder.vocabulary_sizes_ == [len(set(chain(*sentences))) + 1]


def test_inverse_of_several_columns_and_unknowns():
    encoder = TokenEncoder(features=("shape", "word")).fit(SENTENCES)
    ids = encoder.transform([["dog", "bird"]])
    assert encoder.inverse_transform(ids) == [["dog", "<unknown>"]]
    assert encoder.inverse_transform(ids, unknown="?") == [["dog", "?"]]
    with pytest.raises(ValueError, match="features must contain 'word' to invert"):
        TokenEncoder(features=("shape",)).fit(SENTENCES).inverse_transform([])
    with pytest.raises(ValueError, match="sequence 0 holds an id beyond 0 to 8"):
        TokenEncoder().fit(SENTENCES).inverse_transform([[9]])


def test_forms_of_sentences():
    encoder = TokenEncoder().fit(SENTENCES)
    expected = [i.tolist() for i in encoder.transform(SENTENCES)]
    objects = np.empty(3, dtype=object)
    objects[:] = [np.array(s) for s in SENTENCES]
    series = [pd.Series(SENTENCES), [pd.Series(s) for s in SENTENCES], pl.Series(SENTENCES)]
    for form in (tuple(SENTENCES), objects, [tuple(s) for s in SENTENCES], *series):
        assert [i.tolist() for i in encoder.transform(form)] == expected
    names = np.array(["ab", "c"])
    assert [i.tolist() for i in TokenEncoder().fit_transform(names)] == [[1, 2], [3]]


def test_clone_and_pickle():
    encoder = TokenEncoder(features=("word", "chars"), min_frequency=2)
    assert clone(encoder).get_params() == encoder.get_params()
    again = pickle.loads(pickle.dumps(encoder.fit(SENTENCES)))
    for actual, expected in zip(again.transform(SENTENCES), encoder.transform(SENTENCES)):
        np.testing.assert_array_equal(actual, expected)


def test_order_of_the_sentences_does_not_matter():
    forwards = TokenEncoder(features=("word", "affixes")).fit(SENTENCES)
    backwards = TokenEncoder(features=("word", "affixes")).fit(SENTENCES[::-1])
    assert forwards.vocabularies_ == backwards.vocabularies_


def test_not_fitted():
    with pytest.raises(NotFittedError):
        TokenEncoder().transform(SENTENCES)


@pytest.mark.parametrize(
    "X, error, message",
    [
        ("text", TypeError, "X must be a list of strings or of lists of words, got str"),
        (None, TypeError, "got NoneType"),
        ([], ValueError, r"0 sample\(s\)"),
        ([["a"], 3], TypeError, "X: sequence 1 must be a string or a list of words, got int"),
        ([["a"], ["b", 3]], TypeError, "X: sequence 1 must hold words, got 3"),
        ([["a"], [None]], TypeError, "X: sequence 1 must hold words, got None"),
    ],
)
def test_wrong_sentences(X, error, message):
    with pytest.raises(error, match=message):
        TokenEncoder().fit(X)
    with pytest.raises(error, match=message):
        TokenEncoder().fit(SENTENCES).transform(X)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"features": "word"}, TypeError, "features must be a sequence of names, got 'word'"),
        ({"features": None}, TypeError, "features must be a sequence of names"),
        ({"features": ("pos",)}, ValueError, "features may hold word, .*, spelling; got"),
        ({"features": ()}, ValueError, "features must be at least one and different"),
        ({"features": ("word", "word")}, ValueError, "features must be at least one and different"),
        ({"min_frequency": 0}, ValueError, "min_frequency must be at least 1, got 0"),
        ({"min_frequency": 1.5}, TypeError, "min_frequency must be an integer, got 1.5"),
        ({"affix_lengths": (0,)}, ValueError, "affix_lengths must be at least 1, got 0"),
        ({"n_chars": True}, TypeError, "n_chars must be an integer, got True"),
        ({"max_word_length": 0}, ValueError, "max_word_length must be at least 1, got 0"),
    ],
)
def test_wrong_parameters(options, error, message):
    with pytest.raises(error, match=message):
        TokenEncoder(**options).fit(SENTENCES)


@pytest.mark.parametrize("name", ["features", "affix_lengths"])
@pytest.mark.parametrize("make", [set, iter, lambda x: (i for i in x), dict.fromkeys])
def test_what_has_no_order_of_its_own_is_no_sequence(name, make):
    given = make(["affixes", "word"] if name == "features" else [1, 2])
    with pytest.raises(TypeError, match=f"{name} must be a sequence of (names|integers), got"):
        TokenEncoder(**{"features": ("affixes",), name: given}).fit(SENTENCES)


def test_other_types_of_parameters():
    with pytest.raises(TypeError, match="affix_lengths must be a sequence of integers, got 3"):
        TokenEncoder(("affixes",), affix_lengths=3).fit(SENTENCES)
    with pytest.raises(TypeError, match="lowercase must be True or False, got 'no'"):
        TokenEncoder(lowercase="no").fit(SENTENCES)
    arrays = TokenEncoder(np.array(["word", "affixes"]), affix_lengths=np.array([1, 2]))
    lists = TokenEncoder(["word", "affixes"], affix_lengths=[1, 2])
    assert arrays.fit(SENTENCES).vocabularies_ == lists.fit(SENTENCES).vocabularies_


def test_ids_that_are_no_whole_numbers_are_not_cut():
    encoder = TokenEncoder().fit([["a", "b"]])
    assert encoder.inverse_transform([np.array([1.0, 2.0])]) == [["a", "b"]]
    with pytest.raises(ValueError, match=r"X: sequence 1 must hold integer token ids, got 1.5"):
        encoder.inverse_transform([[1], [1.5]])


def test_masked_tokens_are_refused():
    with pytest.raises(ValueError, match="X is a masked array with masked entries"):
        TokenEncoder().fit(np.ma.masked_array(["a b", "c"], mask=[0, 1]))

"""Token layers: what a table, a word's characters and a minibatch of words come to."""

import numpy as np
import pytest

from rnnkit.network.tokens import (
    CharacterEncoder,
    Embedding,
    _different_words,
    unknown_rates,
)
from rnnkit.network.tokens import _word_lengths as word_lengths


def test_every_different_word_is_found_once():
    characters = np.array([[3, 1, 0], [2, 0, 0], [3, 1, 0], [0, 0, 0]])
    words, word_of_row = _different_words(characters)
    assert len(words) == 3
    np.testing.assert_array_equal(words[word_of_row], characters)


def test_a_word_ends_at_its_last_known_character():
    words = np.array([[3, 1, 0, 0], [3, 0, 2, 0], [0, 0, 0, 0], [1, 1, 1, 1]])
    np.testing.assert_array_equal(word_lengths(words), [2, 3, 0, 4])


def test_embedding_of_id_zero_starts_at_zero():
    layer = Embedding((4, 3), (2, 5))
    parameters = {name: np.ones(shape) for name, shape in layer.parameter_shapes().items()}
    assert list(parameters) == ["embedding.weight_0", "embedding.weight_1"]
    layer.initialize(parameters, np.random.RandomState(0))
    for table in parameters.values():
        assert not table[0].any()
        assert table[1:].all()
    assert layer.width == 7


def test_rare_ids_are_read_as_unknown_more_often():
    rates = unknown_rates(np.array([0, 1, 3, 7]), 1.0)
    np.testing.assert_array_equal(rates, np.array([0, 1 / 2, 1 / 4, 1 / 8], np.float32))
    assert not unknown_rates(np.array([0, 1]), 0.0).any()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Embedding((3, 2), (2,)), "equally many, got 2, 1"),
        (lambda: Embedding((0,), (2,)), "at least 1 id and 1 dimension, got 0 and 2"),
        (
            lambda: Embedding((3,), (2,), unknown_rates=[np.zeros(2)]),
            r"one rate for each id of each column, \(3,\) ids, got shapes \[\(2,\)\]",
        ),
        (lambda: CharacterEncoder(3, 2, 2, (4, 4)), r"first < end, got \(4, 4\)"),
    ],
)
def test_wrong_options_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()

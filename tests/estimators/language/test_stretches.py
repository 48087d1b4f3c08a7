"""What is read before each token, and how texts are cut, against loops in plain sight."""

import numpy as np
import pytest

from rnnkit.estimators.language.stretches import cut, lay_out, with_contexts
from rnnkit.estimators.language.texts import read_texts
from rnnkit.estimators.language.vocabulary import Vocabulary

DOCUMENTS = [["ab", "", "cab"], ["", "a"], ["abcabc"], ["", ""], ["a", "b", "c" * 9]]


def laid_out(documents, *, has_ends):
    texts = read_texts(documents)
    vocabulary = Vocabulary.learn(texts, "abc", 1, has_ends=has_ends, contexts=None)
    return lay_out(texts, vocabulary), vocabulary


@pytest.mark.parametrize("documents", DOCUMENTS)
@pytest.mark.parametrize("has_ends", [True, False])
def test_every_token_follows_the_one_before(documents, has_ends):
    laid, vocabulary = laid_out(documents, has_ends=has_ends)
    index, begin, end = vocabulary.index, vocabulary.start, vocabulary.end
    for i, document in enumerate(documents):
        ids = [index[c] for c in document] + ([end] if has_ends else [])
        steps = slice(laid.offsets[i], laid.offsets[i + 1])
        assert laid.next[steps].tolist() == ids
        assert laid.read[steps].tolist() == [begin, *ids[:-1]][: len(ids)]


@pytest.mark.parametrize("documents", DOCUMENTS)
@pytest.mark.parametrize("has_ends", [True, False])
@pytest.mark.parametrize("most", [1, 2, 4, 100])
def test_stretches_are_the_documents_in_pieces(documents, has_ends, most):
    laid, _ = laid_out(documents, has_ends=has_ends)
    stretches, n_last = cut(laid, most)
    assert n_last == 0
    assert stretches.next.tolist() == laid.next.tolist()
    assert stretches.lengths.min(initial=1) >= 1
    assert stretches.lengths.max(initial=0) <= most
    for k, document in enumerate(stretches.document):
        a, b = stretches.offsets[k], stretches.offsets[k + 1]
        assert laid.offsets[document] <= a < b <= laid.offsets[document + 1]
        begins = a == laid.offsets[document]
        assert stretches.read[a] == (laid.read[a] if begins else 0)
        assert stretches.read[a + 1 : b].tolist() == laid.read[a + 1 : b].tolist()


def test_stretches_of_a_document_are_nearly_equal():
    laid, _ = laid_out(["abc" * 7], has_ends=False)
    assert cut(laid, 6)[0].lengths.tolist() == [5, 5, 5, 6]


@pytest.mark.parametrize("share, n_tail", [(0.1, 2), (0.5, 10), (0.01, 1)])
def test_the_tail_of_one_text_is_cut_apart(share, n_tail):
    laid, _ = laid_out(["abcabc" * 3 + "ab"], has_ends=False)
    stretches, n_last = cut(laid, 4, share)
    assert stretches.lengths[len(stretches.lengths) - n_last :].sum() == n_tail
    assert stretches.read[20 - n_tail] == 0


def test_contexts_are_looked_up_by_step():
    laid, _ = laid_out(["ab", "", "cab"], has_ends=False)
    rows = np.array([[1.0, 2], [3, 4], [5, 6]])
    inputs = with_contexts(laid.read, laid.offsets, rows)
    expected = np.repeat(rows, laid.lengths, axis=0)
    np.testing.assert_array_equal(np.asarray(inputs.numeric), expected)
    places = np.array([4, 0, 1])
    np.testing.assert_array_equal(inputs.take(places).numeric, expected[places])

"""Reber strings against a regular expression and a grammar walked symbol by symbol."""

import re

import numpy as np
import pytest

from rnnkit.datasets import make_embedded_reber, make_reber_stream

# The inner grammar as one expression: P or T, then everything up to the last E.
LOOP = "T*V(PXT*V)*"  # from the state after P, back to it or on to the state before V
INNER = f"B(TS*X(S|X{LOOP}(V|PS))|P{LOOP}(V|PS))E"
EMBEDDED = re.compile(f"BT{INNER}TE|BP{INNER}PE")
SYMBOLS = "BEPSTVX"


@pytest.fixture(scope="module")
def data():
    return make_embedded_reber(2000, random_state=0)


def test_every_string_is_in_the_grammar(data):
    assert len(data.strings) == 2000
    assert all(EMBEDDED.fullmatch(string) for string in data.strings)


def test_lengths_have_the_known_distribution(data):
    lengths = np.array([len(string) for string in data.strings])
    assert lengths.min() == 9
    assert abs(lengths.mean() - 12.0) < 4 * lengths.std() / np.sqrt(len(lengths))


def test_both_ways_of_a_branch_are_equally_likely(data):
    second = np.array([string[1] == "T" for string in data.strings])
    fourth = np.array([string[3] == "T" for string in data.strings])
    for chosen in (second, fourth):
        assert abs(chosen.mean() - 0.5) < 4 * 0.5 / np.sqrt(len(chosen))


def test_inputs_and_targets_are_the_string_and_its_successor(data):
    for string, x, y in zip(data.strings[:100], data.X, data.y):
        assert "".join(SYMBOLS[k] for k in x.argmax(axis=1)) == string[:-1]
        assert (x.sum(axis=1) == 1).all()
        assert "".join(y) == string[1:]


def test_allowed_is_what_is_ever_seen_after_a_prefix(data):
    seen = {}
    for string in data.strings:
        for t in range(1, len(string)):
            seen.setdefault(string[:t], set()).add(string[t])
    n_times = {}
    for string in data.strings:
        for t in range(1, len(string)):
            n_times[string[:t]] = n_times.get(string[:t], 0) + 1
    for string, allowed in zip(data.strings, data.allowed):
        for t, mask in enumerate(allowed, start=1):
            symbols = {s for s, m in zip(SYMBOLS, mask) if m}
            assert seen[string[:t]] <= symbols
            if n_times[string[:t]] > 40:
                assert seen[string[:t]] == symbols


def test_the_last_but_one_symbol_is_known_from_the_second(data):
    for string, allowed in zip(data.strings[:50], data.allowed):
        assert [s for s, m in zip(SYMBOLS, allowed[-2]) if m] == [string[1]]
        assert [s for s, m in zip(SYMBOLS, allowed[-1]) if m] == ["E"]


def test_the_criterion(data):
    perfect = [a / a.sum(axis=1, keepdims=True) for a in data.allowed]
    assert data.is_correct(perfect).all()
    padded, _ = data.allowed.to_padded()
    assert data.is_correct(padded.astype(float)).all()
    assert data.is_correct_step(perfect).shape == data.X.values.shape[:1]
    flat = [np.ones_like(p) for p in perfect]
    assert not data.is_correct(flat).any()
    perfect[3] = perfect[3].copy()
    perfect[3][-2] = perfect[3][-2, ::-1]
    wrong = np.flatnonzero(~data.is_correct(perfect))
    assert wrong.tolist() == [3]
    assert not data.is_correct(data.X).any()


def test_a_network_without_memory_cannot_be_right(data):
    """The best rating by the last symbol alone fails where the embedding decides."""
    counts = np.zeros((7, 7))
    for x, y in zip(data.X, data.y):
        for row, symbol in zip(x, y):
            counts[row.argmax(), SYMBOLS.index(symbol)] += 1
    assert not data.is_correct([counts[x.argmax(axis=1)] for x in data.X]).any()


def test_wrong_predictions(data):
    with pytest.raises(ValueError, match="predictions must hold 7 ratings for each of the"):
        data.is_correct([a[:, :6] for a in data.allowed])
    with pytest.raises(ValueError, match="predictions must hold 7 ratings"):
        data.is_correct([a[:-1] for a in data.allowed])
    with pytest.raises(ValueError, match="Input predictions contains NaN"):
        data.is_correct([np.full(a.shape, np.nan) for a in data.allowed])


def test_distinct_strings():
    strings = make_embedded_reber(512, distinct=True, random_state=0).strings
    assert len(set(strings)) == 512
    assert len(set(make_embedded_reber(512, random_state=0).strings)) < 512


def test_stream():
    data = make_reber_stream(3000, random_state=0)
    (stream,) = data.strings
    assert len(stream) == 3000
    assert len(data.X) == 1
    whole = re.match(f"({EMBEDDED.pattern})+", stream).group()
    assert len(stream) - len(whole) < 50
    assert all(mask[SYMBOLS.index(s)] for mask, s in zip(data.allowed[0], stream[1:]))
    assert data.is_correct(data.allowed).all()
    ends = [m.end() for m in EMBEDDED.finditer(whole)]
    for end in ends[:-1]:
        assert stream[end] == "B"
        assert [s for s, m in zip(SYMBOLS, data.allowed[0][end - 1]) if m] == ["B"]


@pytest.mark.parametrize("n_symbols", range(2, 40))
def test_a_stream_may_stop_anywhere(n_symbols):
    data = make_reber_stream(n_symbols, random_state=5)
    assert data.X.lengths.tolist() == [n_symbols - 1]
    assert data.allowed.lengths.tolist() == [n_symbols - 1]


def test_the_seed_decides():
    strings = [make_embedded_reber(20, random_state=seed).strings for seed in (1, 1, 2)]
    assert strings[0] == strings[1] != strings[2]


def test_wrong_arguments():
    with pytest.raises(ValueError, match="n_samples must be at least 1, got 0"):
        make_embedded_reber(0)
    with pytest.raises(TypeError, match=r"n_samples must be an integer, got 2\.5"):
        make_embedded_reber(2.5)
    with pytest.raises(ValueError, match="n_symbols must be at least 2, got 1"):
        make_reber_stream(1)

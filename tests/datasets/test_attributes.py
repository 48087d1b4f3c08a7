"""Sparse attributes of CRFsuite and SVM-HMM come back whole, what does not fit is refused."""

import io

import hypothesis.strategies as st
import numpy as np
import pytest
from datasets.damage import damaged, lines_of, read
from hypothesis import given, settings

from rnnkit.datasets import load_crfsuite, load_svmhmm

CRFSUITE = """@weight:2.5
B-NP\tw[0]=a\\:b\tlength:2
I-NP\tw[0]=c\\\\\tlength:-.5\tempty:

O\tw[0]=a\\:b\tw[0]=a\\:b:3


X\\:Y
"""
SVMHMM = """# a comment
1 qid:1 1:1 3:0.5 # The
2 qid:1 2:1 #dog

2 qid:7
-1 qid:7 3:1e-1
"""


def crfsuite(text, **options):
    return load_crfsuite(io.StringIO(text), **options)


def svmhmm(text, **options):
    return load_svmhmm(io.StringIO(text), **options)


def listed(arrays):
    return [array.tolist() for array in arrays]


def test_crfsuite():
    data = crfsuite(CRFSUITE)
    assert data.feature_names == ["w[0]=a:b", "length", "w[0]=c\\", "empty"]
    assert listed(data.X) == [
        [[1, 2, 0, 0], [0, -0.5, 1, 1]],
        [[4, 0, 0, 0]],
        [[0, 0, 0, 0]],
    ]
    assert listed(data.y) == [["B-NP", "I-NP"], ["O"], ["X:Y"]]
    assert data.sample_weight.tolist() == [2.5, 1, 1]
    assert data.groups is None
    assert crfsuite("a\tb\n").sample_weight is None


def test_attributes_as_dicts_and_by_the_names_of_another_file():
    assert crfsuite(CRFSUITE, dense=False).X[1] == [{"w[0]=a:b": 4.0}]
    data = crfsuite(CRFSUITE, feature_names=["length", "w[0]=a:b", "other"])
    assert listed(data.X)[0] == [[2, 1, 0], [-0.5, 0, 0]]
    assert data.header == {"n_left_out": 2}


@pytest.mark.parametrize(
    "text, message",
    [
        ("a\tb:x\n", "line 1: attribute 'b': a number"),
        ("a\tb\nc\tb:1:2\n", "line 2: 'b:1:2' has two colons"),
        ("a:1\tb\n", "line 1: a colon in the label"),
        ("a\t:1\n", "line 1: an attribute without a name"),
        ("a\tb:?\n", "line 1: attribute 'b': the value is missing"),
        ("@weight:-1\na\tb\n", "line 1: the weight must not be negative"),
        ("@weight:x\na\tb\n", "line 1: the weight: a number"),
        ("@weight:1\n@weight:1\na\tb\n", "line 2: the sequence has two weights"),
        ("a\tb\n\n@weight:1\n", "line 3: the file ends here, after a weight"),
        ("@name:1\n", "line 1: only a line @weight:value"),
        ("a\nb\n", "line 1: from here on no step has an attribute"),
        ("", "line 1: the file ends here"),
    ],
)
def test_crfsuite_lines_that_do_not_fit_are_refused(text, message):
    with pytest.raises(ValueError, match=f"<file>, {message}"):
        crfsuite(text)


@pytest.mark.parametrize("options", [{"feature_names": "ab"}, {"feature_names": []}, {"dense": 2}])
def test_wrong_arguments_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        crfsuite(CRFSUITE, **options)


def test_more_dense_values_than_memory_is_meant_for_are_refused():
    text = "".join(f"a\tname{i}\n" for i in range(17_000))
    with pytest.raises(ValueError, match=r"17000 steps of 17000 features.*dense=False"):
        crfsuite(text)
    with pytest.raises(ValueError, match="line 1: feature 999999999999 is too large"):
        svmhmm("1 qid:1 999999999999:1\n")


NAMES = st.text(st.characters(exclude_characters="\n\r\t", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(st.tuples(NAMES, st.dictionaries(NAMES, st.floats(-9, 9))), min_size=1))
def test_any_names_come_back(steps):
    def escaped(text):
        return text.replace("\\", "\\\\").replace(":", "\\:")

    lines = [
        "\t".join([escaped(label), *(f"{escaped(a)}:{v!r}" for a, v in step.items())])
        for label, step in steps
    ]
    if any(line.startswith(("@", "\ufeff")) or not line.strip(" \t") for line in lines):
        return
    data = crfsuite("\n".join(lines), dense=False)
    assert [[step for _, step in steps]] == data.X
    assert listed(data.y) == [[str(np.array(label, dtype=str)) for label, _ in steps]]


@given(damaged([CRFSUITE]))
@settings(max_examples=300)
def test_no_line_of_a_damaged_crfsuite_file_is_lost(text):
    data = read(load_crfsuite, text, dense=False)
    if data is not None:
        steps = [line for line in lines_of(text) if not line.lstrip("\t").startswith("@weight")]
        assert sum(map(len, data.X)) == sum(map(len, data.y)) == len(steps)


def test_svmhmm():
    data = svmhmm(SVMHMM)
    assert listed(data.X) == [[[1, 0, 0.5], [0, 1, 0]], [[0, 0, 0], [0, 0, 0.1]]]
    assert listed(data.y) == [[1, 2], [2, -1]]
    assert data.groups.tolist() == [1, 7]
    assert data.tokens == [["The", "dog"], ["", ""]]


def test_sequences_without_numbers_and_other_features():
    data = svmhmm("a 0:1\nb 1:1\n\n\na\n", zero_based=True, n_features=3)
    assert listed(data.X) == [[[1, 0, 0], [0, 1, 0]], [[0, 0, 0]]]
    assert (listed(data.y), data.groups, data.tokens) == ([["a", "b"], ["a"]], None, None)


@pytest.mark.parametrize(
    "text, message",
    [
        ("1 qid:1 1:1\n1 qid:2 1:1\n1 qid:1 1:1\n", "line 3: sequence qid:1 goes on"),
        ("1 qid:1 1:1\n\n1 qid:1 1:1\n", "line 3: a blank line is within sequence qid:1"),
        ("1 qid:1 1:1\n1 1:1\n", "line 2: some lines have a qid"),
        ("1 qid:x 1:1\n", "line 1: qid:number"),
        ("1 qid:1 2:1 1:1\n", "line 1: feature 1 comes after"),
        ("1 qid:1 2:1 2:1\n", "line 1: feature 2 comes after"),
        ("1 qid:1 0:1\n", "line 1: feature 0"),
        ("1 qid:1 a:1\n", "line 1: feature:value is expected, got 'a:1'"),
        ("1 qid:1 1:x\n", "line 1: feature 1: a number"),
        ("1 qid:1 1:?\n", "line 1: feature 1: the value is missing"),
        ("1:1\n", "line 1: a label is expected"),
        ("1 qid:1\n", "line 1: the file ends here and no line names a feature"),
        ("", "line 1: the file ends here"),
    ],
)
def test_svmhmm_lines_that_do_not_fit_are_refused(text, message):
    with pytest.raises(ValueError, match=f"<file>, {message}"):
        svmhmm(text)


@pytest.mark.parametrize(
    "options", [{"n_features": 0}, {"n_features": 1.5}, {"zero_based": "auto"}, {"dtype": int}]
)
def test_wrong_arguments_of_svmhmm_are_refused(options):
    with pytest.raises((ValueError, TypeError), match=next(iter(options))):
        svmhmm(SVMHMM, **options)
    with pytest.raises(ValueError, match="line 2: feature 3 is beyond n_features=2"):
        svmhmm(SVMHMM, n_features=2)


@given(damaged([SVMHMM]))
@settings(max_examples=300)
def test_no_line_of_a_damaged_svmhmm_file_is_lost(text):
    data = read(load_svmhmm, text)
    if data is not None:
        steps = [line for line in lines_of(text) if line.partition("#")[0].strip(" \t")]
        assert len(data.X.values) == sum(map(len, data.y)) == len(steps)


def test_sums_of_attributes_are_finite():
    with pytest.raises(ValueError, match="line 2: the sum of attribute 'a' is too large for fl"):
        crfsuite("B\ta:1e308\nB\ta:1e308\ta:1e308\n")
    assert crfsuite("B\ta:1e308\ta:-1e308\ta:1e308\n").X[0].tolist() == [[1e308]]


@pytest.mark.parametrize("names", [3, {"a"}, iter("ab"), {"a": 1}, b"ab", True])
def test_names_of_attributes_that_are_no_list(names):
    with pytest.raises((TypeError, ValueError), match="feature_names must "):
        crfsuite("B\ta\n", feature_names=names)

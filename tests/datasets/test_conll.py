"""Columns of tokens and labels come back whole, and what is no token line is told apart."""

import io
import re

import hypothesis.strategies as st
import pytest
from datasets.damage import damaged, lines_of, read
from hypothesis import given

from rnnkit.datasets import load_conll, load_conllu
from rnnkit.preprocessing import TokenEncoder

CONLL_2003 = """-DOCSTART- -X- -X- O

EU NNP I-NP I-ORG
rejects VBZ I-VP O
# # I-NP O

Peter NNP I-NP I-PER
Blackburn NNP I-NP B-PER

-DOCSTART- -X- -X- O

It PRP I-NP O
"""


def load(text, **options):
    return load_conll(io.StringIO(text), **options)


def listed(arrays):
    return [array.tolist() for array in arrays]


def test_documents_tokens_and_labels():
    X, y, groups = load(CONLL_2003)
    assert X == [["EU", "rejects", "#"], ["Peter", "Blackburn"], ["It"]]
    assert listed(y) == [["I-ORG", "O", "O"], ["I-PER", "B-PER"], ["O"]]
    assert groups.tolist() == [0, 0, 1]


def test_other_columns_and_several():
    assert listed(load(CONLL_2003, label=1).y)[2] == ["PRP"]
    assert load(CONLL_2003, label=None).y is None
    assert load(CONLL_2003, token=[0, -3]).X[1] == [("Peter", "NNP"), ("Blackburn", "NNP")]


def test_a_scheme_is_checked_and_converted():
    y = load(CONLL_2003, scheme="iob1", target_scheme="iobes").y
    assert listed(y) == [["S-ORG", "O", "O"], ["S-PER", "S-PER"], ["O"]]
    with pytest.raises(ValueError, match=r"<file>, line 3: label 'I-ORG' goes on"):
        load(CONLL_2003, scheme="iob2")


def test_without_marks_there_are_no_groups():
    assert load("a O\n\nb O\n").groups is None


def test_sentences_before_the_first_mark_are_a_document():
    text = "a O\n\n-DOCSTART- O\n\nb O\n#begin document (x); part 000\nc O\n#end document\nd O\n"
    assert load(text).groups.tolist() == [0, 1, 2, 2]


@pytest.mark.parametrize(
    "separator, text", [(None, "a b\tO\n"), ("|", "a b|O\n"), ("\t", "a b\tO")]
)
def test_separators(separator, text):
    assert load(text, separator=separator).X == [["a b"]]


def test_characters_that_only_look_like_blanks_belong_to_tokens():
    X, _, _ = load("1\xa0000 O\na\u2028b O\nc\x85d O\n\u3000 O\n")
    assert X == [["1\xa0000", "a\u2028b", "c\x85d", "\u3000"]]


def test_comments():
    text = "# sent_id = 7 of 9\na O\nb O\n\n# newdoc id = x\n#tag O\n"
    X, _, groups = load(text)
    assert X == [["a", "b"], ["#tag"]]
    assert groups.tolist() == [0, 1]
    assert load("% a O\nb O\n", comment="%").X == [["b"]]
    assert load("# O\nb O\n", comment=None).X == [["#", "b"]]
    assert load("#\tO\nb\tO\n").X == [["#", "b"]]


def test_what_may_be_comment_or_token_is_refused():
    text = "a O\n\n# id\nb O\n"
    with pytest.raises(
        ValueError, match=r"line 3: this is a comment, or a token '#'.*comment=None"
    ):
        load(text)
    assert load(text, comment="# id").X == [["a"], ["b"]]
    assert load(text, comment=None).X == [["a"], ["#", "b"]]


@pytest.mark.parametrize(
    "text, options, message",
    [
        ("a O\nb\n", {}, "line 2: 2 columns are expected as in line 1, got 1"),
        ("a O\nb O O\n", {}, "line 2: 2 columns"),
        ("a O\n# of two\n", {}, "line 2: 2 columns"),
        ("a\tO\n\tO\n", {}, "line 2: the column of the token is empty"),
        ("a O\n", {"label": 2}, "line 1: label=2 is no column"),
        ("\n\n", {}, "line 2: the file ends here and holds no sentence"),
        ("", {}, "line 1: the file ends here and holds no sentence"),
    ],
)
def test_lines_that_do_not_fit_are_refused(text, options, message):
    with pytest.raises(ValueError, match=f"<file>, {message}"):
        load(text, **options)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"scheme": "x"}, "scheme must be one of"),
        ({"target_scheme": "iob2"}, "target_scheme needs scheme"),
        ({"scheme": "iob1", "label": None}, "scheme needs label"),
        ({"comment": ""}, "comment must be"),
        ({"separator": ""}, "separator must"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        load("a O\n", **options)
    with pytest.raises(TypeError, match="numbers of columns"):
        load("a O\n", label="tag")


@given(damaged([CONLL_2003]))
def test_no_token_line_of_a_damaged_file_is_lost(text):
    data = read(load_conll, text, comment=None)
    if data is not None:
        first = [re.split("[ \t]", line.strip(" \t"))[0] for line in lines_of(text)]
        assert sum(map(len, data.X)) == sum(field != "-DOCSTART-" for field in first)
        assert list(map(len, data.X)) == list(map(len, data.y))


TOKENS = st.text(st.characters(exclude_characters="\n\r\t ", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(st.lists(TOKENS, min_size=1, max_size=4), min_size=1, max_size=4))
def test_any_tokens_come_back(sentences):
    text = "\n\n".join("\n".join(f"{token}\tO" for token in tokens) for tokens in sentences)
    if not any(t.startswith(("-DOCSTART-", "#", "\ufeff")) for tokens in sentences for t in tokens):
        assert sentences == load(text).X


CONLLU = """# newdoc id = a
# text = vámonos al mar
1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tvamos\tir\tVERB\t_\t_\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\t_\t_\t1\tobj\t_\t_
2.1\tx\tx\tX\t_\t_\t_\t_\t_\t_

# newdoc
1\tmar\tmar\tNOUN\t_\t_\t0\troot\t_\t_
"""


def test_conllu():
    X, y, groups = load_conllu(io.StringIO(CONLLU))
    assert X == [["vamos", "nos"], ["mar"]]
    assert listed(y) == [["VERB", "PRON"], ["NOUN"]]
    assert groups.tolist() == [0, 1]
    assert listed(load_conllu(io.StringIO(CONLLU), label="deprel").y)[0] == ["root", "obj"]


@pytest.mark.parametrize(
    "old, new, line",
    [
        ("2\tnos", "3\tnos", 5),
        ("2\tnos", "2" * 5000 + "\tnos", 5),
        ("2\tnos", "x\tnos", 5),
        ("\tobj", "", 5),
        ("\n\n# newdoc", "", 7),
    ],
)
def test_conllu_lines_that_do_not_fit_are_refused(old, new, line):
    with pytest.raises(ValueError, match=f"line {line}: "):
        load_conllu(io.StringIO(CONLLU.replace(old, new)))


@given(damaged([CONLLU]))
def test_damaged_conllu(text):
    read(load_conllu, text)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_real_sentences_are_those_of_the_loaders(data_folder, data_loaders, split):
    expected = data_loaders.ud(split)
    path = data_folder / "ud_ewt" / f"en_ewt-ud-{split}.tsv"
    X, y, _ = load_conll(path, label=1)
    assert [[token for token, _, _ in sentence] for sentence in expected] == X
    assert listed(y) == [[tag for _, tag, _ in sentence] for sentence in expected]
    assert len(TokenEncoder().fit_transform(X)) == len(expected)

"""Reads tokens in columns, one a line: the CoNLL shared tasks' files and CoNLL-U."""

from __future__ import annotations

import re
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from rnnkit.datasets.lines import BLANKS, TextLines
from rnnkit.datasets.loaded import LoadedData, arrays_of
from rnnkit.datasets.schemes import SchemeError, relabel, scheme_named

__all__ = ["load_conll", "load_conllu"]

FIELDS = re.compile(r"[^ \t]+")
DOCUMENT = "-DOCSTART-"
ONTONOTES_BEGIN, ONTONOTES_END = "#begin document", "#end document"
NEW_DOCUMENT = re.compile(r"#[ \t]*newdoc\b")
CONLLU_COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
CONLLU_ID = re.compile(r"[0-9]{1,18}")
CONLLU_SPAN = re.compile(r"[0-9]+[-.][0-9]+")  # several words written as one; a word not written


def load_conll(
    file: Any,
    *,
    token: int | Sequence[int] = 0,
    label: int | None = -1,
    separator: str | None = None,
    comment: str | None = "auto",
    scheme: str | None = None,
    target_scheme: str | None = None,
    encoding: str = "utf-8",
) -> LoadedData:
    """Read a file of tokens and labels in columns, a blank line after each sentence.

    All token lines have as many columns as the first. A line whose first column is
    ``-DOCSTART-``, a line ``#begin document ...`` and a comment ``# newdoc`` begin a document and
    are no tokens.

    Parameters
    ----------
    file : str, path-like or file object
        Text or bytes, compressed by gzip or not.
    token : int or sequence of int, default=0
        The column of the tokens; negative numbers count from the last. With several a token is
        the tuple of its columns.
    label : int or None, default=-1
        The column of the labels; None where there is none.
    separator : str or None, default=None
        What stands between columns. None: the tab, if the first token line holds one, otherwise
        blanks.
    comment : "auto", str or None, default="auto"
        The lines that begin with this text are comments; None: no line is one. "auto": a line
        before a sentence's first token whose first column is ``#``, if it has not the columns of a
        token line.
    scheme : {"iob1", "iob2", "iobes", "bilou"} or None, default=None
        The scheme of the labels, which are then checked. None: any labels.
    target_scheme : as `scheme`, default=None
        The scheme to write them in, see `convert_entity_labels`. None: they stay as they are.
    encoding : str, default="utf-8"

    Returns
    -------
    LoadedData
        X : list of n lists of str, as `TokenEncoder` takes them, or of tuples of str.
        y : object array (n,) of arrays of str; None without labels.
        groups : the number of each sentence's document, intp, from 0; None without marks.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If an argument or a line is not as described; the file and the line are named.

    Examples
    --------
    >>> import io
    >>> from rnnkit.datasets import load_conll
    >>> text = "-DOCSTART- O\\n\\nEU I-ORG\\nrejects O\\n\\n# the next\\nPeter I-PER\\n"
    >>> X, y, groups = load_conll(io.StringIO(text), scheme="iob1", target_scheme="iobes")
    >>> X, y[0], groups
    ([['EU', 'rejects'], ['Peter']], array(['S-ORG', 'O'], dtype='<U5'), array([0, 0]))
    """
    several = isinstance(token, Sequence)
    columns: list[Any] = [*token] if isinstance(token, Sequence) else [token]
    if comment is not None and (not isinstance(comment, str) or not comment):
        raise ValueError(f"comment must be 'auto', how one begins or None; got {comment!r}")
    for column in [*columns, *([] if label is None else [label])]:
        if isinstance(column, bool) or not isinstance(column, Integral):
            raise TypeError(f"token and label must be numbers of columns, got {column!r}")
    if separator is not None and (not isinstance(separator, str) or not separator):
        raise ValueError(f"separator must be text or None, got {separator!r}")
    if scheme is None and target_scheme is not None:
        raise ValueError("target_scheme needs scheme, the one that the file is written in")
    if scheme is not None and label is None:
        raise ValueError("scheme needs label, the column of the labels")
    written = None
    if scheme is not None:
        target = scheme if target_scheme is None else target_scheme
        written = scheme_named(scheme, "scheme"), scheme_named(target, "target_scheme")
    source = TextLines(file, encoding)
    table = _Table(source, separator, comment)
    sentences = _Sentences(source, comment)
    for number, line in enumerate(source.lines, start=1):
        if not sentences.takes(number, line, table):
            continue
        fields = table.fields(number, line)
        chosen = [table.chosen(number, fields, "token", int(column)) for column in columns]
        tag = None if label is None else table.chosen(number, fields, "label", int(label))
        sentences.add(number, tuple(chosen) if several else chosen[0], tag)
    return sentences.loaded(written)


def load_conllu(file: Any, *, label: str | None = "upos", encoding: str = "utf-8") -> LoadedData:
    """Read a file in the CoNLL-U format of Universal Dependencies.

    Tokens are the words of syntax: the lines of several words written as one (``1-2``) and of
    words that are not written (``1.1``) hold no token of their own and are left out.

    Parameters
    ----------
    file : str, path-like or file object
        Text or bytes, compressed by gzip or not.
    label : {"lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc"} or None
        The column of the labels, "upos" by default.
    encoding : str, default="utf-8"

    Returns
    -------
    LoadedData
        As from `load_conll`; a document begins at ``# newdoc``.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If a line has not the format's ten columns or the words are not numbered from 1; the file
        and the line are named.

    Notes
    -----
    Format: https://universaldependencies.org/format.html.

    Examples
    --------
    >>> import io
    >>> from rnnkit.datasets import load_conllu
    >>> rest = "\\t_" * 6
    >>> text = f"# text = Go on\\n1\\tGo\\tgo\\tVERB{rest}\\n2\\ton\\ton\\tADP{rest}\\n"
    >>> X, y, groups = load_conllu(io.StringIO(text))
    >>> X, y[0]
    ([['Go', 'on']], array(['VERB', 'ADP'], dtype='<U4'))
    """
    if label is not None and label not in CONLLU_COLUMNS[2:]:
        raise ValueError(f"label must be one of {', '.join(CONLLU_COLUMNS[2:])}; got {label!r}")
    source = TextLines(file, encoding)
    table = _Table(source, "\t", "#")
    sentences = _Sentences(source, "#")
    for number, line in enumerate(source.lines, start=1):
        if not sentences.takes(number, line, table):
            continue
        fields = table.fields(number, line)
        if len(fields) != len(CONLLU_COLUMNS):
            raise source.error(number, f"10 columns are expected, got {len(fields)}")
        if CONLLU_SPAN.fullmatch(fields[0]):
            continue
        expected = sentences.n_tokens + 1
        if not CONLLU_ID.fullmatch(fields[0]) or int(fields[0]) != expected:
            raise source.error(
                number, f"word {expected} is expected, got the id {fields[0][:40]!r}"
            )
        tag = None if label is None else fields[CONLLU_COLUMNS.index(label)]
        sentences.add(number, fields[1], tag)
    return sentences.loaded(None)


class _Table:
    """Cuts token lines into columns, all into as many as the first."""

    def __init__(self, source: TextLines, separator: str | None, comment: str | None) -> None:
        self._source = source
        self.separator = separator
        self.n_columns = 0
        self._first = 0  # the line that says how many columns there are
        for number, line in enumerate(source.lines, start=1):
            if _says_no_columns(line, comment):
                continue
            if separator is None and "\t" in line:
                self.separator = "\t"
            self.n_columns, self._first = len(self._split(line)), number
            break

    def _split(self, line: str) -> list[str]:
        return FIELDS.findall(line) if self.separator is None else line.split(self.separator)

    def fields(self, number: int, line: str) -> list[str]:
        fields = self._split(line)
        if len(fields) != self.n_columns:
            raise self._source.error(
                number,
                f"{self.n_columns} columns are expected as in line {self._first}, "
                f"got {len(fields)}",
            )
        return fields

    def chosen(self, number: int, fields: list[str], name: str, column: int) -> str:
        if not -len(fields) <= column < len(fields):
            raise self._source.error(
                number, f"{name}={column} is no column, the line has {len(fields)}"
            )
        if not fields[column].strip(BLANKS):
            raise self._source.error(number, f"the column of the {name} is empty")
        return fields[column]

    def may_be_a_token(self, line: str) -> bool:
        return self.n_columns == len(self._split(line))


def _says_no_columns(line: str, comment: str | None) -> bool:
    """Whether a line is blank, a mark or what may be a comment."""
    stripped = line.strip(BLANKS)
    if not stripped or stripped.startswith((ONTONOTES_BEGIN, ONTONOTES_END)):
        return True
    first = FIELDS.findall(stripped[:64])[0]
    if first == DOCUMENT:
        return True
    if comment == "auto":
        return first == "#" or NEW_DOCUMENT.match(line) is not None
    return comment is not None and line.startswith(comment)


class _Sentences:
    """Gathers the tokens of sentences and documents; tells token lines from the others."""

    def __init__(self, source: TextLines, comment: str | None) -> None:
        self._source = source
        self._comment = comment
        self._tokens: list[list[Any]] = []
        self._labels: list[list[str | None]] = []
        self._numbers: list[list[int]] = []  # of the lines
        self._documents: list[int] = []
        self._document = -1
        self._inside = False

    @property
    def n_tokens(self) -> int:
        """Tokens of the sentence so far."""
        return len(self._tokens[-1]) if self._inside else 0

    def takes(self, number: int, line: str, table: _Table) -> bool:
        """Whether a line holds a token; what any other line says is noted."""
        stripped = line.strip(BLANKS)
        if not stripped:
            self._inside = False
            return False
        first = FIELDS.findall(stripped[:64])[0]
        if first == DOCUMENT or stripped.startswith(ONTONOTES_BEGIN):
            self._document += 1
            self._inside = False
            return False
        if stripped.startswith(ONTONOTES_END):
            self._inside = False
            return False
        if not self._is_comment(number, line, first, table):
            return True
        if NEW_DOCUMENT.match(stripped):
            self._document += 1
            self._inside = False
        return False

    def _is_comment(self, number: int, line: str, first: str, table: _Table) -> bool:
        if self._comment is None:
            return False
        if self._comment != "auto":
            return line.startswith(self._comment)
        if first != "#" and not NEW_DOCUMENT.match(line):
            return False
        if self._inside or not table.may_be_a_token(line):
            return not self._inside
        if table.separator == "\t":
            return False
        raise self._source.error(
            number,
            "this is a comment, or a token '#' with its columns; give comment='#', or a longer "
            "beginning, if it is one and comment=None if no line is",
        )

    def add(self, number: int, token: Any, label: str | None) -> None:
        if not self._inside:
            self._tokens.append([])
            self._labels.append([])
            self._numbers.append([])
            self._documents.append(self._document)
            self._inside = True
        self._tokens[-1].append(token)
        self._labels[-1].append(label)
        self._numbers[-1].append(number)

    def loaded(self, schemes: tuple[str, str] | None) -> LoadedData:
        if not self._tokens:
            self._source.refuse_empty("sentence")
        y = None
        if self._labels[0][0] is not None:
            labels: list[Any] = self._labels
            if schemes is not None:
                pairs = zip(labels, self._numbers)
                labels = [self._relabelled(*pair, *schemes) for pair in pairs]
            y = arrays_of([np.array(sentence, dtype=str) for sentence in labels])
        groups = None
        if self._document >= 0:
            groups = np.array(self._documents, dtype=np.intp)
            groups -= min(0, int(groups.min()))  # sentences before the first mark are a document
        return LoadedData(self._tokens, y, groups)

    def _relabelled(
        self, labels: list[str], numbers: list[int], source: str, target: str
    ) -> list[str]:
        try:
            return relabel(labels, source, target)
        except SchemeError as error:
            raise self._source.error(numbers[error.step], f"{error} (scheme {source})") from error

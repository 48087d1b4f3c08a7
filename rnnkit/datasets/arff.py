"""Reads time series in Weka's ARFF, as the UEA and UCR archives lay them out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit.datasets.lines import BLANKS, WORD, TextLines, numbers_of, parse_number
from rnnkit.datasets.loaded import LoadedData, join_series

__all__ = ["load_arff"]

NAME = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^ \t{}',"%]+"""
ATTRIBUTE = re.compile(rf"@attribute[ \t]+({NAME})[ \t]*(.*)", re.IGNORECASE)
VALUE = re.compile(
    r"""[ \t]*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\{[^}]*\}|[^,'"{}]*)[ \t]*(,|$)"""
)
ESCAPE = re.compile(r"\\(.)")
ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
NUMERIC = ("numeric", "real", "integer")
TARGET_NAMES = ("class", "target", "classlabel", "targetlabel", "classattribute")


def load_arff(
    file: Any,
    *,
    target: str | None = "auto",
    drop_padding: bool = False,
    dtype: Any = np.float64,
    encoding: str = "utf-8",
) -> LoadedData:
    """Read sequences in ARFF: a row for each, its values the attributes.

    The numeric attributes are the steps of a univariate series. Where there are several dimensions
    they are in one relational attribute: a quoted text of a line for each dimension, cut by
    ``\\n``, of which each value is a step.

    Parameters
    ----------
    file : str, path-like or file object
        Text or bytes, compressed by gzip or not.
    target : str or None, default="auto"
        The name of the attribute to predict. "auto": the nominal one, if there is one, or else the
        last, if it is called "class" or "target". None: there is none.
    drop_padding : bool, default=False
        Whether steps at the end of a sequence that are missing in all dimensions are padding, as
        in the archive's files of series of different lengths.
    dtype : {float32, float64}, default=float64
    encoding : str, default="utf-8"

    Returns
    -------
    LoadedData
        X : Sequences of (T_i, F) values, NaN where ``?`` or ``NaN`` stands.
        y : array (n,), str where the target is nominal or text, otherwise float64, NaN where it is
        missing; None without a target.
        groups : None.
        sample_weight : the weights ``{w}`` at the ends of rows, 1 where none stands; None if none
        does.
        header : "relation" and, of a nominal target, "classes".

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If an argument or a line is not as described, or a row is sparse; the file and the line are
        named.

    Notes
    -----
    Format: Weka's documentation of ARFF, and the archives at timeseriesclassification.com.

    Examples
    --------
    >>> import io
    >>> from rnnkit.datasets import load_arff
    >>> header = "@relation r\\n@attribute x relational\\n@attribute t0 numeric\\n"
    >>> header += "@attribute t1 numeric\\n@end x\\n@attribute class {up,down}\\n@data\\n"
    >>> X, y, _ = load_arff(io.StringIO(header + "'1,2\\\\n3,?',up\\n"))
    >>> X[0], y
    (array([[ 1.,  3.],
           [ 2., nan]]), array(['up'], dtype='<U2'))
    """
    if target is not None and not isinstance(target, str):
        raise ValueError(f"target must be 'auto', an attribute's name or None, got {target!r}")
    source = TextLines(file, encoding)
    header = _Header(source)
    column = header.target(target)
    series: list[np.ndarray] = []
    targets: list[Any] = []
    weights: list[float] = []
    numbers: list[int] = []
    for number, line in enumerate(source.lines[header.n_lines :], start=header.n_lines + 1):
        line = line.strip(BLANKS)
        if not line or line.startswith("%"):
            continue
        fields, weight = _row(source, number, line, len(header.attributes))
        if column is not None:
            text = fields.pop(column)
            targets.append(_target(source, number, text, header.attributes[column]))
        steps = _steps(source, number, fields, header)
        if series and steps.shape[1] != series[0].shape[1]:
            raise source.error(
                number,
                f"{steps.shape[1]} dimensions, but line {numbers[0]} has {series[0].shape[1]}",
            )
        series.append(steps)
        weights.append(weight)
        numbers.append(number)
    if not series:
        source.refuse_empty("sequence")
    X = join_series(source, series, numbers, dtype, drop_padding=drop_padding)
    described: dict[str, Any] = {"relation": header.relation}
    y = None
    if column is not None:
        attribute = header.attributes[column]
        y = np.array(targets, dtype=np.float64 if attribute.kind == "numeric" else str)
        if attribute.classes is not None:
            described["classes"] = list(attribute.classes)
    weighted = not np.isnan(weights).all()
    return LoadedData(
        X,
        y,
        sample_weight=np.where(np.isnan(weights), 1.0, weights) if weighted else None,
        header=described,
    )


@dataclass
class _Attribute:
    """A column: its name, line and kind, and what a nominal one may hold."""

    name: str
    number: int
    kind: str  # "numeric", "nominal", "string" or "relational"
    classes: list[str] | None = None
    n_inner: int = 0  # numeric attributes of a relational one


class _Header:
    """The attributes of the file, and how many lines there are up to @data."""

    def __init__(self, source: TextLines) -> None:
        self._source = source
        self.relation = ""
        self.attributes: list[_Attribute] = []
        relational: _Attribute | None = None  # the one that is open
        for number, line in enumerate(source.lines, start=1):
            line = line.strip(BLANKS)
            if not line or line.startswith("%"):
                continue
            tag = WORD.findall(line)[0].lower()
            if tag == "@relation":
                self.relation = _unquoted(line[len(tag) :].strip(BLANKS))
            elif tag == "@attribute":
                attribute = self._attribute(number, line)
                if relational is None:
                    self.attributes.append(attribute)
                    relational = attribute if attribute.kind == "relational" else None
                elif attribute.kind == "numeric":
                    relational.n_inner += 1
                else:
                    raise source.error(number, "a relational attribute must hold numeric ones")
            elif tag == "@end":
                if relational is None or not relational.n_inner:
                    raise source.error(number, "@end closes no relational attribute with content")
                relational = None
            elif tag == "@data":
                break
            else:
                raise source.error(number, "@attribute or @data is expected before the data")
        else:
            raise source.error(max(len(source.lines), 1), "the file ends here, before @data")
        if relational is not None:
            raise source.error(number, f"no @end {relational.name} closes the relational attribute")
        self.n_lines = number

    def _attribute(self, number: int, line: str) -> _Attribute:
        match = ATTRIBUTE.fullmatch(line)
        if match is None:
            raise self._source.error(number, "@attribute needs a name and a type")
        name, text = _unquoted(match[1]), match[2].strip(BLANKS)
        if any(attribute.name == name for attribute in self.attributes):
            raise self._source.error(number, f"the attribute {name!r} comes twice")
        word = text.lower()
        if word.startswith("{"):
            if not word.endswith("}"):
                raise self._source.error(number, "the values of the attribute need a closing brace")
            classes = _cut(text[1:-1])
            if classes is None:
                raise self._source.error(number, "the values of the attribute cannot be told apart")
            return _Attribute(name, number, "nominal", [_unquoted(value) for value in classes])
        if word in NUMERIC:
            return _Attribute(name, number, "numeric")
        if word in ("string", "relational"):
            return _Attribute(name, number, word)
        raise self._source.error(
            number,
            f"an attribute must be numeric, relational, string or {{values}}, got {text[:40]!r}",
        )

    def target(self, target: str | None) -> int | None:
        """Return the place of the attribute to predict; raise if the others are no series."""
        column = None if target is None else self._column(target)
        others = [a for i, a in enumerate(self.attributes) if i != column]
        relational = [a for a in others if a.kind == "relational"]
        wrong = [a for a in others if a.kind in ("nominal", "string")]
        if relational:
            wrong += [a for a in others if a is not relational[0]]
        if wrong:
            raise self._source.error(
                wrong[0].number,
                f"the attribute {wrong[0].name!r} is neither the target nor one of a series: "
                "give target, the name of the one to predict",
            )
        if not others:
            raise self._source.error(self.n_lines, "no attribute holds a series")
        self.relational = relational[0] if relational else None
        return column

    def _column(self, target: str) -> int:
        names = [attribute.name for attribute in self.attributes]
        if target != "auto":
            if target not in names:
                raise self._source.error(self.n_lines, f"there is no attribute {target!r}")
            return names.index(target)
        nominal = [i for i, a in enumerate(self.attributes) if a.kind == "nominal"]
        if len(nominal) == 1:
            return nominal[0]
        if not nominal and names and names[-1].lower() in TARGET_NAMES:
            return len(names) - 1
        raise self._source.error(
            self.n_lines,
            f"{len(nominal)} attributes are nominal, so that none is known as the target; give "
            "target, the name of the one to predict, or None",
        )


def _row(source: TextLines, number: int, line: str, n_attributes: int) -> tuple[list[str], float]:
    """Return the values of a row, still quoted, and its weight, NaN where it has none."""
    fields = _cut(line)
    if fields is None:
        raise source.error(
            number, "the values cannot be told apart: a quote or brace is not closed"
        )
    if fields and fields[0].startswith("{"):
        raise source.error(number, "sparse rows {index value, ...} are not read")
    weight = np.nan
    if len(fields) == n_attributes + 1 and fields[-1].startswith("{"):
        try:
            weight = parse_number(fields.pop()[1:-1])
        except ValueError as error:
            raise source.error(number, f"the weight of the row: {error}") from error
        if not weight >= 0:
            raise source.error(number, f"the weight of the row must not be negative, got {weight}")
    if len(fields) != n_attributes:
        raise source.error(number, f"{n_attributes} values are expected, got {len(fields)}")
    return fields, weight


def _steps(source: TextLines, number: int, fields: list[str], header: _Header) -> np.ndarray:
    """Return the values (T, F) of a row without its target."""
    rows = [fields]
    if header.relational is not None:
        if fields[0] == "?":
            raise source.error(number, "the series is missing")
        text = _unquoted(fields[0])
        rows = [row.split(",") for row in text.strip("\n").split("\n")]
    dimensions = []
    for i, row in enumerate(rows, start=1):
        where = f"dimension {i}: " if header.relational is not None else ""
        if header.relational is not None and len(row) != header.relational.n_inner:
            raise source.error(
                number, f"{where}{header.relational.n_inner} values are expected, got {len(row)}"
            )
        try:
            dimensions.append(numbers_of(row))
        except ValueError as error:
            raise source.error(number, f"{where}{error}") from error
    return np.array(dimensions).T


def _target(source: TextLines, number: int, field: str, attribute: _Attribute) -> Any:
    text = _unquoted(field)
    if attribute.kind == "numeric":
        try:
            return parse_number(text)
        except ValueError as error:
            raise source.error(number, f"{attribute.name!r}: {error}") from error
    if text == "" or field == "?":
        raise source.error(number, f"the label {attribute.name!r} is missing")
    if attribute.classes is not None and text not in attribute.classes:
        raise source.error(
            number,
            f"the label {text[:40]!r} is none of {attribute.name!r} in line {attribute.number}: "
            f"{', '.join(attribute.classes[:20])}",
        )
    return text


def _cut(line: str) -> list[str] | None:
    """Cut a row at its commas, not at those within quotes or braces; None if that fails."""
    if "'" not in line and '"' not in line and "{" not in line:
        return [field.strip(BLANKS) for field in line.split(",")]
    fields, position = [], 0
    while True:
        match = VALUE.match(line, position)
        if match is None:
            return None
        fields.append(match[1].strip(BLANKS))
        position = match.end()
        if not match[2]:
            return fields


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] not in "'\"" or text[-1] != text[0]:
        return text
    return ESCAPE.sub(lambda match: ESCAPES.get(match[1], match[1]), text[1:-1])

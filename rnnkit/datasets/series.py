"""Reads time series with their labels: .ts files, and the plain tables of the UCR archive."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from rnnkit.datasets.lines import BLANKS, WORD, TextLines, parse_number, parse_numbers
from rnnkit.datasets.loaded import LoadedData, join_series, numbers_or_text
from rnnkit.datasets.timestamps import parse_stamped

__all__ = ["load_ts", "load_ucr"]

TAG = re.compile(r"@([A-Za-z]+)[ \t]*(.*)")
YES_OR_NO = ("timestamps", "missing", "univariate", "equallength", "targetlabel", "classlabel")
COUNTS = ("dimensions", "serieslength")
OTHER_TAGS = {"dimension": "dimensions"}


def load_ts(
    file: Any,
    *,
    target: str | None = "auto",
    drop_padding: bool = False,
    check_header: bool = True,
    dtype: Any = np.float64,
    encoding: str = "utf-8",
) -> LoadedData:
    """Read a .ts file of the UEA and UCR archives: a line for each sequence.

    The dimensions of a sequence stand between colons, its label or number after the last. A value
    is a number, ``?`` or ``NaN``; with ``@timeStamps true`` it is a pair ``(time,value)``.
    Dimensions with other times than each other get a missing value where they have none, and an
    empty dimension is missing at all steps.

    Parameters
    ----------
    file : str, path-like or file object
        Text or bytes, compressed by gzip or not.
    target : {"auto", "label", "number"} or None, default="auto"
        What stands at the end of a line: a label, a number, nothing. "auto": what the header's
        ``@classLabel`` and ``@targetLabel`` say.
    drop_padding : bool, default=False
        Whether steps at the end of a sequence that are missing in all dimensions are padding.
    check_header : bool, default=True
        Whether ``@univariate``, ``@dimensions``, ``@equalLength`` and ``@seriesLength`` must hold;
        all sequences must have equally many dimensions in any case.
    dtype : {float32, float64}, default=float64
    encoding : str, default="utf-8"

    Returns
    -------
    LoadedData
        X : Sequences of (T_i, F) values, NaN where missing, F the number of dimensions.
        y : array (n,), str or float64 (NaN where missing); None with ``target=None``.
        groups : None.
        timestamps : with ``@timeStamps true``, arrays (T_i,) of float64 or datetime64.
        header : the tags in lower case without ``@`` and their values; "classes", if given.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If an argument or a line is not as described; the file and the line are named.

    Notes
    -----
    Format: the documentation of aeon and sktime, which read the same files.

    Examples
    --------
    >>> import io
    >>> from rnnkit.datasets import load_ts
    >>> header = "@univariate false\\n@equalLength false\\n@classLabel true up down\\n@data\\n"
    >>> X, y, _ = load_ts(io.StringIO(header + "1,2,?:4,5,6:up\\n3:2:down\\n"))
    >>> X.to_list()[0], y
    (array([[ 1.,  4.],
           [ 2.,  5.],
           [nan,  6.]]), array(['up', 'down'], dtype='<U4'))
    """
    _check_target(target)
    source = TextLines(file, encoding)
    header = _Header(source, target)
    check = header.checker() if check_header else None
    series: list[np.ndarray] = []
    stamps: list[np.ndarray] = []
    targets: list[Any] = []
    numbers: list[int] = []
    for number, line in enumerate(source.lines[header.n_lines :], start=header.n_lines + 1):
        line = line.strip(BLANKS)
        if not line or line.startswith("#"):
            continue
        steps, times, text = _read_case(source, number, line, header)
        if series and steps.shape[1] != series[0].shape[1]:
            raise source.error(
                number,
                f"{steps.shape[1]} dimensions, but line {numbers[0]} has {series[0].shape[1]}",
            )
        if check is not None:
            check(number, steps)
        if text is not None:
            targets.append(_read_target(source, number, text, header))
        if times is not None:
            if stamps and times.dtype != stamps[0].dtype:
                raise source.error(number, "the times are of another kind than before")
            stamps.append(times)
        series.append(steps)
        numbers.append(number)
    if not series:
        source.refuse_empty("sequence")
    X = join_series(source, series, numbers, dtype, drop_padding=drop_padding)
    stamps = [times[:length] for times, length in zip(stamps, X.lengths)]
    y = np.array(targets, dtype=np.float64 if header.target == "number" else str)
    return LoadedData(
        X,
        None if header.target is None else y,
        timestamps=stamps or None,
        header=header.tags,
    )


def load_ucr(
    file: Any,
    *,
    target: str | None = "label",
    separator: str | None = None,
    equal_length: bool = True,
    drop_padding: bool = False,
    dtype: Any = np.float64,
    encoding: str = "utf-8",
) -> LoadedData:
    """Read a .tsv or .txt table of the UCR archive: a line holds a label and a univariate series.

    Parameters
    ----------
    file : str, path-like or file object
        Text or bytes, compressed by gzip or not.
    target : {"label", "number"} or None, default="label"
        What the first column holds; None: it belongs to the series.
    separator : str or None, default=None
        What stands between columns. None: a tab or a comma, whichever the first line holds,
        otherwise blanks.
    equal_length : bool, default=True
        Whether all lines must have as many columns as the first.
    drop_padding : bool, default=False
        Whether missing values at the end of a series are padding, as in the archive's tables of
        series of different lengths.
    dtype : {float32, float64}, default=float64
    encoding : str, default="utf-8"

    Returns
    -------
    LoadedData
        X : Sequences of (T_i, 1) values, NaN where ``?`` or ``NaN`` stands.
        y : array (n,): labels as whole numbers if all are, otherwise as text; numbers as float64.
        groups : None.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If an argument or a line is not as described; the file and the line are named.

    Examples
    --------
    >>> import io
    >>> from rnnkit.datasets import load_ucr
    >>> X, y, _ = load_ucr(io.StringIO("2\\t.5\\t.25\\tNaN\\n1\\t1\\t2\\t3\\n"), drop_padding=True)
    >>> X.lengths, y
    (array([2, 3]), array([2, 1]))
    """
    _check_target(target)
    if target == "auto":
        raise ValueError("target must be 'label', 'number' or None: the table does not say")
    if separator is not None and (not isinstance(separator, str) or not separator):
        raise ValueError(f"separator must be text or None, got {separator!r}")
    source = TextLines(file, encoding)
    series: list[np.ndarray] = []
    targets: list[Any] = []
    numbers: list[int] = []
    for number, line in enumerate(source.lines, start=1):
        if not line.strip(BLANKS):
            continue
        if separator is None:
            separator = "\t" if "\t" in line else "," if "," in line else " "
        text = re.sub(r" +", " ", line).strip(" ") if separator == " " else line
        if target is not None:
            text, rest = text.split(separator, 1) if separator in text else (text, "")
            if not rest.strip(BLANKS):
                raise source.error(number, f"no series follows the {target}")
            targets.append(_label_or_number(source, number, text, target))
            text = rest
        try:
            values = parse_numbers(text, separator)
        except ValueError as error:
            raise source.error(number, str(error)) from error
        if equal_length and series and len(values) != len(series[0]):
            raise source.error(
                number,
                f"{len(values)} values, but line {numbers[0]} has {len(series[0])}; give "
                "equal_length=False if the series differ in length",
            )
        series.append(np.array(values)[:, None])
        numbers.append(number)
    if not series:
        source.refuse_empty("sequence")
    X = join_series(source, series, numbers, dtype, drop_padding=drop_padding)
    if target is None:
        return LoadedData(X, None)
    return LoadedData(X, np.array(targets) if target == "number" else numbers_or_text(targets))


def _check_target(target: Any) -> None:
    if target not in ("auto", "label", "number", None):
        raise ValueError(f"target must be 'auto', 'label', 'number' or None, got {target!r}")


def _label_or_number(source: TextLines, number: int, text: str, target: str) -> Any:
    text = text.strip(BLANKS)
    if not text:
        raise source.error(number, f"the {target} is missing")
    if target == "label":
        return text
    try:
        return parse_number(text)
    except ValueError as error:
        raise source.error(number, f"the number to predict: {error}") from error


class _Header:
    """The tags of a .ts file.

    Attributes
    ----------
    tags : dict
    n_lines : int
        Lines up to ``@data``.
    target : "label", "number" or None
    """

    def __init__(self, source: TextLines, target: str | None) -> None:
        self._source = source
        self.tags: dict[str, Any] = {}
        self._lines: dict[str, int] = {}
        for number, line in enumerate(source.lines, start=1):
            line = line.strip(BLANKS)
            if not line or line.startswith(("#", "%")):
                continue
            match = TAG.fullmatch(line)
            if match is None:
                raise source.error(number, "a tag such as @data is expected before the data")
            tag = match[1].lower()
            tag = OTHER_TAGS.get(tag, tag)
            if tag in self._lines and tag in (*YES_OR_NO, *COUNTS):
                raise source.error(number, f"@{tag} comes twice, first in line {self._lines[tag]}")
            self._lines[tag] = number
            if tag == "data":
                if match[2]:
                    raise source.error(number, "nothing may stand behind @data")
                break
            self.tags[tag] = self._value(number, tag, match[2])
        else:
            raise source.error(max(len(source.lines), 1), "the file ends here, before @data")
        self.n_lines = number
        self.target = self._target() if target == "auto" else target
        if self.target != "label":
            self.tags.pop("classes", None)

    def _value(self, number: int, tag: str, text: str) -> Any:
        words = WORD.findall(text)
        if tag in YES_OR_NO:
            if not words or words[0].lower() not in ("true", "false"):
                raise self._source.error(number, f"@{tag} must be true or false, got {text!r}")
            if tag == "classlabel" and len(words) > 1:
                self.tags["classes"] = words[1:]
            elif len(words) > 1:
                raise self._source.error(number, f"@{tag} must be true or false, got {text!r}")
            return words[0].lower() == "true"
        if tag in COUNTS:
            if len(words) != 1 or not (words[0].isascii() and words[0].isdigit()):
                raise self._source.error(number, f"@{tag} must be a whole number, got {text!r}")
            return int(words[0][:18])
        return text

    def _target(self) -> str | None:
        label, number = self.tags.get("classlabel"), self.tags.get("targetlabel")
        if label and number:
            raise self._source.error(
                self._lines["targetlabel"], "@classLabel and @targetLabel are both true"
            )
        if label is None and number is None:
            raise self._source.error(
                self.n_lines,
                "neither @classLabel nor @targetLabel says what the lines end with; "
                "give target='label', 'number' or None",
            )
        return "label" if label else "number" if number else None

    def says(self, tag: str) -> Any:
        return self.tags.get(tag)

    def checker(self) -> Callable[[int, np.ndarray], None]:
        """Return what raises where a sequence is not as the header says."""
        claims: list[tuple[str, str, int, int]] = []  # tag, what it counts, axis, how many
        if self.says("univariate"):
            claims.append(("univariate", "dimensions", 1, 1))
        if self.says("dimensions") is not None:
            claims.append(("dimensions", "dimensions", 1, self.tags["dimensions"]))
        equal = self.says("equallength")
        if self.says("serieslength") is not None and equal is not False:
            claims.append(("serieslength", "steps", 0, self.tags["serieslength"]))
        first: list[tuple[int, int]] = []  # the first line and its steps

        def check(number: int, steps: np.ndarray) -> None:
            for tag, noun, axis, expected in claims:
                if steps.shape[axis] != expected:
                    raise self._source.error(
                        number,
                        f"{steps.shape[axis]} {noun}, but @{tag} in line {self._lines[tag]} says "
                        f"{expected}; give check_header=False if the header is wrong",
                    )
            first.append((number, len(steps))) if not first else None
            if equal and len(steps) != first[0][1]:
                raise self._source.error(
                    number,
                    f"{len(steps)} steps, but line {first[0][0]} has {first[0][1]} and "
                    f"@equallength in line {self._lines['equallength']} says they are equal; give "
                    "check_header=False if the header is wrong",
                )

        return check

    def check_label(self, number: int, label: str) -> None:
        classes = self.says("classes")
        if classes is not None and label not in classes:
            raise self._source.error(
                number,
                f"the label {label[:40]!r} is none of @classlabel in line "
                f"{self._lines['classlabel']}: {', '.join(classes[:20])}",
            )


def _read_target(source: TextLines, number: int, text: str, header: _Header) -> Any:
    assert header.target is not None
    value = _label_or_number(source, number, text, header.target)
    if header.target == "label":
        header.check_label(number, value)
    return value


def _read_case(
    source: TextLines, number: int, line: str, header: _Header
) -> tuple[np.ndarray, np.ndarray | None, str | None]:
    """Return values (T, F), times (T,) if there are any, and the text of the target."""
    target = None
    if header.target is not None:
        line, colon, target = line.rpartition(":")
        if not colon:
            raise source.error(number, f"no colon stands before a {header.target}")
    try:
        if header.says("timestamps"):
            values, times = parse_stamped(line)
            return values, times, target
        return _read_dimensions(line), None, target
    except ValueError as error:
        raise source.error(number, str(error)) from error


def _read_dimensions(line: str) -> np.ndarray:
    """Return the values (T, F) of dimensions between colons."""
    dimensions: list[list[float] | None] = []
    for i, text in enumerate(line.split(":"), start=1):
        try:
            dimensions.append(parse_numbers(text) if text.strip(BLANKS) else None)
        except ValueError as error:
            raise ValueError(f"dimension {i}: {error}") from error
    lengths = {len(values): i for i, values in enumerate(dimensions, start=1) if values}
    if not lengths:
        raise ValueError("the sequence has no values")
    if len(lengths) > 1:
        (one, i), (other, k), *_ = lengths.items()
        raise ValueError(f"dimension {i} has {one} values, but dimension {k} has {other}")
    missing = [np.nan] * next(iter(lengths))
    return np.array([missing if values is None else values for values in dimensions]).T

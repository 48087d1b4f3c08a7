"""Reads sequences whose steps are sparse attributes: CRFsuite's files and those of SVM-HMM."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnkit.datasets.drawing import check_flag
from rnnkit.datasets.lines import BLANKS, TextLines, parse_number
from rnnkit.datasets.loaded import LoadedData, arrays_of, join_series, numbers_or_text

__all__ = ["load_crfsuite", "load_svmhmm"]

MOST_VALUES = 2**28  # of a dense array: 2 GiB in float64
CRFSUITE_PARTS = re.compile(r"((?:[^\\:]|\\.|\\$)*)(?::((?:[^\\:]|\\.|\\$)*))?", re.DOTALL)
CRFSUITE_ESCAPE = re.compile(r"\\([\\:])")
SVMHMM_PAIR = re.compile(r"([0-9]{1,18}):([^:]+)", re.ASCII)
SVMHMM_SEQUENCE = re.compile(r"qid:(-?[0-9]{1,18})", re.ASCII)

Step = dict[Any, float]


def load_crfsuite(
    file: Any,
    *,
    feature_names: Sequence[str] | None = None,
    dense: bool = True,
    dtype: Any = np.float64,
    encoding: str = "utf-8",
) -> LoadedData:
    """Read a file of CRFsuite: a line for each step, a blank line after each sequence.

    A line is a label and the attributes of its step, cut by tabs. An attribute is a name, or
    ``name:value``; without a value it is 1. In names and labels a colon is written ``\\:`` and a
    backslash ``\\\\``. A line ``@weight:value`` before or in a sequence is its weight.

    Parameters
    ----------
    file : str, path-like or file object
        Text or bytes, compressed by gzip or not.
    feature_names : sequence of str, default=None
        The attributes that become features, in this order: those of the training file. Others are
        left out and counted. None: all of the file, in the order of their first appearance.
    dense : bool, default=True
        Whether X is Sequences of a column for each attribute. False: the dicts of each step, such
        as `sklearn.feature_extraction.DictVectorizer` takes.
    dtype : {float32, float64}, default=float64
    encoding : str, default="utf-8"

    Returns
    -------
    LoadedData
        X : Sequences of (T_i, F) values, or with ``dense=False`` a list of n lists of dicts.
        y : object array (n,) of arrays of str.
        groups : None.
        sample_weight : array (n,), 1 where the file says nothing; None if it never does.
        feature_names : the F attributes.
        header : "n_left_out", how often an attribute came that is not in `feature_names`.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If an argument or a line is not as described, or the dense values would be more than
        2**28; the file and the line are named.

    Notes
    -----
    Format: CRFsuite's manual and reader. An attribute that a step has twice counts twice.

    Examples
    --------
    >>> import io
    >>> from rnnkit.datasets import load_crfsuite
    >>> text = "B\\tw=a\\tlength:2\\nI\\tw=b\\n\\n@weight:.5\\nO\\tw=a\\n"
    >>> data = load_crfsuite(io.StringIO(text))
    >>> data.feature_names, data.X[0], data.y[0], data.sample_weight
    (['w=a', 'length', 'w=b'], array([[1., 2., 0.],
           [0., 0., 1.]]), array(['B', 'I'], dtype='<U1'), array([1. , 0.5]))
    """
    if isinstance(feature_names, str):
        raise ValueError(f"feature_names must be a list of names, got the string {feature_names!r}")
    if feature_names is not None and not isinstance(feature_names, (list, tuple, np.ndarray)):
        raise TypeError(f"feature_names must be a list of names, got {feature_names!r}")
    if not isinstance(dense, (bool, np.bool_)):
        raise ValueError(f"dense must be True or False, got {dense!r}")
    places: dict[Any, int] = {}
    if feature_names is not None:
        places = {name: i for i, name in enumerate(feature_names)}
        if not places or len(places) != len(feature_names):
            raise ValueError("feature_names must hold at least one name, and none twice")
    source = TextLines(file, encoding)
    steps = _Steps(source)
    weights: list[float] = []
    weight: float | None = None
    n_left_out = 0
    for number, line in enumerate(source.lines, start=1):
        fields = [field for field in line.split("\t") if field]
        if not line.strip(BLANKS):
            if steps.inside:
                weights.append(np.nan if weight is None else weight)
                weight = None
            steps.end()
            continue
        label, value = _crfsuite_parts(source, number, fields[0])
        if fields[0].startswith("@"):
            if label != "@weight" or value is None or len(fields) > 1:
                raise source.error(
                    number, f"only a line @weight:value begins so, got {fields[0][:40]!r}"
                )
            if weight is not None:
                raise source.error(number, "the sequence has two weights")
            weight = _value(source, number, value, "the weight")
            if weight < 0:
                raise source.error(number, f"the weight must not be negative, got {weight}")
            continue
        if value is not None:
            raise source.error(
                number, f"a colon in the label {fields[0][:40]!r} must be written \\:"
            )
        step: Step = {}
        for field in fields[1:]:
            name, value = _crfsuite_parts(source, number, field)
            if not name:
                raise source.error(number, f"an attribute without a name, {field[:40]!r}")
            amount = _value(source, number, value, f"attribute {name[:40]!r}") if value else 1.0
            if feature_names is None:
                places.setdefault(name, len(places))
            if name in places:
                step[name] = step.get(name, 0.0) + amount
                if np.isinf(step[name]):
                    raise source.error(
                        number, f"the sum of attribute {name[:40]!r} is too large for float64"
                    )
            else:
                n_left_out += 1
        steps.add(number, label, step)
    if steps.inside:
        weights.append(np.nan if weight is None else weight)
    elif weight is not None:
        raise source.error(len(source.lines), "the file ends here, after a weight of no sequence")
    steps.refuse_empty()
    weighted = not np.isnan(weights).all()
    return LoadedData(
        steps.dense(places, dtype) if dense else steps.steps,
        arrays_of([np.array(labels, dtype=str) for labels in steps.labels]),
        sample_weight=np.where(np.isnan(weights), 1.0, weights) if weighted else None,
        feature_names=list(places),
        header={"n_left_out": n_left_out},
    )


def load_svmhmm(
    file: Any,
    *,
    n_features: int | None = None,
    zero_based: bool = False,
    dtype: Any = np.float64,
    encoding: str = "utf-8",
) -> LoadedData:
    """Read a file of SVM-HMM, which is svmlight's with sequences: a line for each step.

    A line is ``label qid:sequence feature:value ... # word``. The lines of a sequence follow one
    another and have its number; without ``qid`` a blank line ends a sequence. Features that are
    not named are 0, their numbers increase. What follows ``#`` is the step's word; a line that
    begins so is a comment.

    Parameters
    ----------
    file : str, path-like or file object
        Text or bytes, compressed by gzip or not.
    n_features : int, default=None
        Features F. None: as many as the largest number that occurs asks for.
    zero_based : bool, default=False
        Whether the first feature has the number 0; it has 1 in the format.
    dtype : {float32, float64}, default=float64
    encoding : str, default="utf-8"

    Returns
    -------
    LoadedData
        X : Sequences of (T_i, F) values. For hmmlearn, which reads no files, ``X.values`` and
        ``X.lengths`` are its two arguments.
        y : object array (n,) of arrays, of whole numbers if all labels of the file are, otherwise
        of str.
        groups : the numbers ``qid``, intp; None where there are none.
        tokens : the words, "" where none stands; None if there is none in the file.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If an argument or a line is not as described, or the dense values would be more than
        2**28; the file and the line are named.

    Notes
    -----
    Format: Joachims' SVM-HMM, https://www.cs.cornell.edu/people/tj/svm_light/svm_hmm.html.

    Examples
    --------
    >>> import io
    >>> from rnnkit.datasets import load_svmhmm
    >>> text = "3 qid:1 1:1 3:.5 # the\\n7 qid:1 2:1 # dog\\n7 qid:2 1:2\\n"
    >>> data = load_svmhmm(io.StringIO(text))
    >>> data.X.to_list()[0], data.y[0], data.groups, data.tokens
    (array([[1. , 0. , 0.5],
           [0. , 1. , 0. ]]), array([3, 7]), array([1, 2]), [['the', 'dog'], ['']])
    """
    if n_features is not None and (
        isinstance(n_features, bool) or not isinstance(n_features, (int, np.integer))
    ):
        raise TypeError(f"n_features must be an integer, got {n_features!r}")
    if n_features is not None and n_features < 1:
        raise ValueError(f"n_features must be at least 1, got {n_features!r}")
    check_flag(zero_based, "zero_based")
    source = TextLines(file, encoding)
    steps = _Steps(source)
    reader = _SvmHmmLines(source, 0 if zero_based else 1, n_features)
    for number, line in enumerate(source.lines, start=1):
        text, mark, word = line.partition("#")
        if not text.strip(BLANKS):
            if not mark:
                steps.end()
            continue
        label, step, begins = reader.read(number, text)
        if begins:
            steps.end()
        steps.add(number, label, step, word.strip(BLANKS))
        reader.note_sequence(number, not steps.goes_on)
    steps.refuse_empty()
    F = reader.n_features
    if not F:
        raise source.error(len(source.lines), "the file ends here and no line names a feature")
    flat = numbers_or_text([label for labels in steps.labels for label in labels])
    cuts = np.cumsum([len(labels) for labels in steps.labels])[:-1]
    worded = any(word for words in steps.words for word in words)
    return LoadedData(
        steps.dense({i: i for i in range(F)}, dtype),
        arrays_of(np.split(flat, cuts)),
        np.array(reader.sequences, dtype=np.intp) if reader.sequences else None,
        tokens=steps.words if worded else None,
    )


class _Steps:
    """Gathers the steps of sequences: label, attributes and word of each."""

    def __init__(self, source: TextLines) -> None:
        self._source = source
        self.labels: list[list[str]] = []
        self.steps: list[list[Step]] = []
        self.words: list[list[str]] = []
        self._numbers: list[int] = []  # the first line of each sequence
        self.inside = False
        self.goes_on = False  # whether the last step added is not the first of its sequence

    def end(self) -> None:
        self.inside = False

    def add(self, number: int, label: str, step: Step, word: str = "") -> None:
        self.goes_on = self.inside
        if not self.inside:
            self.labels.append([])
            self.steps.append([])
            self.words.append([])
            self._numbers.append(number)
            self.inside = True
        self.labels[-1].append(label)
        self.steps[-1].append(step)
        self.words[-1].append(word)

    def refuse_empty(self) -> None:
        if not self.steps:
            self._source.refuse_empty("sequence")

    def dense(self, places: dict[Any, int], dtype: Any) -> Any:
        """Return Sequences with a column for each attribute."""
        if not places:
            raise self._source.error(self._numbers[0], "from here on no step has an attribute")
        n_steps = sum(map(len, self.steps))
        if n_steps * len(places) > MOST_VALUES:
            raise self._source.error(
                self._numbers[0],
                f"from here on {n_steps} steps of {len(places)} features are too many values for "
                "one array; give fewer feature_names, or dense=False where there is that",
            )
        series = []
        for sequence in self.steps:
            values = np.zeros((len(sequence), len(places)))
            for row, step in zip(values, sequence):
                for name, value in step.items():
                    row[places[name]] = value
            series.append(values)
        return join_series(self._source, series, self._numbers, dtype, drop_padding=False)


class _SvmHmmLines:
    """Reads lines of SVM-HMM and knows the sequences so far."""

    def __init__(self, source: TextLines, first: int, n_features: int | None) -> None:
        self._source = source
        self._first = first
        self._given = n_features
        self.n_features = n_features or 0
        self.sequences: list[int] = []
        self._ended: set[int] = set()
        self._current: int | None = None
        self._numbered: bool | None = None  # whether lines have a qid; None before the first

    def read(self, number: int, text: str) -> tuple[str, Step, bool]:
        """Return the label, the features from 0 and whether a sequence begins by its number."""
        label, *fields = text.replace("\t", " ").split(" ")
        fields = [field for field in fields if field]
        if not label:
            label, *fields = fields
        if ":" in label:
            raise self._source.error(number, f"a label is expected first, got {label[:40]!r}")
        begins = self._sequence(number, fields)
        step: Step = {}
        last = -1
        for field in fields[1:] if self._numbered else fields:
            match = SVMHMM_PAIR.fullmatch(field)
            if match is None:
                raise self._source.error(number, f"feature:value is expected, got {field[:40]!r}")
            place = int(match[1]) - self._first
            if place < 0:
                raise self._source.error(
                    number, "feature 0, but the first is 1; give zero_based=True"
                )
            if self._given is not None and place >= self._given:
                raise self._source.error(
                    number, f"feature {match[1]} is beyond n_features={self._given}"
                )
            if place <= last:
                raise self._source.error(
                    number, f"feature {match[1]} comes after a larger or equal one"
                )
            last = place
            step[place] = _value(self._source, number, match[2], f"feature {match[1]}")
        if last >= MOST_VALUES:
            raise self._source.error(number, f"feature {last + self._first} is too large a number")
        self.n_features = max(self.n_features, last + 1)
        return label, step, begins

    def _sequence(self, number: int, fields: list[str]) -> bool:
        match = SVMHMM_SEQUENCE.fullmatch(fields[0]) if fields else None
        if match is None and fields and fields[0].startswith("qid"):
            raise self._source.error(number, f"qid:number is expected, got {fields[0][:40]!r}")
        if self._numbered is None:
            self._numbered = match is not None
        if self._numbered != (match is not None):
            raise self._source.error(number, "some lines have a qid and some have none")
        if match is None:
            return False
        sequence = int(match[1])
        if sequence == self._current:
            return False
        if sequence in self._ended:
            raise self._source.error(
                number, f"sequence qid:{sequence} goes on after another has begun"
            )
        self._current = sequence
        return True

    def note_sequence(self, number: int, begins: bool) -> None:
        """Note the number of the sequence of the last line."""
        if self._current is None or not begins:
            return
        if self._current in self._ended:
            raise self._source.error(number, f"a blank line is within sequence qid:{self._current}")
        self._ended.add(self._current)
        self.sequences.append(self._current)


def _crfsuite_parts(source: TextLines, number: int, field: str) -> tuple[str, str | None]:
    """Return the two parts of a field around its colon, unescaped; None for a part not there."""
    match = CRFSUITE_PARTS.fullmatch(field)
    if match is None:
        raise source.error(number, f"{field[:40]!r} has two colons; write those of a name as \\:")
    name, value = (part and CRFSUITE_ESCAPE.sub(r"\1", part) for part in match.groups())
    return name, value


def _value(source: TextLines, number: int, text: str, what: str) -> float:
    try:
        value = parse_number(text)
    except ValueError as error:
        raise source.error(number, f"{what}: {error}") from error
    if np.isnan(value):
        raise source.error(number, f"{what}: the value is missing")
    return value

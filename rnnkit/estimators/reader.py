"""What `fit` learnt about X, and how every later X is read by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from rnnkit.estimators.categories import Columns
from rnnkit.estimators.embeddings import for_each_column, is_by_word, looks_up_ids, n_ids_of
from rnnkit.estimators.static import find_static_columns, refuse_changes
from rnnkit.network import Inputs
from rnnkit.preprocessing.naming import check_feature_names, feature_names_of
from rnnkit.sequences import Form, Sequences
from rnnkit.sequences.columns import Places
from rnnkit.sequences.numbers import cast, convert_values
from rnnkit.sequences.reading import refuse_masked

__all__ = ["Reader", "one_for_each"]


@dataclass(frozen=True)
class Reader:
    """The X of the first `fit`, in what later ones must be like.

    Plain data: see `to_dict`. A step has `n_step_features` columns; those of `token_columns`
    hold ids that are looked up in tables, the others numbers.

    Parameters
    ----------
    n_features : int
        Columns of a two-dimensional X, else features of a step.
    step_features : int
        F, the columns of a two-dimensional X, or the numbers of a flat sequence, that make a
        step.
    n_step_features : int
        Features of a step.
    n_columns : int or None
        Columns of a two-dimensional X, or numbers of each of a list's flat sequences if they
        were equally many; None for any other X.
    any_columns : bool
        Whether a two-dimensional X may later have another number of columns all the same: what
        answers per step takes them as more or fewer steps.
    feature_names : tuple of str or None
        Column names of a data frame, of the frames of a list, or of `Sequences`.
    padded_steps : int or None
        Steps that all sequences of a dense X filled up to, if `lengths` said which are real.
    dtype : {"float32", "float64"}
        What the network computes in.
    token_columns : tuple of int
        Which columns of a step are ids, those of the spelling last.
    n_tokens : tuple of int
        Ids of each of them: 0 to one less.
    n_spelling : int
        How many of them spell a token, character by character.
    labels : tuple
        For each of them the labels of the ids 1, 2, ..., None where X holds the ids themselves;
        empty where all columns are ids of tokens.
    words : tuple
        For each of them what the ids 1, 2, ... stand for, where that is known and asked for.
    column_names : tuple or None
        Names of the columns of a step, where they have any.
    static_columns : tuple of int
        Which columns of a step make the initial state; they do not change within a sequence.
    """

    n_features: int
    step_features: int
    n_step_features: int
    n_columns: int | None
    any_columns: bool
    feature_names: tuple[str, ...] | None
    padded_steps: int | None
    dtype: str
    token_columns: tuple[int, ...] = ()
    n_tokens: tuple[int, ...] = ()
    n_spelling: int = 0
    labels: tuple[tuple[Any, ...] | None, ...] = ()
    words: tuple[tuple[Any, ...] | None, ...] = ()
    column_names: tuple[Any, ...] | None = None
    static_columns: tuple[int, ...] = ()

    @classmethod
    def learn(
        cls, estimator: Any, X: Any, lengths: Any, *, per_step: bool
    ) -> tuple[Reader, Sequences, Form]:
        """Read the X of a first `fit`.

        Parameters
        ----------
        estimator : estimator
            Whose parameters say how X is read.
        X : array-like, data frame, list or Sequences
        lengths : array-like of shape (N,) or None
            The steps of every sequence of a dense X.
        per_step : bool
            Whether the estimator answers per step.

        Returns
        -------
        reader : Reader
        sequences : Sequences
        form : Form

        Raises
        ------
        TypeError, ValueError
            If X is not one of these, or does not fit the parameters.
        """
        step_features = estimator.step_features
        form = Form.of(X, step_features)
        token_columns: tuple[int, ...] = ()
        labels: tuple[tuple[Any, ...] | None, ...] = ()
        if estimator.categorical_features is not None:
            columns = Columns(X, lengths, step_features, "X")
            token_columns = columns.choose(estimator.categorical_features)
            labels = columns.learn(token_columns)
            sequences = columns.sequences(token_columns, labels)
            column_names = columns.names
        else:
            dtype = "tokens" if looks_up_ids(estimator) else None
            sequences = Sequences.from_any(X, lengths, step_features, "X", dtype=dtype)
            column_names = sequences.columns or ()
            if dtype is not None:
                token_columns = tuple(range(sequences.n_features))
        names = feature_names_of(X, form)
        n_columns = form.n_steps if form.kind == "rows" else 1
        padded = lengths is not None and bool(np.any(sequences.lengths < form.n_steps))
        unfinished = cls(
            n_columns * sequences.n_features,
            step_features,
            sequences.n_features,
            _n_columns(sequences, form),
            per_step,
            None if names is None else tuple(names),
            form.n_steps if padded else None,
            _compute_dtype(estimator, sequences),
            token_columns,
            (),
            estimator.spelling_columns if token_columns else 0,
            labels=labels,
            words=_words(estimator, X, token_columns, labels),
            column_names=column_names or (None if names is None else tuple(names)),
        )
        counts = _count_tokens(estimator, unfinished, sequences)
        n_words = len(token_columns) - unfinished.n_spelling
        called = column_names or (() if names is None else tuple(names))
        static = find_static_columns(estimator, sequences, called, token_columns[n_words:])
        return replace(unfinished, n_tokens=counts, static_columns=static), sequences, form

    def read(
        self,
        estimator: Any,
        X: Any,
        lengths: Any = None,
        *,
        name: str = "X",
        allow_empty: bool = False,
    ) -> tuple[Sequences, Form]:
        """Read another X in any form.

        Parameters
        ----------
        estimator : estimator
            Whose name error messages bear.
        X : array-like, data frame, list or Sequences
        lengths : array-like of shape (N,) or None
            The steps of every sequence of a dense X.
        name : str, default="X"
            The argument's name, for error texts.
        allow_empty : bool, default=False
            Whether a sequence may have no steps.

        Returns
        -------
        sequences : Sequences
        form : Form

        Raises
        ------
        TypeError, ValueError
            If X is not one of these, or not like the X of `fit`.
        """
        form = Form.of(X, self.step_features)
        columns: Columns | Sequences
        if self.labels:
            columns = Columns(X, lengths, self.step_features, name, allow_empty=allow_empty)
            columns.refuse_other_names(self.column_names)
        else:
            dtype = "tokens" if self.token_columns else None
            columns = Sequences.from_any(
                X, lengths, self.step_features, name, dtype=dtype, allow_empty=allow_empty
            )
        found, expected = columns.n_features, self.n_step_features
        if form.kind == "rows" and self.n_columns is not None:
            n_columns = form.n_steps * found
            if n_columns == self.n_columns or not self.any_columns:
                self._check_names(estimator, X, form)
                found, expected = n_columns, self.n_columns
        elif form.kind != "rows" and self.n_columns is None:
            self._check_names(estimator, X, form)
        if found != expected:
            raise ValueError(
                f"{name} has {found} features, but {type(estimator).__name__} is expecting "
                f"{expected} features as input.{self._remedy(X, form, name)}"
            )
        if isinstance(columns, Columns):
            columns = columns.sequences(self.token_columns, self.labels)
        if self.static_columns:
            names = self.column_names or ()
            names = names if len(names) == self.n_step_features else ()
            refuse_changes(columns, self.static_columns, names, name)
        return columns, form

    def called(self, column: int) -> tuple[Any, ...]:
        """Return what a column of a step may be called: its position, and its name if known."""
        names = self.column_names
        known = names is not None and len(names) == self.n_step_features
        return (column, names[column]) if known and names is not None else (column,)

    def step(self, x: Any, n_sequences: int | None = None) -> np.ndarray:
        """Return one step of features (1, 1, F), numbers beside labels as they are.

        Of n sequences, given as rows, (n, 1, F); ValueError if there are not as many, or x is
        masked, several rows or has its columns in another order.
        """
        refuse_masked(x, "x")
        self._check_order(x)
        features = np.array(x, dtype=object if self.labels else None)
        if n_sequences is None:
            if features.ndim > 1 and features.size != features.shape[-1]:
                raise ValueError(
                    f"x must be one step of shape ({self.n_step_features},), got an array of "
                    f"shape {features.shape}"
                )
            return features.reshape(1, 1, -1)
        if features.ndim not in (1, 2) or len(features) != n_sequences:
            raise ValueError(
                f"x must have a row for each of {n_sequences} sequences, got an array of shape "
                f"{features.shape}"
            )
        return features.reshape(n_sequences, 1, -1)

    def _check_order(self, x: Any) -> None:
        """Raise ValueError if a step with names of its columns has others than those of `fit`."""
        names = self.column_names
        if not hasattr(x, "iloc") or names is None or len(names) != self.n_step_features:
            return
        given = list(x.index if x.ndim == 1 else x.columns)
        if all(isinstance(name, str) for name in given) and given != list(names):
            raise ValueError(f"x has the columns {given!r}, expected {list(names)!r} as in fit")

    def _check_names(self, estimator: Any, X: Any, form: Form) -> None:
        """Compare names of columns with those of `fit` as scikit-learn does."""
        fitted = type(type(estimator).__name__, (), {})()
        if self.feature_names is not None:
            fitted.feature_names_in_ = np.array(self.feature_names, dtype=object)
        check_feature_names(fitted, X, form, reset=False)

    def _remedy(self, X: Any, form: Form, name: str) -> str:
        """Say what to do with one sequence (T, F) that was given as if its steps were sequences."""
        if form.kind != "rows" or np.shape(X)[1] != self.n_step_features:
            return ""
        form_of_one = f"[{name}]" if self.n_columns is None else f"{name}.reshape(1, -1)"
        return f" If {name} is one sequence of {len(X)} steps, pass {form_of_one}."

    @property
    def all_tokens(self) -> bool:
        """Whether every column of a step is an id."""
        return len(self.token_columns) == self.n_step_features

    @property
    def n_numeric(self) -> int:
        """I, the numbers of a step."""
        return self.n_step_features - len(self.token_columns)

    def inputs(self, sequences: Sequences) -> Inputs:
        """Return the steps of sequences that were read as a network takes them.

        Raises
        ------
        ValueError
            If an id is none of those that there are, or no whole number.
        """
        values = sequences.values
        if not self.token_columns:
            place = Places(sequences.offsets, values.shape[1])
            return Inputs(cast(values, self.dtype, "X", place))
        tokens, numeric = values, None
        if values.dtype.kind == "f":
            tokens = convert_values(values[:, self.token_columns], "X", "tokens")
        if not self.all_tokens:
            numbers = np.delete(values, self.token_columns, axis=1)
            numeric = cast(numbers, self.dtype, "X")
        for column, ids, n_tokens in zip(self.token_columns, tokens.T, self.n_tokens):
            largest = ids.max(initial=0)
            if largest >= n_tokens:
                raise ValueError(
                    f"X has the id {largest} in column {column}, but the embedding table has "
                    f"{n_tokens} ids; give n_tokens, or a longer embedding_init, to make it larger"
                )
        return Inputs(numeric, tokens)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as numbers, strings, lists and None, as JSON has them."""
        return {name: _listed(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Reader:
        """Return the reader that `to_dict` told of; what it did not know has its default."""
        known = plain.keys() & {field.name for field in fields(cls)}
        reader = cls(**{name: _as_tuple(plain[name]) for name in known})
        names = reader.column_names or ()
        if reader.feature_names is None and names and all(isinstance(n, str) for n in names):
            return replace(reader, feature_names=names)  # an older file, of `Sequences` with names
        return reader


def _listed(value: Any) -> Any:
    return list(map(_listed, value)) if isinstance(value, tuple) else value


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value


def _n_columns(sequences: Sequences, form: Form) -> int | None:
    """Return the columns of a two-dimensional X, or of a list that could be one."""
    if form.kind == "rows":
        return form.n_steps * sequences.n_features
    if form.is_flat and np.all(sequences.lengths == sequences.lengths[0]):
        return int(sequences.lengths[0]) * sequences.n_features
    return None


def _compute_dtype(estimator: Any, sequences: Sequences) -> str:
    if looks_up_ids(estimator) or estimator.precision == "bf16":
        return "float32"
    return str(sequences.dtype)


def _words(
    estimator: Any,
    X: Any,
    columns: tuple[int, ...],
    labels: tuple[tuple[Any, ...] | None, ...],
) -> tuple[tuple[Any, ...] | None, ...]:
    """Return what ids stand for if `embedding_init` asks for it: labels, or an encoder's words."""
    given = estimator.embedding_init
    entries = given.values() if isinstance(given, Mapping) else given
    if not (is_by_word(given) or (isinstance(entries, list) and any(map(is_by_word, entries)))):
        return ()
    vocabularies = getattr(X, "vocabularies", None)
    known = labels or (None,) * len(columns)
    if vocabularies is None:
        return known
    return tuple(tuple(vocabularies[j]) if own is None else own for j, own in zip(columns, known))


def _count_tokens(estimator: Any, reader: Reader, sequences: Sequences) -> tuple[int, ...]:
    """Return the number of ids of every column of ids, those of the spelling alike."""
    columns, n_spelling = reader.token_columns, reader.n_spelling
    if not columns:
        return ()
    tokens = convert_values(sequences.values[:, columns], "X", "tokens")
    given = one_for_each(estimator.n_tokens, "n_tokens", len(columns), "column of ids")
    if n_spelling > len(columns):
        raise ValueError(
            f"spelling_columns={n_spelling!r} exceeds the {len(columns)} columns of ids in X"
        )
    n_tables = len(columns) - n_spelling
    called = tuple(map(reader.called, columns[:n_tables]))
    entries = for_each_column(estimator.embedding_init, called) if n_tables else ()
    counts = []
    for i, largest in enumerate(tokens.max(axis=0).tolist()):
        least = largest + 1
        of_column = (reader.labels or (None,) * len(columns))[i]
        if of_column is not None:
            least = len(of_column) + 1
            if given[i] is not None and given[i] < least:
                raise ValueError(
                    f"n_tokens must be at least {least} for the {least - 1} categories of column "
                    f"{called[i][-1]!r} and the unknown, got {given[i]!r}"
                )
        elif i < len(reader.words) and reader.words[i] is not None:
            least = max(least, len(reader.words[i] or ()) + 1)
        brought = n_ids_of(entries[i], "embedding_init") if i < n_tables else None
        known = least if brought is None else brought
        counts.append(known if given[i] is None else int(given[i]))
    first = len(counts) - n_spelling
    return (*counts[:first], *[max(counts[first:], default=0)] * n_spelling)


def one_for_each(value: Any, name: str, n: int, noun: str) -> tuple[Any, ...]:
    """Return a parameter that is one number, or one for each of n things, as the latter.

    Raises
    ------
    ValueError
        If it has another number of entries.
    """
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * n
    if len(values) != n:
        raise ValueError(f"{name} must be one number or {n}, one for each {noun}, got {value!r}")
    return values

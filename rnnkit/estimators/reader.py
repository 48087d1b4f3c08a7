"""What `fit` learnt about X, and how every later X is read by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_feature_names, _get_feature_names

from rnnkit.network import Inputs
from rnnkit.sequences import Form, Sequences
from rnnkit.sequences.columns import Places
from rnnkit.sequences.numbers import cast, convert_values

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
        Column names of a data frame, or of the frames of a list.
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
        all_tokens = estimator.embedding_dim is not None and estimator.categorical_features is None
        dtype = "tokens" if all_tokens else None
        sequences = Sequences.from_any(X, lengths, step_features, "X", dtype=dtype)
        names = _get_feature_names(form.named(X))
        n_columns = form.n_steps if form.kind == "rows" else 1
        padded = lengths is not None and bool(np.any(sequences.lengths < form.n_steps))
        token_columns = _token_columns(estimator, sequences.n_features)
        reader = cls(
            n_columns * sequences.n_features,
            step_features,
            sequences.n_features,
            _n_columns(sequences, form),
            per_step,
            None if names is None else tuple(names),
            form.n_steps if padded else None,
            _compute_dtype(estimator, sequences),
            token_columns,
            _count_tokens(estimator, sequences, token_columns),
            estimator.spelling_columns,
        )
        return reader, sequences, form

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
        dtype = "tokens" if self.all_tokens else None
        sequences = Sequences.from_any(
            X, lengths, self.step_features, name, dtype=dtype, allow_empty=allow_empty
        )
        found, expected = sequences.n_features, self.n_step_features
        if form.kind == "rows" and self.n_columns is not None:
            n_columns = form.n_steps * found
            if n_columns == self.n_columns or not self.any_columns:
                self._check_names(estimator, X)
                found, expected = n_columns, self.n_columns
        elif form.kind != "rows" and self.n_columns is None:
            self._check_names(estimator, form.named(X))
        if found != expected:
            raise ValueError(
                f"{name} has {found} features, but {type(estimator).__name__} is expecting "
                f"{expected} features as input.{self._remedy(X, form, name)}"
            )
        return sequences, form

    def _check_names(self, estimator: Any, X: Any) -> None:
        """Compare names of columns with those of `fit` as scikit-learn does."""
        fitted = type(type(estimator).__name__, (), {})()
        if self.feature_names is not None:
            fitted.feature_names_in_ = np.array(self.feature_names, dtype=object)
        _check_feature_names(fitted, X, reset=False)

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
        if not self.all_tokens:
            tokens = convert_values(values[:, self.token_columns], "X", "tokens")
            numbers = np.delete(values, self.token_columns, axis=1)
            numeric = cast(numbers, self.dtype, "X")
        for column, ids, n_tokens in zip(self.token_columns, tokens.T, self.n_tokens):
            largest = ids.max(initial=0)
            if largest >= n_tokens:
                raise ValueError(
                    f"X has the id {largest} in column {column}, but the embedding table has "
                    f"{n_tokens} ids; give n_tokens to make it larger"
                )
        return Inputs(numeric, tokens)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as numbers, strings, lists and None, as JSON has them."""
        plain = asdict(self)
        return {name: list(v) if isinstance(v, tuple) else v for name, v in plain.items()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Reader:
        """Return the reader that `to_dict` told of; what it did not know has its default."""
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {name: plain[name] for name in plain.keys() & known}
        for name, value in values.items():
            values[name] = tuple(value) if isinstance(value, list) else value
        return cls(**values)


def _n_columns(sequences: Sequences, form: Form) -> int | None:
    """Return the columns of a two-dimensional X, or of a list that could be one."""
    if form.kind == "rows":
        return form.n_steps * sequences.n_features
    if form.is_flat and np.all(sequences.lengths == sequences.lengths[0]):
        return int(sequences.lengths[0]) * sequences.n_features
    return None


def _compute_dtype(estimator: Any, sequences: Sequences) -> str:
    if estimator.embedding_dim is not None or estimator.precision == "bf16":
        return "float32"
    return str(sequences.dtype)


def _token_columns(estimator: Any, n_columns: int) -> tuple[int, ...]:
    """Return which columns of a step hold ids."""
    if estimator.embedding_dim is None:
        return ()
    columns = estimator.categorical_features
    if columns is None:
        columns = range(n_columns)
    for column in columns:
        if not -n_columns <= column < n_columns:
            raise ValueError(
                f"categorical_features={estimator.categorical_features!r} names the column "
                f"{column}, but a step of X has {n_columns}"
            )
    chosen = tuple(sorted({int(column) % n_columns for column in columns}))
    if len(chosen) != len(columns):
        raise ValueError(
            f"categorical_features={estimator.categorical_features!r} names a column twice"
        )
    return chosen


def _count_tokens(
    estimator: Any, sequences: Sequences, columns: tuple[int, ...]
) -> tuple[int, ...]:
    """Return the number of ids of every column of ids, those of the spelling alike."""
    if not columns:
        return ()
    tokens = convert_values(sequences.values[:, columns], "X", "tokens")
    largest = tokens.max(axis=0)
    given = one_for_each(estimator.n_tokens, "n_tokens", len(columns), "column of ids")
    counts = [
        int(found) + 1 if count is None else int(count) for count, found in zip(given, largest)
    ]
    if estimator.spelling_columns > len(counts):
        raise ValueError(
            f"spelling_columns={estimator.spelling_columns!r} exceeds the {len(counts)} columns "
            "of ids in X"
        )
    first = len(counts) - estimator.spelling_columns
    return (*counts[:first], *[max(counts[first:], default=0)] * estimator.spelling_columns)


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

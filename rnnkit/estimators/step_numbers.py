"""Numbers of all real steps: targets as a user gives them, and answers of a regressor.

Letters: N sequences, T steps, ΣT steps of all sequences, K outputs, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnnkit.estimators.targets import require_list, stands_for_all, values_of
from rnnkit.sequences import Form, Sequences
from rnnkit.sequences.numbers import cast, is_missing
from rnnkit.sequences.reading import check_lengths, refuse_masked, steps_before_missing

__all__ = ["StepAnswers", "StepTargets"]


@dataclass(frozen=True)
class StepTargets:
    """Targets of all real steps, and the form in which they came.

    Parameters
    ----------
    values : ndarray of shape (ΣT, K), float32 or float64
        NaN where a target is not known.
    offsets : ndarray of shape (N + 1,), intp
    is_vector : bool
        Whether a step was given as K numbers, not as one.
    form : Form
    absent : ndarray of shape (N,), bool
        Where None or NaN stood for all targets of a sequence.
    """

    values: np.ndarray
    offsets: np.ndarray
    is_vector: bool
    form: Form
    absent: np.ndarray

    @classmethod
    def of(
        cls, y: Any, name: str, X: Any, lengths: Any, steps: np.ndarray | None = None
    ) -> StepTargets:
        """Read numbers per step; those beyond `lengths` of a dense y are no steps.

        Parameters
        ----------
        y : array-like of shape (N, T) or (N, T, K), list of arrays or Sequences
        name : str
            The argument's name, for error texts.
        X : array-like, data frame, list or Sequences
            What they belong to.
        lengths : array-like of shape (N,), "nan" or None
        steps : ndarray of shape (N,), default=None
            How many steps each sequence has where y does not say so; None: none.

        Raises
        ------
        ValueError, TypeError
            If there are none, or they are no numbers per step.
        """
        if isinstance(y, Sequences):
            values = _numbers(y.values, name)
            absent = np.zeros(len(y), dtype=bool)
            return cls(values, y.offsets, values.shape[1] > 1, Form.of(y), absent)
        refuse_masked(y, name)
        require_list(y, name, "targets")
        if hasattr(y, "__array__"):
            y = np.asarray(y)
        form = Form.of(y)
        absent = np.array([stands_for_all(piece) for piece in y], dtype=bool)
        pieces = [
            np.zeros(0, np.float32)
            if absent[i]
            else _numbers(values_of(piece, allow_missing=True), f"{name}[{i}]")
            for i, piece in enumerate(y)
        ]
        if steps is not None and len(steps) == len(pieces):
            for i in np.flatnonzero(absent):
                pieces[i] = np.full(steps[i], np.nan, np.float32)
        pieces = _equally_wide(pieces)
        dimensions = {piece.ndim for piece in pieces}
        if not pieces or len(dimensions) > 1 or not dimensions <= {1, 2}:
            raise ValueError(
                f"{name} must hold one target per step: an array (N, T) or (N, T, K) or a list of "
                "arrays (T_i,) or (T_i, K)"
            )
        if len({piece.shape[1:] for piece in pieces}) > 1:
            raise ValueError(f"{name} has sequences of different numbers of outputs")
        values, offsets = _joined(pieces, form, X, lengths)
        rows = values if values.ndim == 2 else values[:, None]
        return cls(rows, offsets, values.ndim == 2, form, absent)

    @property
    def known(self) -> np.ndarray:
        """Which steps have a target, (ΣT,)."""
        known: np.ndarray = ~np.isnan(self.values).all(axis=1)
        return known

    def mapped(self, function: Callable[[np.ndarray], Any]) -> StepTargets:
        """Return what a function of rows makes of the known steps; the others stay missing."""
        values = _mapped(self.values, function)
        return replace(self, values=values, is_vector=self.is_vector or values.shape[1] > 1)

    def separate(self) -> np.ndarray:
        """Return an object array of an array, or None, for each sequence."""
        entries = self.values if self.is_vector else self.values[:, 0]
        pieces = np.asarray(Form("objects").restore(entries, self.offsets))
        pieces[self.absent] = None
        return pieces


@dataclass(frozen=True)
class StepAnswers:
    """What a regressor predicts for all real steps, and the form in which it did.

    Parameters
    ----------
    values : ndarray of shape (ΣT, K, Q), float32 or float64
        Q is 1 where they are no quantiles.
    offsets : ndarray of shape (N + 1,), intp
    is_vector : bool
        Whether outputs have a dimension.
    are_quantiles : bool
        Whether there is a dimension for quantiles.
    form : Form
    """

    values: np.ndarray
    offsets: np.ndarray
    is_vector: bool
    are_quantiles: bool
    form: Form

    @classmethod
    def of(cls, predictions: Any, X: Any, lengths: Any, are_quantiles: bool) -> StepAnswers:
        """Read what a regressor of steps predicts for X."""
        if isinstance(predictions, Sequences):
            values, offsets, form = predictions.values, predictions.offsets, Form.of(predictions)
        else:
            n_dimensions = getattr(predictions, "ndim", 1)
            form = Form.of(predictions)
            if n_dimensions > 2:
                form = Form("array", predictions.shape[1])
            pieces = [_numbers(np.asarray(piece), "predictions") for piece in predictions]
            if {piece.ndim - are_quantiles for piece in pieces} - {1, 2}:
                raise ValueError("regressor must predict numbers for every step")
            values, offsets = _joined(pieces, form, X, lengths)
        is_vector = values.ndim - are_quantiles == 2
        values = values if is_vector else values[:, None]
        values = values if are_quantiles else values[..., None]
        return cls(_numbers(values, "predictions"), offsets, is_vector, are_quantiles, form)

    def mapped(self, function: Callable[[np.ndarray], Any]) -> StepAnswers:
        """Return what a function of rows makes of them, of each quantile by itself."""
        columns = range(self.values.shape[2])
        values = np.stack([_mapped(self.values[:, :, q], function) for q in columns], axis=2)
        return replace(self, values=values, is_vector=self.is_vector or values.shape[1] > 1)

    def restored(self) -> Any:
        """Return the values in the form in which the regressor answers."""
        values = self.values if self.are_quantiles else self.values[:, :, 0]
        return self.form.restore(values if self.is_vector else values[:, 0], self.offsets)


def _equally_wide(pieces: list[np.ndarray]) -> list[np.ndarray]:
    """Return pieces, those without a target as wide as the others."""
    shapes = {piece.shape[1:] for piece in pieces if piece.ndim > 1}
    if len(shapes) != 1:
        return pieces
    shape = shapes.pop()
    return [
        np.full((len(p), *shape), np.nan, p.dtype) if p.ndim == 1 and np.isnan(p).all() else p
        for p in pieces
    ]


def _joined(
    pieces: list[np.ndarray], form: Form, X: Any, lengths: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of all real steps and where each sequence starts in them."""
    if form.is_dense and lengths is not None:
        counts = _counts(lengths, X, len(pieces), form.n_steps)
        pieces = [piece[:count] for piece, count in zip(pieces, counts)]
    offsets = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.intp)
    return np.concatenate(pieces), offsets


def _counts(lengths: Any, X: Any, n: int, n_steps: int) -> np.ndarray:
    """Return the real steps of n sequences of a dense X; all where only the regressor refuses X."""
    if not isinstance(lengths, str):
        return check_lengths(lengths, n, n_steps)
    array = np.asarray(X) if Form.of(X).is_dense else np.empty(0)
    if array.ndim < 2 or len(array) != n or not n_steps or array[0].size % n_steps:
        return np.full(n, n_steps)
    return steps_before_missing(array.reshape(n, n_steps, -1), lengths)


def _mapped(rows: np.ndarray, function: Callable[[np.ndarray], Any]) -> np.ndarray:
    """Return what a function makes of rows, those of NaN alone left out and still missing."""
    known = ~np.isnan(rows).all(axis=1)
    result = np.asarray(function(rows[known])) if known.any() else rows[known]
    if result.ndim == 1:
        result = result[:, None]
    if len(result) != np.count_nonzero(known):
        raise ValueError(
            f"the transformer must return a row for every step, got {len(result)} for "
            f"{np.count_nonzero(known)}"
        )
    result = cast(result, rows.dtype, "the transformed target")
    if known.all():
        return result
    values = np.full((len(known), result.shape[1]), np.nan, rows.dtype)
    values[known] = result
    return values


def _numbers(values: np.ndarray, name: str) -> np.ndarray:
    """Return numbers as float32 where they are it, otherwise as float64; None is missing."""
    if values.dtype.kind not in "biufO":
        raise TypeError(f"{name} must hold numbers, got dtype {values.dtype}")
    if values.dtype == object:
        values = np.where(is_missing(values), np.nan, values)
    try:
        return values if values.dtype == np.float32 else values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must hold numbers: {error}") from error

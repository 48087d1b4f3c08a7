"""Numbers per sequence or per step as users give them, laid side by side; NaN left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnkit.metrics.reading import as_float64, check_weights
from rnnkit.sequences.columns import column_names
from rnnkit.sequences.ids import refuse_other_ids
from rnnkit.sequences.reading import check_lengths, refuse_masked

__all__ = ["values_with_targets"]


def values_with_targets(
    y_true: Any,
    others: Mapping[str, Any],
    lengths: Any,
    sample_weight: Any,
    *,
    n_quantiles: int | None = None,
    with_rows: bool = False,
) -> Any:
    """Return what belongs to each target that is a number, flat.

    Parameters
    ----------
    y_true : array-like
        n numbers, n vectors, or for each of n sequences an array (T_i,) or (T_i, K); padded
        arrays with `lengths`.
    others : mapping of str to array-like
        By their names, what has the shape of `y_true`, with `n_quantiles` one more axis.
    lengths : array-like of shape (n,) or None
    sample_weight : array-like of shape (n,), or per step; or None
    n_quantiles : int, default=None
    with_rows : bool, default=False
        Whether to return as well the number of the row, a sequence or step, of each target.

    Returns
    -------
    true : ndarray of shape (M,)
    others : list of ndarray of shape (M,), or (M, n_quantiles)
    weights : ndarray of shape (M,), or None
    rows : ndarray of shape (M,), with `with_rows`

    Raises
    ------
    ValueError
        If shapes do not fit or no target is a number.
    """
    for name, given in (*others.items(), ("sample_weight", sample_weight)):
        refuse_other_ids(y_true, given, name, "y_true", "y_true.ids")
    targets = _pieces(y_true, "y_true")
    n = len(targets)
    steps = None if lengths is None else _lengths(lengths, targets)
    columns = {name: _pieces(y, name) for name, y in others.items()}
    for name, pieces in columns.items():
        if len(pieces) != n:
            raise ValueError(
                f"y_true and {name} have inconsistent numbers of sequences: [{n}, {len(pieces)}]"
            )
    weights = None if sample_weight is None else _pieces(sample_weight, "sample_weight")
    if weights is not None and len(weights) != n:
        raise ValueError(f"sample_weight must have {n} entries, got {len(weights)}")
    everything = {**columns, **({} if weights is None else {"sample_weight": weights})}
    sources = {**others, "sample_weight": sample_weight}
    padded = {
        name: lengths is not None or (_is_dense(sources[name]) and not _is_dense(y_true))
        for name in everything
    }
    flat: dict[str, list[np.ndarray]] = {name: [] for name in everything}
    true, rows, n_rows = [], [], 0
    extra = () if n_quantiles is None else (n_quantiles,)
    for i, target in enumerate(targets):
        piece = target if steps is None else target[: steps[i]]
        true.append(piece.ravel())
        for name, pieces in everything.items():
            values = pieces[i]
            if padded[name] and piece.ndim and values.ndim:
                values = values[: len(piece)]
            if name == "sample_weight":
                flat[name].append(_spread(values, piece, f"{name}[{i}]").ravel())
            else:
                flat[name].append(_like(values, piece, extra, f"{name}[{i}]").reshape(-1, *extra))
        by_row = piece.ndim == 2
        row = np.arange(len(piece))[:, None] if by_row else np.zeros(piece.shape, int)
        rows.append((np.broadcast_to(row, piece.shape) + n_rows).ravel())
        n_rows += len(piece) if by_row else 1
    together = np.concatenate(true)
    known = ~np.isnan(together)
    if not known.any():
        raise ValueError("y_true must hold at least one number, got none")
    result = (
        together[known],
        [np.concatenate(flat[name])[known] for name in columns],
        None if weights is None else check_weights(np.concatenate(flat["sample_weight"])[known]),
    )
    return (*result, np.concatenate(rows)[known]) if with_rows else result


def _pieces(y: Any, name: str) -> list[np.ndarray]:
    """Return the numbers of each sequence as an array of any shape."""
    if y is None or isinstance(y, (str, bytes, dict)) or not hasattr(y, "__len__"):
        raise TypeError(f"{name} must be an array or a list of numbers or arrays, got {y!r}")
    refuse_masked(y, name)
    if column_names(y) and len(y.shape) == 2:
        y = np.asarray(y)
    try:
        pieces = [np.asarray(item) for item in y]
        pieces = [p if p.dtype.kind == "f" else as_float64(p, name) for p in pieces]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers: {error}") from None
    if not pieces:
        raise ValueError(f"{name} must hold at least one sequence, got none")
    return pieces


def _is_dense(y: Any) -> bool:
    """Whether every sequence takes the same room, so that what is longer is padding."""
    return hasattr(y, "__array__") and np.ndim(y) >= 2


def _lengths(lengths: Any, targets: list[np.ndarray]) -> np.ndarray:
    if not all(target.ndim for target in targets):
        raise ValueError("lengths needs a y_true with several steps for every sequence")
    return check_lengths(lengths, len(targets), np.array([len(target) for target in targets]))


def _like(values: np.ndarray, target: np.ndarray, extra: tuple[int, ...], name: str) -> np.ndarray:
    """Return values in the shape of the target and extra axes."""
    shape = (*target.shape, *extra)
    if values.ndim != len(shape) and values.size == np.prod(shape, dtype=int):
        values = values.reshape(shape)
    if values.shape != shape:
        raise ValueError(f"{name} must have shape {shape} beside its y_true, got {values.shape}")
    return values


def _spread(weights: np.ndarray, target: np.ndarray, name: str) -> np.ndarray:
    """Return a weight for every number of a target, from one for all or one for each step."""
    if weights.ndim == 1 and target.ndim and len(weights) == len(target):
        weights = weights.reshape(-1, *[1] * (target.ndim - 1))
    elif weights.ndim:
        steps = "1 weight" if not target.ndim else f"{len(target)} weights"
        raise ValueError(f"{name} must hold {steps}, got shape {weights.shape}")
    return np.broadcast_to(weights, target.shape)

"""Predictions of dask collections: lazy, and partition by partition."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from rnnkit.distributed.extra import need_dask
from rnnkit.distributed.partitions import Frame, is_lazy, make_piece, partitions_of

__all__ = ["predict"]

METHODS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "predict_quantiles",
    "transform",
    "score_samples",
    "hidden_states",
)


def predict(
    estimator: Any,
    X: Any,
    *,
    method: str = "predict",
    group: Any = None,
    sort: Any = None,
    columns: Any = None,
) -> Any:
    """Return lazily what a fitted estimator answers for a dask collection.

    Nothing is computed before the result is: then each partition is predicted where it lies, with
    as many threads as its worker has, and no partition waits for another.

    Parameters
    ----------
    estimator : fitted estimator
        Anything that answers sequences, also a pipeline or a search.
    X : dask array, bag or frame, or list of delayed objects or futures
        As `fit` takes it. A long frame needs `group`; its partitions have to hold whole groups.
    method : str, default="predict"
        Which method answers: "predict", "predict_proba", "transform", ...
    group, sort, columns : str or list of str, default=None
        How a long frame is read, as in `fit`.

    Returns
    -------
    dask array
        For a dask array that is answered sequence by sequence with an array, (N,) or (N, K).
    list of delayed objects
        For anything else: one for each partition, in their order, each what the method
        returns; an empty partition gives an empty list.

    Raises
    ------
    MissingExtraError
        If dask or distributed is not installed.
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If X is in memory.
    ValueError
        If there is no such method.
    """
    need_dask("rnnkit.distributed.predict")
    from dask import array, delayed

    check_is_fitted(estimator)
    if method not in METHODS or not hasattr(estimator, method):
        known = [name for name in METHODS if hasattr(estimator, name)]
        raise ValueError(f"method must be one of {', '.join(map(repr, known))}, got {method!r}")
    if not is_lazy(X):
        raise TypeError(
            f"X must be a collection of dask or a list of delayed objects, got {type(X).__name__}; "
            f"what is in memory is for estimator.{method}"
        )
    frame = None if group is None else Frame(group, sort, columns)
    parts = partitions_of(X)
    told = delayed(estimator, pure=True, traverse=False)
    answer = delayed(_answer, pure=True)
    answers = [answer(told, method, number, frame, part) for number, part in enumerate(parts)]
    if not (hasattr(X, "chunks") and hasattr(X, "rechunk")):
        return answers
    shape = _shape_of_answer(estimator, X, method)
    if shape is None:
        return answers
    sizes = X.chunks[0]
    tail, dtype = shape
    blocks = [
        array.from_delayed(part, (size, *tail), dtype=dtype) for part, size in zip(answers, sizes)
    ]
    return array.concatenate(blocks, axis=0, allow_unknown_chunksizes=True)


def _answer(estimator: Any, method: str, number: int, frame: Frame | None, X: Any) -> Any:
    from threadpoolctl import threadpool_limits

    X = make_piece(number, frame, X).X
    if not len(X):
        return []
    with threadpool_limits(_n_threads(), "openmp"):
        return getattr(estimator, method)(X)


def _n_threads() -> int | None:
    """Return the threads of the worker that this runs on; None where it is no worker."""
    from distributed import get_worker

    try:
        n_threads: int = get_worker().state.nthreads
    except ValueError:
        return None
    return n_threads


def _shape_of_answer(estimator: Any, X: Any, method: str) -> tuple[tuple[int, ...], Any] | None:
    """Return the shape behind the first axis, and the dtype, of what is answered; None if ragged.

    A single sequence of the shape of X is asked for.
    """
    if any(np.isnan(size) for size in X.shape[1:]):
        return None
    one = np.zeros((1, *map(int, X.shape[1:])), X.dtype)
    answered = getattr(estimator, method)(one)
    if not isinstance(answered, np.ndarray) or answered.dtype == object:
        return None
    return answered.shape[1:], answered.dtype

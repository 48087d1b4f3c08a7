"""From an ONNX model to a fitted estimator."""

from __future__ import annotations

import os
from typing import Any

from rnnkit.persistence.onnx.foreign import read_foreign
from rnnkit.persistence.onnx.graph import load_onnx
from rnnkit.persistence.onnx.own import read_own

__all__ = ["from_onnx"]


def from_onnx(model: Any, *, classes: Any = None) -> Any:
    """Return a fitted estimator that answers as an ONNX model does.

    Parameters
    ----------
    model : ModelProto, bytes, str or path-like
        The model, its bytes, or the path of its file.
    classes : array-like of shape (K,), default=None
        The labels, sorted, in the order of the head's outputs, for a graph of someone else.
        They also say that plain scores are those of labels.

    Returns
    -------
    estimator
        From a file that `to_onnx` wrote: of the class, the parameters and the labels that were
        written, in float32. From any other: a classifier or tagger if the graph ends in a
        Softmax, LogSoftmax or Sigmoid or `classes` are given; otherwise a regressor or sequence
        regressor. One that answers for every step if the graph does.

    Raises
    ------
    MissingExtraError
        If the package onnx is not installed.
    OSError
        If there is no such file.
    TypeError
        If it is no model.
    ValueError
        If it is no valid model, or does what no estimator does; which is named.

    See Also
    --------
    rnnkit.to_onnx : The way out.

    Notes
    -----
    Read are the operators RNN, LSTM and GRU, stacked and in both directions, that begin from
    zeros, before them at most an embedding table (Gather), after them one linear head (MatMul or
    Gemm) on the last states, or the mean or the maximum over all steps, or every step. A graph
    of someone else is computed for a few random sequences beside the estimator, and taken over
    only if both agree; nodes other than such are refused by name before anything is computed.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit import GRURegressor, from_onnx, to_onnx
    >>> X, y = np.random.RandomState(0).randn(8, 5, 3).astype("f4"), np.arange(8.0)
    >>> regressor = GRURegressor(4, max_iter=1, learning_rate="linear").fit(X, y)
    >>> same = from_onnx(to_onnx(regressor))
    >>> type(same).__name__, bool(np.allclose(same.predict(X), regressor.predict(X), rtol=1e-5))
    ('GRURegressor', True)
    """
    onnx = load_onnx("from_onnx")
    proto = _load(onnx, model)
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    if "rnnkit.estimator" in metadata:
        if classes is not None:
            raise ValueError("classes is for graphs of others; this file holds its labels")
        return read_own(onnx, proto, metadata)
    return read_foreign(onnx, proto, classes)


def _load(onnx: Any, model: Any) -> Any:
    """Return a valid ModelProto."""
    from google.protobuf.message import DecodeError

    if isinstance(model, (str, os.PathLike)):
        with open(model, "rb") as file:
            model = file.read()
    if isinstance(model, bytes):
        try:
            model = onnx.load_model_from_string(model)
        except DecodeError as error:
            raise ValueError(f"this is no ONNX model: {error}") from error
    if not isinstance(model, onnx.ModelProto):
        raise TypeError(
            f"model must be a ModelProto, bytes or the path of a file, got {type(model).__name__}"
        )
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ValueError(f"this is no valid ONNX model: {error}") from error
    return model

"""The scalers that may come before a network, as nodes of a graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from rnnkit.persistence.onnx.graph import Graph
from rnnkit.preprocessing import SequenceScaler

__all__ = ["Scaled"]


class Scaled:
    """Numbers on their way through scalers: rows (N, C), or steps (N, T, F).

    Parameters
    ----------
    graph : Graph
    value : str
        What X is called.
    on_rows : bool
        Whether X is (N, C).
    """

    def __init__(self, graph: Graph, value: str, on_rows: bool) -> None:
        self._graph = graph
        self._value = value
        self._on_rows = on_rows
        self._is_rows = on_rows

    def steps(self, n_features: int) -> str:
        """Return the numbers as steps (N, T, F)."""
        if self._on_rows:
            shape = np.array([0, -1, n_features])
            self._value = self._graph.add("Reshape", self._value, shape)
            self._is_rows = False
        return self._value

    def apply(self, transformer: Any) -> None:
        """Scale by a fitted transformer.

        Raises
        ------
        ValueError
            If it is none of those that a graph can express; it is named.
        """
        if transformer is None or transformer == "passthrough":
            return
        if isinstance(transformer, Pipeline):
            for _, inner in transformer.steps:
                self.apply(inner)
            return
        if isinstance(transformer, SequenceScaler):
            check_is_fitted(transformer, "scaler_")
            self.steps(transformer._step_features())
            self._apply_to_columns(transformer.scaler_)
            return
        if not self._is_rows:
            self._value = self._graph.add("Reshape", self._value, np.array([0, -1]))
            self._is_rows = True
        self._apply_to_columns(transformer)

    def _apply_to_columns(self, scaler: Any) -> None:
        """Scale each entry of the last dimension."""
        if isinstance(scaler, Pipeline):
            for _, inner in scaler.steps:
                self._apply_to_columns(inner)
            return
        if scaler is None or scaler == "passthrough":
            return
        kind = type(scaler)
        if kind not in _SCALERS:
            known = ", ".join(known.__name__ for known in _SCALERS)
            raise ValueError(
                f"to_onnx cannot express a {kind.__name__} before the network; it can {known}, "
                "SequenceScaler around them, and pipelines of these"
            )
        check_is_fitted(scaler)
        for operator, operand in _SCALERS[kind](scaler):
            self._value = self._graph.add(operator, self._value, operand)
        if getattr(scaler, "clip", False):
            low, high = getattr(scaler, "feature_range", (-1.0, 1.0))
            self._value = self._graph.add("Clip", self._value, np.float32(low), np.float32(high))


Operations = list[tuple[str, np.ndarray]]


def _float32(numbers: Any) -> np.ndarray:
    return np.asarray(numbers, np.float32)


def _standard(scaler: Any) -> Operations:
    operations = [("Sub", _float32(scaler.mean_))] if scaler.with_mean else []
    return operations + ([("Div", _float32(scaler.scale_))] if scaler.with_std else [])


def _min_max(scaler: Any) -> Operations:
    low, _ = scaler.feature_range
    return [
        ("Sub", _float32(scaler.data_min_)),
        ("Mul", _float32(scaler.scale_)),
        ("Add", _float32(low)),
    ]


def _max_abs(scaler: Any) -> Operations:
    return [("Div", _float32(scaler.scale_))]


def _robust(scaler: Any) -> Operations:
    operations = [("Sub", _float32(scaler.center_))] if scaler.with_centering else []
    return operations + ([("Div", _float32(scaler.scale_))] if scaler.with_scaling else [])


_SCALERS: dict[type, Any] = {
    StandardScaler: _standard,
    MinMaxScaler: _min_max,
    MaxAbsScaler: _max_abs,
    RobustScaler: _robust,
}

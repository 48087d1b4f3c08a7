"""The types of `directions.pyx`; see `rnnkit.backends.interface` for what each call does."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnkit._core.recurrent import RecurrentLayer, _Plan

class JoinedDirections:
    """Two layers of opposite directions whose threads share both."""

    def __new__(cls, one: RecurrentLayer, other: RecurrentLayer) -> JoinedDirections: ...
    def forward(
        self,
        plan: _Plan,
        x: np.ndarray,
        weights: Sequence[dict[str, np.ndarray]],
        state: Sequence[np.ndarray | None],
        *,
        training: bool = False,
        masks: Sequence[Mapping[str, Any]] = ...,
        row_of: np.ndarray | None = None,
    ) -> tuple[np.ndarray, tuple[np.ndarray | None, ...]]: ...
    def backward(
        self,
        dy: np.ndarray | None,
        gradients: Sequence[dict[str, np.ndarray]],
        dstate: Sequence[np.ndarray | None],
        *,
        input_gradient: bool = True,
    ) -> tuple[np.ndarray | None, tuple[np.ndarray | None, ...]]: ...

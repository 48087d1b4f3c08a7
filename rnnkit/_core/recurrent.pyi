"""The types of `recurrent.pyx`; see `rnnkit.backends.interface` for what each call does."""

from typing import Any, Protocol

import numpy as np

CELLS: dict[str, tuple[int, int, int, int]]

class _Plan(Protocol):
    """What is read of a plan."""

    @property
    def lengths(self) -> np.ndarray: ...
    @property
    def step_offsets(self) -> np.ndarray: ...

class RecurrentLayer:
    """A recurrent layer in one direction, bound to an instruction set."""

    @property
    def spec(self) -> Any: ...  # rnnkit.cells.LayerSpec, which is above this package
    @property
    def dtype(self) -> np.dtype: ...
    def __new__(cls, spec: Any, dtype: np.dtype, *, constant: bool = False) -> RecurrentLayer: ...
    def forward(
        self,
        plan: _Plan,
        x: np.ndarray,
        weights: dict[str, np.ndarray],
        h0: np.ndarray | None = None,
        c0: np.ndarray | None = None,
        *,
        training: bool = False,
        recurrent_mask: np.ndarray | None = None,
        zoneout_masks: tuple[np.ndarray, np.ndarray | None] | None = None,
        row_of: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]: ...
    def gate(self, name: str) -> np.ndarray: ...
    def backward(
        self,
        dy: np.ndarray | None,
        gradients: dict[str, np.ndarray],
        dh_n: np.ndarray | None = None,
        dc_n: np.ndarray | None = None,
        *,
        input_gradient: bool = True,
    ) -> tuple[np.ndarray | None, np.ndarray, np.ndarray | None]: ...

def activate(activation: Any, x: np.ndarray) -> np.ndarray: ...

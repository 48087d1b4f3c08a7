"""The types of `step.pyx`; see `rnnkit.backends.interface.StreamOperation`."""

from typing import Any

import numpy as np

class OneStep:
    """The plan of one step of n sequences."""

    lengths: np.ndarray
    step_offsets: np.ndarray

    def __init__(self, n: int) -> None: ...

class RecurrentStep:
    """A layer bound to its weights and to the states of n sequences."""

    def __new__(
        cls, spec: Any, dtype: np.dtype, weights: dict[str, np.ndarray], n: int = 1
    ) -> RecurrentStep: ...
    def step(self, x: np.ndarray) -> np.ndarray: ...
    @property
    def state(self) -> tuple[np.ndarray, np.ndarray | None]: ...
    @state.setter
    def state(self, state: tuple[np.ndarray, np.ndarray | None] | None) -> None: ...

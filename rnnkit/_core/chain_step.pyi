"""The types of `chain_step.pyx`; see there for what each object does."""

from collections.abc import Iterable, Sequence

import numpy as np

class PackedDense:
    """A dense layer whose weights are packed once."""

    def __new__(
        cls, dtype: np.dtype, weight: np.ndarray, bias: np.ndarray | None, n: int = 1
    ) -> PackedDense: ...

class ChainStep:
    """The layers and heads of n sequences that are fed step by step."""

    def __new__(
        cls,
        dtype: np.dtype,
        shape: tuple[int, ...],
        layers: Sequence[object],  # TypeError unless each is a RecurrentStep
        heads: Iterable[tuple[np.ndarray, np.ndarray | None]],
    ) -> ChainStep: ...
    @property
    def dtype(self) -> np.dtype: ...
    @property
    def n_scores(self) -> int: ...
    @property
    def scores(self) -> np.ndarray: ...
    def step(self, x: np.ndarray) -> bool: ...
    def decide(self, x: np.ndarray) -> int: ...

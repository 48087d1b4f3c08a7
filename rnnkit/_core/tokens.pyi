"""The types of `tokens.pyx`; see there for what each object does."""

from collections.abc import Iterable, Sequence

import numpy as np

class TokenStep:
    """A text, of which each token's id is looked up and goes through all layers."""

    def __new__(
        cls,
        dtype: np.dtype,
        table: np.ndarray,
        layers: Sequence[object],  # TypeError unless each is a RecurrentStep
        heads: Iterable[tuple[np.ndarray, np.ndarray | None]],
    ) -> TokenStep: ...
    def feed(self, token: int) -> np.ndarray: ...
    def write(
        self, scores: np.ndarray, temperature: float, at: np.ndarray, end: int
    ) -> tuple[np.ndarray, np.ndarray]: ...

def draw(scores: np.ndarray, temperature: float, at: np.ndarray) -> np.ndarray: ...

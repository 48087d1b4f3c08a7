"""The types of `heads.pyx`; see there for what each function does."""

import numpy as np

class Dense:
    """A dense layer bound to an instruction set."""

    @property
    def dtype(self) -> np.dtype: ...
    @property
    def n_inputs(self) -> int: ...
    @property
    def n_outputs(self) -> int: ...
    def __new__(
        cls, n_inputs: int, n_outputs: int, dtype: np.dtype, *, constant: bool = False
    ) -> Dense: ...
    def forward(self, x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray: ...
    def backward(
        self,
        x: np.ndarray,
        dy: np.ndarray,
        weight: np.ndarray,
        dweight: np.ndarray,
        dbias: np.ndarray,
        *,
        input_gradient: bool = True,
    ) -> np.ndarray | None: ...

def largest(scores: np.ndarray) -> np.ndarray: ...
def softmax(scores: np.ndarray) -> np.ndarray: ...
def softmax_cross_entropy(
    scores: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None,
    label_smoothing: float,
) -> tuple[float, np.ndarray]: ...

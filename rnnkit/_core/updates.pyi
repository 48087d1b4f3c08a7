"""The types of `updates.pyx`; see there for what each function does."""

from collections.abc import Callable

import numpy as np

class Places:
    """Ranges of a flat vector, first and last of each, in order."""

RULES: dict[str, Callable[..., None]]

def add_rows(table: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None: ...
def clip_norm(gradient: np.ndarray, limit: float, ranges: np.ndarray | None = None) -> float: ...
def sgd(
    w: np.ndarray,
    g: np.ndarray,
    velocity: np.ndarray,
    rate: float,
    momentum: float,
    nesterov: bool,
    ranges: np.ndarray | None = None,
) -> None: ...
def rmsprop(
    w: np.ndarray,
    g: np.ndarray,
    square: np.ndarray,
    velocity: np.ndarray,
    rate: float,
    decay: float,
    epsilon: float,
    momentum: float,
    ranges: np.ndarray | None = None,
) -> None: ...
def adagrad(
    w: np.ndarray,
    g: np.ndarray,
    square: np.ndarray,
    rate: float,
    epsilon: float,
    ranges: np.ndarray | None = None,
) -> None: ...
def adadelta(
    w: np.ndarray,
    g: np.ndarray,
    square: np.ndarray,
    change: np.ndarray,
    rate: float,
    decay: float,
    epsilon: float,
    ranges: np.ndarray | None = None,
) -> None: ...
def adam(
    w: np.ndarray,
    g: np.ndarray,
    mean: np.ndarray,
    square: np.ndarray,
    rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    weight_decay: float,
    step: float,
    ranges: np.ndarray | None = None,
) -> None: ...

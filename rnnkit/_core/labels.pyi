"""The types of `labels.pyx`; see there for what each function does."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

class _Plan(Protocol):
    """What is read of a plan."""

    @property
    def lengths(self) -> np.ndarray: ...
    @property
    def step_offsets(self) -> np.ndarray: ...

class Field:
    """A call of the random field."""

    def __new__(
        cls,
        scores: np.ndarray,
        plan: _Plan,
        transitions: np.ndarray,
        start: np.ndarray,
        end: np.ndarray,
    ) -> Field: ...

def crf_loss(
    scores: np.ndarray,
    labels: np.ndarray,
    plan: _Plan,
    transitions: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    weights: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]: ...
def crf_marginals(
    scores: np.ndarray,
    plan: _Plan,
    transitions: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
) -> np.ndarray: ...
def crf_viterbi(
    scores: np.ndarray,
    plan: _Plan,
    transitions: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]: ...
def ctc_loss(
    scores: np.ndarray,
    targets: Sequence[np.ndarray],
    plan: _Plan,
    weights: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]: ...
def ctc_greedy(scores: np.ndarray, plan: _Plan) -> tuple[list[np.ndarray], np.ndarray]: ...
def ctc_beam(
    scores: np.ndarray, plan: _Plan, beam_width: int
) -> tuple[list[np.ndarray], np.ndarray]: ...

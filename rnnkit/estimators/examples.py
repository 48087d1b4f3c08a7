"""Training examples: sequences with their encoded targets and weights, and parts of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnkit.sequences import Sequences

__all__ = ["Examples", "validation_pair"]


@dataclass(frozen=True)
class Examples:
    """Sequences, what they should give, and how much each counts.

    Attributes
    ----------
    sequences : Sequences
        N sequences, ΣT steps.
    targets : ndarray of shape (N, ...), or (ΣT, ...) with `targets_per_step`
        Encoded targets, as the network's output object takes them.
    weights : ndarray of shape (N,), or (ΣT,) with `weights_per_step`, float64; or None
    targets_per_step, weights_per_step : bool
    """

    sequences: Sequences
    targets: np.ndarray
    weights: np.ndarray | None
    targets_per_step: bool
    weights_per_step: bool

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def weights_of_targets(self) -> np.ndarray | None:
        """The weight of every target: that of its sequence where each step has a target."""
        if self.weights is None or self.targets_per_step == self.weights_per_step:
            return self.weights
        return np.repeat(self.weights, self.sequences.lengths)

    def take(self, indices: np.ndarray) -> Examples:
        """Return the examples at some indices, in that order."""
        rows = np.arange(self.sequences.offsets[-1])[:, None]
        rows = Sequences(rows, self.sequences.offsets)[indices].values[:, 0]
        weights = self.weights
        if weights is not None:
            weights = weights[rows if self.weights_per_step else indices]
        return Examples(
            self.sequences[indices],
            self.targets[rows if self.targets_per_step else indices],
            weights,
            self.targets_per_step,
            self.weights_per_step,
        )

    def first_steps(self, lengths: np.ndarray) -> Examples:
        """Return the first so many steps of each, all of whose targets and weights are per step."""
        sequences = self.sequences
        ends = np.repeat(sequences.offsets[:-1] + lengths, sequences.lengths)
        kept = np.arange(sequences.offsets[-1]) < ends
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        return Examples(
            Sequences(sequences.values[kept], offsets, sequences.ids),
            self.targets[kept],
            None if self.weights is None else self.weights[kept],
            self.targets_per_step,
            self.weights_per_step,
        )


def validation_pair(validation_data: Any, X_val: Any, y_val: Any) -> Any:
    """Return validation data as one tuple, in whichever of the two ways `fit` got them.

    Raises
    ------
    ValueError
        If they were given in both ways.
    """
    if X_val is None and y_val is None:
        return validation_data
    if validation_data is not None:
        raise ValueError("Give validation_data, or X_val and y_val, not both")
    if X_val is None or y_val is None:
        raise ValueError("X_val and y_val must be given together")
    return X_val, y_val

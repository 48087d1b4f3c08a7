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
    labelled : ndarray of the first or of both dimensions of the user's targets, bool; or None
        Which of them are known; None if all are. Where not, `targets` hold one that counts for
        nothing.
    n_last : int
        How many of the last sequences an early stopping sets aside; 0: some at random.
    """

    sequences: Sequences
    targets: np.ndarray
    weights: np.ndarray | None
    targets_per_step: bool
    weights_per_step: bool
    labelled: np.ndarray | None = None
    n_last: int = 0

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def weights_of_targets(self) -> np.ndarray | None:
        """The weight of every target, (n,): that of its sequence where each step has a target.

        Zero where a target is not known; of several outputs that are not known together, each
        has its weights, (n, K).
        """
        weights = self.weights
        if weights is not None and self.targets_per_step != self.weights_per_step:
            weights = np.repeat(weights, self.sequences.lengths)
        if self.labelled is None:
            return weights
        known = self.labelled.astype(np.float64)
        if known.ndim == 2 and np.all(known == known[:, :1]):
            known = known[:, 0]
        if weights is None:
            return known
        known *= weights if known.ndim == 1 else weights[:, None]
        return known

    def take(self, indices: np.ndarray) -> Examples:
        """Return the examples at some indices, in that order."""
        rows = np.arange(self.sequences.offsets[-1])[:, None]
        rows = Sequences(rows, self.sequences.offsets)[indices].values[:, 0]
        weights, labelled = self.weights, self.labelled
        if weights is not None:
            weights = weights[rows if self.weights_per_step else indices]
        return Examples(
            self.sequences[indices],
            self.targets[rows if self.targets_per_step else indices],
            weights,
            self.targets_per_step,
            self.weights_per_step,
            None if labelled is None else labelled[rows],
        )

    def first_steps(self, lengths: np.ndarray) -> Examples:
        """Return the first so many steps of each, all of whose targets and weights are per step."""
        sequences = self.sequences
        ends = np.repeat(sequences.offsets[:-1] + lengths, sequences.lengths)
        kept = np.arange(sequences.offsets[-1]) < ends
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        return Examples(
            Sequences(sequences.values[kept], offsets, sequences.ids)._with(sequences._columns),
            self.targets[kept],
            None if self.weights is None else self.weights[kept],
            self.targets_per_step,
            self.weights_per_step,
            None if self.labelled is None else self.labelled[kept],
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

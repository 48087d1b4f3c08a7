"""Outputs of encoder-decoders: a sequence of labels or of numbers, written step by step.

Letters: n sequences, P steps written, K labels, or numbers of a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rnnkit.network.labels import SoftmaxCrossEntropy, check_class_indices
from rnnkit.network.losses import SquaredError
from rnnkit.network.outputs import as_counts

__all__ = ["WrittenLabels", "WrittenNumbers"]


@dataclass(frozen=True)
class WrittenLabels(SoftmaxCrossEntropy):
    """A sequence of labels and its end; the loss is in nats per sequence.

    Targets are n arrays of class indices. A row has K + 1 raw scores, the last that of the end.

    Parameters
    ----------
    n_classes : int
        K.
    label_smoothing : float, default=0.0
        Share of the target distribution of a step that is spread over all labels and the end.

    Raises
    ------
    ValueError
        If `label_smoothing` is out of range.
    """

    spoken_name: ClassVar[str] = "an encoder-decoder"
    targets_per_sequence: ClassVar[bool] = True
    weights_per_sequence: ClassVar[bool] = True
    whole_sequences: ClassVar[bool] = True

    @property
    def width(self) -> int:
        """The raw scores of a row, K + 1."""
        return self.n_classes + 1

    def check(self, targets: np.ndarray, lengths: np.ndarray | None = None) -> None:
        """Raise ValueError unless the targets are arrays of class indices."""
        for labels in targets:
            check_class_indices(labels, self.n_classes, self.spoken_name)

    def start(self, targets: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the logarithm of each label's and the end's share; one half is added to each."""
        shares = self._counts(targets, as_counts(weights)) + 0.5
        shares /= shares.sum()
        return np.asarray(np.log(shares))

    def constant_loss(self, targets: np.ndarray, weights: np.ndarray | None = None) -> float:
        """Return the loss of a sequence by the shares of labels and end alone."""
        counts = self._counts(targets, weights)
        n_steps = counts.sum() / counts[-1]  # of a sequence, its end among them
        return float(self._entropy(counts) * n_steps)

    def _counts(self, targets: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        counts = np.zeros(self.width)
        flat = np.concatenate([*targets, np.empty(0, np.intp)])
        per_step = None if weights is None else np.repeat(weights, list(map(len, targets)))
        counts[:-1] = np.bincount(flat, weights=per_step, minlength=self.n_classes)
        counts[-1] = len(targets) if weights is None else weights.sum()
        return counts


@dataclass(frozen=True)
class WrittenNumbers(SquaredError):
    """A sequence of numbers, or of vectors of K; the squared error is summed over the steps.

    Targets are n arrays (U_i, K), at least one step each.

    Parameters
    ----------
    n_outputs : int
        K.
    center, scale : tuple of K float, default=None
        A raw score s stands for the number ``center + scale s``; None: for s itself.
    """

    spoken_name: ClassVar[str] = "an encoder-decoder of numbers"
    targets_per_sequence: ClassVar[bool] = True
    weights_per_sequence: ClassVar[bool] = True
    whole_sequences: ClassVar[bool] = True

    def standardized(self, targets: np.ndarray, weights: np.ndarray | None = None) -> Any:
        """Return the output with mean and standard deviation of the steps of all targets."""
        return super().standardized(*_steps(targets, weights))

    def to_scores(self, targets: np.ndarray) -> np.ndarray:
        """Return the targets in the unit of raw scores, each sequence by itself."""
        scores = np.empty(len(targets), dtype=object)
        for i, target in enumerate(targets):
            scores[i] = super().to_scores(target)
        return scores

    def start(self, targets: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the raw scores of the mean of all steps."""
        steps, of_steps = _steps(targets, weights)
        return super().to_scores(self._best_constant(steps, of_steps))

    def check(self, targets: np.ndarray, lengths: np.ndarray | None = None) -> None:
        """Raise ValueError unless the targets are arrays of finite numbers, none of them empty."""
        for i, target in enumerate(targets):
            if len(target) == 0:
                raise ValueError(f"y[{i}] must have at least one number, got none")
            super().check(target)

    def constant_loss(  # type: ignore[override]
        self, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> float | None:
        """Return None: a sequence of numbers tells much of its own next number."""
        return None


def _steps(targets: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the steps of all targets, and the weight of each."""
    lengths = list(map(len, targets))
    return np.concatenate(list(targets)), None if weights is None else np.repeat(weights, lengths)

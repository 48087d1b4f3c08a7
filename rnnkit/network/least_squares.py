"""Outputs for labels that are learnt by least squares: scores without probabilities.

Letters: n targets, K classes or labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rnnkit.backends.interface import Array, Backend, Scalar
from rnnkit.network.labels import Bernoulli, SoftmaxCrossEntropy
from rnnkit.network.outputs import Output, OutputContext

__all__ = ["LeastSquaresAnswers", "LeastSquaresClasses"]


def _no_probabilities(output: Output) -> AttributeError:
    return AttributeError(f"{output.spoken_name} has scores and no probabilities")


@dataclass(frozen=True)
class LeastSquaresClasses(SoftmaxCrossEntropy):
    """One of K classes; ``loss = sum over k of (score_k - t_k)² / 2``, t_k 1 or -1.

    Parameters
    ----------
    n_classes : int
        K.
    label_smoothing : float, default=0.0
        As in `SoftmaxCrossEntropy`: the size of t_k is one minus it.
    """

    spoken_name: ClassVar[str] = "a classifier by least squares"

    def codes(self, targets: np.ndarray) -> np.ndarray:
        """Return what the scores of class indices (n,) should be, (n, K) float64."""
        codes = np.full((len(targets), self.n_classes), -1.0 + self.label_smoothing)
        codes[np.arange(len(targets)), targets] = 1.0 - self.label_smoothing
        return codes

    def loss(
        self, scores: Array, targets: Array, weights: Array | None, context: OutputContext
    ) -> tuple[Scalar, Array]:
        """Return the weighted sum of the losses and its gradient by the raw scores."""
        backend = context.backend
        xp: Any = backend.xp
        classes = xp.arange(self.n_classes)
        size = 1.0 - self.label_smoothing
        codes = xp.where(xp.asarray(targets)[:, None] == classes, size, -size)
        slopes = scores - codes.astype(scores.dtype)
        losses = 0.5 * slopes * slopes
        if weights is not None:
            losses *= weights[:, None]
            slopes *= weights[:, None]
        return backend.scalar(losses.sum()), slopes

    def probabilities(self, scores: Array, context: OutputContext) -> Array:
        """Raise AttributeError: scores by least squares are no probabilities."""
        raise _no_probabilities(self)

    def constant_loss(self, targets: np.ndarray, weights: np.ndarray | None = None) -> float:
        """Return the mean loss of the best constant."""
        codes = self.codes(targets)
        mean = np.average(codes, axis=0, weights=weights)
        losses = 0.5 * ((codes - mean) ** 2).sum(axis=1)
        return float(np.average(losses, weights=weights))


@dataclass(frozen=True)
class LeastSquaresAnswers(Bernoulli):
    """K yes-or-no labels at once; ``loss = sum over k of (score_k - t_k)² / 2``, t_k 1 or -1.

    Parameters
    ----------
    n_outputs : int
        K.
    label_smoothing : float, default=0.0
        As in `Bernoulli`: the size of t_k is one minus it.
    answer_weights : tuple of K pairs of float, default=None
        For each label the weights of the answers no and yes in the loss; None means ones.
    """

    spoken_name: ClassVar[str] = "a classifier of several labels by least squares"

    def codes(self, targets: np.ndarray) -> np.ndarray:
        """Return what the scores of answers (n, K), 0 and 1, should be, (n, K) float64."""
        return (1.0 - self.label_smoothing) * (2.0 * targets - 1.0)

    def compare(self, scores: Array, targets: Array, backend: Backend) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""
        slopes = scores - self.codes(targets).astype(scores.dtype)
        losses = 0.5 * slopes * slopes
        if self.answer_weights is not None:
            no, yes = backend.upload(np.array(self.answer_weights, scores.dtype).T.copy())
            weights = backend.xp.where(targets > 0, yes, no)
            losses *= weights
            slopes *= weights
        return losses, slopes

    def with_mean_weight_one(
        self, targets: np.ndarray, weights: np.ndarray | None
    ) -> LeastSquaresAnswers:
        """Return the output as it is: a weight of 2 is as good as the answer twice."""
        super().with_mean_weight_one(targets, weights)  # refuses what weighs nothing
        return self

    def weights_of_answers(self, targets: np.ndarray) -> np.ndarray | None:
        """Return the weight (n, K) of each answer; None means ones."""
        if self.answer_weights is None:
            return None
        no, yes = np.array(self.answer_weights).T
        return np.asarray(np.where(targets > 0, yes, no))

    def probabilities(self, scores: Array, context: OutputContext) -> Array:
        """Raise AttributeError: scores by least squares are no probabilities."""
        raise _no_probabilities(self)

    def start(self, targets: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the mean of what the scores should be."""
        codes = self.codes(targets)
        answers = self.weights_of_answers(targets)
        if answers is None:
            return np.asarray(np.average(codes, axis=0, weights=weights))
        if weights is not None:
            answers = answers * (weights if weights.ndim == 2 else weights[:, None])
        total = np.maximum(answers.sum(axis=0), np.finfo(np.float64).tiny)
        return np.asarray((answers * codes).sum(axis=0) / total)

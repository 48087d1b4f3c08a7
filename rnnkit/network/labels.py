"""Outputs for labels: one of K classes, or K yes-or-no labels at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from rnnkit.backends.interface import Array, Backend, Scalar
from rnnkit.network.outputs import ElementwiseOutput, Output, OutputContext, as_counts

__all__ = [
    "Bernoulli",
    "NextToken",
    "SoftmaxCrossEntropy",
    "check_class_indices",
    "log_softmax",
    "sigmoid",
]


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """Return the logarithm of the softmax of each row of scores (P, K), in float64."""
    shifted = scores.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def check_class_indices(targets: np.ndarray, n_classes: int, spoken_name: str) -> None:
    """Raise ValueError unless targets (n,) are integers in [0, K)."""
    if targets.ndim != 1 or targets.dtype.kind not in "iu":
        raise ValueError(
            f"{spoken_name} needs one class index for every target, got an array of shape "
            f"{targets.shape} and dtype {targets.dtype}"
        )
    wrong = (targets < 0) | (targets >= n_classes)
    if wrong.any():
        raise ValueError(
            f"{spoken_name} needs class indices from 0 to {n_classes - 1}, got {targets[wrong][0]}"
        )


@dataclass(frozen=True)
class SoftmaxCrossEntropy(Output):
    """One of K classes; targets are class indices (intp), the loss is in nats.

    Parameters
    ----------
    n_classes : int
        K.
    label_smoothing : float, default=0.0
        Share s of the target distribution that is spread over all classes, in [0, 1).

    Raises
    ------
    ValueError
        If `label_smoothing` is out of range.

    Notes
    -----
    ``loss = -sum_k t_k log softmax(scores)_k`` with ``t = (1 - s) onehot + s / K``.
    """

    spoken_name: ClassVar[str] = "a classifier of one label"
    takes_largest: ClassVar[bool] = True

    n_classes: int
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must lie in [0, 1), got {self.label_smoothing!r}")

    @property
    def width(self) -> int:
        """K, the number of raw scores in a row."""
        return self.n_classes

    def loss(
        self, scores: Array, targets: Array, weights: Array | None, context: OutputContext
    ) -> tuple[Scalar, Array]:
        """Return the weighted sum of the losses and its gradient by the raw scores."""
        return context.backend.softmax_cross_entropy(scores, targets, weights, self.label_smoothing)

    def decision(self, scores: Array, context: OutputContext) -> Array:
        """Return the index of the largest score in each row."""
        return context.backend.largest(scores)

    def probabilities(self, scores: Array, context: OutputContext) -> Array:
        """Return the softmax of each row."""
        return context.backend.softmax(scores)

    def check(self, targets: np.ndarray, lengths: np.ndarray | None = None) -> None:
        """Raise ValueError unless the targets are class indices (n,)."""
        check_class_indices(targets, self.n_classes, self.spoken_name)

    def constant_loss(self, targets: np.ndarray, weights: np.ndarray | None = None) -> float:
        """Return the entropy of the classes' shares, smoothed as the targets are."""
        return self._entropy(np.bincount(targets, weights=weights, minlength=self.n_classes))

    def _entropy(self, counts: np.ndarray) -> float:
        s = self.label_smoothing
        shares = (1.0 - s) * counts / counts.sum() + s / self.width
        present = shares[shares > 0]
        return float(-(present * np.log(present)).sum())

    def class_weights(
        self, targets: np.ndarray, class_weight: Any, weights: np.ndarray | None = None
    ) -> np.ndarray | None:
        """Return the weight of each target's class.

        "balanced" weighs a class by ``n / (classes among the targets × targets of the class)``,
        as scikit-learn does, with the sums of weights where there are any.
        """
        if class_weight is None:
            return None
        if not isinstance(class_weight, str):
            by_class = np.asarray(class_weight, np.float64)
            if by_class.shape != (self.n_classes,):
                raise ValueError(
                    f"class_weight must have a weight for each of {self.n_classes} classes, "
                    f"got shape {by_class.shape}"
                )
        elif class_weight == "balanced":
            counts = np.bincount(targets, weights, self.n_classes).astype(np.float64)
            present = counts > 0
            by_class = np.ones(self.n_classes)
            by_class[present] = counts.sum() / (np.count_nonzero(present) * counts[present])
        else:
            raise ValueError(
                "class_weight must be None, 'balanced' or a weight for each class, "
                f"got {class_weight!r}"
            )
        return by_class.take(targets)

    def with_smoothing(self, label_smoothing: float) -> SoftmaxCrossEntropy:
        """Return the output with another `label_smoothing`."""
        return replace(self, label_smoothing=label_smoothing)


@dataclass(frozen=True)
class NextToken(SoftmaxCrossEntropy):
    """The token of a text that comes next, as one of K; begins from how often each comes.

    Parameters
    ----------
    n_classes : int
        K.
    label_smoothing : float, default=0.0
        As in `SoftmaxCrossEntropy`.
    """

    spoken_name: ClassVar[str] = "a language model"

    def start(self, targets: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the logarithm of each token's share; one half is added to every count."""
        counts = np.bincount(targets, as_counts(weights), self.n_classes) + 0.5
        shares: np.ndarray = np.log(counts / counts.sum())
        return shares


@dataclass(frozen=True)
class Bernoulli(ElementwiseOutput):
    """K yes-or-no labels at once; targets are 0 and 1, the loss is in nats, summed over k.

    Parameters
    ----------
    n_outputs : int
        K.
    label_smoothing : float, default=0.0
        Share s of every label's target that is spread over no and yes, in [0, 1).
    answer_weights : tuple of K pairs of float, default=None
        For each label the weights of the answers no and yes in the loss; None means ones.

    Raises
    ------
    ValueError
        If `label_smoothing` is out of range.

    Notes
    -----
    ``log(1 + exp(score)) - t score`` with ``t = (1 - s) y + s / 2``; the probability of yes is
    ``1 / (1 + exp(-score))``.
    """

    spoken_name: ClassVar[str] = "a classifier of several labels at once"

    label_smoothing: float = 0.0
    answer_weights: tuple[tuple[float, float], ...] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must lie in [0, 1), got {self.label_smoothing!r}")

    def compare(self, scores: Array, targets: Array, backend: Backend) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""
        xp, answers = backend.xp, targets
        if self.label_smoothing:
            targets = (1.0 - self.label_smoothing) * targets + 0.5 * self.label_smoothing
        losses = xp.logaddexp(scores, xp.zeros_like(scores)) - targets * scores
        slopes = sigmoid(scores, xp) - targets
        if self.answer_weights is not None:
            no, yes = backend.upload(np.array(self.answer_weights, scores.dtype).T.copy())
            weights = xp.where(answers > 0, yes, no)
            losses *= weights
            slopes *= weights
        return losses, slopes

    def decision(self, scores: Array, context: OutputContext) -> Array:
        """Return 0 or 1 for every label."""
        return (scores > 0).astype(scores.dtype)

    def probabilities(self, scores: Array, context: OutputContext) -> Array:
        """Return the probability of yes for every label."""
        return sigmoid(scores, context.backend.xp)

    def check(self, targets: np.ndarray, lengths: np.ndarray | None = None) -> None:
        """Raise ValueError unless the targets are 0 and 1, (n, K)."""
        super().check(targets)
        wrong = (targets != 0) & (targets != 1)
        if wrong.any():
            raise ValueError(f"{self.spoken_name} needs y of 0 and 1, got {targets[wrong][0]:.6g}")

    def start(self, targets: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the logarithm of how often each label is yes to no.

        One half is added to both counts, so that a label that is never or always there has odds.
        """
        weights = as_counts(weights)
        total: Any = float(len(targets)) if weights is None else weights.sum(axis=0)
        yes = np.average(targets, axis=0, weights=weights) * total
        odds = (yes + 0.5) / (total - yes + 0.5)
        if self.answer_weights is not None:
            weight_of_no, weight_of_yes = np.array(self.answer_weights).T
            odds *= np.maximum(weight_of_yes, 1e-300) / np.maximum(weight_of_no, 1e-300)
        return np.asarray(np.log(odds))

    def weighed(
        self, class_weight: Any, targets: np.ndarray, weights: np.ndarray | None = None
    ) -> Bernoulli:
        """Return the output with `answer_weights`.

        Parameters
        ----------
        class_weight : "balanced" or ndarray of shape (2,)
            "balanced": no and yes of every label count alike, each answer with
            ``n / (2 × targets that give it)``. An array: the weights of no and yes.
        targets : ndarray of shape (n, K)
            Encoded targets of the training data.
        weights : ndarray of shape (n,) or (n, K), default=None
            By which each target counts where answers are balanced; None means ones.
        """
        if isinstance(class_weight, str):
            counted = np.ones(1) if weights is None else weights
            counted = counted[:, None] if counted.ndim == 1 else counted
            sums = [(counted * (targets == 0)).sum(axis=0), (counted * (targets != 0)).sum(axis=0)]
            counts = np.stack(sums, axis=1)
            total = counts.sum(axis=1, keepdims=True)
            pairs = np.where(counts > 0, total / (2.0 * np.where(counts > 0, counts, 1.0)), 1.0)
        else:
            pairs = np.tile(np.asarray(class_weight, np.float64), (self.n_outputs, 1))
        return replace(self, answer_weights=tuple(map(tuple, pairs.tolist())))

    def with_mean_weight_one(self, targets: np.ndarray, weights: np.ndarray | None) -> Bernoulli:
        """Return the output with `answer_weights` whose mean over encoded targets (n, K) is 1.

        Raises
        ------
        ValueError
            If none of them has a weight above 0.
        """
        pairs = np.array(self.answer_weights)
        pairs /= pairs.max() or 1.0  # sums of which are finite
        answers = np.where(targets > 0, pairs[:, 1], pairs[:, 0])
        if weights is not None and weights.ndim == 1:
            weights = np.repeat(weights[:, None], self.n_outputs, axis=1)
        mean = np.average(answers, weights=weights)
        if not mean > 0:
            raise ValueError("no target has a weight above 0")
        return replace(self, answer_weights=tuple(map(tuple, (pairs / mean).tolist())))

    def with_smoothing(self, label_smoothing: float) -> Bernoulli:
        """Return the output with another `label_smoothing`."""
        return replace(self, label_smoothing=label_smoothing)


def sigmoid(scores: Array, xp: Any) -> Array:
    """Return ``1 / (1 + exp(-scores))`` without overflow."""
    e = xp.exp(-xp.abs(scores))
    return xp.where(scores >= 0, xp.ones_like(e), e) / (1.0 + e)

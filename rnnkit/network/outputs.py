"""What every output object has in common: raw scores in; loss, decisions and probabilities out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from rnnkit.backends.host import HostBackend
from rnnkit.backends.interface import Array, Backend, PackedPlan, Scalar
from rnnkit.backends.labels import UNKNOWN

__all__ = ["UNKNOWN", "ElementwiseOutput", "Output", "OutputContext", "as_counts"]


def as_counts(weights: np.ndarray | None) -> np.ndarray | None:
    """Return weights (n,) or (n, K) in a unit in which they tell of how many targets there are.

    A weight of 2 is as good as the target twice. Where weights above 0 have a mean below 1, they
    count nothing, and get the mean 1.
    """
    if weights is None:
        return None
    mean = weights.sum(axis=0) / np.maximum(np.count_nonzero(weights, axis=0), 1)
    return np.asarray(weights / np.where((mean > 0) & (mean < 1), mean, 1.0))


@dataclass(slots=True)
class OutputContext:
    """Where and about what an output object computes.

    Parameters
    ----------
    backend : Backend
        What computes.
    plan : PackedPlan
        How the sequences of the minibatch lie in the packed rows.
    parameters : mapping of str to array, default={}
        Every parameter of the network by its full name, on the backend.
    gradients : mapping of str to array, default={}
        The gradient of each, to which `Output.loss` adds; empty where nothing is trained.
    noise : numpy.random.Generator, default=None
        Where a loss that samples draws from; None: it does without.
    """

    backend: Backend
    plan: PackedPlan
    parameters: Mapping[str, Array] = field(default_factory=dict)
    gradients: Mapping[str, Array] = field(default_factory=dict)
    noise: Any = None


class Output(ABC):
    """The last part of a network: raw scores in, loss, predictions and probabilities out.

    Score rows are the P packed rows of a minibatch when the network answers for every step,
    its B sequences (in packed order) when it answers for every sequence. An output object is
    plain data: it pickles, compares by value and holds no arrays of a fit; what it learns lives
    in the network's parameters under the names of `parameter_shapes`.

    Attributes
    ----------
    spoken_name : str
        What a message calls it: the option that chose it, as a user writes it.
    targets_per_sequence : bool
        Whether targets are given one per sequence although scores come one per step (CTC).
    weights_per_sequence : bool
        Whether weights are given one per sequence although scores come one per step (CRF, CTC).
        The trainer divides the loss by the sum of the weights.
    whole_sequences : bool
        Whether the loss needs all steps of a sequence at once, so that truncated
        backpropagation is impossible (CRF, CTC).
    sums_over_unknown : bool
        Whether targets may be `UNKNOWN`, over which the probability of the others is summed
        (CRF); elsewhere such a target has the weight 0.
    takes_largest : bool
        Whether the prediction is the place of the largest raw score, the first of equals.
    on_host : bool
        Whether the loss is computed on the host whatever the backend (CRF, CTC).
    kept_scores : int
        Numbers of 8 bytes that the loss keeps for each raw score, on the host.
    """

    spoken_name: ClassVar[str]
    targets_per_sequence: ClassVar[bool] = False
    weights_per_sequence: ClassVar[bool] = False
    whole_sequences: ClassVar[bool] = False
    sums_over_unknown: ClassVar[bool] = False
    takes_largest: ClassVar[bool] = False
    on_host: ClassVar[bool] = False
    kept_scores: ClassVar[int] = 0

    @property
    @abstractmethod
    def width(self) -> int:
        """K, the number of raw scores in a row."""

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full names (as "crf.transitions") and shapes of its own parameters."""
        return {}

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Fill its own parameters; `rng` is a numpy RandomState."""
        return None

    @abstractmethod
    def loss(
        self, scores: Array, targets: Any, weights: Array | None, context: OutputContext
    ) -> tuple[Scalar, Array]:
        """Return the weighted sum of the losses and its gradient by the raw scores.

        Parameters
        ----------
        scores : array of shape (P, K) or (B, K)
            The raw scores.
        targets, weights : array of shape (P, ...) or (B, ...)
            Arranged like the score rows, or like the plan's sequences (see the attributes);
            weights None means ones. Where targets are compared entry by entry, weights may be
            (P, K), one for each; they sum to those of a row as means over k.
        context : OutputContext
            The gradient of its own parameters is added to `context.gradients`.

        Returns
        -------
        loss : Scalar
        dscores : array of the shape of `scores`
        """

    @abstractmethod
    def decision(self, scores: Array, context: OutputContext) -> Array:
        """Return predictions, one per score row (class indices, or values)."""

    def probabilities(self, scores: Array, context: OutputContext) -> Array:
        """Return probabilities (P, K) or (B, K); AttributeError where there are none."""
        raise AttributeError(f"{type(self).__name__} has no probabilities")

    @abstractmethod
    def check(self, targets: np.ndarray, lengths: np.ndarray | None = None) -> None:
        """Raise ValueError, in one sentence, if encoded targets are none for this output.

        Parameters
        ----------
        targets : ndarray of shape (n, ...)
            Encoded targets, on the host.
        lengths : ndarray of shape (n,), intp, default=None
            Steps of each sequence, for targets that must fit into them (CTC).
        """

    @property
    def loss_unit(self) -> float:
        """What the loss of raw scores is multiplied with to be in the unit of the user's y."""
        return 1.0

    def to_scores(self, targets: np.ndarray) -> np.ndarray:
        """Return encoded targets in the unit of raw scores, in which `loss` compares them."""
        return targets

    def start(self, targets: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the raw scores that a network begins from, before it has learned anything.

        Parameters
        ----------
        targets : ndarray of shape (n, ...)
            Encoded targets of the training data, on the host.
        weights : ndarray of shape (n,) or (n, K), default=None
            Weight of each target, or of each of its entries; None means ones.

        Returns
        -------
        ndarray of shape (K,), float64
        """
        return np.zeros(self.width)

    def constant_loss(self, targets: np.ndarray, weights: np.ndarray | None = None) -> float | None:
        """Return the mean loss of the best constant, in the unit of `loss`; None: not known.

        A network that does no better has learnt nothing of its inputs. Arguments as in `start`.
        """
        return None

    def class_weights(
        self, targets: np.ndarray, class_weight: Any, weights: np.ndarray | None = None
    ) -> np.ndarray | None:
        """Return the weight of each target that follows from the weights of its class.

        Parameters
        ----------
        targets : ndarray of shape (n, ...)
            Encoded targets of the training data, on the host.
        class_weight : None, "balanced" or ndarray of shape (K,)
            None: no weights. "balanced": every class of the targets counts alike.
            An array: the weight of each class, by its index.
        weights : ndarray of shape (n,), default=None
            By which each target counts where classes are balanced; None means ones.

        Returns
        -------
        ndarray of shape (n,), float64; or None, which means ones

        Raises
        ------
        ValueError
            If weights are given and the output has no classes that exclude each other.
        """
        if class_weight is not None:
            raise ValueError(f"{self.spoken_name} takes no class_weight, got {class_weight!r}")
        return None

    def with_smoothing(self, label_smoothing: float) -> Output:
        """Return the output whose targets are spread over all classes by this share.

        Raises
        ------
        ValueError
            If the share is not 0 and the output does not smooth.
        """
        if label_smoothing:
            raise ValueError(
                f"{self.spoken_name} takes no label_smoothing, got {label_smoothing!r}"
            )
        return self


@dataclass(frozen=True)
class ElementwiseOutput(Output):
    """Base of the outputs that compare scores (·, K) with targets (·, K) entry by entry."""

    n_outputs: int

    @property
    def width(self) -> int:
        """K, the number of raw scores in a row."""
        return self.n_outputs

    def loss(
        self, scores: Array, targets: Array, weights: Array | None, context: OutputContext
    ) -> tuple[Scalar, Array]:
        """Return the weighted sum of the losses and its gradient by the raw scores."""
        backend = context.backend
        losses, slopes = self.compare(scores, targets, backend)
        if weights is not None:
            weights = self._of_scores(weights, backend.xp)
            losses *= weights
            slopes *= weights
        return backend.scalar(losses.sum()), slopes

    @abstractmethod
    def compare(self, scores: Array, targets: Array, backend: Backend) -> tuple[Array, Array]:
        """Return the loss (·, K) of each entry and its derivative by the score, both new."""

    def constant_loss(self, targets: np.ndarray, weights: np.ndarray | None = None) -> float:
        """Return the mean loss of the raw scores `start`."""
        compared = np.asarray(self.to_scores(targets), np.float64)
        start = self.start(targets, weights)
        scores = np.broadcast_to(start, (len(compared), len(start)))
        host: Any = HostBackend()
        losses, _ = self.compare(scores, compared, host)
        if weights is not None and weights.ndim == 2:
            weighted = losses * self._of_scores(weights, np)
            return float(weighted.sum() / weights.sum() * self.n_outputs)
        return float(np.average(losses.sum(axis=1), weights=weights))

    def _of_scores(self, weights: Array, xp: Any) -> Array:
        """Return weights of rows (n,) or of targets (n, K) as what multiplies raw scores."""
        if weights.ndim == 1:
            return weights[:, None]
        return (
            weights
            if self.width == weights.shape[1]
            else xp.repeat(weights, self.width // weights.shape[1], axis=1)
        )

    def decision(self, scores: Array, context: OutputContext) -> Array:
        """Return the predicted values."""
        return scores

    def check(self, targets: np.ndarray, lengths: np.ndarray | None = None) -> None:
        """Raise ValueError unless the targets are finite numbers (n, K)."""
        if targets.ndim != 2 or targets.shape[1] != self.n_outputs:
            raise ValueError(
                f"{self.spoken_name} needs y of shape (n, {self.n_outputs}), got {targets.shape}"
            )
        if not np.isfinite(targets).all():
            wrong = targets[~np.isfinite(targets)][0]
            raise ValueError(f"{self.spoken_name} needs y of finite numbers, got {wrong}")

"""Output objects: what the raw scores of a network mean, and the loss they are trained with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from rnnkit.backends.interface import Array, Backend, PackedPlan

__all__ = [
    "AbsoluteError",
    "Bernoulli",
    "HuberLoss",
    "Output",
    "PoissonLoss",
    "QuantileLoss",
    "SoftmaxCrossEntropy",
    "SquaredError",
]


class Output(Protocol):
    """The last part of a network: raw scores in, loss, predictions and probabilities out.

    Score rows are the P packed rows of a minibatch when the network answers for every step,
    its B sequences (in packed order) when it answers for every sequence. An output object is
    plain data: it pickles, compares by value and holds no arrays of a fit; what it learns lives
    in the network's parameters under the names of `parameter_shapes`.

    Attributes
    ----------
    width : int
        K, the number of raw scores in a row.
    targets_per_sequence : bool
        Whether targets are given one per sequence although scores come one per step (CTC).
    weights_per_sequence : bool
        Whether weights are given one per sequence although scores come one per step (CRF, CTC).
        The trainer divides the loss by the sum of the weights.
    whole_sequences : bool
        Whether the loss needs all steps of a sequence at once, so that truncated
        backpropagation is impossible (CRF, CTC).
    """

    width: int
    targets_per_sequence: bool
    weights_per_sequence: bool
    whole_sequences: bool

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full names (as "crf.transitions") and shapes of its own parameters."""
        ...

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Fill its own parameters; `rng` is a numpy RandomState."""
        ...

    def loss(
        self,
        backend: Backend,
        scores: Array,
        targets: Array,
        weights: Array | None,
        plan: PackedPlan,
        parameters: Mapping[str, Array],
        gradients: Mapping[str, Array],
    ) -> tuple[float, Array]:
        """Return the weighted sum of the losses and its gradient by the raw scores.

        scores (P, K) or (B, K); targets and weights are arranged like the score rows (or like
        the plan's sequences, see the attributes); weights None means ones. The gradient of its
        own parameters is added to `gradients`. `parameters` and `gradients` hold the whole
        network's arrays by full name.
        """
        ...

    def decision(
        self,
        backend: Backend,
        scores: Array,
        plan: PackedPlan,
        parameters: Mapping[str, Array],
    ) -> Array:
        """Return predictions, one per score row (class indices, or values)."""
        ...

    def probabilities(
        self,
        backend: Backend,
        scores: Array,
        plan: PackedPlan,
        parameters: Mapping[str, Array],
    ) -> Array:
        """Return probabilities (P, K) or (B, K); AttributeError where there are none."""
        ...

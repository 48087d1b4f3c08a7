"""Linear-chain conditional random field: whole label sequences scored, trained and decoded.

Letters: B sequences of the minibatch, P packed rows, K labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from rnnkit.backends.interface import Array
from rnnkit.network.labels import check_class_indices
from rnnkit.network.outputs import UNKNOWN, Output, OutputContext
from rnnkit.network.transitions import Pairs, check_labellings, check_lengths, rules_of

__all__ = ["CRF"]


@dataclass(frozen=True)
class CRF(Output):
    """Output object: labels per step, scored together by a linear-chain random field.

    Its parameters are "crf.transitions" (K, K), "crf.start" (K,) and "crf.end" (K,), zero at
    first: the field then is a softmax at each step. Targets are class indices (P,), `UNKNOWN`
    where a step is not labelled: what it may be is summed over. A weight
    belongs to a whole sequence, (B,), as its labels have one probability together; the loss is
    in nats per sequence.

    Parameters
    ----------
    n_classes : int
        K, the number of labels.
    forbidden : tuple of pairs of int or None, default=()
        Pairs (i, j) of class indices: label j never stands right after label i. None in the first
        place means the beginning of a sequence, in the second its end.

    Notes
    -----
    A forbidden pair has the score minus infinity whatever its parameter, which stays as it began:
    Z sums over the allowed labellings alone, a forbidden one has no probability and is never
    decided for.
    """

    spoken_name: ClassVar[str] = "output='crf'"
    weights_per_sequence: ClassVar[bool] = True
    whole_sequences: ClassVar[bool] = True
    sums_over_unknown: ClassVar[bool] = True
    on_host: ClassVar[bool] = True
    kept_scores: ClassVar[int] = 3

    n_classes: int
    forbidden: Pairs = ()

    @property
    def width(self) -> int:
        """The number of raw scores in a row, K."""
        return self.n_classes

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full names and shapes of the field's own parameters."""
        k = self.n_classes
        return {"crf.transitions": (k, k), "crf.start": (k,), "crf.end": (k,)}

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Set its own parameters to zero; draws nothing."""
        for name in self.parameter_shapes():
            parameters[name][...] = 0

    def loss(
        self, scores: Array, targets: Array, weights: Array | None, context: OutputContext
    ) -> tuple[float, Array]:
        """Return the weighted sum of the losses (nats) and its gradient by the scores (P, K)."""
        backend = context.backend
        weights = None if weights is None else backend.download(weights)
        result = backend.labels.crf_loss(
            backend.download(scores),
            backend.download(targets),
            context.plan,
            *self._host_parameters(context),
            weights,
        )
        for name, addition in zip(self.parameter_shapes(), result[2:]):
            gradient = context.gradients[name]
            gradient += backend.upload(addition)
        losses = result.losses if weights is None else result.losses * weights
        return float(losses.sum()), backend.upload(result.dscores)

    def decision(self, scores: Array, context: OutputContext) -> Array:
        """Return the labels (P,) of each sequence's best labelling."""
        backend = context.backend
        if self.forbidden:
            check_lengths(context.plan.lengths, self.forbidden, self.n_classes)
        labels, _ = backend.labels.crf_viterbi(
            backend.download(scores), context.plan, *self._host_parameters(context)
        )
        return backend.upload(labels)

    def probabilities(self, scores: Array, context: OutputContext) -> Array:
        """Return the probability (P, K) of each label at each step, over all labellings."""
        backend = context.backend
        if self.forbidden:
            check_lengths(context.plan.lengths, self.forbidden, self.n_classes)
        marginals = backend.labels.crf_marginals(
            backend.download(scores), context.plan, *self._host_parameters(context)
        )
        return backend.upload(marginals)

    def check(self, targets: np.ndarray, lengths: np.ndarray | None = None) -> None:
        """Raise ValueError unless the targets are class indices (n,) that break no rule."""
        known = targets if targets.ndim != 1 else targets[targets != UNKNOWN]
        check_class_indices(known, self.n_classes, self.spoken_name)
        if self.forbidden and lengths is not None:
            check_labellings(targets, lengths, self.forbidden, self.n_classes)

    def _host_parameters(self, context: OutputContext) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        transitions, start, end = (
            context.backend.download(context.parameters[name]) for name in self.parameter_shapes()
        )
        if not self.forbidden:
            return transitions, start, end
        rules = rules_of(self.forbidden, self.n_classes)
        return transitions + rules[0], start + rules[1], end + rules[2]

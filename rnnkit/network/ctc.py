"""Connectionist temporal classification: label sequences shorter than the input, unaligned.

The blank is class K, after the labels 0 .. K-1: so a label has the same index in a target, in
the scores and in a model's list of classes.

Letters: B sequences of the minibatch, P packed rows, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rnnkit.backends.interface import Array
from rnnkit.backends.labels import check_alignable
from rnnkit.network.labels import check_class_indices
from rnnkit.network.outputs import Output, OutputContext

__all__ = ["CTC"]


@dataclass(frozen=True)
class CTC(Output):
    """Output object: a sequence of labels, shorter than the input and not aligned with it.

    A row has K + 1 raw scores, the blank's last. Targets are B arrays of class indices in
    packed order; check them by `check`, with the lengths, before training. A weight belongs to
    a whole sequence, (B,); the loss is in nats per sequence.

    Parameters
    ----------
    n_classes : int
        K, the number of labels, the blank not counted.
    beam_width : int, default=None
        Number of prefixes kept by `decision`; None decodes greedily.
    """

    spoken_name: ClassVar[str] = "a sequence labeller"
    targets_per_sequence: ClassVar[bool] = True
    weights_per_sequence: ClassVar[bool] = True
    whole_sequences: ClassVar[bool] = True
    on_host: ClassVar[bool] = True
    kept_scores: ClassVar[int] = 1

    n_classes: int
    beam_width: int | None = None

    @property
    def width(self) -> int:
        """The number of raw scores in a row, K + 1."""
        return self.n_classes + 1

    def loss(
        self,
        scores: Array,
        targets: Sequence[np.ndarray],
        weights: Array | None,
        context: OutputContext,
    ) -> tuple[float, Array]:
        """Return the weighted sum of the losses (nats) and its gradient by scores (P, K + 1)."""
        backend = context.backend
        weights = None if weights is None else backend.download(weights)
        losses, dscores = backend.labels.ctc_loss(
            backend.download(scores), targets, context.plan, weights
        )
        if weights is not None:
            losses = losses * weights
        return float(losses.sum()), backend.upload(dscores)

    def decision(self, scores: Array, context: OutputContext) -> np.ndarray:
        """Return the labels of each sequence: an object array (B,) of arrays, packed order."""
        backend, plan = context.backend, context.plan
        scores = backend.download(scores)
        if self.beam_width is None:
            labels, _ = backend.labels.ctc_greedy(scores, plan)
        else:
            labels, _ = backend.labels.ctc_beam(scores, plan, self.beam_width)
        decided = np.empty(plan.n_sequences, dtype=object)
        for b, sequence in enumerate(labels):
            decided[b] = sequence
        return decided

    def probabilities(self, scores: Array, context: OutputContext) -> Array:
        """Return the probability (P, K + 1) of each label and, last, of the blank at each step."""
        return context.backend.softmax(scores)

    def check(self, targets: np.ndarray, lengths: np.ndarray | None = None) -> None:
        """Raise ValueError unless the targets are arrays of class indices that fit the lengths."""
        for labels in targets:
            check_class_indices(labels, self.n_classes, self.spoken_name)
        if lengths is not None:
            check_alignable(lengths, list(targets))

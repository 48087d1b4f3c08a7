"""Connectionist temporal classification: label sequences shorter than the input, unaligned.

The blank is class K, after the labels 0 .. K-1: so a label has the same index in a target, in
the scores and in a model's list of classes.

Letters: B sequences of the minibatch, T steps, P packed rows, K labels, U labels of a target,
S = 2 U + 1 states of the longest target, W prefixes of a beam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from rnnkit.backends.interface import Array, PackedPlan
from rnnkit.network.labels import check_class_indices
from rnnkit.network.outputs import Output, OutputContext
from rnnkit.network.packed_steps import PackedSteps

__all__ = ["CTC", "CTCLoss", "check_alignable", "ctc_beam", "ctc_greedy", "ctc_loss"]

IMPOSSIBLE = -1e300  # stands for log 0; finite, so that it may be subtracted from itself


class CTCLoss(NamedTuple):
    """What `ctc_loss` returns; the gradient is of the weighted sum."""

    losses: np.ndarray  # (B,) float64, nats per sequence, unweighted
    dscores: np.ndarray  # (P, K + 1) in the dtype of the scores


def _log_softmax(scores: np.ndarray) -> np.ndarray:
    """Return the log-probabilities (P, K + 1), float64, of raw scores."""
    scores = np.ascontiguousarray(scores, dtype=np.float64)
    shifted = scores - scores.max(axis=1, keepdims=True)
    normalized: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normalized


def _log_add(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return ``log(exp a + exp b)``."""
    total: np.ndarray = np.maximum(a, b) + np.log1p(np.exp(-np.abs(a - b)))
    return total


def check_alignable(lengths: np.ndarray, labels: Sequence[np.ndarray]) -> None:
    """Check that each target fits into its input.

    U labels of which R equal the label before them need at least U + R steps, as a blank must
    stand between equal neighbours.

    Parameters
    ----------
    lengths : (n,) int array
        The number of steps of each sequence.
    labels : n arrays of shape (U_i,), int
        The targets.

    Raises
    ------
    ValueError
        If a target needs more steps than its input has; names the first such sequence.
    """
    for i, (length, target) in enumerate(zip(lengths, map(np.asarray, labels))):
        needed = len(target) + np.count_nonzero(target[1:] == target[:-1])
        if needed > length:
            raise ValueError(
                f"sequence {i} has {length} steps but its {len(target)} labels need at least "
                f"{needed} (one each and a blank between equal neighbours)"
            )


class _Lattice:
    """The states of a minibatch's targets: blank, label, blank, label, ..., blank.

    A path is in one state at each step; it stays, steps to the next state, or skips the blank
    between two different labels. States beyond a shorter target's last blank do no harm: paths
    only move to later states.
    """

    def __init__(self, labels: Sequence[np.ndarray], blank: int) -> None:
        flat = np.concatenate(labels)
        if flat.size and not 0 <= flat.min() <= flat.max() < blank:
            wrong = flat[(flat < 0) | (flat >= blank)][0]
            raise ValueError(f"labels must lie in [0, {blank}), below the blank, got {wrong}")
        n_labels = np.array([len(target) for target in labels])
        sequence = np.repeat(np.arange(len(labels)), n_labels)
        position = np.arange(len(flat)) - np.repeat(np.cumsum(n_labels) - n_labels, n_labels)
        self.last_blank = 2 * n_labels
        self.classes = np.full((len(labels), 2 * n_labels.max() + 1), blank)
        self.classes[sequence, 2 * position + 1] = flat
        skips = np.zeros(self.classes.shape, dtype=bool)
        skips[:, 3::2] = self.classes[:, 3::2] != self.classes[:, 1:-2:2]
        self.skip_penalty = np.where(skips, 0.0, IMPOSSIBLE)

    def sources(self, earlier: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the log-probability of coming to each state by staying, stepping, skipping.

        `earlier` (n, S) are the log-probabilities of the states one step before.
        """
        step = np.full_like(earlier, IMPOSSIBLE)
        step[:, 1:] = earlier[:, :-1]
        skip = np.full_like(earlier, IMPOSSIBLE)
        skip[:, 2:] = earlier[:, :-2] + self.skip_penalty[: len(earlier), 2:]
        return earlier, step, skip


def ctc_loss(
    scores: np.ndarray,
    labels: Sequence[np.ndarray],
    plan: PackedPlan,
    weights: np.ndarray | None = None,
) -> CTCLoss:
    """Compute the negative log-probability of label sequences and its gradient.

    Parameters
    ----------
    scores : (P, K + 1) float array
        Raw scores of the K labels and, last, of the blank.
    labels : B arrays of shape (U_b,), int in [0, K)
        The targets in packed order; they may be empty.
    plan : PackedPlan
        How the sequences lie in the rows.
    weights : (B,) float array, default=None
        Weight of each sequence in packed order; None means ones.

    Returns
    -------
    CTCLoss
        The unweighted losses in nats per sequence, and the gradient of their weighted sum.

    Raises
    ------
    ValueError
        If a label is out of range, or a target does not fit (see `check_alignable`).

    Notes
    -----
    With ``y = softmax(scores)``, a path π of one class per step has the probability
    ``Π_t y[t, π_t]``. It spells the labels left when repeated classes are merged and then
    blanks dropped. The loss is ``-log`` of the sum over all paths that spell the target, and
    its gradient is ``y[t, k]`` minus the probability that such a path has class k at step t.
    O(P (K + S)) time and memory.
    """
    packed = PackedSteps(plan)
    sequence_of_row = plan.sequence_of_row()
    log_probabilities = _log_softmax(scores)
    lattice = _Lattice(labels, blank=log_probabilities.shape[1] - 1)
    classes = lattice.classes[sequence_of_row]
    emitted = np.take_along_axis(log_probabilities, classes, axis=1)

    incoming = np.full(emitted.shape, IMPOSSIBLE)  # to each state, its own emission excluded
    incoming[: packed.n, :2] = 0.0
    for rows, before in packed.steps:
        stay, step, skip = lattice.sources(incoming[before] + emitted[before])
        incoming[rows] = _log_add(_log_add(stay, step), skip)

    last, last_blank = packed.last_rows, lattice.last_blank[: packed.n]
    last_label = np.maximum(last_blank - 1, 0)
    by_blank = incoming[last, last_blank] + emitted[last, last_blank]
    by_label = incoming[last, last_label] + emitted[last, last_label]
    by_label[last_blank == 0] = IMPOSSIBLE
    total = _log_add(by_blank, by_label)
    if (total <= IMPOSSIBLE / 2).any() or lattice.last_blank[packed.n :].any():
        check_alignable(plan.lengths, labels)
    losses = np.zeros(plan.n_sequences)
    losses[: packed.n] = -total

    # As in the forward pass, a state hands its probability back to the states before it.
    per_sequence = packed.weights(weights)
    occupied = np.zeros(emitted.shape)
    occupied[last, last_label] = per_sequence * np.exp(by_label - total)
    occupied[last, last_blank] = per_sequence * np.exp(by_blank - total)
    for rows, before in reversed(packed.steps):
        stay, step, skip = lattice.sources(incoming[before] + emitted[before])
        now, to = occupied[rows], incoming[rows]
        handed = now * np.exp(stay - to)
        handed[:, :-1] += (now * np.exp(step - to))[:, 1:]
        handed[:, :-2] += (now * np.exp(skip - to))[:, 2:]
        occupied[before] = handed

    dscores = np.exp(log_probabilities) * per_sequence[sequence_of_row, None]
    np.subtract.at(dscores, (np.arange(len(classes))[:, None], classes), occupied)
    return CTCLoss(losses, dscores.astype(scores.dtype, copy=False))


def ctc_greedy(scores: np.ndarray, plan: PackedPlan) -> tuple[list[np.ndarray], np.ndarray]:
    """Read the labels off the single most probable path of each sequence.

    Parameters
    ----------
    scores : (P, K + 1) float array
        Raw scores of the K labels and, last, of the blank.
    plan : PackedPlan
        How the sequences lie in the rows.

    Returns
    -------
    labels : list of B arrays of shape (U_b,), intp
        In packed order.
    log_probabilities : (B,) float64 array
        Of that one path: a lower bound of the log-probability of its labels.
    """
    packed = PackedSteps(plan)
    log_probabilities = _log_softmax(scores)
    blank = log_probabilities.shape[1] - 1
    path = log_probabilities.argmax(axis=1)
    spelled = path != blank
    spelled[packed.n :] &= path[packed.n :] != path[packed.previous_rows()]

    sequence_of_row = plan.sequence_of_row()[spelled]
    by_sequence = np.argsort(sequence_of_row, kind="stable")
    counts = np.bincount(sequence_of_row, minlength=plan.n_sequences)
    labels = np.split(path[spelled][by_sequence], np.cumsum(counts)[:-1])
    path_log_probabilities = np.zeros(plan.n_sequences)
    path_log_probabilities[: packed.n] = packed.sums(log_probabilities.max(axis=1))
    return labels, path_log_probabilities


class _Beam:
    """The W best prefixes of each of B sequences, with their log-probabilities, all (B, W).

    A prefix is a node of a tree that all sequences share (each has its own root); equal
    prefixes are the same node. Node -1 marks an unused place.
    """

    def __init__(self, n_sequences: int, width: int) -> None:
        shape = (n_sequences, width)
        self.node = np.full(shape, -1)
        self.node[:, 0] = np.arange(n_sequences)
        self.parent = np.full(shape, -2)
        self.label = np.zeros(shape, dtype=np.intp)  # the last one
        self.by_blank = np.full(shape, IMPOSSIBLE)  # over the paths that end in a blank
        self.by_blank[:, 0] = 0.0
        self.by_label = np.full(shape, IMPOSSIBLE)  # over the paths that end in the last label
        self._tree = [(-2, -1)] * n_sequences  # node -> parent, label
        self._children: dict[tuple[int, int], int] = {}

    def total(self) -> np.ndarray:
        """Return the log-probability of each prefix."""
        return _log_add(self.by_blank, self.by_label)

    def advance(self, log_probabilities: np.ndarray) -> None:
        """Go one step on in the first n sequences; log_probabilities are (n, K + 1)."""
        n, blank = len(log_probabilities), log_probabilities.shape[1] - 1
        node, parent, label = self.node[:n], self.parent[:n], self.label[:n]
        total = self.total()[:n]
        repeated = np.take_along_axis(log_probabilities, label, axis=1)
        stay_by_blank = total + log_probabilities[:, blank:]
        stay_by_label = self.by_label[:n] + repeated
        extended = total[:, :, None] + log_probabilities[:, None, :blank]
        after_blank = self.by_blank[:n] + repeated  # a repeated label needs a blank before it
        np.put_along_axis(extended, label[:, :, None], after_blank[:, :, None], axis=2)

        b, i, j = np.nonzero(node[:, :, None] == parent[:, None, :])  # i extended is j
        merged = (b, i, label[b, j])
        stay_by_label[b, j] = _log_add(stay_by_label[b, j], extended[merged])
        extended[merged] = IMPOSSIBLE
        self._keep_best(stay_by_blank, stay_by_label, extended)

    def _keep_best(self, by_blank: np.ndarray, by_label: np.ndarray, extended: np.ndarray) -> None:
        n, width, n_labels = extended.shape
        stay = _log_add(by_blank, by_label)
        # The sort is stable: an unused place is kept rather than an impossible extension.
        candidates = np.concatenate([stay, extended.reshape(n, -1)], axis=1)
        chosen = np.argsort(-candidates, axis=1, kind="stable")[:, :width]
        values = np.take_along_axis(candidates, chosen, axis=1)
        is_new = chosen >= width
        source = np.where(is_new, (chosen - width) // n_labels, chosen)

        node, parent, label = (
            np.take_along_axis(kept[:n], source, axis=1)
            for kept in (self.node, self.parent, self.label)
        )
        parent = np.where(is_new, node, parent)
        label = np.where(is_new, (chosen - width) % n_labels, label)
        for place in zip(*np.nonzero(is_new)):
            node[place] = self._child(int(parent[place]), int(label[place]))
        self.node[:n], self.parent[:n], self.label[:n] = node, parent, label
        kept_by_blank = np.take_along_axis(by_blank, source, axis=1)
        kept_by_label = np.take_along_axis(by_label, source, axis=1)
        self.by_blank[:n] = np.where(is_new, IMPOSSIBLE, kept_by_blank)
        self.by_label[:n] = np.where(is_new, values, kept_by_label)

    def _child(self, parent: int, label: int) -> int:
        node = self._children.setdefault((parent, label), len(self._tree))
        if node == len(self._tree):
            self._tree.append((parent, label))
        return node

    def spell(self, node: int) -> np.ndarray:
        """Return the labels from the root to a node."""
        labels = []
        parent, label = self._tree[node]
        while parent >= 0:
            labels.append(label)
            parent, label = self._tree[parent]
        return np.array(labels[::-1], dtype=np.intp)


def ctc_beam(
    scores: np.ndarray, plan: PackedPlan, beam_width: int = 10
) -> tuple[list[np.ndarray], np.ndarray]:
    """Search the most probable labels of each sequence, summing over their paths.

    Parameters
    ----------
    scores : (P, K + 1) float array
        Raw scores of the K labels and, last, of the blank.
    plan : PackedPlan
        How the sequences lie in the rows.
    beam_width : int, default=10
        W, the number of prefixes kept at each step; a beam that is never full finds the most
        probable labels of all.

    Returns
    -------
    labels : list of B arrays of shape (U_b,), intp
        In packed order.
    log_probabilities : (B,) float64 array
        Over the paths that stayed in the beam: a lower bound of the log-probability of the
        labels, equal to it if the beam was never full.

    Raises
    ------
    ValueError
        If `beam_width` is less than 1.
    """
    if beam_width < 1:
        raise ValueError(f"beam_width must be at least 1, got {beam_width}")
    log_probabilities = _log_softmax(scores)
    beam = _Beam(plan.n_sequences, beam_width)
    for first, last in zip(plan.step_offsets, plan.step_offsets[1:]):
        beam.advance(log_probabilities[first:last])
    totals = beam.total()
    best = totals.argmax(axis=1)
    everyone = np.arange(plan.n_sequences)
    labels = [beam.spell(node) for node in beam.node[everyone, best]]
    return labels, totals[everyone, best]


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
        losses, dscores = ctc_loss(backend.download(scores), targets, context.plan, weights)
        if weights is not None:
            losses = losses * weights
        return float(losses.sum()), backend.upload(dscores)

    def decision(self, scores: Array, context: OutputContext) -> np.ndarray:
        """Return the labels of each sequence: an object array (B,) of arrays, packed order."""
        scores, plan = context.backend.download(scores), context.plan
        if self.beam_width is None:
            labels, _ = ctc_greedy(scores, plan)
        else:
            labels, _ = ctc_beam(scores, plan, self.beam_width)
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

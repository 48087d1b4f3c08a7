"""Connectionist temporal classification in NumPy: what every other one is measured against.

Letters: B sequences of the minibatch, T steps, P packed rows, K labels, U labels of a target,
S = 2 U + 1 states of the longest target, W prefixes of a beam. What the functions take and return
is in `rnnkit.backends.labels`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnnkit.backends.interface import PackedPlan
from rnnkit.backends.labels import CTCLoss, check_alignable
from rnnkit.backends.packed_steps import PackedSteps

__all__ = ["ctc_beam", "ctc_greedy", "ctc_loss"]

IMPOSSIBLE = -1e300  # stands for log 0; finite, so that it may be subtracted from itself


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
    """Compute the negative log-probability of label sequences and its gradient."""
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
    """Read the labels off the single most probable path of each sequence."""
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
    """Search the most probable labels of each sequence, summing over their paths."""
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

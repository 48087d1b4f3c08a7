"""The linear-chain random field in NumPy: what every other one is measured against.

Letters: B sequences of the minibatch, T steps, P packed rows, K labels. What the functions take and
return is in `rnnkit.backends.labels`.
"""

from __future__ import annotations

import numpy as np

from rnnkit.backends.interface import PackedPlan
from rnnkit.backends.labels import UNKNOWN, CRFLoss
from rnnkit.backends.packed_steps import PackedSteps

__all__ = ["crf_loss", "crf_marginals", "crf_viterbi"]


# Beside it minus infinity, the score of what is forbidden, is infinitely far: their difference is
# minus infinity, whose exponential is 0, where that of two infinities would be no number.
_LOWEST = np.finfo(np.float64).min


class _Field:
    """The random field of one minibatch, in float64: packed steps, scores (P, K) and parameters."""

    def __init__(
        self,
        scores: np.ndarray,
        plan: PackedPlan,
        transitions: np.ndarray,
        start: np.ndarray,
        end: np.ndarray,
    ) -> None:
        self.packed = PackedSteps(plan)
        self.scores = np.ascontiguousarray(scores, dtype=np.float64)
        self.transitions = np.ascontiguousarray(transitions, dtype=np.float64)
        self.start = np.asarray(start, dtype=np.float64)
        self.end = np.asarray(end, dtype=np.float64)
        n_labels = self.scores.shape[1]
        self._pairs = np.empty((n_labels, self.packed.n, n_labels))

    def pair_scores(self, prefix: np.ndarray) -> np.ndarray:
        """Score prefixes (n, K) by their last label, each with each transition from there.

        Returns (K, n, K), first label first: a buffer that the next call overwrites.
        """
        pairs = self._pairs[:, : len(prefix)]
        np.add(prefix.T[:, :, None], self.transitions[:, None, :], out=pairs)
        return pairs

    def forward(self) -> np.ndarray:
        """Return ``log Σ exp`` of the scores of all labellings up to a row, (P, K).

        They end in each label of the row, whose own score is not included.
        """
        incoming = np.empty_like(self.scores)
        incoming[: self.packed.n] = self.start
        for rows, before in self.packed.steps:
            pairs = self.pair_scores(incoming[before] + self.scores[before])
            incoming[rows] = _log_sum_exp(pairs, axis=0)
        return incoming

    def final_scores(self, incoming: np.ndarray) -> np.ndarray:
        """Return the scores (n, K) at the last steps, whose ``log Σ exp`` is log Z."""
        last = self.packed.last_rows
        final: np.ndarray = incoming[last] + self.scores[last] + self.end
        return final

    def expectations(
        self, incoming: np.ndarray, weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the label marginals (P, K) and the pair marginals summed over rows (K, K).

        Both are scaled by the weights (n,) of the sequences. A label hands its probability
        back to the labels before it, in the proportions they contributed in `forward`.
        """
        marginals = np.empty_like(self.scores)
        final = self.final_scores(incoming)
        log_z = _log_sum_exp(final.copy(), axis=1)
        marginals[self.packed.last_rows] = weights[:, None] * np.exp(final - log_z[:, None])
        pair_marginals = np.zeros_like(self.transitions)
        for rows, before in reversed(self.packed.steps):
            pairs = self.pair_scores(incoming[before] + self.scores[before])
            pairs -= np.maximum(incoming[rows], _LOWEST)
            np.exp(pairs, out=pairs)
            pairs *= marginals[rows]
            marginals[before] = pairs.sum(axis=2).T
            pair_marginals += pairs.sum(axis=1)
        return marginals, pair_marginals

    def labelling_scores(self, labels: np.ndarray, previous: np.ndarray) -> np.ndarray:
        """Return the score (n,) of each sequence's labelling; labels are (P,)."""
        n = self.packed.n
        terms = self.scores[np.arange(len(labels)), labels]
        terms[:n] += self.start[labels[:n]]
        terms[n:] += self.transitions[labels[previous], labels[n:]]
        totals: np.ndarray = self.packed.sums(terms) + self.end[labels[self.packed.last_rows]]
        return totals


def _of_known_labels(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return scores (P, K) that leave the labels known alone possible: -inf for all others."""
    known = np.flatnonzero(labels != UNKNOWN)
    held = np.asarray(scores, dtype=np.float64).copy()
    held[known] = -np.inf
    held[known, labels[known]] = scores[known, labels[known]]
    return held


def _log_sum_exp(x: np.ndarray, axis: int) -> np.ndarray:
    """Return ``log Σ exp x`` along an axis, -inf where all are; overwrites x."""
    top = x.max(axis=axis, keepdims=True)
    np.maximum(top, _LOWEST, out=top)
    x -= top
    np.exp(x, out=x)
    with np.errstate(divide="ignore"):
        total: np.ndarray = np.log(x.sum(axis=axis)) + top.squeeze(axis)
    return total


def crf_loss(
    scores: np.ndarray,
    labels: np.ndarray,
    plan: PackedPlan,
    transitions: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    weights: np.ndarray | None = None,
) -> CRFLoss:
    """Compute the negative log-likelihood of labellings and its gradients."""
    field = _Field(scores, plan, transitions, start, end)
    n, previous = field.packed.n, field.packed.previous_rows()
    incoming = field.forward()
    log_z = _log_sum_exp(field.final_scores(incoming), axis=1)
    per_sequence = field.packed.weights(weights)
    dscores, dtransitions = field.expectations(incoming, per_sequence)
    losses = np.zeros(plan.n_sequences)
    losses[:n] = log_z - field.labelling_scores(labels, previous)
    known = labels != UNKNOWN
    if known.all():
        per_row = per_sequence[plan.sequence_of_row()]
        dscores[np.arange(len(labels)), labels] -= per_row
        np.subtract.at(dtransitions, (labels[previous], labels[n:]), per_row[n:])
    else:
        held = _Field(_of_known_labels(scores, labels), plan, transitions, start, end)
        incoming = held.forward()
        n_known = field.packed.sums(known.astype(np.float64))
        agreeing = _log_sum_exp(held.final_scores(incoming), axis=1)
        losses[:n] = np.where(n_known < plan.lengths[:n], log_z - agreeing, losses[:n])
        marginals, pair_marginals = held.expectations(incoming, per_sequence)
        dscores -= marginals
        dtransitions -= pair_marginals
    dstart = dscores[:n].sum(axis=0)
    dend = dscores[field.packed.last_rows].sum(axis=0)
    return CRFLoss(losses, dscores.astype(scores.dtype, copy=False), dtransitions, dstart, dend)


def crf_marginals(
    scores: np.ndarray,
    plan: PackedPlan,
    transitions: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
) -> np.ndarray:
    """Compute the probability of each label at each row, over all labellings."""
    field = _Field(scores, plan, transitions, start, end)
    marginals, _ = field.expectations(field.forward(), np.ones(field.packed.n))
    return marginals.astype(scores.dtype, copy=False)


def crf_viterbi(
    scores: np.ndarray,
    plan: PackedPlan,
    transitions: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the best labelling of each sequence."""
    field = _Field(scores, plan, transitions, start, end)
    packed = field.packed
    into = np.ascontiguousarray(field.transitions.T)
    total = field.scores.copy()
    total[: packed.n] += field.start
    best_before = np.zeros(total.shape, dtype=np.intp)
    for rows, before in packed.steps:
        pairs = total[before][:, None, :] + into
        best_before[rows] = pairs.argmax(axis=2)
        total[rows] += pairs.max(axis=2)

    final = total[packed.last_rows] + field.end
    labels = np.empty(len(total), dtype=np.intp)
    labels[packed.last_rows] = final.argmax(axis=1)
    for rows, before in reversed(packed.steps):
        labels[before] = np.take_along_axis(best_before[rows], labels[rows, None], axis=1)[:, 0]
    best = np.zeros(plan.n_sequences)
    best[: packed.n] = final.max(axis=1)
    return labels, best

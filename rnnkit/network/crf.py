"""Linear-chain conditional random field: whole label sequences scored, trained and decoded.

Letters: B sequences of the minibatch, T steps, P packed rows, K labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from rnnkit.backends.interface import Array, PackedPlan
from rnnkit.network.labels import check_class_indices
from rnnkit.network.outputs import UNKNOWN, Output, OutputContext
from rnnkit.network.packed_steps import PackedSteps
from rnnkit.network.transitions import Pairs, check_labellings, check_lengths, rules_of

__all__ = ["CRF", "CRFLoss", "crf_marginals", "crf_negative_log_likelihood", "crf_viterbi"]


# Beside it minus infinity, the score of what is forbidden, is infinitely far: their difference is
# minus infinity, whose exponential is 0, where that of two infinities would be no number.
_LOWEST = np.finfo(np.float64).min


class CRFLoss(NamedTuple):
    """What `crf_negative_log_likelihood` returns; the gradients are of the weighted sum."""

    losses: np.ndarray  # (B,) float64, nats per sequence, unweighted
    dscores: np.ndarray  # (P, K) in the dtype of the scores
    dtransitions: np.ndarray  # (K, K) float64
    dstart: np.ndarray  # (K,) float64
    dend: np.ndarray  # (K,) float64


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


def crf_negative_log_likelihood(
    scores: np.ndarray,
    labels: np.ndarray,
    plan: PackedPlan,
    transitions: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    weights: np.ndarray | None = None,
) -> CRFLoss:
    """Compute the negative log-likelihood of labellings and its gradients.

    Parameters
    ----------
    scores : (P, K) float array
        Raw score of each label at each packed row.
    labels : (P,) int array
        The true labels; `UNKNOWN` where there is none.
    plan : PackedPlan
        How the sequences lie in the rows.
    transitions : (K, K) float array
        ``transitions[i, j]`` scores label j right after label i; -inf forbids it.
    start, end : (K,) float array
        Score of each label at a sequence's first and last step; -inf forbids it there.
    weights : (B,) float array, default=None
        Weight of each sequence in packed order; None means ones.

    Returns
    -------
    CRFLoss
        The unweighted losses in nats per sequence (0 for an empty one), and the gradients of
        their weighted sum.

    Notes
    -----
    A labelling y of T steps has the score
    ``s(y) = start[y_1] + Σ_t scores[t, y_t] + Σ_t transitions[y_(t-1), y_t] + end[y_T]``
    and the probability ``exp s(y) / Z``, ``Z = Σ_y' exp s(y')``. The loss is
    ``log Z - s(y)``; its gradient is how often the model expects a score to be used minus how
    often y uses it. One sweep forward and one back take O(P K²) time and O(P K) memory.

    Where labels are unknown, y is every labelling that agrees with the known ones: the loss is
    ``log Z - log Σ_y exp s(y)``, the second sum by the same sweeps over a field in which other
    labels are impossible (Tsuboi, Kashima, Mori, Oda & Matsumoto 2008). A sequence with no label
    at all has the loss 0.
    """
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
    """Compute the probability of each label at each row, over all labellings.

    Parameters
    ----------
    scores, plan, transitions, start, end
        As in `crf_negative_log_likelihood`.

    Returns
    -------
    (P, K) array in the dtype of the scores
        Each row sums to one.
    """
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
    """Find the best labelling of each sequence.

    Parameters
    ----------
    scores, plan, transitions, start, end
        As in `crf_negative_log_likelihood`.

    Returns
    -------
    labels : (P,) intp array
        Where labellings are equally good, the lowest label wins, from the last step backwards.
    best : (B,) float64 array
        The score s(y) of each labelling; 0 for an empty sequence.
    """
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
        result = crf_negative_log_likelihood(
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
        labels, _ = crf_viterbi(
            backend.download(scores), context.plan, *self._host_parameters(context)
        )
        return backend.upload(labels)

    def probabilities(self, scores: Array, context: OutputContext) -> Array:
        """Return the probability (P, K) of each label at each step, over all labellings."""
        backend = context.backend
        if self.forbidden:
            check_lengths(context.plan.lengths, self.forbidden, self.n_classes)
        marginals = crf_marginals(
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

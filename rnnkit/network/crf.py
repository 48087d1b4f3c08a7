"""Linear-chain conditional random field: whole label sequences scored, trained and decoded.

Letters: B sequences of the minibatch, T steps, P packed rows, K labels. All arithmetic is in
float64 and in log space, elementwise over the sequences of a step and reduced over the K
labels alone, so that a sequence's numbers do not depend on the batch it stands in.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rnnkit.backends.interface import Array, Backend, PackedPlan

__all__ = ["CRF", "CRFLoss", "crf_marginals", "crf_negative_log_likelihood", "crf_viterbi"]


class CRFLoss(NamedTuple):
    """What `crf_negative_log_likelihood` returns."""

    losses: Array  # (B,) float64, unweighted, nats per sequence
    dscores: Array  # (P, K) in the dtype of the scores; as all that follows, of the weighted sum
    dtransitions: Array  # (K, K) float64
    dstart: Array  # (K,) float64
    dend: Array  # (K,) float64


class _Chain:
    """One minibatch of chains: scores (P, K), the plan and the K-label parameters."""

    def __init__(
        self, scores: Array, plan: PackedPlan, transitions: Array, start: Array, end: Array, xp: Any
    ) -> None:
        self.xp = xp
        self.scores = xp.asarray(scores, dtype=np.float64)
        self.transitions = xp.ascontiguousarray(transitions, dtype=np.float64)
        self.start = xp.asarray(start, dtype=np.float64)
        self.end = xp.asarray(end, dtype=np.float64)
        self.offsets = [int(offset) for offset in plan.step_offsets]
        self.n_labels = self.scores.shape[1]
        self.lengths = np.asarray(plan.lengths)
        self.n_chains = int(np.count_nonzero(self.lengths))  # empty sequences come last
        last_steps = self.lengths[: self.n_chains] - 1
        last_rows = np.asarray(plan.step_offsets)[last_steps] + np.arange(self.n_chains)
        self.last_rows = xp.asarray(last_rows)
        self.pairs = xp.empty((self.n_labels, self.n_chains, self.n_labels))

    def later_steps(self) -> list[tuple[slice, slice]]:
        """List the rows of each step after the first, with their sequences' rows one earlier."""
        steps = []
        for before, first, last in zip(self.offsets, self.offsets[1:], self.offsets[2:]):
            steps.append((slice(first, last), slice(before, before + last - first)))
        return steps

    def pair_scores(self, prefix: Array) -> Array:
        """Score each pair of labels: prefix (n, K) of the first, then the transition.

        Returns (K, n, K), first label first; one buffer, reused by every call.
        """
        pairs = self.pairs[:, : len(prefix)]
        self.xp.add(prefix.T[:, :, None], self.transitions[:, None, :], out=pairs)
        return pairs

    def incoming(self) -> Array:
        """Sum over all labellings before a row: ``log sum exp`` of their scores, (P, K)."""
        incoming = self.xp.empty_like(self.scores)
        incoming[: self.n_chains] = self.start
        for rows, before in self.later_steps():
            pairs = self.pair_scores(incoming[before] + self.scores[before])
            incoming[rows] = _log_sum_exp(pairs, 0, self.xp)
        return incoming

    def log_partition(self, incoming: Array) -> tuple[Array, Array]:
        """Return log Z (n_chains,) and the scores (n_chains, K) whose log-sum-exp it is."""
        final = incoming[self.last_rows] + self.scores[self.last_rows] + self.end
        return _log_sum_exp(final.copy(), 1, self.xp), final

    def posterior(self, incoming: Array, weights: Array | None) -> tuple[Array, Array]:
        """Return the label marginals (P, K) and the sum of the pair marginals (K, K).

        The derivative of log Z: what a label receives, it hands back to the labels before it
        in the proportions of the forward pass. `weights` (n_chains,) scale each sequence.
        """
        xp = self.xp
        log_z, final = self.log_partition(incoming)
        marginals = xp.empty_like(self.scores)
        marginals[self.last_rows] = xp.exp(final - log_z[:, None])
        if weights is not None:
            marginals[self.last_rows] *= weights[:, None]
        pair_marginals = xp.zeros_like(self.transitions)
        for rows, before in reversed(self.later_steps()):
            pairs = self.pair_scores(incoming[before] + self.scores[before])
            pairs -= incoming[rows]
            xp.exp(pairs, out=pairs)
            pairs *= marginals[rows]
            marginals[before] = pairs.sum(axis=2).T
            pair_marginals += pairs.sum(axis=1)
        return marginals, pair_marginals

    def previous_rows(self) -> Array:
        """Return, for each row after the first step, the same sequence's row one step earlier."""
        n_active = np.diff(self.offsets)
        rows = np.arange(self.n_chains, self.offsets[-1])
        return self.xp.asarray(rows - np.repeat(n_active[:-1], n_active[1:]))

    def labelling_scores(self, labels: Array, previous: Array) -> Array:
        """Score the labellings (P,) of the sequences: (n_chains,)."""
        n = self.n_chains
        terms = self.scores[self.xp.arange(len(labels)), labels]
        terms[:n] += self.start[labels[:n]]
        terms[n:] += self.transitions[labels[previous], labels[n:]]
        totals = self.end[labels[self.last_rows]]
        for first, last in zip(self.offsets, self.offsets[1:]):
            totals[: last - first] += terms[first:last]
        return totals


def _log_sum_exp(x: Array, axis: int, xp: Any) -> Array:
    """Return ``log sum exp`` along an axis; x is used up."""
    top = x.max(axis=axis, keepdims=True)
    x -= top
    xp.exp(x, out=x)
    return xp.log(x.sum(axis=axis)) + top.squeeze(axis)


def crf_negative_log_likelihood(
    scores: Array,
    labels: Array,
    plan: PackedPlan,
    transitions: Array,
    start: Array,
    end: Array,
    weights: Array | None = None,
    xp: Any = np,
) -> CRFLoss:
    """Compute the negative log-likelihood of labellings and its gradients.

    Parameters
    ----------
    scores : (P, K) float array
        Raw score of each label at each packed row.
    labels : (P,) intp array
        The true labels.
    plan : Plan
        How the sequences lie in the rows.
    transitions : (K, K) float array
        ``transitions[i, j]`` scores label j right after label i.
    start, end : (K,) float array
        Score of each label at a sequence's first and last step.
    weights : (B,) float array, default=None
        Weight of each sequence in packed order; None means ones. Enters the gradients only.
    xp : module, default=numpy
        The array module of the arrays.

    Returns
    -------
    CRFLoss
        The losses in nats per sequence (0 for an empty one), and the gradients of their
        weighted sum.

    Notes
    -----
    With s the score of a labelling y of T steps,
    ``s(y) = start[y_1] + Σ_t scores[t, y_t] + Σ_t transitions[y_(t-1), y_t] + end[y_T]``,
    the loss is ``log Σ_y' exp s(y') - s(y)``; its gradient is what the model expects of each
    score minus what the labelling has. One sweep forward, one back: O(P K²) time.
    """
    chain = _Chain(scores, plan, transitions, start, end, xp)
    n = chain.n_chains
    labels = xp.asarray(labels)
    incoming = chain.incoming()
    log_z, _ = chain.log_partition(incoming)
    previous = chain.previous_rows()
    losses = xp.zeros(len(chain.lengths))
    losses[:n] = log_z - chain.labelling_scores(labels, previous)

    per_chain = xp.ones(n) if weights is None else xp.asarray(weights, dtype=np.float64)[:n]
    dscores, dtransitions = chain.posterior(incoming, per_chain)
    sequence_of_row = np.arange(chain.offsets[-1]) - np.repeat(
        chain.offsets[:-1], np.diff(chain.offsets)
    )
    per_row = per_chain[xp.asarray(sequence_of_row)]
    dscores[xp.arange(len(labels)), labels] -= per_row
    xp.subtract.at(dtransitions, (labels[previous], labels[n:]), per_row[n:])
    dtype = np.result_type(scores.dtype)
    return CRFLoss(
        losses,
        dscores.astype(dtype, copy=False),
        dtransitions,
        dscores[:n].sum(axis=0),
        dscores[chain.last_rows].sum(axis=0),
    )


def crf_marginals(
    scores: Array, plan: PackedPlan, transitions: Array, start: Array, end: Array, xp: Any = np
) -> Array:
    """Compute the probability of each label at each row, all labellings considered.

    Parameters
    ----------
    scores, plan, transitions, start, end, xp
        As in `crf_negative_log_likelihood`.

    Returns
    -------
    (P, K) array in the dtype of the scores
        Rows sum to one.
    """
    chain = _Chain(scores, plan, transitions, start, end, xp)
    marginals, _ = chain.posterior(chain.incoming(), None)
    return marginals.astype(scores.dtype, copy=False)


def crf_viterbi(
    scores: Array, plan: PackedPlan, transitions: Array, start: Array, end: Array, xp: Any = np
) -> tuple[Array, Array]:
    """Find the best labelling of each sequence.

    Parameters
    ----------
    scores, plan, transitions, start, end, xp
        As in `crf_negative_log_likelihood`.

    Returns
    -------
    labels : (P,) intp array
        Of labellings with equal scores, at each choice from the end backwards the lowest label.
    best : (B,) float64 array
        The score of each labelling; 0 for an empty sequence.
    """
    chain = _Chain(scores, plan, transitions, start, end, xp)
    n = chain.n_chains
    into = xp.ascontiguousarray(chain.transitions.T)
    total = chain.scores.copy()
    total[:n] += chain.start
    back = xp.zeros(total.shape, dtype=np.intp)
    for rows, before in chain.later_steps():
        pairs = total[before][:, None, :] + into
        back[rows] = pairs.argmax(axis=2)
        total[rows] += pairs.max(axis=2)

    final = total[chain.last_rows] + chain.end
    labels = xp.empty(len(total), dtype=np.intp)
    labels[chain.last_rows] = final.argmax(axis=1)
    for rows, before in reversed(chain.later_steps()):
        labels[before] = xp.take_along_axis(back[rows], labels[rows][:, None], axis=1)[:, 0]
    best = xp.zeros(len(chain.lengths))
    best[:n] = final.max(axis=1)
    return labels, best

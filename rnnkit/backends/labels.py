"""The contract of what scores whole label sequences, CRF and CTC: operations on arrays of the host.

They compute in float64, each sequence alone: its numbers do not depend on the batch it stands in.
Only what is summed over sequences, the gradients of a CRF's parameters, is summed in the order of
the batch.

Letters: B sequences of the minibatch, T steps, P packed rows, K labels, U labels of a target.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from rnnkit.backends.interface import PackedPlan

__all__ = ["UNKNOWN", "CRFLoss", "CTCLoss", "LabelOperations", "check_alignable"]

UNKNOWN = -1  # the class index of a target that is not known, for outputs that sum over it


class CRFLoss(NamedTuple):
    """What `LabelOperations.crf_loss` returns; the gradients are of the weighted sum."""

    losses: np.ndarray  # (B,) float64, nats per sequence, unweighted
    dscores: np.ndarray  # (P, K) in the dtype of the scores
    dtransitions: np.ndarray  # (K, K) float64
    dstart: np.ndarray  # (K,) float64
    dend: np.ndarray  # (K,) float64


class CTCLoss(NamedTuple):
    """What `LabelOperations.ctc_loss` returns; the gradient is of the weighted sum."""

    losses: np.ndarray  # (B,) float64, nats per sequence, unweighted
    dscores: np.ndarray  # (P, K + 1) in the dtype of the scores


class LabelOperations(Protocol):
    """CRF and CTC on the host, whatever the backend; no call changes anything."""

    def crf_loss(
        self,
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
        labels are impossible (Tsuboi, Kashima, Mori, Oda & Matsumoto 2008). A sequence with no
        label at all has the loss 0.
        """
        ...

    def crf_marginals(
        self,
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
            As in `crf_loss`.

        Returns
        -------
        (P, K) array in the dtype of the scores
            Each row sums to one.
        """
        ...

    def crf_viterbi(
        self,
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
            As in `crf_loss`.

        Returns
        -------
        labels : (P,) intp array
            Where labellings are equally good, the lowest label wins, from the last step backwards.
        best : (B,) float64 array
            The score s(y) of each labelling; 0 for an empty sequence.
        """
        ...

    def ctc_loss(
        self,
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
        ...

    def ctc_greedy(
        self, scores: np.ndarray, plan: PackedPlan
    ) -> tuple[list[np.ndarray], np.ndarray]:
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
        ...

    def ctc_beam(
        self, scores: np.ndarray, plan: PackedPlan, beam_width: int = 10
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
        ...


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

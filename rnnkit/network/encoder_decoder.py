"""Two chains in one network: what an encoder read, a decoder writes.

To the trainer it is like any other network: `forward` gives the encoder's states as if they were
raw scores, and `loss` runs the decoder over the targets, there and back. The gradients by the
states that the decoder began with and attended to then run back through the encoder.

Letters: B sequences, P steps written, R steps read, W width of the states read, K raw scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, Backend, Scalar
from rnnkit.backends.packed_steps import PackedSteps
from rnnkit.network.bound import BoundNetwork
from rnnkit.network.inputs import Inputs
from rnnkit.network.labels import log_softmax
from rnnkit.network.layers import State
from rnnkit.network.network import Network
from rnnkit.network.search import Search, search_best, search_greedily
from rnnkit.network.writer import Writer, WriterOperation
from rnnkit.sequences import Plan, pack

__all__ = ["BoundEncoderDecoder", "EncoderDecoder"]


class _Laid:
    """Targets of a minibatch as steps that are written, longest first.

    Attributes
    ----------
    plan : Plan
        Of the steps written; ``plan.order`` names the sequence read that each is written from.
    before, after : array of shape (P,), or (P, K) of numbers
        What was written one step before, and what is written.
    """

    def __init__(self, targets: Sequence[np.ndarray], writer: Writer, first: Array) -> None:
        if writer.n_labels is None:
            lengths = np.array(list(map(len, targets)), np.intp)
            self.plan = pack(lengths)
            starts = np.cumsum(lengths) - lengths
            rows = self.plan.rows(starts)
            flat = np.concatenate([*targets, np.empty((0, first.shape[1]))]).astype(first.dtype)
            self.after = flat[rows]
            self.before = np.empty_like(self.after)
        else:
            lengths = np.array(list(map(len, targets)), np.intp) + 1
            self.plan = pack(lengths)
            starts = np.cumsum(lengths) - lengths
            rows = self.plan.rows(starts)
            end = np.array([writer.n_labels], np.intp)
            flat = np.concatenate([part for target in targets for part in (target, end)])
            self.after = flat[rows]
            self.before = np.empty(len(rows), np.intp)
        n = self.plan.n_sequences
        self.before[:n] = first
        shift = 0 if writer.n_labels is None else 1  # a label's id is one more than its class
        self.before[n:] = flat[rows[n:] - 1] + shift

    def mix(self, scores: Array, kept: np.ndarray, labels: bool) -> None:
        """Put what scores (P, K) of the last steps would have written where the truth is not kept.

        kept are truth values (P - B,), one for each step after the first.
        """
        n = self.plan.n_sequences
        previous = scores[PackedSteps(self.plan).previous_rows()]
        if labels:  # of which the end is none that could be read
            own = previous[:, :-1].argmax(axis=1) + 1
            self.before[n:] = np.where(kept, self.before[n:], own)
        else:
            self.before[n:] = np.where(kept[:, None], self.before[n:], previous)

    def weights_of_rows(self, weights: Array | None) -> Array | None:
        """Return the weight (P,) of each step, from those (B,) of the sequences read."""
        if weights is None:
            return None
        return weights[self.plan.order][self.plan.sequence_of_row()]


class BoundEncoderDecoder(BoundNetwork):
    """An encoder-decoder's operations on one backend; made by `EncoderDecoder.bind`.

    Parameters
    ----------
    network, backend, training, input_gradient, constant
        As in `Network.bind`.
    """

    def __init__(
        self,
        network: EncoderDecoder,
        backend: Backend,
        training: bool,
        input_gradient: bool,
        constant: bool,
    ) -> None:
        super().__init__(network, backend, training, input_gradient, constant)
        operation = self._chain.operations[-1]
        assert isinstance(operation, WriterOperation)
        self._writer = operation
        self._one_step = pack(np.ones(1, np.intp))
        self._noise: np.random.Generator | None = None
        self._dstates: list[State] | None = None

    def forward(
        self,
        plan: Plan,
        inputs: Inputs,
        noise: np.random.Generator | None = None,
        states: Sequence[State] | None = None,
    ) -> Array:
        """Return the encoder's states (R, W) after each step; see `BoundNetwork.forward`."""
        self._noise = noise
        return super().forward(plan, inputs, noise, states)

    def loss(
        self, plan: Plan, scores: Array, targets: Any, weights: Array | None
    ) -> tuple[Scalar, Array]:
        """Return the weighted loss sum of what is to be written, and its gradient by `scores`.

        Parameters
        ----------
        plan : Plan
        scores : array of shape (R, W)
            What `forward` returned.
        targets : B arrays
            In packed order: class indices, or numbers (U_b, K).
        weights : array of shape (B,), default=None
        """
        begun = self._writer.read(plan, scores, self.states)
        laid = _Laid(targets, self._writer.writer, self._writer.first_inputs(len(targets)))
        order = laid.plan.order
        begun = _taken(begun, order)
        self._sample(laid, begun)
        written = self._writer.write(laid.plan, order, laid.before, begun, self._noise)
        context = self.context(laid.plan)
        loss, dscores = self.output.loss(
            written, laid.after, laid.weights_of_rows(weights), context
        )
        if not self.training:
            return loss, None
        dread, dbegun = self._writer.write_back(dscores, len(targets))
        self._dstates = self._writer.ends_back(_put_back(dbegun, order))
        return loss, dread

    def _sample(self, laid: _Laid, begun: Sequence[State]) -> None:
        """Replace a share of what is read in training by what the decoder would have written.

        Where nothing is drawn, as for a validation loss, all is the truth. What would have been
        written follows from the truth before it, in one pass over all steps (Mihaylova & Martins
        2019).
        """
        writer, noise = self._writer.writer, self._noise
        share = writer.share_of_truth(self.n_updates)
        if noise is None or share >= 1:
            return
        plan = laid.plan
        kept = noise.random(plan.n_rows - plan.n_sequences, dtype=np.float32) < share
        scores = self._writer.write(plan, plan.order, laid.before, begun)
        laid.mix(scores, kept, writer.n_labels is not None)

    def backward(
        self, dscores: Array, dstates: Sequence[State | None] | None = None
    ) -> Array | None:
        """Run back through the encoder, from what the last call of `loss` returned."""
        ends, self._dstates = self._dstates, None
        return super().backward(dscores, ends if dstates is None else dstates)

    # What a fitted network answers.

    def write(self, plan: Plan, scores: Array, search: Search) -> np.ndarray:
        """Return what the network writes: an object array of B arrays, in packed order.

        Parameters
        ----------
        plan : Plan
        scores : array of shape (R, W)
            What `forward` returned.
        search : Search
        """
        begun = self._writer.read(plan, scores, self.states)
        first = self._writer.first_inputs(plan.n_sequences)
        if self._writer.writer.n_labels is None:
            return self._write_numbers(first, begun, search.most_steps)
        run = search_greedily if search.width == 1 else search_best
        return run(self._next_scores, first, begun, self._writer.writer.n_labels, search)

    def _next_scores(
        self, source: np.ndarray, before: Array, states: Sequence[State]
    ) -> tuple[Array, list[State]]:
        """Return raw scores of one more step of some sequences, and the states behind it."""
        if self._one_step.n_sequences != len(source):
            self._one_step = pack(np.ones(len(source), np.intp))
        scores = self._writer.write(self._one_step, source, before, states)
        return scores, self._writer.states

    def _write_numbers(self, before: Array, states: list[State], n_steps: int) -> np.ndarray:
        n = len(before)
        steps = np.empty((n, n_steps, before.shape[1]), before.dtype)
        everyone = np.arange(n)
        for u in range(n_steps):
            before, states = self._next_scores(everyone, before, states)
            steps[:, u] = before
        flat = self.output.decision(steps.reshape(n * n_steps, -1), self._context)
        written = np.empty(n, dtype=object)
        written[:] = list(flat.reshape(steps.shape))
        return written

    def log_probabilities(self, plan: Plan, scores: Array, targets: Any) -> np.ndarray:
        """Return the log-probability (B,) float64, in nats, of the labels and end of each target.

        Arguments as in `loss`.
        """
        begun = self._writer.read(plan, scores, self.states)
        laid = _Laid(targets, self._writer.writer, self._writer.first_inputs(len(targets)))
        order = laid.plan.order
        written = self._writer.write(laid.plan, order, laid.before, _taken(begun, order))
        log = log_softmax(written)[np.arange(len(laid.after)), laid.after]
        total = np.zeros(len(targets))
        offsets = laid.plan.step_offsets.tolist()
        for first, last in pairwise(offsets):
            total[order[: last - first]] += log[first:last]
        return total

    def attention_to(self, plan: Plan, scores: Array, targets: Any) -> np.ndarray:
        """Return the attention weights (U_b, T_b) of each target's steps, an object array (B,).

        Arguments as in `loss`; the step that ends a sequence of labels is not among them.
        """
        begun = self._writer.read(plan, scores, self.states)
        laid = _Laid(targets, self._writer.writer, self._writer.first_inputs(len(targets)))
        order = laid.plan.order
        self._writer.write(laid.plan, order, laid.before, _taken(begun, order))
        flat, first = self._writer.weights, 0
        found = np.empty(len(targets), dtype=object)
        for d, b in enumerate(order.tolist()):
            shape = int(laid.plan.lengths[d]), int(plan.lengths[b])
            last = first + shape[0] * shape[1]
            found[b] = flat[first:last].reshape(shape)[: len(targets[b])].copy()
            first = last
        return found


class EncoderDecoder(Network):
    """A network whose last layer is a `Writer`; its output is one that is written step by step.

    Parameters
    ----------
    layers, output, dtype, memory
        As in `Network`; the last layer is a `Writer`.
    """

    bound_type = BoundEncoderDecoder

    @property
    def writer(self) -> Writer:
        """The decoder."""
        writer = self.layers[-1]
        assert isinstance(writer, Writer)
        return writer


def _taken(states: Sequence[State], order: np.ndarray) -> list[State]:
    """Return the states of sequences in another order."""
    return [tuple(None if array is None else array[order] for array in state) for state in states]


def _put_back(states: Sequence[State], order: np.ndarray) -> list[State]:
    """Return states in the order from which `_taken` took them."""
    put = []
    for state in states:
        arrays = []
        for array in state:
            if array is not None:
                moved = np.empty_like(array)
                moved[order] = array
                array = moved
            arrays.append(array)
        put.append(tuple(arrays))
    return put

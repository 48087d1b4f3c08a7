"""The CPU backend: thin calls into the compiled core."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

import rnnkit._core.attention as attention
import rnnkit._core.heads as heads
import rnnkit._core.labels as core_labels
import rnnkit._core.threads as threads
import rnnkit._core.updates as updates
from rnnkit._core.chain_step import ChainStep
from rnnkit._core.directions import JoinedDirections
from rnnkit._core.heads import Dense
from rnnkit._core.recurrent import RecurrentLayer
from rnnkit._core.step import RecurrentStep
from rnnkit._core.tokens import TokenStep, draw
from rnnkit.backends.directions import JoinedOperation
from rnnkit.backends.host import HostBackend
from rnnkit.backends.interface import (
    AttentionOperation,
    DenseOperation,
    Pace,
    PackedPlan,
    RecurrentOperation,
)
from rnnkit.backends.labels import CRFLoss, CTCLoss, check_alignable
from rnnkit.backends.rules import require_rule
from rnnkit.backends.streams import NumberOperation, StreamOperation, TokenOperation
from rnnkit.cells import LayerSpec

__all__ = [
    "CompiledAttention",
    "CoreLabels",
    "CpuBackend",
    "core_information",
    "isa_available",
    "using_isa",
    "using_threads",
]


def isa_available() -> tuple[str, ...]:
    """Return the names of the instruction sets this machine can run, slowest first."""
    return threads.available_isas()


def core_information() -> dict[str, Any]:
    """Return the facts of the compiled core that `rnnkit.show_config` prints."""
    return {
        "compiler": threads.compiler(),
        "limits_from": threads.limits_from() or "OMP_NUM_THREADS alone",
        "threads": threads.max_threads(),
        "isa_in_use": threads.current_isa(),
        "bfloat16": f"by {threads.multiplies_bfloat16()}",
        "int8": "by instruction" if threads.multiplies_int8() else "by products of shorts",
        "isa_available": list(threads.available_isas()),
    }


IMPOSSIBLE_LOSS = 5e299  # what no path that spells a target leaves is above


@contextmanager
def using_isa(name: str) -> Iterator[None]:
    """Bind operations to this instruction set inside the ``with`` block."""
    before = threads.set_isa(name)
    try:
        yield
    finally:
        threads.set_isa(before)


@contextmanager
def using_threads(n: int) -> Iterator[None]:
    """Use exactly n threads for calls of any size inside the ``with`` block; 0: the usual rule."""
    before = threads.force_threads(n)
    try:
        yield
    finally:
        threads.force_threads(before)


class CompiledAttention:
    """Attention whose sums are the compiled core's, in a fixed order; see the interface."""

    def forward(
        self,
        written: PackedPlan,
        read: PackedPlan,
        source: np.ndarray,
        queries: np.ndarray,
        keys: np.ndarray,
        values: np.ndarray,
        scorer: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the contexts (P, W)."""
        pairs = attention.Pairs(written, read, source)
        inner = None
        if scorer is None:
            energies = pairs.dot_energies(queries, keys)
        else:
            inner = pairs.sums(queries, keys)
            np.tanh(inner, out=inner)
            energies = attention.row_products(inner, scorer)
        contexts: np.ndarray = pairs.attend(energies, values)
        self.weights = energies
        self._saved = pairs, inner, queries, keys, values, scorer
        return contexts

    def backward(
        self, dcontexts: np.ndarray, dscorer: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the gradients by queries, keys and values; add to that by the scorer."""
        pairs, inner, queries, keys, values, scorer = self._saved
        denergies, dvalues = pairs.attend_back(self.weights, values, dcontexts)
        if scorer is None or inner is None or dscorer is None:
            return (*pairs.dot_back(denergies, queries, keys), dvalues)
        dscorer += attention.weighted_rows(denergies, inner)
        inner *= inner
        np.subtract(1, inner, out=inner)
        inner *= scorer
        inner *= denergies[:, None]
        return (*pairs.sums_back(inner), dvalues)


class CoreLabels:
    """CRF and CTC of `rnnkit.backends.labels` on the compiled core."""

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
        """Compute the negative log-likelihood of labellings and its gradients."""
        return CRFLoss(
            *core_labels.crf_loss(scores, labels, plan, transitions, start, end, weights)
        )

    def crf_marginals(
        self,
        scores: np.ndarray,
        plan: PackedPlan,
        transitions: np.ndarray,
        start: np.ndarray,
        end: np.ndarray,
    ) -> np.ndarray:
        """Compute the probability of each label at each row, over all labellings."""
        return core_labels.crf_marginals(scores, plan, transitions, start, end)

    def crf_viterbi(
        self,
        scores: np.ndarray,
        plan: PackedPlan,
        transitions: np.ndarray,
        start: np.ndarray,
        end: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the best labelling of each sequence."""
        return core_labels.crf_viterbi(scores, plan, transitions, start, end)

    def ctc_loss(
        self,
        scores: np.ndarray,
        labels: Sequence[np.ndarray],
        plan: PackedPlan,
        weights: np.ndarray | None = None,
    ) -> CTCLoss:
        """Compute the negative log-probability of label sequences and its gradient."""
        result = CTCLoss(*core_labels.ctc_loss(scores, labels, plan, weights))
        if not (result.losses < IMPOSSIBLE_LOSS).all():
            check_alignable(plan.lengths, labels)
        return result

    def ctc_greedy(
        self, scores: np.ndarray, plan: PackedPlan
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Read the labels off the single most probable path of each sequence."""
        return core_labels.ctc_greedy(scores, plan)

    def ctc_beam(
        self, scores: np.ndarray, plan: PackedPlan, beam_width: int = 10
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Search the most probable labels of each sequence, summing over their paths."""
        return core_labels.ctc_beam(scores, plan, beam_width)


class CpuBackend(HostBackend):
    """The operations of `rnnkit.backends.interface` on the compiled core."""

    name = "cpu"
    labels = CoreLabels()

    @property
    def n_threads(self) -> int:  # type: ignore[override]
        """Threads that a large operation may use now; see `rnnkit._core.threads.max_threads`."""
        return threads.max_threads()

    def recurrent(
        self, spec: LayerSpec, dtype: np.dtype, *, constant: bool = False
    ) -> RecurrentOperation:
        """Bind one recurrent layer in one direction."""
        return RecurrentLayer(spec, dtype, constant=constant)

    def joined(self, one: RecurrentOperation, other: RecurrentOperation) -> JoinedOperation:
        """Bind two directions of a layer whose threads share both."""
        assert isinstance(one, RecurrentLayer)
        assert isinstance(other, RecurrentLayer)
        return JoinedDirections(one, other)

    def recurrent_stream(
        self, spec: LayerSpec, dtype: np.dtype, weights: dict[str, np.ndarray], n: int = 1
    ) -> StreamOperation:
        """Bind one recurrent layer to its weights, for n sequences step by step."""
        return RecurrentStep(spec, dtype, weights, n)

    def number_stream(
        self,
        shape: tuple[int, ...],
        streams: Sequence[StreamOperation],
        heads: Sequence[tuple[np.ndarray, np.ndarray | None]],
    ) -> NumberOperation:
        """Bind recurrent layers and heads, fed with numbers step by step."""
        return ChainStep(heads[0][0].dtype, shape, streams, heads)

    def token_stream(
        self,
        table: np.ndarray,
        streams: Sequence[StreamOperation],
        heads: Sequence[tuple[np.ndarray, np.ndarray | None]],
    ) -> TokenOperation:
        """Bind a whole network of a text, token by token."""
        whole: TokenOperation = TokenStep(table.dtype, table, streams, heads)
        return whole

    def draw(self, scores: np.ndarray, temperature: float, at: np.ndarray) -> np.ndarray:
        """Return an index drawn from the softmax of each row of scores."""
        drawn: np.ndarray = draw(scores, temperature, at)
        return drawn

    def dense(
        self, n_inputs: int, n_outputs: int, dtype: np.dtype, *, constant: bool = False
    ) -> DenseOperation:
        """Bind a dense layer."""
        return Dense(n_inputs, n_outputs, dtype, constant=constant)

    def attention(self) -> AttentionOperation:
        """Bind attention."""
        return CompiledAttention()

    def softmax_cross_entropy(
        self,
        scores: np.ndarray,
        labels: np.ndarray,
        weights: np.ndarray | None,
        label_smoothing: float = 0.0,
    ) -> tuple[float, np.ndarray]:
        """Return the weighted sum of the losses and its gradient by the raw scores."""
        return heads.softmax_cross_entropy(scores, labels, weights, label_smoothing)

    def largest(self, scores: np.ndarray) -> np.ndarray:
        """Return the place of the largest score of each row, the first of equals."""
        return heads.largest(scores)

    def softmax(self, scores: np.ndarray) -> np.ndarray:
        """Return the class probabilities of raw scores."""
        return heads.softmax(scores)

    def add_rows(self, table: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> None:
        """Add to each row of table (V, W) the sum, in order, of the rows (P, W) with its id."""
        updates.add_rows(table, ids, rows)

    def clip_norm(
        self, gradient: np.ndarray, limit: float, ranges: np.ndarray | None = None
    ) -> float:
        """Scale the flat gradient in place to a 2-norm of at most `limit`; return the norm."""
        return updates.clip_norm(gradient, limit, ranges)

    def update(
        self,
        rule: str,
        parameters: np.ndarray,
        gradient: np.ndarray,
        state: dict[str, np.ndarray],
        pace: Pace,
        ranges: np.ndarray | None = None,
        **options: float,
    ) -> None:
        """Apply one optimizer step in place on flat vectors."""
        require_rule(rule)
        if rule == "adam":
            options["step"] = pace.step
        updates.RULES[rule](
            parameters, gradient, **state, rate=pace.learning_rate, ranges=ranges, **options
        )

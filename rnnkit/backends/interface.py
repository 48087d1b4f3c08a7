"""The contract of a backend: its operations, their shapes and who owns what. No code runs here.

A backend computes; it holds no model. Operations are bound once per fit or predict call,
keep their own buffers, and are never shared between threads. Arrays are C-contiguous and of
the backend's array module `xp` (numpy, or cupy on a GPU) in the operation's dtype.

Letters: B sequences of the minibatch, T steps, P packed rows, I inputs, H hidden units,
G gates, K outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from rnnkit.cells import LayerSpec

if TYPE_CHECKING:
    from rnnkit.backends.directions import JoinedOperation
    from rnnkit.backends.labels import LabelOperations
    from rnnkit.backends.streams import NumberOperation, StreamOperation, TokenOperation

__all__ = [
    "Array",
    "ArrayModule",
    "AttentionOperation",
    "Backend",
    "DenseOperation",
    "Pace",
    "PackedPlan",
    "RecurrentGradient",
    "RecurrentOperation",
    "RecurrentResult",
    "Repeated",
    "Scalar",
]

# NumPy's and CuPy's arrays have no type in common that checkers know, and CuPy need not be there.
Array = Any  # an ndarray of the backend's array module
ArrayModule = Any  # numpy, or cupy
Scalar = Any  # a float, or on a GPU a float64 array of no dimension that nobody waits for


class PackedPlan(Protocol):
    """How the sequences of a minibatch lie in packed rows: longest first, step after step.

    Step t owns the packed rows ``step_offsets[t]:step_offsets[t + 1]``, one for each of the
    first n_t sequences. All arrays live on the host.
    """

    @property
    def lengths(self) -> np.ndarray: ...  # (B,) intp, non-increasing; zero is allowed

    @property
    def step_offsets(self) -> np.ndarray: ...  # (T + 1,) intp

    @property
    def n_sequences(self) -> int: ...

    @property
    def n_steps(self) -> int: ...

    @property
    def n_rows(self) -> int: ...

    def sequence_of_row(self) -> np.ndarray: ...  # (P,) intp, the sequence b of each row


Repeated = Callable[[PackedPlan | None], tuple[Scalar, ...]]  # what `Backend.repeated` returns


class RecurrentResult(NamedTuple):
    """What a recurrent layer returns. Arrays may be reused by the operation's next call."""

    y: Array  # (P, H), the hidden state after each step, in packed order
    h_n: Array  # (B, H), the state after each sequence's last step (first, if reverse)
    c_n: Array | None  # (B, H), lstm only


class RecurrentGradient(NamedTuple):
    """What the backward pass of a recurrent layer returns, besides parameter gradients."""

    dx: Array | None  # (P, I); None if not asked for
    dh0: Array  # (B, H)
    dc0: Array | None  # (B, H), lstm only


class RecurrentOperation(Protocol):
    """One recurrent layer in one direction over a packed minibatch."""

    @property
    def spec(self) -> LayerSpec: ...

    def forward(
        self,
        plan: PackedPlan,
        x: Array,
        weights: dict[str, Array],
        h0: Array | None = None,
        c0: Array | None = None,
        *,
        training: bool = False,
        recurrent_mask: Array | None = None,
        zoneout_masks: tuple[Array, Array | None] | None = None,
        row_of: np.ndarray | None = None,
    ) -> tuple[Array, Array, Array | None]:
        """Run all steps.

        x is (P, I); `weights` has the names and shapes of ``spec.parameter_shapes()``;
        h0, c0 are (B, H), None meaning zeros; recurrent_mask is (B, H), 0 or 1 / (1 - rate);
        zoneout_masks are (P, H) of 0 and 1 for h and c. With ``training=True`` the operation
        keeps what `backward` and `gate` need and computes with the masks (none: off);
        otherwise it keeps nothing, looks at no mask, and zoneout takes its expected value.
        With row_of (P,) x is (V, I), and packed row p has the inputs ``x[row_of[p]]``: the very
        numbers that come of these rows one by one, sooner where the same row comes often.
        """
        ...

    def backward(
        self,
        dy: Array | None,
        gradients: dict[str, Array],
        dh_n: Array | None = None,
        dc_n: Array | None = None,
        *,
        input_gradient: bool = True,
    ) -> tuple[Array | None, Array, Array | None]:
        """Run back through the last forward call, once.

        dy is (P, H) or None for zeros; the gradient of each parameter is added to the array
        of its name in `gradients`.
        """
        ...

    def gate(self, name: str) -> Array:
        """Return the (P, H) activations of a gate of the last training forward call.

        Call it before `backward`, which reuses the memory.
        """
        ...


class Pace(Protocol):
    """How fast an optimizer goes and how far it has come, as of the update that is made now."""

    @property
    def learning_rate(self) -> float: ...

    @property
    def step(self) -> int: ...  # counts from 1


class DenseOperation(Protocol):
    """``y = x Wᵀ + b``; a row's result does not depend on the rows beside it."""

    def forward(self, x: Array, weight: Array, bias: Array) -> Array:
        """Map x (P, I) with weight (K, I) and bias (K,) to (P, K)."""
        ...

    def backward(
        self,
        x: Array,
        dy: Array,
        weight: Array,
        dweight: Array,
        dbias: Array,
        *,
        input_gradient: bool = True,
    ) -> Array | None:
        """Add to dweight and dbias; return dx (P, I), or None if not asked for."""
        ...


class AttentionOperation(Protocol):
    """Each step written attends to the steps read of one sequence.

    Letters: P steps written, R steps read, A numbers that are compared, W numbers of a value, E
    pairs of a step written and a step read of its source.
    """

    @property
    def weights(self) -> Array:
        """The weights (E,) of the last forward call: sequence written, its steps, steps read."""
        ...

    def forward(
        self,
        written: PackedPlan,
        read: PackedPlan,
        source: np.ndarray,
        queries: Array,
        keys: Array,
        values: Array,
        scorer: Array | None = None,
    ) -> Array:
        """Return the contexts (P, W), sums of values (R, W) by weights that sum to 1.

        source names for each sequence written the sequence read, by its place in the plan. The
        weights are the softmax, over the steps read, of ``q · k``, or with a scorer (A,) of
        ``scorer · tanh(q + k)``; queries are (P, A), keys (R, A). Zeros where nothing was read.
        """
        ...

    def backward(
        self, dcontexts: Array, dscorer: Array | None = None
    ) -> tuple[Array, Array, Array]:
        """Return the gradients by queries, keys and values; add to dscorer (A,), if there is one.

        dcontexts is (P, W).
        """
        ...


class Backend(Protocol):
    """What computes: the factory of operations and the few calls on flat vectors."""

    @property
    def name(self) -> str: ...

    @property
    def xp(self) -> ArrayModule: ...

    @property
    def on_host(self) -> bool: ...  # whether its arrays are NumPy's

    @property
    def n_threads(self) -> int: ...  # of the host, that a large operation may use now

    @property
    def labels(self) -> LabelOperations: ...  # on the host, whatever the backend

    def recurrent(
        self, spec: LayerSpec, dtype: np.dtype, *, constant: bool = False
    ) -> RecurrentOperation:
        """Bind one recurrent layer in one direction.

        `constant`: the weights of the first call are those of every later one, so that what is
        made of them need be made but once.
        """
        ...

    def joined(self, one: RecurrentOperation, other: RecurrentOperation) -> JoinedOperation:
        """Bind two opposite directions of a layer, bound here, as one operation."""
        ...

    def recurrent_stream(
        self, spec: LayerSpec, dtype: np.dtype, weights: dict[str, Array], n: int = 1
    ) -> StreamOperation: ...

    def number_stream(
        self,
        shape: tuple[int, ...],
        streams: Sequence[StreamOperation],
        heads: Sequence[tuple[Array, Array | None]],
    ) -> NumberOperation | None:
        """Return the short way of numbers through all layers, with the bits of the long one.

        A step's numbers have the shape (I,), or (n, I) of n sequences; `streams` and `heads` are
        those of `token_stream`. None: there is no shorter way.
        """
        ...

    def token_stream(
        self,
        table: Array,
        streams: Sequence[StreamOperation],
        heads: Sequence[tuple[Array, Array | None]],
    ) -> TokenOperation | None:
        """Return the short way of a text through all layers, with the bits of the long one.

        The rows of table (V, E) are what an id becomes, `streams` what `recurrent_stream` gave,
        whose states they keep, and `heads` the weights (K, I) and biases (K,) of dense layers.
        None: there is no shorter way.
        """
        ...

    def draw(self, scores: np.ndarray, temperature: float, at: np.ndarray) -> np.ndarray:
        """Return for each row of raw scores (m, K) an index drawn from their softmax, (m,) intp.

        Scores are divided by `temperature` first; at (m,) says where in [0, 1) each die fell. All
        of it is on the host.
        """
        ...

    def dense(
        self, n_inputs: int, n_outputs: int, dtype: np.dtype, *, constant: bool = False
    ) -> DenseOperation:
        """Bind a dense layer; `constant` as in `recurrent`."""
        ...

    def attention(self) -> AttentionOperation:
        """Bind attention; a backend without it raises ValueError, naming itself."""
        ...

    def active(self, *, give_back: bool = False) -> AbstractContextManager[None]:
        """Make the backend's device the current one inside the ``with`` block.

        All that touches its arrays happens in there. With `give_back` memory kept for later
        calls is given back to the device at the end. Raises MemoryError, naming bytes, if the
        device's memory does not suffice.
        """
        ...

    def free_bytes(self) -> int:
        """Return how much more memory can be had where its arrays lie, about."""
        ...

    def upload(self, array: np.ndarray) -> Array:
        """Return a host array on the backend, on the host the very array.

        In a step that `repeated` repeats, what does not change as long as the plan is equal.
        """
        ...

    def download(self, array: Array) -> np.ndarray:
        """Return an array on the host; waits for the device.

        What lies on the host already is returned as it is.
        """
        ...

    def from_host(self, make: Callable[[], Any]) -> Array:
        """Return on the backend the array or NumPy number that `make` returns on the host.

        In a step that `repeated` repeats, whatever is new every time: `make` is called for every
        repetition, in the order of the first time, and returns the same shape and dtype.
        """
        ...

    def repeated(self, run: Callable[[], tuple[Scalar, ...]]) -> Repeated:
        """Return a function that does what `run` does, however often.

        It is called with the plan of the minibatch that `run` computes, or with None if that
        differs from one time to the next in more than what `from_host` makes. A backend may
        record the operations of a plan and repeat the record without calling `run`. What is
        returned stays as it is.
        """
        ...

    def scalar(self, x: Array) -> Scalar:
        """Return a sum, as ``x.sum()`` gives it, in double precision."""
        ...

    def to_floats(self, numbers: Sequence[Scalar]) -> list[float]:
        """Return numbers as floats; waits for the device once."""
        ...

    def add_rows(self, table: Array, ids: np.ndarray, rows: Array) -> None:
        """Add each of rows (P, W) to the row of table (V, W) that its id names, in order.

        ids (P,) are intp on the host.
        """
        ...

    def add_steps(self, plan: PackedPlan, x: Array, total: Array) -> None:
        """Add the rows of x (P, W) to those of their sequences in total (B, W), step after step."""
        ...

    def largest_of_steps(
        self, plan: PackedPlan, x: Array, largest: Array, row: Array | None
    ) -> None:
        """Raise largest (B, W) to the maximum over each sequence's rows of x (P, W).

        row (B, W) intp, if given, becomes the packed row where a larger one was found, the first
        of equals.
        """
        ...

    def attend_to_steps(
        self,
        plan: PackedPlan,
        energies: Array,
        x: Array,
        largest: Array,
        total: Array,
        weighted: Array,
    ) -> None:
        """Go on, in place, with the sums of a softmax over the steps of each sequence.

        energies (P, 1) and x (P, W) are new; largest (B, 1) is the largest energy so far, and
        ``exp(energy - largest)`` summed over the steps is total (B, 1), times x weighted (B, W).
        """
        ...

    def softmax_cross_entropy(
        self, scores: Array, labels: Array, weights: Array | None, label_smoothing: float = 0.0
    ) -> tuple[Scalar, Array]:
        """Return the weighted sum of the losses (nats) and its gradient by the raw scores.

        scores (P, K); labels (P,) intp; weights (P,) or None for ones. With smoothing s the
        target distribution is ``(1 - s) onehot + s / K``. Summed in a fixed order.
        """
        ...

    def largest(self, scores: Array) -> Array:
        """Return the place (P,) of the largest of each row of scores (P, K), the first of equals.

        As `numpy.argmax`: what is no number is larger than all numbers.
        """
        ...

    def softmax(self, scores: Array) -> Array:
        """Return the class probabilities (P, K) of raw scores (P, K)."""
        ...

    def clip_norm(self, gradient: Array, limit: float, ranges: np.ndarray | None = None) -> Scalar:
        """Scale the flat gradient in place so that its 2-norm is at most `limit`.

        ranges as in `update`: outside them the gradient is zero. Returns the norm found, inf or
        nan if an entry is not finite (nothing is scaled then).
        """
        ...

    def update(
        self,
        rule: str,
        parameters: Array,
        gradient: Array,
        state: dict[str, Array],
        pace: Pace,
        ranges: np.ndarray | None = None,
        **options: float,
    ) -> None:
        """Apply one optimizer step in place on flat vectors.

        ranges (n, 2) intp on the host, if given, are first and last of the places, in order,
        outside which gradient and state are zero and nothing decays: a backend may leave those
        out, as no step changes them.

        rule "sgd" (state "velocity"; options momentum, nesterov), "rmsprop" ("square",
        "velocity"; decay, epsilon, momentum), "adagrad" ("square"; epsilon), "adadelta"
        ("square", "change"; decay, epsilon), "adam" ("mean", "square"; beta_1, beta_2,
        epsilon, weight_decay: decoupled, as in AdamW). A step that `repeated` repeats looks at
        `pace` anew.
        """
        ...

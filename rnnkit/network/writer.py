"""The decoder of an encoder-decoder: a chain of layers that writes what follows from another.

It begins with the states that the encoder ends in, takes at each step what it wrote in the step
before, and gives raw scores of what it writes next.

Letters: B sequences, P steps written, R steps read, H hidden units, L layers, D directions of the
encoder, W = D·H, K raw scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, PackedPlan
from rnnkit.cells import LayerSpec
from rnnkit.network.attention import Attention, AttentionReader
from rnnkit.network.chain import Chain
from rnnkit.network.dropout import Dropout
from rnnkit.network.initializers import glorot_uniform
from rnnkit.network.inputs import Inputs
from rnnkit.network.layers import Binding, Call, Dense, Layer, Rows, State
from rnnkit.network.recurrent import Recurrent, second_state
from rnnkit.network.tokens import Embedding, TokenFeatures

__all__ = ["START", "Writer", "WriterOperation"]

START = 0  # the id that is read before the first label, whose id is one more than its class
FIRST = "decoder.start"
BRIDGE, BRIDGE_BIAS = "bridge.weight", "bridge.bias"


class Writer(Layer):
    """The decoder as data: the last layer of an encoder-decoder's network.

    It gives on the states of the encoder as they are: what is written depends on more than these,
    so `rnnkit.network.encoder_decoder` runs its operation.

    Parameters
    ----------
    spec : LayerSpec
        The cell; its number of inputs is replaced.
    n_directions : int
        D of the encoder, whose layers are as wide and as many.
    n_scores : int
        K.
    n_labels : int or None
        Labels that may be written; None: K numbers are.
    n_layers : int, default=1
        L.
    embedding_dim : int, default=64
        Width of the table in which labels written before are looked up.
    attention : {"dot", "additive"}, default=None
        None: only the first states tell of what was read.
    dropout : float, default=0.0
        Rate between the layers and before the head.
    teacher_forcing : float or tuple (first, last, n), default=1.0
        Share of what is read in training that is the true sequence, the rest being what the decoder
        would have written; a tuple: the share falls evenly over the first n updates.
    bias : float or array of shape (K,), default=0.0
        Initial bias of the head.
    **options : dict
        Those of every `Recurrent` layer.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    With D = 1 layer l begins with the states that layer l of the encoder ends in (Sutskever,
    Vinyals & Le 2014); with D = 2 with a learned map of both directions' states,
    ``h = tanh(W [h_forward, h_reverse] + b)`` (Bahdanau, Cho & Bengio 2015), and of an lstm
    ``c = V [c_forward, c_reverse] + d``. The rows of "bridge.weight" (n·H, 2H) are those of h, then
    c, layer by layer.
    """

    rows_in = Rows.STEPS

    def __init__(
        self,
        spec: LayerSpec,
        n_directions: int,
        n_scores: int,
        n_labels: int | None,
        *,
        n_layers: int = 1,
        embedding_dim: int = 64,
        attention: str | None = None,
        dropout: float = 0.0,
        teacher_forcing: float | tuple[float, float, int] = 1.0,
        bias: Any = 0.0,
        **options: Any,
    ) -> None:
        _check_teacher_forcing(teacher_forcing)
        self.teacher_forcing = teacher_forcing
        self.spec = spec
        self.hidden_size = h = spec.hidden_size
        self.n_directions = n_directions
        self.n_labels = n_labels
        self.n_scores = n_scores
        self.has_cell_state = spec.has_cell_state
        self.width = n_directions * h
        layers: list[Layer] = []
        n_inputs = n_scores
        if n_labels is not None:
            table = Embedding([n_labels + 1], [embedding_dim], prefix="decoder.embedding")
            layers.append(TokenFeatures([table]))
            n_inputs = embedding_dim
        for layer in range(n_layers):
            if dropout and layer > 0:
                layers.append(Dropout(dropout))
            own = replace(spec, n_inputs=n_inputs, reverse=False)
            layers.append(Recurrent((own,), layer, prefix="decoder", **options))
            n_inputs = h
        self.layers = tuple(layers)
        self.tables = tuple(name for layer in layers for name in layer.tables)
        self.dropout = Dropout(dropout) if dropout else None
        self.attention = None if attention is None else Attention(attention, h, self.width)
        self.head = Dense(h, n_scores, bias)

    @property
    def bias(self) -> Any:
        """The initial bias of the head."""
        return self.head.bias

    def share_of_truth(self, n_updates: int) -> float:
        """Return the share of true inputs after so many updates."""
        if not isinstance(self.teacher_forcing, tuple):
            return self.teacher_forcing
        first, last, n = self.teacher_forcing
        return first + (last - first) * min(1.0, n_updates / n)

    @property
    def recurrent_layers(self) -> tuple[Recurrent, ...]:
        """The recurrent layers, first to last."""
        return tuple(layer for layer in self.layers if isinstance(layer, Recurrent))

    @property
    def n_bridged(self) -> int:
        """How many states (B, H) the bridge makes; 0 if they are handed on as they are."""
        return len(self.recurrent_layers) * (1 + self.has_cell_state) * (self.n_directions > 1)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the full name and shape of each parameter, in storage order."""
        shapes: dict[str, tuple[int, ...]] = {}
        if self.n_bridged:
            rows = self.n_bridged * self.hidden_size
            shapes |= {BRIDGE: (rows, self.width), BRIDGE_BIAS: (rows,)}
        if self.n_labels is None:
            shapes[FIRST] = (1, self.n_scores)
        for part in self._parts():
            shapes |= part.parameter_shapes()
        return shapes

    def fixed_entries(self) -> list[tuple[str, slice, float]]:
        """Return what keeps the fixed gates of its layers open."""
        return [entry for layer in self.layers for entry in layer.fixed_entries()]

    def initialize(self, parameters: Mapping[str, np.ndarray], rng: Any) -> None:
        """Draw all; the bridge from Glorot's uniform, state by state; the first input is zero."""
        h = self.hidden_size
        for block in range(self.n_bridged):
            rows = slice(block * h, (block + 1) * h)
            parameters[BRIDGE][rows] = glorot_uniform((h, self.width), rng)
        for part in self._parts():
            part.initialize(parameters, rng)

    def _parts(self) -> list[Any]:
        attention = [] if self.attention is None else [self.attention]
        return [*self.layers, *attention, self.head]

    def bind(self, binding: Binding) -> WriterOperation:
        """Return the layer's operation."""
        return WriterOperation(self, binding)


def _check_teacher_forcing(value: Any) -> None:
    parts = value if isinstance(value, tuple) else (value, value, 1)
    numbers = [isinstance(part, Real) and not isinstance(part, bool) for part in parts]
    if (
        len(parts) != 3
        or not all(numbers)
        or not all(0 <= share <= 1 for share in parts[:2])
        or not isinstance(parts[2], Integral)
        or int(parts[2]) < 1
    ):
        raise ValueError(
            "teacher_forcing must be a share in [0, 1], or a tuple (first share, last share, "
            f"number of updates), got {value!r}"
        )


class WriterOperation:
    """A decoder bound to a backend, for one minibatch that was read."""

    def __init__(self, writer: Writer, binding: Binding) -> None:
        self.writer = writer
        self._backend = binding.backend
        self._dtype = binding.dtype
        self._parameters, self._gradients = binding.parameters, binding.gradients
        inner = replace(binding, input_gradient=writer.n_labels is None)
        self._chain = Chain(writer.layers, inner)
        through = replace(binding, input_gradient=True)
        self._attention: AttentionReader | None = None
        if writer.attention is not None:
            self._attention = AttentionReader(writer.attention, through)
        self._dropout = None if writer.dropout is None else writer.dropout.bind(through)
        self._head = writer.head.bind(through)
        self._call = Call()
        self._call.training = binding.training
        h = writer.hidden_size
        self._bridges = [binding.dense(writer.width, h) for _ in range(writer.n_bridged)]

    # As a layer of the encoder's chain it hands on what it gets.

    def forward(self, x: Array, call: Call) -> Array:
        return x

    def backward(self, dy: Array | None) -> Array | None:
        return dy

    # What was read.

    def read(self, plan: PackedPlan, states: Array, ends: Sequence[State]) -> list[State]:
        """Take what was read; return the states (B, H) in which the decoder's layers begin.

        Parameters
        ----------
        plan : PackedPlan
            Of the sequences read.
        states : array of shape (R, W)
            The encoder's states after each step.
        ends : sequence of State
            The states h and c of each direction of each layer of the encoder after its last step.
        """
        if self._attention is not None:
            self._attention.read(plan, states)
        if not self._bridges:
            return [(h, c) for h, c in ends]
        xp, p = self._backend.xp, self._parameters
        self._ends: list[Array] = []
        begun: list[Array] = []
        for block, (dense, pair) in enumerate(zip(self._bridges, self._pairs_of(ends))):
            rows = self._rows(block)
            joined = xp.concatenate(pair, axis=1)
            made = dense.forward(joined, p[BRIDGE][rows], p[BRIDGE_BIAS][rows])
            self._ends.append(joined)
            begun.append(made if self._is_cell(block) else xp.tanh(made))
        self._begun = begun
        if not self.writer.has_cell_state:
            return [(h, None) for h in begun]
        cells = [second_state(c, self.writer.spec, self._backend) for c in begun[1::2]]
        return list(zip(begun[::2], cells))

    def _pairs_of(self, ends: Sequence[State]) -> list[tuple[Array, Array]]:
        """Return the states of both directions that each state of the decoder is made of."""
        pairs = []
        for h, c, h_reverse, c_reverse in ends:
            pairs.append((h, h_reverse))
            if self.writer.has_cell_state:
                h = self.writer.hidden_size  # gates are not handed on
                pairs.append((c[:, :h], c_reverse[:, :h]))
        return pairs

    def _is_cell(self, block: int) -> bool:
        return self.writer.has_cell_state and block % 2 == 1

    def _rows(self, block: int) -> slice:
        h = self.writer.hidden_size
        return slice(block * h, (block + 1) * h)

    def ends_back(self, dbegun: Sequence[State]) -> list[State]:
        """Add to the bridge's gradients; return those by `ends`, from those by the first states."""
        if not self._bridges:
            return list(dbegun)
        p, g, h = self._parameters, self._gradients, self.writer.hidden_size
        flat = [array for state in dbegun for array in state if array is not None]
        halves = []
        for block, (dense, dmade) in enumerate(zip(self._bridges, flat)):
            rows = self._rows(block)
            if self._is_cell(block):
                dmade = dmade[:, :h].copy()
            else:
                dmade = dmade * (1 - self._begun[block] * self._begun[block])
            djoined: Any = dense.backward(
                self._ends[block], dmade, p[BRIDGE][rows], g[BRIDGE][rows], g[BRIDGE_BIAS][rows]
            )
            halves.append((djoined[:, :h].copy(), djoined[:, h:].copy()))
        if not self.writer.has_cell_state:
            return [(forward, None, reverse, None) for forward, reverse in halves]
        cells = [
            [second_state(d, self.writer.spec, self._backend) for d in c] for c in halves[1::2]
        ]
        pairs = zip(halves[::2], cells)
        return [(dh[0], dc[0], dh[1], dc[1]) for dh, dc in pairs]

    # What is written.

    def first_inputs(self, n: int) -> Array:
        """Return what n sequences read before they have written anything: ids (n,), or numbers."""
        if self.writer.n_labels is not None:
            return np.full(n, START, np.intp)
        return np.repeat(self._parameters[FIRST], n, axis=0)

    def write(
        self,
        plan: PackedPlan,
        source: np.ndarray,
        before: Array,
        begun: Sequence[State],
        noise: np.random.Generator | None = None,
    ) -> Array:
        """Return the raw scores (P, K) of what comes next.

        Parameters
        ----------
        plan : PackedPlan
            Of the steps that are written.
        source : ndarray of shape (B,), intp
            The sequence read that each is written from.
        before : array of shape (P,), ids, or (P, K), numbers
            What was written in the step before.
        begun : sequence of State
            Where each layer begins, in the order of the plan.
        noise : numpy.random.Generator, default=None
        """
        if self.writer.n_labels is None:
            x = self._chain.forward(plan, before, noise, begun)
        else:
            x = self._chain.forward(plan, Inputs(None, before[:, None]), noise, begun)
        if self._attention is not None:
            x = self._attention.forward(plan, source, x)
        self._call.plan, self._call.noise = plan, noise
        if self._dropout is not None:
            x = self._dropout.forward(x, self._call)
        return self._head.forward(x, self._call)

    @property
    def states(self) -> list[State]:
        """The states of each layer after what was written last, copied."""
        return self._chain.states

    @property
    def weights(self) -> Array:
        """The attention weights of all pairs of the last call; see `AttentionOperation`."""
        assert self._attention is not None
        return self._attention.weights

    def write_back(self, dscores: Array, n: int) -> tuple[Array | None, list[State]]:
        """Add to the gradients; return those by the states read (R, W) and by `begun`.

        n sequences were written.
        """
        dx = self._head.backward(dscores)
        dstates: Array | None = None
        if self._dropout is not None:
            assert dx is not None
            dx = self._dropout.backward(dx)
        if self._attention is not None:
            assert dx is not None
            dx, dstates = self._attention.backward(dx)
        dbefore: Any = self._chain.backward(dx)
        if self.writer.n_labels is None:
            first = self._gradients[FIRST]
            first += dbefore[:n].sum(axis=0)
        begun: Any = self._chain.state_gradients
        return dstates, begun

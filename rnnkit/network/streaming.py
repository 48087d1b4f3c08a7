"""A network bound to sequences that are fed step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, Backend
from rnnkit.backends.streams import NumberOperation, StreamOperation, TokenOperation
from rnnkit.network.chain import Chain
from rnnkit.network.inputs import Inputs
from rnnkit.network.layers import Binding, Dense, Layer, State
from rnnkit.network.network import Network
from rnnkit.network.outputs import OutputContext
from rnnkit.network.parameters import named_views
from rnnkit.network.recurrent import Recurrent
from rnnkit.network.static import StartedRecurrent
from rnnkit.network.tied import TiedDense
from rnnkit.network.tokens import Embedding, TokenFeatures
from rnnkit.sequences import pack

__all__ = ["NetworkStream", "checked_numbers", "checked_sequences"]


def checked_sequences(n_sequences: Any) -> int | None:
    """Return how many sequences a stream has, as it was given; None stands for one.

    Raises
    ------
    TypeError, ValueError
        If it is no integer of at least 1.
    """
    if n_sequences is None:
        return None
    if isinstance(n_sequences, bool) or not isinstance(n_sequences, Integral):
        raise TypeError(f"n_sequences must be an integer or None, got {n_sequences!r}")
    if n_sequences < 1:
        raise ValueError(f"n_sequences must be at least 1, got {n_sequences!r}")
    return int(n_sequences)


def checked_numbers(sequences: Any, n_sequences: int | None) -> np.ndarray:
    """Return the numbers of some sequences of a stream, given so or by a mask.

    Raises
    ------
    TypeError, ValueError, IndexError
        If they are none, or the stream has but one sequence.
    """
    if n_sequences is None:
        raise ValueError("sequences are of a stream of several; this one has one alone")
    given = np.atleast_1d(np.asarray(sequences))
    if given.ndim != 1 or (given.size and given.dtype.kind not in "biu"):
        raise TypeError(f"sequences must be numbers of sequences or a mask, got {sequences!r:.80}")
    if given.dtype == bool and len(given) != n_sequences:
        raise ValueError(f"sequences must be a mask of {n_sequences}, got {len(given)} entries")
    numbers = np.flatnonzero(given) if given.dtype == bool else given.astype(np.intp)
    if np.any((numbers < 0) | (numbers >= n_sequences)):
        raise IndexError(f"sequences must lie in 0 .. {n_sequences - 1}, got {sequences!r:.80}")
    return numbers


class NetworkStream:
    """A network's operations for n sequences, step by step, with their states between the steps.

    The scores after the last step have the very bits of `BoundNetwork.forward` on the whole
    sequences. Never shared between threads: whoever has it sees to it that no two calls meet.

    Parameters
    ----------
    network : Network
        Its weights stay as they are while it is fed.
    backend : Backend
        What computes.
    n_sequences : int, default=None
        n; None: one, whose steps are rows (I,).

    Attributes
    ----------
    n : int
    step_numbers : callable
        `step` for what the first layer takes, on the backend: numbers (n, I) where there are no
        tokens.
    numbers : NumberOperation or None
        The backend's short way for numbers, which come as they must or not at all; None: there is
        none.

    Raises
    ------
    ValueError
        If a layer runs in reverse, or needs whole sequences.
    """

    def __init__(self, network: Network, backend: Backend, n_sequences: int | None = None) -> None:
        if not network.is_causal:
            raise ValueError(f"networks of {network.cut_needs} alone can be fed step by step")
        self._output = network.output
        self._backend = backend
        self._enter = network.entry
        flat = backend.xp.asarray(network.parameters.flat)
        parameters = named_views(flat, network.parameters.shapes)
        self.n = 1 if n_sequences is None else n_sequences
        self._plan = pack(np.ones(self.n, np.intp))
        self._context = OutputContext(backend, self._plan, parameters)
        binding = Binding(backend, parameters, {}, network.dtype, constant=True)
        self._chain = Chain(network.layers, binding, n_streams=self.n)
        self.step_numbers = self._chain.step
        self._on_host = backend.on_host
        self.numbers: NumberOperation | None = None
        self._short_way: TokenOperation | None = None
        if not network.takes_tokens:
            self.numbers = _way_of_numbers(network, self._chain, parameters, backend, n_sequences)
        elif self.n == 1:
            self._short_way = _way_of_tokens(network, self._chain, parameters, backend)
        self._started = bool(network.layers) and any(
            isinstance(layer, StartedRecurrent) for layer in network.layers
        )
        self.reset()

    def reset(self) -> None:
        """Return to the state before the first step."""
        self._chain.start_stream(self._plan)
        self._is_fresh = True

    def begin(self, sequences: np.ndarray) -> None:
        """Let some of the sequences, given by their numbers, begin anew."""
        self._chain.begin(self._backend.upload(sequences))

    @property
    def state(self) -> list[State]:
        """What each layer with `states` remembers: tuples of arrays (n, ·), or None, copied."""
        return self._chain.states

    @state.setter
    def state(self, state: Sequence[State]) -> None:
        self._chain.states = [
            tuple(None if array is None else array.copy() for array in of_layer)
            for of_layer in state
        ]
        self._is_fresh = False

    def feed(self, token: int, numeric: Array = None) -> Array:
        """Read the id of a token, for networks of one column of ids.

        Parameters
        ----------
        token : int
        numeric : array of shape (1, I), default=None
            Numbers beside it that do not change within a sequence.

        Returns
        -------
        array of shape (1, K)
            The raw scores, with the bits of `step`; valid until the next call.
        """
        short_way = self.short_way
        if short_way is not None:
            return short_way.feed(token)
        return self.step(Inputs(numeric, np.array([[token]], np.intp)))

    @property
    def short_way(self) -> TokenOperation | None:
        """The backend's short way for tokens, once the first one was fed; None: there is none."""
        return None if self._started and self._is_fresh else self._short_way

    def step(self, inputs: Inputs) -> Array:
        """Take one step.

        Parameters
        ----------
        inputs : Inputs
            A row of each sequence; numbers on the host or on the backend.

        Returns
        -------
        array of shape (n, K)
            The raw scores, valid until the next call.
        """
        self._is_fresh = False
        if not self._on_host:
            inputs = inputs.on(self._backend)
        return self.step_numbers(self._enter(inputs))

    def decision(self, scores: Array) -> Array:
        """Return the predictions (n, ...) that follows from raw scores."""
        return self._output.decision(scores, self._context)

    def probabilities(self, scores: Array) -> Array:
        """Return the probabilities (n, K) that follow from raw scores."""
        return self._output.probabilities(scores, self._context)


Heads = list[tuple[Array, Array | None]]  # weights and biases of dense layers


def _way_of_numbers(
    network: Network,
    chain: Chain,
    parameters: Mapping[str, Array],
    backend: Backend,
    n_sequences: int | None,
) -> NumberOperation | None:
    """Return the backend's short way through a network of numbers, if there is one."""
    recurrent = network.recurrent_layers
    if not recurrent or isinstance(recurrent[0], StartedRecurrent):
        return None
    *before, head = network.layers
    streams = _streams(before, chain.operations)
    if streams is None or not isinstance(head, Dense):
        return None
    n_inputs = recurrent[0].specs[0].n_inputs
    shape = (n_inputs,) if n_sequences is None else (n_sequences, n_inputs)
    return backend.number_stream(shape, streams, _heads(head, parameters))


def _way_of_tokens(
    network: Network, chain: Chain, parameters: Mapping[str, Array], backend: Backend
) -> TokenOperation | None:
    """Return the backend's short way through a network that reads one id a step, if there is one.

    Static numbers beside it, which a network begins with, are no part of it.
    """
    first, *middle, head = network.layers
    if not (isinstance(first, TokenFeatures) and len(first.parts) == 1):
        return None
    table = first.parts[0]
    if not (isinstance(table, Embedding) and len(table.sizes) == 1):
        return None
    streams = _streams(middle, chain.operations[1:])
    n_static = sum(len(getattr(layer, "static", ())) for layer in middle)
    if streams is None or n_static != first.n_numeric or not isinstance(head, Dense):
        return None
    vectors = parameters[table.names[0]]
    return backend.token_stream(vectors, streams, _heads(head, parameters, vectors))


def _streams(layers: Sequence[Layer], operations: Sequence[Any]) -> list[StreamOperation] | None:
    """Return the streams of recurrent layers; None if there are others that do anything."""
    streams: list[StreamOperation] = []
    for layer, operation in zip(layers, operations):
        if isinstance(layer, Recurrent):
            streams.append(operation.stream)
        elif not layer.acts_in_training_alone:
            return None
    return streams


def _heads(head: Dense, parameters: Mapping[str, Array], vectors: Array = None) -> Heads:
    """Return what a head multiplies with; `vectors` is the table of one that is tied."""
    if not isinstance(head, TiedDense):
        return [(parameters["head.weight"], parameters["head.bias"])]
    heads: Heads = [(vectors, parameters["head.bias"])]
    if head.projects:
        heads.insert(0, (parameters["head.weight"], None))
    return heads

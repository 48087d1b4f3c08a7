"""A network bound to one sequence that is fed step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, Backend, StreamOperation, TokenOperation
from rnnkit.network.chain import Chain
from rnnkit.network.dropout import Dropout
from rnnkit.network.inputs import Inputs
from rnnkit.network.layers import Binding, Dense, State
from rnnkit.network.network import Network
from rnnkit.network.outputs import OutputContext
from rnnkit.network.parameters import named_views
from rnnkit.network.recurrent import Recurrent
from rnnkit.network.static import StartedRecurrent
from rnnkit.network.tied import TiedDense
from rnnkit.network.tokens import Embedding, TokenFeatures
from rnnkit.sequences import pack

__all__ = ["NetworkStream"]


class NetworkStream:
    """A network's operations for one sequence, step by step, with its state between the steps.

    The scores after the last step have the very bits of `BoundNetwork.forward` on the whole
    sequence. Never shared between threads: whoever has it sees to it that no two calls meet.

    Parameters
    ----------
    network : Network
        Its recurrent weights of this moment are used from then on.
    backend : Backend
        What computes.

    Attributes
    ----------
    step_numbers : callable
        `step` for what the first layer takes, on the backend: numbers (1, I) where there are no
        tokens. The shortest way in.

    Raises
    ------
    ValueError
        If a layer runs in reverse.
    """

    def __init__(self, network: Network, backend: Backend) -> None:
        if not network.is_causal:
            raise ValueError("a network that also reads backwards cannot be fed step by step")
        self._output = network.output
        self._backend = backend
        self._enter = network.entry
        flat = backend.xp.asarray(network.parameters.flat)
        parameters = named_views(flat, network.parameters.shapes)
        self._plan = pack(np.ones(1, np.intp))
        self._context = OutputContext(backend, self._plan, parameters)
        binding = Binding(backend, parameters, {}, network.dtype)
        self._chain = Chain(network.layers, binding, stream=True)
        self.step_numbers = self._chain.step
        self._on_host = backend.on_host
        self._short_way = _short_way(network, self._chain, parameters, backend)
        self._started = bool(network.layers) and any(
            isinstance(layer, StartedRecurrent) for layer in network.layers
        )
        self.reset()

    def reset(self) -> None:
        """Return to the state before the first step."""
        self._chain.start_stream(self._plan)
        self._is_fresh = True

    @property
    def state(self) -> list[State]:
        """What each layer with `states` remembers: tuples of arrays (1, ·), or None, copied."""
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
            One row; numbers on the host or on the backend.

        Returns
        -------
        array of shape (1, K)
            The raw scores, valid until the next call.
        """
        self._is_fresh = False
        if not self._on_host:
            inputs = inputs.on(self._backend)
        return self.step_numbers(self._enter(inputs))

    def decision(self, scores: Array) -> Array:
        """Return the prediction (1, ...) that follows from raw scores."""
        return self._output.decision(scores, self._context)

    def probabilities(self, scores: Array) -> Array:
        """Return the probabilities (1, K) that follow from raw scores."""
        return self._output.probabilities(scores, self._context)


def _short_way(
    network: Network, chain: Chain, parameters: Mapping[str, Array], backend: Backend
) -> TokenOperation | None:
    """Return the backend's short way through a network that reads one id a step, if there is one.

    Static numbers beside it, which a network begins with, are no part of it.
    """
    first, *middle, head = network.layers or (None, None)
    if not (isinstance(first, TokenFeatures) and len(first.parts) == 1):
        return None
    table = first.parts[0]
    if not (isinstance(table, Embedding) and len(table.sizes) == 1):
        return None
    streams: list[StreamOperation] = []
    n_static = 0
    for layer, operation in zip(middle, chain.operations[1:]):
        if isinstance(layer, Recurrent):
            bound: Any = operation
            streams.append(bound.stream)
            n_static += len(getattr(layer, "static", ()))
        elif not isinstance(layer, Dropout):  # which is nothing here
            return None
    if n_static != first.n_numeric or not isinstance(head, Dense):
        return None
    vectors = parameters[table.names[0]]
    if isinstance(head, TiedDense):
        heads = [(vectors, parameters["head.bias"])]
        if head.projects:
            heads.insert(0, (parameters["head.weight"], None))
    else:
        heads = [(parameters["head.weight"], parameters["head.bias"])]
    return backend.token_stream(vectors, streams, heads)

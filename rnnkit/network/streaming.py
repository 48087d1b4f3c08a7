"""A network bound to one sequence that is fed step by step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnnkit.backends.interface import Array, Backend
from rnnkit.network.chain import Chain
from rnnkit.network.inputs import Inputs
from rnnkit.network.layers import Binding, State
from rnnkit.network.network import Network
from rnnkit.network.outputs import OutputContext
from rnnkit.network.parameters import named_views
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
        self.reset()

    def reset(self) -> None:
        """Return to the state before the first step."""
        self._chain.start_stream(self._plan)

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
        if not self._on_host:
            inputs = inputs.on(self._backend)
        return self.step_numbers(self._enter(inputs))

    def decision(self, scores: Array) -> Array:
        """Return the prediction (1, ...) that follows from raw scores."""
        return self._output.decision(scores, self._context)

    def probabilities(self, scores: Array) -> Array:
        """Return the probabilities (1, K) that follow from raw scores."""
        return self._output.probabilities(scores, self._context)

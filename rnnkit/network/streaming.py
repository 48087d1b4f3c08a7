"""A network bound to one sequence that is fed step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, Backend
from rnnkit.network.inputs import Inputs
from rnnkit.network.layers import Recurrent, State, Step
from rnnkit.network.network import Network
from rnnkit.network.parameters import named_views
from rnnkit.sequences import pack

__all__ = ["NetworkStream"]


class NetworkStream:
    """A network's operations for one sequence, step by step, with its state between the steps.

    The scores after the last step have the very bits of `BoundNetwork.forward` on the whole
    sequence. Never shared between threads.

    Parameters
    ----------
    network : Network
        Its recurrent weights of this moment are used from then on.
    backend : Backend
        What computes.

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
        self._parameters = named_views(
            backend.xp.asarray(network.parameters.flat), network.parameters.shapes
        )
        operations: list[Any] = [
            layer.bind_step(backend, self._parameters, network.dtype)
            if isinstance(layer, Recurrent)
            else layer.bind(backend, self._parameters, {}, network.dtype, False)
            for layer in network.layers
        ]
        self._chain = [operation.forward for operation in operations]
        self._enter = network.entry
        self._stateful = [operation for operation in operations if hasattr(operation, "state")]
        self._plan = pack(np.ones(1, np.intp))
        self._step = Step()
        self._step.plan, self._step.training = self._plan, False
        self.reset()

    def reset(self) -> None:
        """Return to the state before the first step."""
        for operation in self._stateful:
            operation.state = None

    @property
    def states(self) -> list[State]:
        """What each stateful layer remembers: tuples of arrays (1, ·), or None, copied."""
        return [
            tuple(None if array is None else array.copy() for array in operation.state)
            for operation in self._stateful
        ]

    @states.setter
    def states(self, states: Sequence[State]) -> None:
        for operation, state in zip(self._stateful, states, strict=True):
            operation.state = tuple(None if array is None else array.copy() for array in state)

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
        x = self._enter(inputs.on(self._backend))
        for forward in self._chain:
            x = forward(x, self._step)
        return x

    def decision(self, scores: Array) -> Array:
        """Return the prediction (1, ...) that follows from raw scores."""
        return self._output.decision(self._backend, scores, self._plan, self._parameters)

    def probabilities(self, scores: Array) -> Array:
        """Return the probabilities (1, K) that follow from raw scores."""
        return self._output.probabilities(self._backend, scores, self._plan, self._parameters)

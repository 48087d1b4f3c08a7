"""A network bound to a backend: its operations, their buffers, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnkit.backends.interface import Array, Backend, Scalar
from rnnkit.network.chain import Chain
from rnnkit.network.inputs import Inputs
from rnnkit.network.layers import Binding, Call, State
from rnnkit.network.lookup import large_tables
from rnnkit.network.outputs import OutputContext
from rnnkit.network.parameters import named_views
from rnnkit.network.pooling import Pooling
from rnnkit.sequences import Plan, pack

if TYPE_CHECKING:
    from rnnkit.network.network import Network

__all__ = ["BoundNetwork"]


class BoundNetwork:
    """A network's operations on one backend, with their buffers.

    Made by `Network.bind`; never shared between threads.

    Parameters
    ----------
    network, backend, training, input_gradient, constant
        As in `Network.bind`.

    Attributes
    ----------
    parameters, gradients : dict of str to array
        Views of `flat_parameters` and `flat_gradient`, on the backend.
    flat_parameters, flat_gradient : array of shape (n_parameters,)
        `flat_gradient` is None unless bound for training; `backward` adds to it.
    trained_parameters, trained_gradient : array of shape (n_parameters - n_frozen,)
        What solvers and penalties see of the two: views without what is frozen.
    n_updates : int
        The updates of the training so far, where training says so.
    large_tables : list of TableRows
        The large tables that are trained, in their order, and which rows `backward` added to.
    parts : dict of str to slice, or None
        Where parts of the flat vectors lie that learn in turn, each by its own loss.
    """

    n_updates = 0
    parts: Mapping[str, slice] | None = None

    def __init__(
        self,
        network: Network,
        backend: Backend,
        training: bool,
        input_gradient: bool,
        constant: bool,
    ) -> None:
        self.network = network
        self.backend = backend
        self.training = training
        self.output = network.output
        shapes = network.parameters.shapes
        self.flat_parameters = backend.xp.asarray(network.parameters.flat)
        self.parameters = named_views(self.flat_parameters, shapes)
        self.flat_gradient: Array = (
            backend.xp.zeros_like(self.flat_parameters) if training else None
        )
        self.gradients = named_views(self.flat_gradient, shapes) if training else {}
        self.trained_parameters: Array = self.flat_parameters
        self.trained_gradient: Array = self.flat_gradient
        if network.n_frozen:
            self.trained_parameters = self.flat_parameters[network.n_frozen :]
            if training:
                gradient: Array = self.flat_gradient
                self.trained_gradient = gradient[network.n_frozen :]
        large = large_tables(network.layers, shapes, network.n_frozen) if training else {}
        self.large_tables = list(large.values())
        self._binding = Binding(
            backend,
            self.parameters,
            self.gradients,
            network.dtype,
            training,
            input_gradient,
            large,
            constant,
        )
        self._chain = Chain(network.layers, self._binding)
        self.check_every_step = self._chain.check_every_step
        self._enter = network.entry
        self._on_host = backend.on_host
        self._context = OutputContext(
            backend, pack(np.zeros(0, np.intp)), self.parameters, self.gradients
        )

    def forward(
        self,
        plan: Plan,
        inputs: Inputs,
        noise: np.random.Generator | None = None,
        states: Sequence[State] | None = None,
    ) -> Array:
        """Compute the raw scores of a minibatch.

        Parameters
        ----------
        plan : Plan
            How the sequences lie in the packed rows.
        inputs : Inputs
            The P packed rows; numbers on the host or on the backend.
        noise : numpy.random.Generator, default=None
            Where noise and dropout masks are drawn from while training; None: no noise, no
            dropout, and zoneout at its expected value.
        states : sequence of State, default=None
            Where the sequences stand already, as given by `states` after an earlier call; one
            for each stateful layer, arrays of B rows. None starts from zeros.

        Returns
        -------
        array of shape (P, K) or (B, K)
            Valid until the next call.

        Raises
        ------
        ValueError
            If states are given and a layer runs in reverse, or needs whole sequences.
        """
        if states is not None and not self.network.is_causal:
            raise ValueError(f"states are carried into networks of {self.network.cut_needs} alone")
        if not self._on_host:
            inputs = inputs.on(self.backend)
        return self._chain.forward(plan, self._enter(inputs), noise, states)

    def backward(
        self, dscores: Array, dstates: Sequence[State | None] | None = None
    ) -> Array | None:
        """Run back through the last forward call, once; add to the gradients.

        Parameters
        ----------
        dscores : array of shape (P, K) or (B, K)
            Gradient of the loss by the raw scores.
        dstates : sequence of State or None, default=None
            Gradient of the loss by `states`, one entry for each of them; an entry, or an array
            in it, that is None means zeros. A pooling's entry must be None.

        Returns
        -------
        array of shape (P, I) or None
            Gradient by the inputs, if it was asked for in `bind`.

        Raises
        ------
        ValueError
            If there is a gradient for the state of a pooling.
        """
        return self._chain.backward(dscores, dstates)

    @property
    def states(self) -> list[State]:
        """Where the sequences stand after the last forward call: arrays of B rows, copied.

        A `State` is a tuple of arrays (or None) whose first dimension are the sequences: the
        hidden and cell state of each direction of a recurrent layer, what a pooling has gathered
        so far. There is one for each layer of the network that has `states`.
        """
        return self._chain.states

    @property
    def state_gradients(self) -> list[State | None]:
        """The gradients by the states that the last forward call began with.

        As `states`, of the last call of `backward`, valid until the next; None for a pooling,
        whose sums are carried over a cut but not learned through.
        """
        return self._chain.state_gradients

    def context(self, plan: Plan) -> OutputContext:
        """Return what an output object needs to know; one object, which the next call changes."""
        self._context.plan = plan
        return self._context

    def loss(
        self, plan: Plan, scores: Array, targets: Array, weights: Array | None
    ) -> tuple[Scalar, Array]:
        """Return the weighted loss sum and its gradient by the scores (see `Output.loss`)."""
        context = self._context
        context.plan = plan
        return self.output.loss(scores, targets, weights, context)

    def decision(self, plan: Plan, scores: Array) -> Array:
        """Return the predictions that follow from raw scores, one per score row."""
        return self.output.decision(scores, self.context(plan))

    def probabilities(self, plan: Plan, scores: Array) -> Array:
        """Return the probabilities that follow from raw scores, one row per score row."""
        return self.output.probabilities(scores, self.context(plan))

    def hidden_states(self, plan: Plan, inputs: Inputs, layer: int = -1) -> Array:
        """Return the states (P, D·H) of a recurrent layer after each step.

        Parameters
        ----------
        plan, inputs
            As in `forward`.
        layer : int, default=-1
            Which recurrent layer, counted from 0; -1 is the last.
        """
        operation = self._run_recurrent(plan, inputs, layer, training=False)
        self.check_every_step(plan)
        return operation.y

    def pooled_states(
        self, plan: Plan, inputs: Inputs, layer: int = -1, kind: str = "last"
    ) -> Array:
        """Return the states of a recurrent layer, one row (B, D·H) for each sequence.

        Parameters
        ----------
        plan, inputs
            As in `forward`.
        layer : int, default=-1
            Which recurrent layer, counted from 0; -1 is the last.
        kind : {"last", "mean", "max"}, default="last"
            The state of each direction after its last step, or what `Pooling` makes of those
            after every step.

        Raises
        ------
        ValueError
            If there is no such layer or `kind`.
        """
        pooling = None if kind == "last" else Pooling(kind).bind(self._binding)
        operation = self._run_recurrent(plan, inputs, layer, training=False)
        if pooling is None:
            return operation.last
        call = Call()
        call.plan, call.training, call.noise = self._chain.plan, False, None
        return pooling.forward(operation.y, call)

    def gate_activations(self, plan: Plan, inputs: Inputs, layer: int = 0) -> dict[str, Array]:
        """Return the activations (P, D·H) of every gate of a recurrent layer, by gate name.

        Parameters
        ----------
        plan, inputs
            As in `forward`.
        layer : int, default=0
            Which recurrent layer, counted from 0; -1 is the last.
        """
        operation = self._run_recurrent(plan, inputs, layer, training=True)
        self.check_every_step(plan)
        gates: dict[str, Array] = operation.gates()
        return gates

    @property
    def attention_weights(self) -> Array:
        """The weight (P,) of each packed row in its sequence, of the last forward call.

        Raises
        ------
        AttributeError
            If the network has no attention pooling.
        """
        for operation in self._chain.operations:
            if hasattr(operation, "weights"):
                return operation.weights
        raise AttributeError("the network has no attention pooling")

    def download(self) -> None:
        """Copy the parameters back into the network, if the backend keeps its own copy."""
        flat = self.network.parameters.flat
        if self.flat_parameters is not flat:
            flat[:] = self.backend.download(self.flat_parameters)

    def _run_recurrent(self, plan: Plan, inputs: Inputs, layer: int, training: bool) -> Any:
        """Run the chain up to a recurrent layer and return that layer's operation."""
        place = self.network.place_of_recurrent(layer)
        x = self._enter(inputs.on(self.backend))
        return self._chain.forward_to(place, plan, x, training=training)

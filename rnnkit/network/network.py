"""The network: a chain of layers, an output, and all their parameters in one vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from math import prod
from numbers import Integral
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, Backend, Scalar
from rnnkit.network.chain import Chain
from rnnkit.network.description import NetworkTable, describe_layer, tabulate
from rnnkit.network.inputs import Inputs
from rnnkit.network.layers import Binding, Call, Layer, Rows, State, rows_at_the_end
from rnnkit.network.lookup import LARGE_TABLE, TableRows
from rnnkit.network.outputs import Output, OutputContext
from rnnkit.network.parameters import ParameterVector, named_views
from rnnkit.network.pooling import Pooling
from rnnkit.network.recurrent import Recurrent
from rnnkit.network.tokens import TokenFeatures
from rnnkit.sequences import Plan, pack

__all__ = ["BoundNetwork", "Network"]

Memory = Callable[[Mapping[str, tuple[int, ...]]], np.ndarray]


class Network:
    """A chain of layers that ends in an output object.

    Data and parameters only: it can be pickled and deep-copied. To compute, `bind` it to a
    backend.

    Parameters
    ----------
    layers : sequence of layers
        In the order they are applied; the last one gives the K raw scores of `output`.
    output : Output
        What the scores mean and the loss they are trained with.
    dtype : dtype, default="float64"
        float32 or float64.
    memory : callable, default=None
        Called with the shape of every parameter by its name, in storage order; returns the vector
        of all of them. None: zeros.

    Attributes
    ----------
    parameters : ParameterVector
        All parameters by name, those that training leaves as they are first; zero until
        `initialize` is called.
    n_frozen : int
        How many numbers at the beginning of the flat vector training leaves as they are.
    takes_tokens : bool
        Whether token ids are among the inputs.

    Raises
    ------
    ValueError
        If two layers name the same parameter, or one takes other rows than it is given.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        output: Output,
        dtype: Any = "float64",
        memory: Memory | None = None,
    ) -> None:
        self.layers = tuple(layers)
        self.output = output
        self.takes_tokens = bool(self.layers) and isinstance(self.layers[0], TokenFeatures)
        rows_at_the_end(self.layers)
        shapes: dict[str, tuple[int, ...]] = {}
        frozen = [name for layer in self.layers for name in layer.frozen]
        parts: tuple[Layer | Output, ...] = (*self.layers, output)
        for part in parts:
            for name, shape in part.parameter_shapes().items():
                if name in shapes:
                    raise ValueError(f"two layers name the same parameter {name!r}")
                shapes[name] = shape
        shapes = {name: shapes[name] for name in (*frozen, *shapes)}
        self.n_frozen = sum(prod(shapes[name]) for name in frozen)
        flat = None if memory is None else memory(shapes)
        self.parameters = ParameterVector(shapes, dtype, flat)

    @property
    def dtype(self) -> np.dtype:
        """The dtype of parameters, inputs and scores."""
        return self.parameters.dtype

    @property
    def per_step(self) -> bool:
        """Whether there is one row of scores per step (else one per sequence)."""
        return rows_at_the_end(self.layers) is Rows.STEPS

    @property
    def targets_per_step(self) -> bool:
        """Whether there is one target, and one decision, per step (else one per sequence)."""
        return self.per_step and not self.output.targets_per_sequence

    @property
    def recurrent_layers(self) -> tuple[Recurrent, ...]:
        """The recurrent layers of the chain, first to last."""
        return tuple(layer for layer in self.layers if isinstance(layer, Recurrent))

    @property
    def is_causal(self) -> bool:
        """Whether no score depends on later steps, so that state can be carried over a cut."""
        return not any(spec.reverse for layer in self.recurrent_layers for spec in layer.specs)

    def table(self) -> NetworkTable:
        """Return the layers as a table: shapes, numbers of parameters, bytes.

        Returns
        -------
        NetworkTable
            A tuple of a row for each layer, and for an output with parameters of its own.

        Examples
        --------
        >>> from rnnkit.network import SoftmaxCrossEntropy, build_network
        >>> network = build_network("gru", 3, SoftmaxCrossEntropy(2), per_step=False, hidden_size=4)
        >>> network
        Network(gru 3 → 4 (last state), dense 4 → 2: 110 parameters, float64)
        >>> network.table()
        layer                   output  parameters  bytes
        -------------------------------------------------
        gru 3 → 4 (last state)  (N, 4)         100    800
        dense 4 → 2             (N, 2)          10     80
        -------------------------------------------------
        total                                  110    880
        """
        return tabulate(self.layers, self.output, self.dtype.itemsize)

    def __repr__(self) -> str:
        layers = ", ".join(map(describe_layer, self.layers))
        n = self.parameters.flat.size
        return f"{type(self).__name__}({layers}: {n:,} parameters, {self.dtype})"

    def copy(self) -> Network:
        """Return a network of the same layers and output with parameters of its own."""
        network = copy(self)
        network.parameters = self.parameters.copy()
        return network

    def entry(self, inputs: Inputs) -> Any:
        """Return what the first layer takes: all of the inputs, or their numbers alone."""
        return inputs if self.takes_tokens else inputs.numeric

    def initialize(self, rng: Any) -> None:
        """Draw every parameter, in float64 and then rounded, in the order of the layers.

        Parameters
        ----------
        rng : numpy.random.RandomState or numpy.random.Generator
            What is drawn does not depend on the dtype.
        """
        parts: tuple[Layer | Output, ...] = (*self.layers, self.output)
        for part in parts:
            part.initialize(self.parameters, rng)

    def bind(
        self, backend: Backend, training: bool = False, *, input_gradient: bool = False
    ) -> BoundNetwork:
        """Return the network's operations on a backend.

        Parameters
        ----------
        backend : Backend
            What computes, from `rnnkit.backends.get_backend`.
        training : bool, default=False
            Whether `BoundNetwork.backward` will be called and dropout applies.
        input_gradient : bool, default=False
            Whether `BoundNetwork.backward` returns the gradient by the (numeric) inputs.

        Returns
        -------
        BoundNetwork
            Cheap to make; never shared between threads. On the CPU it computes with the very
            memory of `parameters`.
        """
        return BoundNetwork(self, backend, training, input_gradient)


class BoundNetwork:
    """A network's operations on one backend, with their buffers.

    Made by `Network.bind`; never shared between threads.

    Parameters
    ----------
    network, backend, training, input_gradient
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
        self, network: Network, backend: Backend, training: bool, input_gradient: bool
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
        large = _large_tables(network) if training else {}
        self.large_tables = list(large.values())
        self._binding = Binding(
            backend, self.parameters, self.gradients, network.dtype, training, input_gradient, large
        )
        self._chain = Chain(network.layers, self._binding)
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
            If states are given and a layer runs in reverse.
        """
        if states is not None and not self.network.is_causal:
            raise ValueError("states cannot be carried into a bidirectional network")
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
        return self._run_recurrent(plan, inputs, layer, training=False).y

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
        call.plan, call.training, call.noise = plan, False, None
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
        gates: dict[str, Array] = self._run_recurrent(plan, inputs, layer, training=True).gates()
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
        if isinstance(layer, bool) or not isinstance(layer, Integral):
            raise TypeError(f"layer must be an integer, got {layer!r}")
        places = [i for i, part in enumerate(self.network.layers) if isinstance(part, Recurrent)]
        if not places:
            raise ValueError("the network has no recurrent layer, and so no states")
        if not -len(places) <= layer < len(places):
            raise ValueError(
                f"layer must lie between {-len(places)} and {len(places) - 1}, got {layer!r}"
            )
        x = self._enter(inputs.on(self.backend))
        return self._chain.forward_to(places[layer], plan, x, training=training)


def _large_tables(network: Network) -> dict[str, TableRows]:
    """Return an account of the rows of each large table that is trained, by its full name."""
    tables = {name for layer in network.layers for name in layer.tables}
    tables -= {name for layer in network.layers for name in layer.whole}
    found, first = {}, -network.n_frozen
    for name, shape in network.parameters.shapes.items():
        if name in tables and prod(shape) >= LARGE_TABLE:
            found[name] = TableRows(first, *shape)
        first += prod(shape)
    return found

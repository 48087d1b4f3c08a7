"""The network: a chain of layers, an output, and all their parameters in one vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, Backend, Scalar
from rnnkit.cells import LayerSpec, make_activation
from rnnkit.network.inputs import Inputs
from rnnkit.network.layers import Dense, Dropout, InputNoise, Layer, Recurrent, State, Step
from rnnkit.network.losses import Output
from rnnkit.network.parameters import ParameterVector, named_views
from rnnkit.network.pooling import AttentionPooling, Pooling
from rnnkit.network.tokens import TokenFeatures
from rnnkit.sequences import Plan

__all__ = ["BoundNetwork", "Network", "build_network"]


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

    Attributes
    ----------
    parameters : ParameterVector
        All parameters by name; zero until `initialize` is called.
    per_step : bool
        Whether there is one row of scores per step (else one per sequence).

    Raises
    ------
    ValueError
        If two layers name the same parameter.
    """

    def __init__(self, layers: Sequence[Layer], output: Output, dtype: Any = "float64") -> None:
        self.layers = tuple(layers)
        self.output = output
        shapes: dict[str, tuple[int, ...]] = {}
        parts: tuple[Any, ...] = (*self.layers, output)
        for part in parts:
            for name, shape in part.parameter_shapes().items():
                if name in shapes:
                    raise ValueError(f"two layers name the same parameter {name!r}")
                shapes[name] = shape
        self.parameters = ParameterVector(shapes, dtype)

    @property
    def dtype(self) -> np.dtype:
        """The dtype of parameters, inputs and scores."""
        return self.parameters.dtype

    @property
    def per_step(self) -> bool:
        """Whether there is one row of scores per step (else one per sequence)."""
        return not any(layer.ends_steps for layer in self.layers)

    @property
    def recurrent_layers(self) -> tuple[Recurrent, ...]:
        """The recurrent layers of the chain, first to last."""
        return tuple(layer for layer in self.layers if isinstance(layer, Recurrent))

    @property
    def is_causal(self) -> bool:
        """Whether no score depends on later steps, so that state can be carried over a cut."""
        return not any(spec.reverse for layer in self.recurrent_layers for spec in layer.specs)

    @property
    def takes_tokens(self) -> bool:
        """Whether token ids are among the inputs."""
        return isinstance(self.layers[0], TokenFeatures)

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
        parts: tuple[Any, ...] = (*self.layers, self.output)
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
    """

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
        self._operations = []
        self._first_with_gradient = 0 if input_gradient else len(network.layers)
        for position, layer in enumerate(network.layers):
            needs_dx = input_gradient or self._first_with_gradient < position
            self._operations.append(
                layer.bind(backend, self.parameters, self.gradients, network.dtype, needs_dx)
            )
            if layer.parameter_shapes():
                self._first_with_gradient = min(self._first_with_gradient, position)
        self._backward_chain = [
            operation.backward for operation in self._operations[self._first_with_gradient :]
        ][::-1]
        self._forward_chain = [operation.forward for operation in self._operations]
        self._stateful = [
            operation for operation in self._operations if hasattr(operation, "state")
        ]
        self._step = Step()

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
        step = self._step
        step.plan = plan
        step.training = self.training
        step.noise = noise
        if states is None:
            for operation in self._stateful:
                operation.state = None
        else:
            if not self.network.is_causal:
                raise ValueError("states cannot be carried into a bidirectional network")
            for operation, state in zip(self._stateful, states, strict=True):
                operation.state = state
        x = self.network.entry(inputs.on(self.backend))
        for forward in self._forward_chain:
            x = forward(x, step)
        return x

    def backward(self, dscores: Array) -> Array | None:
        """Run back through the last forward call, once; add to the gradients.

        Parameters
        ----------
        dscores : array of shape (P, K) or (B, K)
            Gradient of the loss by the raw scores.

        Returns
        -------
        array of shape (P, I) or None
            Gradient by the inputs, if it was asked for in `bind`.
        """
        for backward in self._backward_chain:
            dscores = backward(dscores)
        return dscores

    @property
    def states(self) -> list[State]:
        """Where the sequences stand after the last forward call: arrays of B rows, copied.

        A `State` is a tuple of arrays (or None) whose first dimension are the sequences: the
        hidden and cell state of a recurrent layer, what a pooling has gathered so far.
        """
        return [
            tuple(None if array is None else array.copy() for array in operation.state)
            for operation in self._stateful
        ]

    def loss(
        self, plan: Plan, scores: Array, targets: Array, weights: Array | None
    ) -> tuple[Scalar, Array]:
        """Return the weighted loss sum and its gradient by the scores (see `Output.loss`)."""
        return self.output.loss(
            self.backend, scores, targets, weights, plan, self.parameters, self.gradients
        )

    def decision(self, plan: Plan, scores: Array) -> Array:
        """Return the predictions that follow from raw scores, one per score row."""
        return self.output.decision(self.backend, scores, plan, self.parameters)

    def probabilities(self, plan: Plan, scores: Array) -> Array:
        """Return the probabilities that follow from raw scores, one row per score row."""
        return self.output.probabilities(self.backend, scores, plan, self.parameters)

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
        return operation.y

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
        return operation.gates()

    @property
    def attention_weights(self) -> Array:
        """The weight (P,) of each packed row in its sequence, of the last forward call.

        Raises
        ------
        AttributeError
            If the network has no attention pooling.
        """
        for operation in self._operations:
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
        places = [i for i, part in enumerate(self.network.layers) if isinstance(part, Recurrent)]
        if not -len(places) <= layer < len(places):
            raise ValueError(
                f"layer must lie between {-len(places)} and {len(places) - 1}, got {layer!r}"
            )
        step = self._step
        step.plan, step.noise = plan, None
        for operation in self._stateful:
            operation.state = None
        x = self.network.entry(inputs.on(self.backend))
        for position in range(places[layer] + 1):
            step.training = training and position == places[layer]
            x = self._operations[position].forward(x, step)
        return self._operations[places[layer]]


def build_network(
    cell: str,
    n_inputs: int,
    output: Output,
    *,
    per_step: bool,
    hidden_size: int = 64,
    n_layers: int = 1,
    bidirectional: bool = False,
    activation: Any = "tanh",
    gate_activation: Any = "sigmoid",
    output_activation: Any = None,
    peephole: bool = False,
    coupled_gates: bool = False,
    cell_clip: float | None = None,
    reset: str = "after",
    layer_norm: bool = False,
    zoneout: float = 0.0,
    precision: str = "full",
    forget_bias: float = 1.0,
    gate_bias: str | Mapping[str, float] | None = None,
    longest: int | None = None,
    pooling: str = "last",
    dropout: float = 0.0,
    input_dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    input_noise: float = 0.0,
    output_bias: Any = 0.0,
    tokens: Sequence[Any] | None = None,
    dtype: Any = "float64",
) -> Network:
    """Build the network of an estimator; its parameters are still zero.

    Parameters
    ----------
    cell : {"rnn", "lstm", "gru"}
        The recurrent cell.
    n_inputs : int
        I, the number of numeric features of a step; may be 0 beside `tokens`.
    output : Output
        The output object; its width is the head's K.
    per_step : bool
        Whether scores are wanted for every step; otherwise the sequence is pooled.
    hidden_size, n_layers, bidirectional
        H, L, and whether every layer also runs in reverse (D = 2).
    activation, gate_activation, output_activation : str or Activation
        As in `rnnkit.cells.make_activation`; output_activation None means `activation`.
    peephole, coupled_gates, cell_clip, reset, layer_norm, zoneout, precision
        As in `rnnkit.cells.LayerSpec`.
    forget_bias : float, default=1.0
        Initial bias of the LSTM's forget gate.
    gate_bias : "chrono" or mapping of gate name to float, default=None
        Initial gate biases in place of the default; "chrono" needs `longest`.
    longest : int, default=None
        Number of steps of the longest training sequence, for ``gate_bias="chrono"``.
    pooling : {"last", "mean", "max", "attention"}, default="last"
        How a sequence becomes one row when not `per_step`.
    dropout : float, default=0.0
        Rate between recurrent layers and before the head.
    input_dropout : float, default=0.0
        Rate at which the features of a step, embedded tokens included, become 0 while training.
    recurrent_dropout : float, default=0.0
        Rate on the recurrent connections, one mask per sequence, layer and direction.
    input_noise : float, default=0.0
        Standard deviation of Gaussian noise added to numeric features while training.
    output_bias : float or array of shape (K,), default=0.0
        Initial bias of the head.
    tokens : sequence of Embedding or CharacterEncoder, default=None
        How the integer columns of a step are embedded; None means numeric input only.
    dtype : dtype, default="float64"
        float32 or float64.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        If an option is unknown, out of range or does not fit the cell.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.network import SoftmaxCrossEntropy, build_network
    >>> network = build_network("gru", 3, SoftmaxCrossEntropy(2), per_step=False, hidden_size=4)
    >>> network.initialize(np.random.RandomState(0))
    >>> list(network.parameters)[:3]
    ['rnn.weight_ih_l0', 'rnn.weight_hh_l0', 'rnn.bias_l0']
    >>> network.parameters["head.weight"].shape
    (2, 4)
    """
    if tokens is None and n_inputs < 1:
        raise ValueError(f"n_inputs must be at least 1 without tokens, got {n_inputs!r}")
    if n_layers < 1:
        raise ValueError(f"n_layers must be at least 1, got {n_layers!r}")
    layers: list[Layer] = []
    width = n_inputs
    if tokens is not None:
        features = TokenFeatures(tokens, n_inputs, input_noise)
        layers.append(features)
        width = features.width
    elif input_noise:
        layers.append(InputNoise(input_noise))
    if input_dropout:
        layers.append(Dropout(input_dropout))

    activation = make_activation(activation)
    output_activation = activation if output_activation is None else output_activation
    for layer in range(n_layers):
        is_last = layer == n_layers - 1
        if dropout and layer > 0:
            layers.append(Dropout(dropout))
        spec = LayerSpec(
            cell,
            width,
            hidden_size,
            activation=activation,
            gate_activation=make_activation(gate_activation),
            output_activation=make_activation(output_activation),
            peephole=peephole,
            coupled_gates=coupled_gates,
            cell_clip=cell_clip,
            reset=reset,
            layer_norm=layer_norm,
            zoneout=zoneout,
            precision=precision,
        )
        recurrent = Recurrent(
            spec,
            layer,
            bidirectional=bidirectional,
            last_only=is_last and not per_step and pooling == "last",
            recurrent_dropout=recurrent_dropout,
            forget_bias=forget_bias,
            gate_bias=gate_bias,
            longest=longest,
        )
        layers.append(recurrent)
        width = recurrent.width

    if not per_step:
        if pooling == "attention":
            layers.append(AttentionPooling(width))
        elif pooling in ("mean", "max"):
            layers.append(Pooling(pooling))
        elif pooling != "last":
            raise ValueError(
                f"pooling must be 'last', 'mean', 'max' or 'attention', got {pooling!r}"
            )
    if dropout:
        layers.append(Dropout(dropout))
    layers.append(Dense(width, output.width, output_bias))
    return Network(layers, output, dtype)

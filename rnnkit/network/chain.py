"""A chain of layers bound to a backend: forward, back again, and the states they carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array, PackedPlan
from rnnkit.network.layers import Binding, Call, Layer, Operation, State
from rnnkit.network.tokens import TokenFeaturesOperation
from rnnkit.ownership import Owner

__all__ = ["Chain"]


class Chain:
    """Layers bound to a backend, each fed with what the one before it gives.

    Never shared between threads: of two calls at once the second raises RuntimeError.

    Parameters
    ----------
    layers : sequence of Layer
        In the order they are applied.
    binding : Binding
        What they are bound to; `input_gradient` asks for the gradient by the input of the first.
    n_streams : int, default=0
        So many sequences come a step of each at a time, by `step`; nothing runs back then. 0: a
        minibatch comes whole.

    Attributes
    ----------
    layers : tuple of Layer
    operations : list of Operation
        One for each layer.
    """

    def __init__(self, layers: Sequence[Layer], binding: Binding, *, n_streams: int = 0) -> None:
        self.layers = tuple(layers)
        self.operations: list[Operation] = []
        first_with_gradient = 0 if binding.input_gradient else len(self.layers)
        after_parameters = replace(binding, input_gradient=True)
        for position, layer in enumerate(self.layers):
            bound_to = after_parameters if first_with_gradient < position else binding
            self.operations.append(
                layer.bind_stream(bound_to, n_streams) if n_streams else layer.bind(bound_to)
            )
            if layer.parameter_shapes().keys() - set(layer.frozen):
                first_with_gradient = min(first_with_gradient, position)
        if not n_streams:
            self._hand_lookups_over(binding.training)
        self._forward = [operation.forward for operation in self.operations]
        self._backward_calls = [
            operation.backward for operation in reversed(self.operations[first_with_gradient:])
        ]
        self._stateful: list[Any] = [
            operation for layer, operation in zip(self.layers, self.operations) if layer.states
        ]
        self._training = binding.training
        self._call = Call()
        self._owner = Owner("bound network")
        self._try_to_take, self._take_back = self._owner.try_to_take, self._owner.take_back

    def _hand_lookups_over(self, training: bool) -> None:
        """Let the first layer hand on what it looks up, if the next one that acts takes it."""
        for layer in self.layers[1:]:
            if layer.takes_lookups and isinstance(self.operations[0], TokenFeaturesOperation):
                self.operations[0].hands_lookups_over = True
            if training or not layer.acts_in_training_alone:
                return

    def forward(
        self,
        plan: PackedPlan,
        x: Any,
        noise: np.random.Generator | None = None,
        states: Sequence[State | None] | None = None,
    ) -> Array:
        """Run all layers over a minibatch.

        Parameters
        ----------
        plan : PackedPlan
            How the sequences lie in the packed rows.
        x : array of shape (P, I), or what else the first layer takes
            On the backend.
        noise : numpy.random.Generator, default=None
            Where noise and masks are drawn from while training; None: nothing is drawn.
        states : sequence of State or None, default=None
            Where each layer that has `states` begins; None means zeros.

        Returns
        -------
        array of shape (P, ·) or (B, ·)
            Valid until the next call.
        """
        if not self._try_to_take(False):
            self._owner.refuse()
        try:
            call = self._call
            call.plan = plan
            call.noise = noise
            call.training = self._training
            if states is None:
                for operation in self._stateful:
                    operation.state = None
            else:
                self.states = states
            for forward in self._forward:
                x = forward(x, call)
            return x
        finally:
            self._take_back()

    def forward_to(
        self, position: int, plan: PackedPlan, x: Any, *, training: bool = False
    ) -> Operation:
        """Run the layers up to and including one, from zeros and without noise.

        Parameters
        ----------
        position : int
            Which layer is the last that runs.
        plan, x
            As in `forward`.
        training : bool, default=False
            Whether that layer keeps what its gradients and gates need.

        Returns
        -------
        Operation
            Of that layer.
        """
        with self._owner:
            self._start(plan)
            x = self._through(x, 0, position)
            self._call.training = training
            operation = self.operations[position]
            operation.forward(x, self._call)
            return operation

    def run(self, plan: PackedPlan, x: Any, *, start: int = 0, stop: int | None = None) -> Array:
        """Run some of the layers alone, from zeros and without noise.

        Parameters
        ----------
        plan : PackedPlan
            As in `forward`.
        x : array, or what else the first of them takes
            On the backend.
        start, stop : int, default=0, None
            The first of them, and that behind the last; None: none.

        Returns
        -------
        array of shape (P, ·) or (B, ·)
            What the last of them gives, valid until the next call.
        """
        with self._owner:
            self._start(plan)
            return self._through(x, start, len(self.layers) if stop is None else stop)

    def _start(self, plan: PackedPlan) -> None:
        """Make ready for a call from zeros in which nothing is drawn or kept."""
        call = self._call
        call.plan, call.noise, call.training = plan, None, False
        for operation in self._stateful:
            operation.state = None

    def _through(self, x: Any, start: int, stop: int) -> Any:
        for forward in self._forward[start:stop]:
            x = forward(x, self._call)
        return x

    def start_stream(self, plan: PackedPlan) -> None:
        """Make ready for `step`: what is carried becomes zeros; plan is that of one step."""
        self._start(plan)

    def begin(self, sequences: Array) -> None:
        """Let some of the sequences of `step`, given by their rows, begin anew."""
        for operation in self._stateful:
            operation.begin(sequences)

    def step(self, x: Any) -> Array:
        """Take a step, from where the last one ended; return the rows (n, ·) of the last layer.

        Whoever calls it sees to it that no two calls meet: the shortest way in has one lock.
        """
        call = self._call
        for forward in self._forward:
            x = forward(x, call)
        return x

    def backward(
        self, dy: Array | None, dstates: Sequence[State | None] | None = None
    ) -> Array | None:
        """Run back through the last forward call, once; add to the gradients.

        Parameters
        ----------
        dy : array of the shape that `forward` returned, or None
            Gradient by what it returned; a recurrent layer at the end takes None for zeros.
        dstates : sequence of State or None, default=None
            Gradient by `states`; None means zeros, and is all that a pooling takes.

        Returns
        -------
        array of shape (P, I) or None
            Gradient by the input, if it is wanted.

        Raises
        ------
        ValueError
            If there is a gradient for a state that nothing is learned through.
        """
        if not self._try_to_take(False):
            self._owner.refuse()
        try:
            return self._backward_alone(dy, dstates)
        finally:
            self._take_back()

    def _backward_alone(
        self, dy: Array | None, dstates: Sequence[State | None] | None
    ) -> Array | None:
        if dstates is not None:
            pairs = list(zip(self._stateful, dstates, strict=True))
            for operation, dstate in pairs:
                if dstate is not None and not hasattr(operation, "end_gradient"):
                    raise ValueError("a pooling takes no gradient by what it has gathered")
            for operation, dstate in pairs:
                if dstate is not None:
                    operation.end_gradient = dstate
        for backward in self._backward_calls:
            dy = backward(dy)
        return dy

    @property
    def plan(self) -> PackedPlan:
        """Of the rows that the last layer of the last call gave, or would give per step."""
        return self._call.plan

    def check_every_step(self, plan: PackedPlan) -> None:
        """Raise ValueError unless the last call, of a plan, gave a row for every step."""
        if self._call.plan is not plan:
            raise ValueError(
                "there is no state for every step where convolutions with a stride or pooling "
                "shorten sequences"
            )

    @property
    def states(self) -> list[State]:
        """What each layer with `states` carries after the last call, copied; may be set."""
        return [
            tuple(None if array is None else array.copy() for array in operation.state)
            for operation in self._stateful
        ]

    @states.setter
    def states(self, states: Sequence[State | None]) -> None:
        for operation, state in zip(self._stateful, states, strict=True):
            operation.state = state

    @property
    def state_gradients(self) -> list[State | None]:
        """The gradient by what each layer with `states` began with, of the last `backward`.

        None for a pooling. The arrays are valid until the next call.
        """
        return [getattr(operation, "start_gradient", None) for operation in self._stateful]

"""Recurrent layers over sequences of plain arrays that are fed step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rnnkit.backends.interface import Array
from rnnkit.cells import Activation
from rnnkit.functional.arrays import finite_array, of_shape
from rnnkit.functional.layers import host_backend
from rnnkit.functional.options import read_options
from rnnkit.functional.weights import read_layers, refuse_unnamed
from rnnkit.network.layers import State
from rnnkit.network.streaming import checked_numbers, checked_sequences
from rnnkit.ownership import Owner

__all__ = ["RecurrentStream"]


class RecurrentStream:
    """Recurrent layers over one sequence, or n side by side, fed step by step.

    The states have the very bits that `recurrent` gives for the whole sequence. A stream is one
    thread's: a call that comes while another one runs raises RuntimeError.

    Parameters
    ----------
    weights : dict of str to array-like
        As in `recurrent`, of one direction; copied. Their dtype is the dtype of the steps:
        float32 if all of them are, else float64.
    cell, n_layers, activation, gate_activation, output_activation, activation_params
        As in `recurrent`.
    coupled_gates, cell_clip, reset, backend
        As in `recurrent`.
    n_sequences : int, default=None
        n, how many sequences take each step together. None: one, whose steps have no dimension
        for it.

    Attributes
    ----------
    state : list of tuple (h, c)
        What each layer remembers, arrays of shape (n, H), n = 1 for one sequence, copied; c is
        None but for lstm, and (n, 4·H) with full gate recurrence. May be set to what was got
        earlier; ValueError, and nothing has changed, if that has other arrays, or numbers that
        are not finite.

    Raises
    ------
    TypeError, ValueError
        As `recurrent` does; or if `n_sequences` is no integer of at least 1.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.functional import RecurrentStream
    >>> weights = {"weight_ih_l0": np.ones((3, 2)), "weight_hh_l0": np.eye(3)}
    >>> stream = RecurrentStream(weights, "rnn", activation="relu")
    >>> for x in np.ones((4, 2)):
    ...     h = stream.step(x)
    >>> h
    array([[8., 8., 8.]])
    """

    def __init__(
        self,
        weights: Mapping[str, Any],
        cell: str = "lstm",
        *,
        n_layers: int = 1,
        activation: str | Activation = "tanh",
        gate_activation: str | Activation = "sigmoid",
        output_activation: str | Activation | None = None,
        activation_params: Mapping[str, tuple[Any, ...]] | None = None,
        coupled_gates: bool = False,
        cell_clip: float | None = None,
        reset: str = "after",
        backend: str = "cpu",
        n_sequences: int | None = None,
    ) -> None:
        self._n_sequences = checked_sequences(n_sequences)
        options = read_options(
            [False],
            cell,
            n_layers,
            activation,
            gate_activation,
            output_activation,
            activation_params,
            cell_options={"coupled_gates": coupled_gates, "cell_clip": cell_clip, "reset": reset},
        )
        refuse_unnamed(weights)
        dtypes = {np.asarray(weight).dtype for weight in weights.values()}
        dtype = np.dtype(np.float32 if dtypes == {np.dtype(np.float32)} else np.float64)
        n_inputs = np.shape(weights["weight_ih_l0"])[-1] if "weight_ih_l0" in weights else 0
        layers = read_layers(weights, cell, n_layers, n_inputs, dtype, options)
        binding = layers.binding(host_backend(backend), {})
        self._operations = [
            layer.bind_stream(binding, self._n_sequences or 1) for layer in layers.layers
        ]
        self._steps = [operation.step for operation in self._operations]
        # A layer by itself that refuses a second user needs no owner besides: a step is so short
        # that asking twice is a tenth of it.
        is_owned = len(self._steps) == 1 and backend == "cpu"
        self._only_step = self._steps[0] if is_owned else None
        self._owner = Owner("RecurrentStream")
        self._try_to_take, self._take_back = self._owner.try_to_take, self._owner.take_back
        self.reset()

    def reset(self, sequences: Any = None) -> None:
        """Return to the state before the first step, zeros.

        Parameters
        ----------
        sequences : int or array-like of int, or mask of shape (n,), default=None
            Which of n sequences begin anew, the others go on; None: all.

        Raises
        ------
        TypeError, ValueError, IndexError
            If there are no such sequences.
        """
        with self._owner:
            if sequences is None:
                for operation in self._operations:
                    operation.state = None
                return
            numbers = checked_numbers(sequences, self._n_sequences)
            for operation in self._operations:
                operation.begin(numbers)

    @property
    def state(self) -> list[State]:
        """What each layer remembers."""
        with self._owner:
            return [operation.state for operation in self._operations]

    @state.setter
    def state(self, state: Sequence[State]) -> None:
        with self._owner:
            models = [operation.state for operation in self._operations]
            for operation, of_layer in zip(self._operations, _checked(state, models)):
                operation.state = of_layer

    def step(self, x: Array) -> Array:
        """Take one step.

        Parameters
        ----------
        x : ndarray of shape (I,), or (n, I) of n sequences
            The step, contiguous and of the weights' dtype: nothing is converted here, and what
            is not finite is not looked for.

        Returns
        -------
        ndarray of shape (n, H), n = 1 for one sequence
            The last layer's state h; valid until the next call.

        Raises
        ------
        TypeError, ValueError
            If x has another dtype or shape.
        RuntimeError
            If another thread's call is running.
        """
        if self._only_step is not None:
            return self._only_step(x)
        if not self._try_to_take(False):
            self._owner.refuse()
        try:
            for step in self._steps:
                x = step(x)
            return x
        finally:
            self._take_back()


def _checked(state: Any, models: list[State]) -> list[State]:
    """Return states in the dtype of those that are there, if they are like them and finite."""
    counts = list(map(_count, state)) if isinstance(state, (list, tuple)) else None
    if counts != list(map(len, models)):
        given = f"{len(state)} entries" if counts is not None else type(state).__name__
        raise ValueError(
            f"state must be a list of {len(models)} tuples (h, c), one for each layer, as it was "
            f"got from a stream of the same layers, got {given}"
        )
    return [
        tuple(
            _like(array, model, f"{letter} of state[{layer}]")
            for array, model, letter in zip(of_layer, like, "hc")
        )
        for layer, (of_layer, like) in enumerate(zip(state, models))
    ]


def _count(of_layer: Any) -> int:
    return len(of_layer) if isinstance(of_layer, (list, tuple)) else -1


def _like(array: Any, model: Array, name: str) -> Array:
    if model is None:
        if array is not None:
            raise ValueError(f"{name} must be None, got {type(array).__name__}")
        return None
    return of_shape(finite_array(array, name, model.dtype), name, model.shape)

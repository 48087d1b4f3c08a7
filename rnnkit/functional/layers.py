"""Recurrent layers over whole sequences: hidden states and gradients of plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnkit.backends import get_backend
from rnnkit.backends.interface import Array, Backend
from rnnkit.cells import Activation
from rnnkit.functional.arrays import finite_array, of_shape
from rnnkit.functional.layout import Layout, read_sequences, read_states
from rnnkit.functional.options import read_options
from rnnkit.functional.weights import GivenLayers, read_layers
from rnnkit.network.chain import Chain
from rnnkit.network.memory import OBJECTS_OF_A_LAYER, TOO_LITTLE_TO_ASK, refuse_too_much, size_of
from rnnkit.ownership import Owner

__all__ = ["RecurrentOutput", "host_backend", "recurrent"]


def recurrent(
    x: Any,
    weights: Mapping[str, Any],
    cell: str = "lstm",
    *,
    lengths: Any = None,
    h0: Any = None,
    c0: Any = None,
    n_layers: int = 1,
    bidirectional: bool = False,
    reverse: bool = False,
    activation: str | Activation | tuple[Any, ...] = "tanh",
    gate_activation: str | Activation | tuple[Any, ...] = "sigmoid",
    output_activation: str | Activation | tuple[Any, ...] | None = None,
    activation_params: Mapping[str, tuple[Any, ...]] | None = None,
    coupled_gates: bool = False,
    cell_clip: float | None = None,
    reset: str = "after",
    backend: str = "cpu",
) -> RecurrentOutput:
    """Run recurrent layers over sequences.

    Letters: N sequences, T steps, I inputs, H hidden units, G gates (rnn 1, lstm 4, gru 3),
    L layers, D directions.

    Parameters
    ----------
    x : array-like of shape (N, T, I), list or object array of arrays (T_n, I), or Sequences
        float32 is computed in float32, every other type in float64.
    weights : dict of str to array-like
        Under PyTorch's names and in its gate order (lstm i f g o, gru r z n):
        ``weight_ih_l0 (G·H, I)``, ``weight_hh_l0 (G·H, H)``, ``bias_ih_l0 (G·H,)``,
        ``bias_hh_l0 (G·H,)``, the same for each layer, and with the suffix ``_reverse`` for
        the second direction. Layer l > 0 has D·H inputs. A bias may be absent, which means
        zeros. If present, ``peephole_l0 (3·H,)`` (gates i f o) gives an lstm layer peepholes,
        ``gate_recurrence_l0 (3·H, 3·H)`` full gate recurrence, and
        ``norm_ih_l0, norm_hh_l0 (G·H,)``, for lstm also ``norm_c_l0, norm_c_bias_l0 (H,)``,
        normalize a layer; see `rnnkit.cells.LayerSpec` for the equations.
    cell : {"lstm", "gru", "rnn"}, default="lstm"
    lengths : array-like of shape (N,), integer, default=None
        Steps of each sequence of a 3-D x, from 0 to T; None: all T. What lies beyond is never
        looked at. A sequence without steps passes its initial state on.
    h0, c0 : array-like of shape (L·D, N, H), default=None
        Initial states, layer after layer, within a layer direction after direction; None:
        zeros. Only the lstm cell has c0; with full gate recurrence it has 4·H columns, c and
        after it the gates i, f and o of the step before, as `c_n` has.
    n_layers : int, default=1
    bidirectional : bool, default=False
        Whether a second direction reads each sequence from its last step to its first.
    reverse : bool, default=False
        Whether the only direction does so; its weights then have no suffix.
    activation, gate_activation : str, Activation or a pair of them
        Functions of the candidate state and of the gates: "tanh", "sigmoid", "softsign",
        "relu", "hard_sigmoid", "linear", "leaky_relu", "scaled_tanh". A pair gives each of
        two directions its own.
    output_activation : str, Activation or a pair of them, default=None
        Function of the lstm's cell state; None: `activation`.
    activation_params : dict of str to tuple (alpha, beta), default=None
        Parameters of the functions, under the name of the argument that chose it; a pair of
        tuples gives each direction its own. None in place of a number: the default.
    coupled_gates : bool, default=False
        Whether the lstm's forget gate is ``1 - i``.
    cell_clip : float, default=None
        Limit of the input of every gate's activation.
    reset : {"after", "before"}, default="after"
        Whether the gru's reset gate acts after the recurrent product or before it.
    backend : {"cpu", "reference"}, default="cpu"
        The compiled core, or plain NumPy.

    Returns
    -------
    RecurrentOutput
        ``y``: in the form of x, a dense one zero past a sequence's length; ``h_n``, and for
        lstm ``c_n``: (L·D, N, H); ``backward(dy, dh_n, dc_n)``: the gradients. It refers to
        the weights and does not copy them: leave them unchanged until after `backward`.

    Raises
    ------
    TypeError
        If x or `lengths` has a type that is not accepted.
    ValueError
        If an argument has a wrong shape or value, a weight is missing or unknown, or a number
        is not finite. The message names it.
    MemoryError
        If what the call keeps does not fit the memory that is there; nothing was allocated then.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnkit.functional import recurrent
    >>> weights = {"weight_ih_l0": np.ones((3, 2)), "weight_hh_l0": np.eye(3)}
    >>> result = recurrent(
    ...     np.ones((1, 4, 2)), weights, "rnn", lengths=[2], activation="relu", backend="reference"
    ... )
    >>> result.y[0, :, 0]
    array([2., 4., 0., 0.])
    >>> result.backward(dh_n=np.ones((1, 1, 3)))["weight_ih_l0"]
    array([[2., 2.],
           [2., 2.],
           [2., 2.]])
    """
    if bidirectional and reverse:
        raise ValueError("bidirectional has both directions already; leave reverse=False")
    options = read_options(
        [False, True] if bidirectional else [bool(reverse)],
        cell,
        n_layers,
        activation,
        gate_activation,
        output_activation,
        activation_params,
        cell_options={"coupled_gates": coupled_gates, "cell_clip": cell_clip, "reset": reset},
    )
    sequences, form = read_sequences(x, lengths)
    layers = read_layers(
        weights, cell, n_layers, sequences.n_features, sequences.values.dtype, options
    )
    layout = Layout(form, sequences)
    states = read_states(h0, c0, layers, sequences)
    return RecurrentOutput(layers, host_backend(backend), layout, states)


def host_backend(name: str) -> Backend:
    """Return a backend that computes on the host; ValueError if the name is none of them."""
    if name not in ("cpu", "reference"):
        raise ValueError(f"backend must be 'cpu' or 'reference', got {name!r}")
    return get_backend(name)


class RecurrentOutput:
    """What `recurrent` returns.

    Its `backward` works in memory of its own: one thread's at a time.

    Attributes
    ----------
    y : ndarray of shape (N, T, D·H), list or object array of arrays (T_n, D·H), or Sequences
        The last layer's hidden state after each step, in the form of x; zero past the length
        of a sequence.
    h_n : ndarray of shape (L·D, N, H)
        Each layer's and direction's hidden state after the last step it visits.
    c_n : ndarray of shape (L·D, N, H) or None
        The same for the cell state of an lstm; with full gate recurrence (L·D, N, 4·H).
    """

    def __init__(
        self, layers: GivenLayers, backend: Backend, layout: Layout, states: dict[str, Array]
    ) -> None:
        self._layers, self._layout = layers, layout
        _refuse_too_much(layers, layout, backend)
        self._gradients = {name: np.empty_like(p) for name, p in layers.parameters.items()}
        self._chain = Chain(layers.layers, layers.binding(backend, self._gradients))
        self._x = layout.pack_values()
        self._states = layout.pack_states(states, layers.n_directions)
        self._owner = Owner("RecurrentOutput")
        self._ready = False  # whether the chain holds what one backward pass needs
        self.y = layout.unpack(self._run())
        ends = layout.unpack_states(self._chain.states)
        self.h_n: Array = ends["h"]
        self.c_n: Array | None = ends.get("c")

    def backward(self, dy: Any = None, dh_n: Any = None, dc_n: Any = None) -> dict[str, Any]:
        """Return the gradients of a loss by everything that went in.

        Parameters
        ----------
        dy : like `y`, default=None
            Gradient of the loss by `y`; ignored past the length of a sequence. None: zeros.
        dh_n, dc_n : array-like of shape (L·D, N, H), default=None
            Gradient of the loss by `h_n` and `c_n`. None: zeros.

        Returns
        -------
        dict
            "x" in the form of x, "h0" and, for lstm, "c0" (L·D, N, H), and the gradient of
            every weight under the name it was given by.

        Raises
        ------
        ValueError
            If a gradient has a wrong shape or a number that is not finite.
        RuntimeError
            If another thread's call is running.
        """
        with self._owner:
            return self._backward(dy, dh_n, dc_n)

    def _backward(self, dy: Any, dh_n: Any, dc_n: Any) -> dict[str, Any]:
        layers, layout = self._layers, self._layout
        if dc_n is not None and self.c_n is None:
            raise ValueError("dc_n belongs to the lstm cell")
        given = [("h", "dh_n", dh_n, self.h_n), ("c", "dc_n", dc_n, self.c_n)]
        dends = {
            state: of_shape(finite_array(value, name, layers.dtype), name, end.shape)
            for state, name, value, end in given
            if value is not None and end is not None
        }
        packed_dy = None if dy is None else layout.pack(dy, "dy", layers.layers[-1].width)
        if not self._ready:
            self._run()
        self._ready = False
        for gradient in self._gradients.values():
            gradient.fill(0)
        dx = self._chain.backward(packed_dy, layout.pack_states(dends, layers.n_directions))
        dstarts = layout.unpack_states(self._chain.state_gradients)
        return {
            "x": layout.unpack(dx),
            **{f"{state}0": dstart for state, dstart in dstarts.items()},
            **layers.named_gradients(self._gradients),
        }

    def _run(self) -> Array:
        """Run forward."""
        y = self._chain.forward(self._layout.plan, self._x, states=self._states)
        self._ready = True
        return y


def _refuse_too_much(layers: GivenLayers, layout: Layout, backend: Backend) -> None:
    """Raise MemoryError, with the sum and its parts, before what does not fit is allocated."""
    size, item = size_of(layers.layers), layers.dtype.itemsize
    n_rows, n_sequences = layout.plan.n_rows, layout.plan.n_sequences
    parts = {
        "gradients": size.parameters * item,
        "what is packed for the kernels": 3 * size.recurrent * item,
        f"{n_rows} steps": n_rows * (size.row + 2 * layers.layers[-1].width) * item,
        f"{n_sequences} states": n_sequences * size.sequence * item,
        f"{size.directions} bound layers": size.directions * OBJECTS_OF_A_LAYER,
    }
    if sum(parts.values()) > TOO_LITTLE_TO_ASK:
        remedy = "give fewer sequences, or fewer steps, at once"
        refuse_too_much(parts, backend.free_bytes(), "recurrent", remedy)

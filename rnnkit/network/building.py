"""From options to a network: which layers an estimator's choices ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rnnkit.cells import make_spec
from rnnkit.convolutions import Convolution
from rnnkit.network.beside import Beside, Joined
from rnnkit.network.convolution import ConvolutionLayer
from rnnkit.network.dropout import Dropout, InputNoise
from rnnkit.network.layers import Dense, Layer
from rnnkit.network.network import Memory, Network
from rnnkit.network.outputs import Output
from rnnkit.network.pooling import AttentionPooling, Pooling
from rnnkit.network.recurrent import Recurrent, both_directions
from rnnkit.network.static import StartedRecurrent
from rnnkit.network.tied import TiedDense
from rnnkit.network.tokens import TokenFeatures

__all__ = ["build_layers", "build_network"]


def build_layers(
    cell: str,
    n_inputs: int,
    output: Output,
    *,
    per_step: bool,
    hidden_size: int | Sequence[int] = 64,
    n_layers: int = 1,
    bidirectional: bool = False,
    forget_bias: float = 1.0,
    gate_bias: str | Mapping[str, float] | None = None,
    longest: int | None = None,
    fixed_gates: Sequence[str] = (),
    pooling: str = "last",
    dropout: float = 0.0,
    input_dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    input_noise: float = 0.0,
    output_bias: Any = 0.0,
    tokens: Sequence[Any] | None = None,
    static: Sequence[int] = (),
    tied_embeddings: bool = False,
    convolutions: Sequence[Convolution] | None = None,
    convolution_join: str = "before",
    **cell_options: Any,
) -> list[Layer]:
    """Return the layers of an estimator's network; their parameters take no memory yet.

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
        H, L, and whether every layer also runs in reverse (D = 2). A sequence of widths is of the
        layers by themselves, and may be empty.
    forget_bias : float, default=1.0
        Initial bias of the LSTM's forget gate.
    gate_bias : "chrono" or mapping of gate name to float, default=None
        Initial gate biases in place of the default; "chrono" needs `longest`.
    longest : int, default=None
        Number of steps of the longest training sequence, for ``gate_bias="chrono"``.
    fixed_gates : sequence of str, default=()
        Gates of an LSTM that are always open.
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
    static : sequence of int, default=()
        Which features of a step, embedded tokens first, do not change within a sequence and make
        the initial state of the first layer (see `rnnkit.network.static`).
    tied_embeddings : bool, default=False
        Whether the head scores by the vectors of the first embedding table, one row of it for
        each of the K scores (see `rnnkit.network.tied`).
    convolutions : sequence of Convolution, default=None
        Over the steps that are read, one after the other.
    convolution_join : {"before", "parallel"}, default="before"
        Whether the first recurrent layer reads what they give, or the head does, beside the
        states of the last one: per step, or in the mean over the steps.
    **cell_options : dict
        The options of the cell by name, as `rnnkit.cells.make_spec` takes them.

    Returns
    -------
    list of Layer

    Raises
    ------
    TypeError
        If a cell option is unknown.
    ValueError
        If an option is out of range or does not fit the cell.
    """
    if tokens is None and n_inputs < 1:
        raise ValueError(f"n_inputs must be at least 1 without tokens, got {n_inputs!r}")
    widths = _widths_of_layers(hidden_size, n_layers)
    layers: list[Layer] = []
    width = n_inputs
    if input_noise and not n_inputs:
        raise ValueError(
            f"input_noise must be 0 where a step holds token ids alone, got {input_noise!r}: "
            "noise is added to numbers; input_dropout and token_dropout are for ids"
        )
    if tokens is not None:
        features = TokenFeatures(tokens, n_inputs, input_noise)
        layers.append(features)
        width = features.width
    elif input_noise:
        layers.append(InputNoise(input_noise))
    if input_dropout:
        layers.append(Dropout(input_dropout))
    n_beside = 0
    if convolutions:
        convolving = _convolving(convolutions, width, per_step=per_step)
        if convolution_join == "before":
            if static:
                raise ValueError("convolutions before recurrence would mix what is static with it")
            layers += convolving
            width = convolving[-1].width
        elif convolution_join == "parallel":
            n_beside = convolving[-1].width
            pooled = [] if per_step else [Pooling("mean")]
            layers.append(Beside([*convolving, *pooled], width))
        else:
            raise ValueError(
                f"convolution_join must be 'before' or 'parallel', got {convolution_join!r}"
            )

    for layer, units in enumerate(widths):
        is_last = layer == len(widths) - 1
        if dropout and layer > 0:
            layers.append(Dropout(dropout))
        starts = bool(static) and layer == 0
        n_changing = width - len(static) if starts else width
        spec = make_spec(cell, n_changing, units, **cell_options)
        specs = both_directions(spec) if bidirectional else (spec,)
        options: dict[str, Any] = {
            "last_only": is_last and not per_step and pooling == "last",
            "recurrent_dropout": recurrent_dropout,
            "forget_bias": forget_bias,
            "gate_bias": gate_bias,
            "longest": longest,
            "fixed_gates": fixed_gates,
        }
        recurrent = (
            StartedRecurrent(specs, static, **options)
            if starts
            else Recurrent(specs, layer, **options)
        )
        layers.append(recurrent)
        width = recurrent.width

    if not per_step:
        if pooling == "attention":
            layers.append(AttentionPooling(width))
        elif pooling in ("mean", "max") or (pooling == "last" and not widths):
            layers.append(Pooling(pooling))
        elif pooling != "last":
            raise ValueError(
                f"pooling must be 'last', 'mean', 'max' or 'attention', got {pooling!r}"
            )
    if n_beside:
        width += n_beside
        layers.append(Joined(width))
    if dropout:
        layers.append(Dropout(dropout))
    if tied_embeddings:
        assert tokens is not None
        layers.append(TiedDense(width, output.width, tokens[0].dims[0], output_bias))
    else:
        layers.append(Dense(width, output.width, output_bias))
    return layers


def _convolving(
    convolutions: Sequence[Convolution], n_inputs: int, *, per_step: bool
) -> list[ConvolutionLayer]:
    """Return the layers of convolutions, one after the other."""
    if per_step and any(shape.shortening > 1 for shape in convolutions):
        raise ValueError(
            "convolutions must have stride=1 and pooling=None where every step is scored, got "
            f"{list(convolutions)!r}"
        )
    layers: list[ConvolutionLayer] = []
    for number, shape in enumerate(convolutions):
        layers.append(ConvolutionLayer(shape, n_inputs, number))
        n_inputs = shape.channels
    return layers


def _widths_of_layers(hidden_size: int | Sequence[int], n_layers: int) -> tuple[int, ...]:
    """Return the hidden units of each recurrent layer.

    Raises
    ------
    ValueError
        If `n_layers` is not 1 beside a sequence of widths, or less.
    """
    if n_layers < 1:
        raise ValueError(f"n_layers must be at least 1, got {n_layers!r}")
    if not isinstance(hidden_size, Sequence):
        return (hidden_size,) * n_layers
    if n_layers != 1:
        raise ValueError(
            f"n_layers must be 1 where hidden_size={hidden_size!r} has an entry for each layer, "
            f"got {n_layers!r}"
        )
    return tuple(hidden_size)


def build_network(
    cell: str,
    n_inputs: int,
    output: Output,
    *,
    dtype: Any = "float64",
    memory: Memory | None = None,
    **options: Any,
) -> Network:
    """Build the network of an estimator; its parameters are still zero.

    Parameters
    ----------
    cell, n_inputs, output
        As in `build_layers`.
    dtype : dtype, default="float64"
        float32 or float64.
    memory : callable, default=None
        Where the parameters lie, as in `Network`.
    **options : dict
        As in `build_layers`; `per_step` must be among them.

    Returns
    -------
    Network

    Raises
    ------
    TypeError, ValueError
        As in `build_layers`.

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
    return Network(build_layers(cell, n_inputs, output, **options), output, dtype, memory)

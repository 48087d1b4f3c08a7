"""From options to a network: which layers an estimator's choices ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rnnkit.cells import make_spec
from rnnkit.network.adversarial import Realness
from rnnkit.network.dropout import Dropout, InputNoise
from rnnkit.network.layers import Dense, Layer
from rnnkit.network.meeting import Meeting
from rnnkit.network.network import Memory, Network
from rnnkit.network.outputs import Output
from rnnkit.network.pooling import AttentionPooling, Pooling
from rnnkit.network.previous import Previous
from rnnkit.network.recurrent import Recurrent, both_directions
from rnnkit.network.repeating import Repeating
from rnnkit.network.static import StartedRecurrent
from rnnkit.network.tied import TiedDense
from rnnkit.network.tokens import TokenFeatures
from rnnkit.network.writer import Writer
from rnnkit.network.written import WrittenLabels

__all__ = [
    "build_adversarial",
    "build_autoencoder",
    "build_encoder_decoder",
    "build_layers",
    "build_network",
    "build_recurrent_boltzmann",
    "widths_of_layers",
]


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
    widths = widths_of_layers(hidden_size, n_layers)
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
    if dropout:
        layers.append(Dropout(dropout))
    if tied_embeddings:
        assert tokens is not None
        layers.append(TiedDense(width, output.width, tokens[0].dims[0], output_bias))
    else:
        layers.append(Dense(width, output.width, output_bias))
    return layers


def widths_of_layers(hidden_size: int | Sequence[int], n_layers: int) -> tuple[int, ...]:
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


def build_encoder_decoder(
    cell: str,
    n_inputs: int,
    output: Output,
    *,
    attention: str | None = None,
    target_embedding_dim: int = 64,
    teacher_forcing: float | tuple[float, float, int] = 1.0,
    **options: Any,
) -> list[Layer]:
    """Return the layers of an encoder-decoder; their parameters take no memory yet.

    Parameters
    ----------
    cell, n_inputs
        As in `build_layers`.
    output : WrittenLabels or WrittenNumbers
        What is written.
    attention : {"dot", "additive"}, default=None
        How the decoder attends to the states of the encoder; None: not at all.
    target_embedding_dim : int, default=64
        Width of the table in which labels written before are looked up.
    teacher_forcing : float or tuple (first, last, n), default=1.0
        As in `Writer`.
    **options : dict
        As in `build_layers`, for the encoder; cell, layers and their dropout are the decoder's too.

    Returns
    -------
    list of Layer
        The encoder's, then a `Writer`.

    Raises
    ------
    TypeError, ValueError
        As in `build_layers`.
    """
    layers = build_layers(cell, n_inputs, output, **options)
    recurrent = [layer for layer in layers if isinstance(layer, Recurrent)]
    last = recurrent[-1]
    writer = Writer(
        last.specs[0],
        len(last.specs),
        output.width,
        output.n_classes if isinstance(output, WrittenLabels) else None,
        n_layers=len(recurrent),
        embedding_dim=target_embedding_dim,
        attention=attention,
        teacher_forcing=teacher_forcing,
        dropout=options.get("dropout", 0.0),
        bias=options.get("output_bias", 0.0),
        recurrent_dropout=last.recurrent_dropout,
        forget_bias=last.forget_bias,
        gate_bias=last.gate_bias,
        longest=last.longest,
        fixed_gates=last.fixed_gates,
    )
    return [*layers[: layers.index(last) + 1], writer]


def build_autoencoder(
    cell: str, n_inputs: int, output: Output, *, code_size: int = 16, **options: Any
) -> list[Layer]:
    """Return the layers of an autoencoder; their parameters take no memory yet.

    Parameters
    ----------
    cell, n_inputs, output
        As in `build_layers`.
    code_size : int, default=16
        C, the numbers that a sequence becomes.
    **options : dict
        As in `build_layers`, for the encoder; `per_step` is not looked at, and `input_noise` is
        in the unit of each output. Cell, layers, directions and their dropout are the decoder's
        too, the widths of its layers in reverse.

    Returns
    -------
    list of Layer
        The encoder's and the map to the code, then `Repeating`, the decoder's and the head.

    Raises
    ------
    TypeError, ValueError
        As in `build_layers`.
    """
    *encoder, head = build_layers(cell, n_inputs, output, **{**options, "per_step": False})
    assert isinstance(head, Dense)
    scale = getattr(output, "scale", None)
    layers: list[Layer] = [
        InputNoise(layer.std, scale) if isinstance(layer, InputNoise) else layer
        for layer in encoder
    ]
    recurrent = [layer for layer in encoder if isinstance(layer, Recurrent)]
    layers.append(Dense(head.n_inputs, code_size, prefix="code"))
    repeating = Repeating(code_size)
    layers.append(repeating)
    width, dropout = repeating.width, options.get("dropout", 0.0)
    for number, read in enumerate(reversed(recurrent)):
        if dropout and number > 0:
            layers.append(Dropout(dropout))
        specs = tuple(replace(spec, n_inputs=width) for spec in read.specs)
        written = Recurrent(
            specs,
            number,
            recurrent_dropout=read.recurrent_dropout,
            forget_bias=read.forget_bias,
            gate_bias=read.gate_bias,
            longest=read.longest,
            prefix="decoder",
        )
        layers.append(written)
        width = written.width
    if dropout:
        layers.append(Dropout(dropout))
    return [*layers, Dense(width, output.width, head.bias)]


def build_recurrent_boltzmann(
    cell: str, n_inputs: int, output: Output, **options: Any
) -> list[Layer]:
    """Return the layers that give a machine at every step its biases; they take no memory yet.

    Parameters
    ----------
    cell, n_inputs
        As in `build_layers`.
    output : BoltzmannOutput
    **options : dict
        As in `build_layers`, per step and one way.

    Returns
    -------
    list of Layer
        Behind the last recurrent one, or first, a `Previous`.

    Raises
    ------
    TypeError, ValueError
        As in `build_layers`.
    """
    layers = build_layers(cell, n_inputs, output, **options)
    behind, width = 0, n_inputs  # without a recurrent layer the step before itself
    for i, layer in enumerate(layers):
        if isinstance(layer, Recurrent):
            behind, width = i + 1, layer.width
    return [*layers[:behind], Previous(width), *layers[behind:]]


def build_adversarial(
    cell: str,
    n_inputs: int,
    output: Output,
    *,
    noise_size: int = 8,
    sequence_noise_size: int = 8,
    pooling: str | None = "mean",
    **options: Any,
) -> list[Layer]:
    """Return the layers of a generator and its discriminator; their parameters take no memory yet.

    Parameters
    ----------
    cell, n_inputs
        As in `build_layers`.
    output : Realness
        What is made, and how many numbers its condition has.
    noise_size, sequence_noise_size : int, default=8
        Z and S, the noise numbers of a step and of a sequence.
    pooling : {"last", "mean", "max", "attention"} or None, default="mean"
        How the states of a sequence become one realness; None: every step has its own.
    **options : dict
        As in `build_layers`, for the discriminator; `per_step` is not looked at. Cell, layers and
        directions are the generator's too, but what is dropped or disturbed in training.

    Returns
    -------
    list of Layer
        The generator's, `Meeting`, the discriminator's.

    Raises
    ------
    TypeError, ValueError
        As in `build_layers`; if there is no noise.
    """
    assert isinstance(output, Realness)
    if noise_size + sequence_noise_size < 1:
        raise ValueError(
            "noise_size and sequence_noise_size must not both be 0: without noise all that is made "
            "is one sequence"
        )
    meeting = Meeting(n_inputs, output.n_conditions, noise_size, sequence_noise_size)
    how = {"per_step": True} if pooling is None else {"per_step": False, "pooling": pooling}
    judges = build_layers(cell, meeting.width, Realness(1), **{**options, **how})
    layers: list[Layer] = []
    width = noise_size + sequence_noise_size + output.n_conditions
    for read in judges:
        if not isinstance(read, Recurrent):
            continue
        made = Recurrent(
            tuple(replace(spec, n_inputs=width, zoneout=0.0) for spec in read.specs),
            len(layers),
            forget_bias=read.forget_bias,
            gate_bias=read.gate_bias,
            longest=read.longest,
            fixed_gates=read.fixed_gates,
            prefix="generator",
        )
        layers.append(made)
        width = made.width
    return [*layers, Dense(width, n_inputs, prefix="generator.head"), meeting, *judges]


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

"""From options to networks that are more than a chain and a head: what writes, what makes steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rnnkit.network.adversarial import Realness
from rnnkit.network.building import build_layers
from rnnkit.network.convolution import ConvolutionLayer
from rnnkit.network.dropout import Dropout, InputNoise
from rnnkit.network.layers import Dense, Layer
from rnnkit.network.meeting import Meeting
from rnnkit.network.outputs import Output
from rnnkit.network.previous import Previous
from rnnkit.network.recurrent import Recurrent
from rnnkit.network.repeating import Repeating
from rnnkit.network.writer import Writer
from rnnkit.network.written import WrittenLabels

__all__ = [
    "build_adversarial",
    "build_autoencoder",
    "build_encoder_decoder",
    "build_recurrent_boltzmann",
]


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
    for layer in layers:
        if isinstance(layer, ConvolutionLayer):  # the decoder goes on from recurrent states alone
            layer.carry_nothing()
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

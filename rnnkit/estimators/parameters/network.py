"""The parameters that describe a network: what it reads, its cells, its layers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import StrOptions

from rnnkit.cells import ACTIVATIONS, PRECISIONS
from rnnkit.estimators.parameters.field import (
    ANY_NUMBER,
    NON_NEGATIVE,
    POSITIVE,
    RATE,
    DeviceName,
    Widths,
    integer,
    parameter,
    parameters,
)

__all__ = [
    "NUMBERS_ALONE",
    "GRUParameters",
    "GatedParameters",
    "LSTMParameters",
    "NetworkParameters",
    "PoolingParameters",
    "RNNParameters",
]

ACTIVATION = (
    '{"tanh", "sigmoid", "softsign", "relu", "hard_sigmoid", "linear", "leaky_relu", '
    '"scaled_tanh"} or tuple'
)
ACTIVATION_NAMES = {*ACTIVATIONS, "logistic", "identity"}

# What `fixed` takes away from estimators whose steps are numbers, all of them read at every step.
NUMBERS_ALONE: dict[str, Any] = {
    "embedding_dim": None,
    "categorical_features": None,
    "embedding_init": None,
    "embedding_trainable": True,
    "n_tokens": None,
    "static": "steps",
    "static_features": None,
    "token_dropout": 0.0,
    "spelling_columns": 0,
    "character_dim": 16,
    "character_hidden_size": 32,
}


@parameters
class NetworkParameters:
    """What every network takes, whatever its cell and its task."""

    hidden_size: Any = parameter(
        64,
        [integer(1), Widths(0)],
        "int or tuple of int",
        "Hidden units H of every layer and direction; a tuple has an entry for each layer, first "
        "to last. () is no recurrent layer at all: the head reads the steps themselves, or what "
        "`pooling` makes of them.",
        part="network",
        positional=True,
    )
    n_layers: int = parameter(
        1,
        [integer(1)],
        "int",
        "Recurrent layers L, stacked, each of `hidden_size` units; 1 where that is a tuple.",
        part="network",
    )
    bidirectional: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether every layer also reads the sequence backwards; the states of both "
        "directions are concatenated.",
        part="network",
    )
    step_features: int = parameter(
        1,
        [integer(1)],
        "int",
        "Features I per step of a two-dimensional X: a row of T·I columns is read as T "
        "steps of I features. Other forms of X carry their own number of features.",
        part="reader",
    )
    embedding_dim: Any = parameter(
        None,
        [integer(1), tuple, list, None],
        "int, tuple of int or None",
        "If given, X holds token ids and every id is looked up in a learned table of this "
        "width. X with several columns of ids (words, suffixes, shapes) has one table per "
        "column; a tuple gives each its own width. The arithmetic is then done in "
        "float32.",
        part="reader",
    )
    categorical_features: Any = parameter(
        None,
        [tuple, list, np.ndarray, StrOptions({"from_dtype"}), None],
        '"from_dtype", tuple of int and str, or None',
        "Which columns of a step hold categories, by position or name; the others are numbers "
        'beside them, each column of categories has a table of its own. "from_dtype" takes those '
        "that `fit` finds to hold categories or text: of pandas, polars or Arrow, or objects with "
        "a string among them. Strings, truth values and categories of any kind are labels: `fit` "
        "learns those of a column, labels it did not see and missing ones (None, NaN) are the "
        "unknown id 0. Whole numbers are ids themselves, missing ones 0. The labels of X may "
        "come in frames, object arrays, lists or `Sequences.from_frame`. None: all columns are "
        "token ids. Only used with `embedding_dim` or `embedding_init`.",
        part="reader",
    )
    embedding_init: Any = parameter(
        None,
        [object, None],
        "array, mapping, list, dict or None",
        "What the embedding table begins with: an array (n_tokens, embedding_dim) in the order "
        "of the ids, or anything that maps words, or labels of a categorical column, to "
        "vectors (a dict, gensim's KeyedVectors). The words of ids are known where X comes "
        "from `rnnkit.preprocessing.TokenEncoder`, as in a Pipeline, or holds the labels "
        "themselves. Rows of NaN, and words without a vector, are drawn, as long as the given "
        "ones are on average; the row of the unknown is zero unless it is given. With several "
        "columns of ids a list with an entry for each, or a dict from column (name or "
        "position) to entry; None, or no entry, is drawn. `embedding_dim` may be left out "
        "where every column has a table.",
        part="reader",
    )
    embedding_trainable: bool = parameter(
        True,
        ["boolean"],
        "bool",
        "Whether training changes the embedding tables. False leaves every bit of them as "
        "`embedding_init` gives it or as it was drawn; neither solver nor `alpha` and `l1` "
        "see them, characters of spellings are trained all the same. May change between "
        "warm-started fits.",
    )
    n_tokens: Any = parameter(
        None,
        [integer(1), tuple, list, None],
        "int, tuple of int or None",
        "Ids of the embedding tables: 0 to n_tokens - 1. None takes the largest id of "
        "each column in `fit` plus one. Only used with `embedding_dim`.",
        part="reader",
    )
    static: str = parameter(
        "steps",
        [StrOptions({"steps", "state"})],
        '{"steps", "state"}',
        "What becomes of columns that do not change within a sequence, such as a patient's age. "
        '"steps" feeds them at every step like the others. "state" feeds them once: the '
        "initial state of the first recurrent layer is a learned linear map of them, "
        "h_0 = W_h s + b_h, and c_0 = W_c s + b_c of an LSTM, for each direction; s are their "
        "numbers, and the embeddings of categories among them. A stream looks at its first "
        "step's.",
        part="reader",
    )
    static_features: Any = parameter(
        None,
        [tuple, list, np.ndarray, None],
        "tuple of int and str, or None",
        'Which columns of a step are static, by position or name, with `static="state"`. None: '
        "those that are constant within every sequence of the first `fit`. Whichever, they "
        "must be constant within every sequence later on.",
        part="reader",
    )
    token_dropout: float = parameter(
        0.0,
        [NON_NEGATIVE],
        "float",
        "Strength a of the dropout of rare ids: one that occurs n times in the training "
        "data is read as 0, the unknown, with probability a / (a + n) in training "
        "(Kiperwasser & Goldberg 2016). Only used with `embedding_dim`.",
    )
    spelling_columns: int = parameter(
        0,
        [integer(0)],
        "int",
        "The last so many columns of ids spell a token character by character (0 beyond "
        'its end), as "spelling" of `rnnkit.preprocessing.TokenEncoder` does, and a '
        "bidirectional layer of the same cell reads them. `embedding_dim` is then for the "
        "other columns. Only used with `embedding_dim`.",
        part="reader",
    )
    character_dim: int = parameter(
        16,
        [integer(1)],
        "int",
        "Width of the table of characters.",
    )
    character_hidden_size: int = parameter(
        32,
        [integer(1)],
        "int",
        "Hidden units of each direction that reads a spelling.",
    )
    convolutions: Any = parameter(
        None,
        [list, tuple, None],
        "list of Convolution or None",
        "Convolutions over the steps that are read, embedded tokens included, each "
        "`rnnkit.Convolution(channels, width, stride=1, pooling=None)`, one after the other. A "
        "stride or a maximum shortens sequences, and is for estimators that answer per sequence. A "
        "stream and `bptt_steps` take causal ones. None: there are none.",
        part="network",
    )
    convolution_join: str = parameter(
        "before",
        [StrOptions({"before", "parallel"})],
        '{"before", "parallel"}',
        "Who takes what the last convolution gives: the first recurrent layer, in place of what is "
        'read ("before"); or the head, beside the hidden states ("parallel": LSTM-FCN of Karim et '
        "al. 2018): its mean over the steps, or per step where every step is answered.",
        part="network",
    )
    activation: Any = parameter(
        "tanh",
        [StrOptions(ACTIVATION_NAMES), tuple],
        ACTIVATION,
        'The activation φ of the cell. A tuple (name, alpha, beta), as ("leaky_relu", '
        '0.1), gives the function\'s own parameters. "identity" is "linear".',
        part="cell",
    )
    cell_clip: float | None = parameter(
        None,
        [POSITIVE, None],
        "float or None",
        "Limit of the input of every activation in the cell, on both sides.",
        part="cell",
    )
    layer_norm: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether the cell normalizes its products (Ba et al. 2016).",
        part="cell",
    )
    zoneout: float = parameter(
        0.0,
        [RATE],
        "float",
        "Rate at which a hidden unit keeps its previous state in training (Krueger et al. 2017).",
        part="cell",
    )
    dropout: float = parameter(
        0.0,
        [RATE],
        "float",
        "Dropout rate between the layers and before the output.",
        part="network",
    )
    input_dropout: float = parameter(
        0.0,
        [RATE],
        "float",
        "Dropout rate of the inputs, embedded tokens included.",
        part="network",
    )
    recurrent_dropout: float = parameter(
        0.0,
        [RATE],
        "float",
        "Dropout rate of the hidden state inside the cell, one mask per sequence (Gal & "
        "Ghahramani 2016).",
        part="network",
    )
    input_noise: float = parameter(
        0.0,
        [NON_NEGATIVE],
        "float",
        "Standard deviation of the Gaussian noise added to numeric inputs in training.",
        part="network",
    )
    precision: str = parameter(
        "full",
        [StrOptions(set(PRECISIONS))],
        '{"full", "bf16"}',
        'With "bf16" the network computes in float32, whatever the dtype of X, and the '
        "factors of its recurrent products are rounded to bfloat16 (8 significant bits); "
        "weights, sums, states and gradients stay float32. Some 2.5 times as fast on a "
        "CPU with AMX, 1.6 on an AMD one with AVX512-BF16, slower on others. For cells without "
        "options, on the CPU.",
        part="cell",
    )
    device: str = parameter(
        "cpu",
        [DeviceName({"cpu", "cuda", "cuda:k", "auto", "reference"})],
        '{"cpu", "cuda", "cuda:k", "auto", "reference"}',
        'Where the arithmetic is done. "cuda" is an NVIDIA GPU, the first or number k, '
        'and needs the extra cuda12 or cuda13; "auto" is the first GPU if there is one, '
        'else the CPU; "reference" is a slow NumPy implementation to check the others '
        "against. A model fitted on a GPU predicts on the CPU, with a warning, where "
        "there is none. Arrays that lie on a GPU are taken if the device may be one, and "
        "answered there.",
    )


@parameters
class RNNParameters:
    """What an Elman network takes beside the parameters of every cell: nothing."""

    _cell: ClassVar[str] = "rnn"


@parameters
class GatedParameters:
    """What every cell with gates takes."""

    gate_activation: Any = parameter(
        "sigmoid",
        [StrOptions(ACTIVATION_NAMES), tuple],
        ACTIVATION,
        'The activation σ of the gates, in the same form. "logistic" is "sigmoid".',
        part="cell",
    )
    gate_bias: Any = parameter(
        None,
        [StrOptions({"chrono"}), dict, None],
        'None, "chrono" or dict',
        'Initial biases of the gates: a dict gate → value, or "chrono" (Tallec & Ollivier '
        "2018), which draws them so that the cell can remember over the longest sequence "
        "seen in `fit`. Long lags are often not learned without it.",
        part="network",
    )


@parameters
class LSTMParameters(GatedParameters):
    """What long short-term memory takes beside the parameters of every gated cell."""

    _cell: ClassVar[str] = "lstm"
    peephole: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether the gates see the cell state: input and forget gate the previous one, "
        "the output gate the new one.",
        part="cell",
    )
    coupled_gates: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether the forget gate is one minus the input gate.",
        part="cell",
    )
    full_gate_recurrence: bool = parameter(
        False,
        ["boolean"],
        "bool",
        "Whether the three gates also see all three gates of the step before, through nine more "
        "matrices H × H, zeros at first (the variant FGR of Greff et al. 2017; so had it the LSTM "
        "of 1997). For a study of the cell: it is no better, about three times slower, and not on "
        "the GPU, in ONNX, PyTorch or Keras.",
        part="cell",
    )
    output_activation: Any = parameter(
        None,
        [StrOptions(ACTIVATION_NAMES), tuple, None],
        f"{ACTIVATION}, or None",
        "What is taken of the cell state before the output gate, φ_c in h' = o * φ_c(c'), in the "
        "form of `activation`. None: `activation`.",
        part="cell",
    )
    fixed_gates: tuple[str, ...] = parameter(
        (),
        [tuple, list],
        "tuple of str",
        'Which of the gates "i" (input), "f" (forget) and "o" (output) are always open, as if the '
        "cell had none: its value is 1 in every bit, its weights are zero, and neither solver nor "
        "penalties change them (the variants without a gate of Greff et al. 2017; the cell of 1997 "
        'has no "f"). Other biases, those of "chrono" too, do not reach it. Not with `cell_clip` '
        "or `layer_norm`, with another `gate_activation`, nor, but for the output gate, with "
        "`coupled_gates`.",
        part="network",
    )
    forget_bias: float = parameter(
        1.0,
        [ANY_NUMBER],
        "float",
        "Initial bias of the forget gate.",
        part="network",
    )


@parameters
class GRUParameters(GatedParameters):
    """What gated recurrent units take beside the parameters of every gated cell."""

    _cell: ClassVar[str] = "gru"
    reset: str = parameter(
        "after",
        [StrOptions({"after", "before"})],
        '{"after", "before"}',
        "Whether the reset gate multiplies the hidden state after or before the product "
        "with the recurrent weight.",
        part="cell",
    )


@parameters
class PoolingParameters:
    """What a network takes that makes one vector of a sequence."""

    pooling: str = parameter(
        "last",
        [StrOptions({"last", "mean", "max", "attention"})],
        '{"last", "mean", "max", "attention"}',
        "How the hidden states of a sequence become one vector: the state after the last "
        "step (of both directions), mean or maximum over the steps, or a learned weighted "
        "mean.",
        part="network",
    )

"""The documentation of every constructor parameter and fitted attribute, written once."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import textwrap
from typing import Any, NamedTuple

__all__ = ["ATTRIBUTES", "PARAMETERS", "TaskText", "describe"]

_ACTIVATIONS = (
    '{"tanh", "sigmoid", "softsign", "relu", "hard_sigmoid", "linear", "leaky_relu", '
    '"scaled_tanh"} or tuple'
)

# name -> (type, description); the default is read from the signature.
PARAMETERS: dict[str, tuple[str, str]] = {
    "hidden_size": ("int", "Hidden units H of every layer and direction."),
    "n_layers": ("int", "Recurrent layers L, stacked."),
    "bidirectional": (
        "bool",
        "Whether every layer also reads the sequence backwards; the states of both directions "
        "are concatenated.",
    ),
    "step_features": (
        "int",
        "Features I per step of a two-dimensional X: a row of T·I columns is read as T steps "
        "of I features. Other forms of X carry their own number of features.",
    ),
    "embedding_dim": (
        "int, tuple of int or None",
        "If given, X holds token ids and every id is looked up in a learned table of this "
        "width. X with several columns of ids (words, suffixes, shapes) has one table per "
        "column; a tuple gives each its own width. The arithmetic is then done in float32.",
    ),
    "n_tokens": (
        "int, tuple of int or None",
        "Ids of the embedding tables: 0 to n_tokens - 1. None takes the largest id of each "
        "column in `fit` plus one. Only used with `embedding_dim`.",
    ),
    "token_dropout": (
        "float",
        "Strength a of the dropout of rare ids: one that occurs n times in the training data is "
        "read as 0, the unknown, with probability a / (a + n) in training (Kiperwasser & "
        "Goldberg 2016). Only used with `embedding_dim`.",
    ),
    "spelling_columns": (
        "int",
        "The last so many columns of ids spell a token character by character (0 beyond its "
        'end), as "spelling" of `rnnkit.preprocessing.TokenEncoder` does, and a bidirectional '
        "layer of the same cell reads them. `embedding_dim` is then for the other columns. Only "
        "used with `embedding_dim`.",
    ),
    "character_dim": ("int", "Width of the table of characters."),
    "character_hidden_size": ("int", "Hidden units of each direction that reads a spelling."),
    "activation": (
        _ACTIVATIONS,
        'The activation φ of the cell. A tuple (name, alpha, beta), as ("leaky_relu", 0.1), '
        'gives the function\'s own parameters. "identity" is "linear".',
    ),
    "gate_activation": (
        _ACTIVATIONS,
        'The activation σ of the gates, in the same form. "logistic" is "sigmoid".',
    ),
    "peephole": (
        "bool",
        "Whether the gates see the cell state: input and forget gate the previous one, the "
        "output gate the new one.",
    ),
    "coupled_gates": ("bool", "Whether the forget gate is one minus the input gate."),
    "forget_bias": ("float", "Initial bias of the forget gate."),
    "reset": (
        '{"after", "before"}',
        "Whether the reset gate multiplies the hidden state after or before the product with "
        "the recurrent weight.",
    ),
    "gate_bias": (
        'None, "chrono" or dict',
        'Initial biases of the gates: a dict gate → value, or "chrono" (Tallec & Ollivier '
        "2018), which draws them so that the cell can remember over the longest sequence seen "
        "in `fit`. Long lags are often not learned without it.",
    ),
    "cell_clip": (
        "float or None",
        "Limit of the input of every activation in the cell, on both sides.",
    ),
    "layer_norm": ("bool", "Whether the cell normalizes its products (Ba et al. 2016)."),
    "zoneout": (
        "float",
        "Rate at which a hidden unit keeps its previous state in training (Krueger et al. 2017).",
    ),
    "pooling": (
        '{"last", "mean", "max", "attention"}',
        "How the hidden states of a sequence become one vector: the state after the last step "
        "(of both directions), mean or maximum over the steps, or a learned weighted mean.",
    ),
    "dropout": ("float", "Dropout rate between the layers and before the output."),
    "input_dropout": ("float", "Dropout rate of the inputs, embedded tokens included."),
    "recurrent_dropout": (
        "float",
        "Dropout rate of the hidden state inside the cell, one mask per sequence (Gal & "
        "Ghahramani 2016).",
    ),
    "input_noise": (
        "float",
        "Standard deviation of the Gaussian noise added to numeric inputs in training.",
    ),
    "label_smoothing": (
        "float",
        "Share of the target distribution that is spread evenly over the classes.",
    ),
    "solver": (
        '{"adam", "adamw", "sgd", "nesterov", "rmsprop", "adagrad", "adadelta", "lbfgs"} or '
        "solver object",
        "The optimizer. An object of `rnnkit.training` carries its own parameters, which a "
        "search reaches as ``solver__momentum``.",
    ),
    "learning_rate_init": ("float", "Learning rate at the start of training."),
    "learning_rate": (
        '{"constant", "invscaling", "adaptive", "linear", "cosine"} or schedule object',
        "How the learning rate changes over the epochs.",
    ),
    "alpha": ("float", "Strength of the L2 penalty of the weights, biases excepted."),
    "l1": ("float", "Strength of the L1 penalty of the weights, biases excepted."),
    "clip_norm": (
        "float or None",
        "Limit of the 2-norm of the gradient of a minibatch. None turns clipping off.",
    ),
    "clip_value": ("float or None", "Limit of the absolute value of every gradient entry."),
    "bptt_steps": (
        "int or None",
        "Window of truncated backpropagation through time, in steps; the state is carried "
        "over the cut. None goes back through the whole sequence.",
    ),
    "batch_size": (
        'int or "auto"',
        'Sequences B of a minibatch. "auto" is min(64, N); a larger number than N is N.',
    ),
    "max_iter": ("int", "Largest number of epochs."),
    "shuffle": ("bool", "Whether the sequences are shuffled before every epoch."),
    "tol": (
        "float",
        "Improvement of the training loss, or of the validation score, that counts as one.",
    ),
    "n_iter_no_change": ("int", "Epochs in a row without improvement after which `fit` stops."),
    "early_stopping": (
        "bool",
        "Whether a part of the training data is set aside, its score decides when to stop, and "
        "the weights of the best epoch are kept.",
    ),
    "validation_fraction": (
        "float",
        "Share of the sequences that `early_stopping` sets aside.",
    ),
    "warm_start": (
        "bool",
        "Whether `fit` goes on from the weights of the previous call.",
    ),
    "class_weight": (
        'dict, "balanced" or None',
        'Weights of the classes in the loss; "balanced" makes them inversely proportional to '
        "their frequency.",
    ),
    "loss": (
        '{"squared", "absolute", "huber", "quantile", "poisson"}',
        'The loss that is minimized. "poisson" predicts exp(score). "squared_error" and '
        '"absolute_error" are accepted too.',
    ),
    "huber_delta": ("float", 'Where loss="huber" turns from square to straight.'),
    "quantile": ("float", 'The quantile that loss="quantile" predicts.'),
    "output": (
        '{"softmax", "crf"}',
        "How the labels of a sequence are scored: every step by itself, or as a whole by a "
        'linear-chain conditional random field ("crf"; Lafferty et al. 2001).',
    ),
    "beam_width": (
        "int or None",
        "Label sequences kept at every step of a beam search for the most probable one; None "
        "reads the labels from the best class of every step. May be changed after `fit`.",
    ),
    "precision": (
        '{"full", "bf16"}',
        'With "bf16" the network computes in float32, whatever the dtype of X, and the factors '
        "of its recurrent products are rounded to bfloat16 (8 significant bits); weights, sums, "
        "states and gradients stay float32. Up to 1.8 times as fast on a CPU with AVX512-BF16, "
        "slower on others. For cells without options, on the CPU.",
    ),
    "device": (
        '{"cpu", "cuda", "cuda:k", "auto", "reference"}',
        'Where the arithmetic is done. "cuda" is an NVIDIA GPU, the first or number k, and needs '
        'the extra cuda12 or cuda13; "auto" is the first GPU if there is one, else the CPU; '
        '"reference" is a slow NumPy implementation to check the others against. A model fitted '
        "on a GPU predicts on the CPU, with a warning, where there is none. Arrays that lie on a "
        "GPU are taken if the device may be one, and answered there.",
    ),
    "random_state": (
        "int, RandomState instance or None",
        "Seed of the initial weights, the shuffling, the validation split and the noise.",
    ),
    "verbose": ("bool or int", "Whether the progress of every epoch is printed."),
}

# name -> (type, description); an estimator documents those its class names.
ATTRIBUTES: dict[str, tuple[str, str]] = {
    "classes_": ("ndarray of shape (K,)", "The class labels, sorted."),
    "network_": ("rnnkit.network.Network", "The trained network."),
    "weights_": (
        "dict of str to ndarray",
        "Every weight by its name, as ``rnn.weight_ih_l0`` (G·H, I); views, not copies.",
    ),
    "n_features_in_": (
        "int",
        "Columns of a two-dimensional X, otherwise features I per step.",
    ),
    "feature_names_in_": ("ndarray of str", "Column names, if X was a data frame."),
    "n_outputs_": ("int", "Outputs K."),
    "n_iter_": ("int", "Epochs of the last call of `fit`."),
    "t_": ("int", "Sequences seen in training, each epoch counted."),
    "loss_": ("float", "Mean loss of the last epoch."),
    "best_loss_": ("float or None", "Smallest mean loss; None with a validation score."),
    "loss_curve_": ("list of float", "Mean loss of every epoch."),
    "validation_scores_": (
        "list of float or None",
        "Score on the validation data after every epoch.",
    ),
    "best_validation_score_": ("float or None", "The largest of them."),
}


class TaskText(NamedTuple):
    """What the estimators of a task say of themselves, whatever the cell.

    Parameters
    ----------
    notes : str
        What the scores are and how they are trained; follows the cell's equations.
    example : str
        A doctest with ``{name}`` for the class.
    remarks : str, default=""
        What follows the first line.
    """

    notes: str
    example: str
    remarks: str = ""


# cell -> (equations, source)
CELL_TEXTS = {
    "rnn": ("``h_t = φ(W x_t + U h_{t-1} + b)``", "Elman (1990)"),
    "lstm": (
        "``i, f, o = σ(W x_t + U h_{t-1} + b)``, ``g = φ(W x_t + U h_{t-1} + b)``, "
        "``c_t = f c_{t-1} + i g``, ``h_t = o φ(c_t)``",
        "Hochreiter & Schmidhuber (1997); Gers, Schmidhuber & Cummins (2000) for the forget gate",
    ),
    "gru": (
        "``r, z = σ(W x_t + U h_{t-1} + b)``, ``n = φ(W x_t + b + r (U h_{t-1} + b_hn))``, "
        "``h_t = (1 - z) n + z h_{t-1}``",
        "Cho et al. (2014)",
    ),
}


def describe(cls: type[Any], attributes: tuple[str, ...]) -> str:
    """Return the docstring of an estimator class: its first line, what it takes, has and does.

    Parameters
    ----------
    cls : type
        A dataclass with `_cell` and a `_text`, whose own docstring is one line.
    attributes : tuple of str
        Names from `ATTRIBUTES`.

    Returns
    -------
    str
    """
    text: TaskText = cls._text
    equations, source = CELL_TEXTS[cls._cell]
    parameters = [
        _entry(field.name, PARAMETERS[field.name], f", default={field.default!r}")
        for field in dataclasses.fields(cls)
    ]
    fitted = [_entry(name, ATTRIBUTES[name], "") for name in attributes]
    notes = textwrap.fill(f"{equations}; {text.notes} Source: {source}.", 88)
    parts = [
        inspect.cleandoc(cls.__doc__ or ""),
        textwrap.fill(text.remarks, 88),
        _section("Parameters", parameters),
        _section("Attributes", fitted),
        _section("Notes", [notes]),
        _section("Examples", [text.example.strip().replace("{name}", cls.__name__)]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, entries: list[str]) -> str:
    return "\n".join([title, "-" * len(title), *entries])


@functools.cache  # fifteen classes share most of their parameters
def _entry(name: str, documentation: tuple[str, str], default: str) -> str:
    kind, description = documentation
    body = textwrap.fill(description, 88, initial_indent="    ", subsequent_indent="    ")
    return f"{name} : {kind}{default}\n{body}"

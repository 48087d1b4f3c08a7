"""The docstrings of the estimators, made of the entries of their parameters and attributes."""

from __future__ import annotations

import functools
import inspect
import textwrap
from typing import Any, NamedTuple

from rnnkit.estimators.parameters.field import entries_of

__all__ = ["ATTRIBUTES", "TaskText", "describe"]

# name -> (type, description); an estimator documents those its class names.
ATTRIBUTES: dict[str, tuple[str, str]] = {
    "classes_": ("ndarray of shape (K,)", "The class labels, sorted."),
    "vocabulary_": (
        "dict",
        "The id of every token that is known; 0 is that of the unknown and, where documents have "
        "ends, the last one that of the end.",
    ),
    "network_": ("rnnkit.network.Network", "The trained network."),
    "weights_": (
        "dict of str to ndarray",
        "Every weight by its name, as ``rnn.weight_ih_l0`` (G·H, I); views, not copies.",
    ),
    "n_features_in_": (
        "int",
        "Columns of a two-dimensional X, otherwise features I per step.",
    ),
    "feature_names_in_": (
        "ndarray of str",
        "Column names, if X was a frame, a list of frames, or `Sequences` of one.",
    ),
    "n_outputs_": ("int", "Outputs K."),
    "n_iter_": ("int", "Epochs of the last call of `fit`."),
    "n_threads_": (
        "int",
        "Threads that a large layer could use in the last call of `fit`; 1 with a GPU and with the "
        "reference.",
    ),
    "t_": ("int", "Sequences seen in training, each epoch counted."),
    "loss_": ("float", "Mean loss of the last epoch."),
    "best_loss_": ("float or None", "Smallest mean loss; None with a validation score."),
    "loss_curve_": ("list of float", "Mean loss of every epoch."),
    "validation_scores_": (
        "list of float or None",
        "Score on the validation data after every epoch.",
    ),
    "validation_loss_curve_": (
        "list of float or None",
        "Mean loss on the validation data after every epoch.",
    ),
    "best_validation_score_": ("float or None", "The largest of the validation scores."),
    "best_epoch_": (
        "int or None",
        "The epoch, from 1, of the smallest training loss; with validation data that of the best "
        "value monitored, whose weights were kept.",
    ),
    "discriminator_loss_curve_": (
        "list of float",
        "Mean loss of the discriminator in every epoch, in nats: log 2 where it can tell nothing.",
    ),
    "offset_": (
        "float",
        "What `score_samples` is at or above for usual sequences; decided by `contamination`.",
    ),
    "alpha_": ("float", "The penalty that the readout was solved with."),
    "error_curve_": (
        "list of float",
        "The smallest error of a candidate until the end of each generation, in the unit of "
        "standardized outputs.",
    ),
    "treatment_": (
        "dict",
        "What is taken out of every series: whether its logarithm (log), the season (period, 1 for "
        "none), differences (lags).",
    ),
    "horizon_": ("int", "Steps ahead for which errors, and with a direct strategy answers, exist."),
    "window_": ("int", "Steps that a network reads before it answers."),
    "strategy_": ("str", "The strategy of the fit."),
    "estimators_": ("list", "The networks: fitted sequence regressors."),
    "weight_": (
        "float",
        "Share of what the networks say beyond the mean change that counts, 0 to 1: their worth in "
        "the time that each left out.",
    ),
    "n_channels_": ("int", "Channels K of a series."),
}


THREADS = (
    "Threads: any number may ask one fitted estimator for predictions and scores at once. Calls "
    "that train it take turns; what is asked meanwhile is answered as before the training, and one "
    "that fails has changed nothing."
)


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
    equations, source : str, default=""
        In place of the cell's, where the cell is a parameter.
    """

    notes: str
    example: str
    remarks: str = ""
    equations: str = ""
    source: str = ""


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
        A dataclass with a `_text`, and a `_cell` unless that has equations, whose own docstring
        is one line.
    attributes : tuple of str
        Names from `ATTRIBUTES`.

    Returns
    -------
    str
    """
    text: TaskText = cls._text
    equations, source = (text.equations, text.source) if text.equations else CELL_TEXTS[cls._cell]
    parameters = [
        _entry(name, (entry.kind, entry.text), f", default={default!r}")
        for name, (default, entry) in entries_of(cls).items()
    ]
    fitted = [_entry(name, ATTRIBUTES[name], "") for name in attributes]
    notes = textwrap.fill(f"{equations}; {text.notes} Source: {source}.", 88)
    parts = [
        inspect.cleandoc(cls.__doc__ or ""),
        textwrap.fill(text.remarks, 88),
        _section("Parameters", parameters),
        _section("Attributes", fitted),
        _section("Notes", [notes, "", textwrap.fill(THREADS, 88)]),
        _section("Examples", [text.example.strip().replace("{name}", cls.__name__)]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, entries: list[str]) -> str:
    return "\n".join([title, "-" * len(title), *entries])


@functools.cache  # the classes share most of their parameters
def _entry(name: str, documentation: tuple[str, str], default: str) -> str:
    kind, description = documentation
    body = textwrap.fill(description, 88, initial_indent="    ", subsequent_indent="    ")
    return f"{name} : {kind}{default}\n{body}"

"""The parameters of forecasters: what is done to a series, and how its network is trained."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Any

from sklearn.utils._param_validation import StrOptions

from rnnkit.estimators.parameters.field import integer, like, parameter, parameters
from rnnkit.estimators.parameters.network import NetworkParameters
from rnnkit.estimators.parameters.training import TrainingParameters

__all__ = ["FORECASTING", "WITH_WRITING", "WRITING", "ForecasterParameters"]


def _like(name: str, default: Any = MISSING, *, positional: bool = False) -> Any:
    """Declare a parameter that other estimators have, perhaps with a default of its own."""
    sources = NetworkParameters, TrainingParameters
    return like(name, *sources, default=default, positional=positional)


@parameters
class ForecasterParameters:
    """What every forecaster takes, whatever its cell."""

    hidden_size: Any = _like("hidden_size", 32, positional=True)
    strategy: str = parameter(
        "direct",
        [StrOptions({"direct", "recursive", "encoder-decoder"})],
        '{"direct", "recursive", "encoder-decoder"}',
        '"direct": one network says all `horizon` steps at once. "recursive": it says the next '
        "step, which is then read like an observation; any number of steps follow. "
        '"encoder-decoder": one network reads the window, another writes the `horizon` steps, and '
        "reads in each what it wrote in the step before; it takes no X.",
    )
    horizon: int | None = parameter(
        None,
        [integer(1), None],
        "int or None",
        'Steps ahead that all but "recursive" learn and that intervals are known for, if `fit` '
        "gets no `fh`. None: two seasons, or 10 steps where there is none, at most a fourth of the "
        "shortest series.",
    )
    window: Any = parameter(
        "auto",
        [StrOptions({"auto"}), integer(2)],
        'int or "auto"',
        'Steps that the network reads before it answers. "auto": two seasons, at least `horizon` '
        "and 16, at most half of the shortest series.",
    )
    stabilize: Any = parameter(
        "auto",
        [StrOptions({"auto", "log"}), None],
        '{"auto", "log"} or None',
        'Whether logarithms are forecast. "auto": where y is positive and the spread of a season '
        "grows with its level by more than the square root (Guerrero 1993).",
    )
    seasonality: Any = parameter(
        "auto",
        [StrOptions({"auto"}), integer(2), None],
        'int, "auto" or None',
        "Steps of a season, whose mean profile around the trend is taken off each series and put "
        'back. "auto": what the frequency of a pandas index says, otherwise one of 4, 5, 7, 12, '
        "24, 48 and 52; the one that explains most of the variance around the trend, if that is "
        "at least 0.3 and the series holds three seasons.",
    )
    difference: Any = parameter(
        "auto",
        [StrOptions({"auto"}), integer(1), list, tuple, None],
        'int, list of int, "auto" or None',
        "Lags of the differences that the network sees and says in place of values, one after the "
        'other: 12 or [1, 12] remove a season too. "auto": 1 where the KPSS test rejects at 5 % '
        "that the series comes back to a level.",
    )
    smoothing: str | None = parameter(
        "auto",
        [StrOptions({"auto"}), None],
        '"auto" or None',
        'From where networks say how a series goes on. "auto": from its level and trend, smoothed '
        "exponentially in the ways that did best, averaged by their likelihood, each series by "
        "itself; with longer differences than 1, and with "
        'strategy="recursive", as None. None: from the last value, or from what differences of '
        "zero lead to.",
    )
    n_estimators: int = parameter(
        5,
        [integer(1)],
        "int",
        "Networks whose mean is the forecast. Each leaves out another part of the time, stops "
        "where it does best there, and its errors there are those that intervals are made of. A "
        "single one leaves out the last fifth.",
    )
    static: str = _like("static")
    loss: str = parameter(
        "squared",
        [StrOptions({"squared", "absolute", "huber"})],
        '{"squared", "absolute", "huber"}',
        "The loss that is minimized, in units of each series.",
    )
    n_layers: int = _like("n_layers")
    activation: Any = _like("activation")
    cell_clip: float | None = _like("cell_clip")
    layer_norm: bool = _like("layer_norm")
    zoneout: float = _like("zoneout")
    dropout: float = _like("dropout")
    input_dropout: float = _like("input_dropout")
    recurrent_dropout: float = _like("recurrent_dropout")
    input_noise: float = _like("input_noise")
    precision: str = _like("precision")
    solver: Any = _like("solver")
    learning_rate_init: float = _like("learning_rate_init", 0.01)
    learning_rate: Any = _like("learning_rate")
    alpha: float = _like("alpha")
    l1: float = _like("l1")
    clip_norm: float | None = _like("clip_norm")
    clip_value: float | None = _like("clip_value")
    batch_size: Any = _like("batch_size")
    max_iter: int = _like("max_iter", 60)
    shuffle: bool = _like("shuffle")
    tol: float = _like("tol")
    n_iter_no_change: int = _like("n_iter_no_change")
    device: str = _like("device")
    random_state: Any = _like("random_state")
    verbose: Any = _like("verbose")


# What the network inside does not take.
FORECASTING = (
    "strategy", "horizon", "window", "stabilize", "seasonality", "difference", "smoothing",
    "n_estimators",
    "random_state",
)  # fmt: skip

# What the encoder-decoder inside takes beside the parameters that it shares: it reads forwards, and
# what it read reaches the decoder by its last states.
WRITING: dict[str, Any] = {
    "bidirectional": False,
    "attention": None,
    "inputs": "numbers",
    "targets": "numbers",
    "teacher_forcing": 1.0,
}

# What other parameters may be beside it.
WITH_WRITING: dict[str, tuple[Any, ...]] = {
    "loss": ("squared",),
    "static": ("steps",),
    "device": ("cpu", "reference"),
}

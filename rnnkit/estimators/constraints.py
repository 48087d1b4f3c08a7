"""What every constructor parameter may be; the one file that leans on scikit-learn's validation."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from sklearn import get_config
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)

from rnnkit.backends import is_device_name
from rnnkit.cells import ACTIVATIONS, CELLS, PRECISIONS, make_activation

__all__ = ["CONSTRAINTS", "DeviceName", "Number", "check_parameters", "read_activation"]

_ACTIVATION_NAMES = {*ACTIVATIONS, "logistic", "identity"}
_GATES = {gate for cell in CELLS.values() for gate in cell.gates}


class Number(Interval):
    """An interval of numbers without the booleans, which Python counts among the integers."""

    def is_satisfied_by(self, val: object) -> bool:
        return not isinstance(val, bool) and super().is_satisfied_by(val)


class DeviceName(StrOptions):
    """The names of backends, k being any number."""

    def is_satisfied_by(self, val: object) -> bool:
        return val != "cuda:k" and (super().is_satisfied_by(val) or is_device_name(val))


def _integer(smallest: int) -> Number:
    return Number(Integral, smallest, None, closed="left")


_POSITIVE = Number(Real, 0, None, closed="neither")
_NON_NEGATIVE = Number(Real, 0, None, closed="left")
_RATE = Number(Real, 0, 1, closed="left")
_FRACTION = Number(Real, 0, 1, closed="neither")

# What precision="bf16" asks of the cell's options.
_USUAL_CELL = {
    "activation": "tanh",
    "gate_activation": "sigmoid",
    "peephole": False,
    "coupled_gates": False,
    "reset": "after",
    "cell_clip": None,
    "layer_norm": False,
    "zoneout": 0.0,
    "recurrent_dropout": 0.0,
}

# name -> what is allowed. A name means the same in every estimator that has it.
CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_size": [_integer(1)],
    "n_layers": [_integer(1)],
    "bidirectional": ["boolean"],
    "step_features": [_integer(1)],
    "embedding_dim": [_integer(1), tuple, list, None],
    "n_tokens": [_integer(1), tuple, list, None],
    "token_dropout": [_NON_NEGATIVE],
    "spelling_columns": [_integer(0)],
    "character_dim": [_integer(1)],
    "character_hidden_size": [_integer(1)],
    "activation": [StrOptions(_ACTIVATION_NAMES), tuple],
    "gate_activation": [StrOptions(_ACTIVATION_NAMES), tuple],
    "peephole": ["boolean"],
    "coupled_gates": ["boolean"],
    "forget_bias": [Number(Real, None, None, closed="neither")],
    "reset": [StrOptions({"after", "before"})],
    "gate_bias": [StrOptions({"chrono"}), dict, None],
    "cell_clip": [_POSITIVE, None],
    "layer_norm": ["boolean"],
    "zoneout": [_RATE],
    "pooling": [StrOptions({"last", "mean", "max", "attention"})],
    "dropout": [_RATE],
    "input_dropout": [_RATE],
    "recurrent_dropout": [_RATE],
    "input_noise": [_NON_NEGATIVE],
    "label_smoothing": [_RATE],
    "solver": [
        StrOptions(
            {
                "adam",
                "adamw",
                "sgd",
                "nesterov",
                "rmsprop",
                "adagrad",
                "adadelta",
                "lbfgs",
            }
        ),
        HasMethods(["get_params", "set_params"]),
    ],
    "learning_rate_init": [_POSITIVE],
    "learning_rate": [
        StrOptions({"constant", "invscaling", "adaptive", "linear", "cosine"}),
        HasMethods(["get_params", "set_params"]),
    ],
    "alpha": [_NON_NEGATIVE],
    "l1": [_NON_NEGATIVE],
    "clip_norm": [_POSITIVE, None],
    "clip_value": [_POSITIVE, None],
    "bptt_steps": [_integer(1), None],
    "batch_size": [StrOptions({"auto"}), _integer(1)],
    "max_iter": [_integer(1)],
    "shuffle": ["boolean"],
    "tol": [_NON_NEGATIVE],
    "n_iter_no_change": [_integer(1)],
    "early_stopping": ["boolean"],
    "validation_fraction": [_FRACTION],
    "warm_start": ["boolean"],
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "loss": [
        StrOptions(
            {
                "squared",
                "squared_error",
                "absolute",
                "absolute_error",
                "huber",
                "quantile",
                "poisson",
            }
        ),
    ],
    "huber_delta": [_POSITIVE],
    "quantile": [_FRACTION],
    "output": [StrOptions({"softmax", "crf"})],
    "beam_width": [_integer(1), None],
    "precision": [StrOptions(set(PRECISIONS))],
    "device": [DeviceName({"cpu", "cuda", "cuda:k", "auto", "reference"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


def check_parameters(estimator: Any) -> None:
    """Check the constructor parameters of an estimator, one by one and then together.

    Parameters
    ----------
    estimator : estimator
        An rnnkit estimator.

    Raises
    ------
    InvalidParameterError
        Naming the first parameter out of its range, the value got and what is allowed.
    """
    if get_config()["skip_parameter_validation"]:
        return
    name = type(estimator).__name__
    parameters = estimator.get_params(deep=False)
    validate_parameter_constraints(CONSTRAINTS, parameters, caller_name=name)
    for parameter in ("activation", "gate_activation"):
        if parameter in parameters:
            read_activation(parameters[parameter], parameter)
    _check_gate_bias(parameters.get("gate_bias"), CELLS[estimator._cell].gates)
    if parameters["bptt_steps"] is not None and parameters["bidirectional"]:
        raise InvalidParameterError(
            f"The 'bptt_steps' parameter of {name} must be None with bidirectional=True: a "
            f"reverse layer needs the whole sequence. Got {parameters['bptt_steps']!r} instead."
        )
    if parameters["spelling_columns"] and parameters["embedding_dim"] is None:
        raise InvalidParameterError(
            f"The 'spelling_columns' parameter of {name} must be 0 without embedding_dim: only "
            f"token ids have spellings. Got {parameters['spelling_columns']!r} instead."
        )
    if parameters["precision"] == "bf16":
        _check_usual_cell(name, parameters)
    if parameters["layer_norm"] and parameters.get("reset") == "before":
        raise InvalidParameterError(
            f"The 'layer_norm' parameter of {name} must be False with reset='before'. "
            "Got True instead."
        )


def _check_usual_cell(name: str, parameters: dict[str, Any]) -> None:
    """Refuse precision="bf16" with an option that its cells lack."""
    for option, usual in _USUAL_CELL.items():
        if parameters.get(option, usual) != usual:
            raise InvalidParameterError(
                f"The 'precision' parameter of {name} must be 'full' unless {option}={usual!r}. "
                f"Got 'bf16' with {option}={parameters[option]!r} instead."
            )


def read_activation(activation: Any, name: str) -> Any:
    """Turn "tanh" or ("leaky_relu", alpha[, beta]) into an `rnnkit.cells.Activation`."""
    arguments = (activation,) if isinstance(activation, str) else tuple(activation)
    try:
        return make_activation(*arguments)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(
            f"The {name!r} parameter must be a name or a tuple (name, alpha, beta). "
            f"Got {activation!r} instead: {error}."
        ) from error


def _check_gate_bias(gate_bias: Any, gates: tuple[str, ...]) -> None:
    if not isinstance(gate_bias, dict):
        return
    for gate, value in gate_bias.items():
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if gate not in gates or not is_number:
            raise InvalidParameterError(
                "The 'gate_bias' parameter must be None, 'chrono' or a dict of numbers for the "
                f"gates {', '.join(gates)}. Got {gate_bias!r} instead."
            )

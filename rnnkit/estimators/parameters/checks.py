"""Checks of the constructor parameters, one by one as their entries say, and then together."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from numbers import Real
from typing import Any

from sklearn import get_config
from sklearn.utils._param_validation import (
    InvalidParameterError,
    validate_parameter_constraints,
)

from rnnkit.cells import CELLS, make_activation, make_spec
from rnnkit.estimators.embeddings import looks_up_ids
from rnnkit.estimators.parameters.convolutions import check_convolutions
from rnnkit.estimators.parameters.field import FRACTION, entries_of, equal
from rnnkit.network import Output
from rnnkit.network.fixed_gates import check_fixed_gates
from rnnkit.training import check_truncation

__all__ = [
    "ACTIVATION_PARAMETERS",
    "check_each_of",
    "check_parameters",
    "read_activation",
]

ACTIVATION_PARAMETERS = ("activation", "gate_activation", "output_activation")

# What precision="bf16" asks of the cell's options.
_USUAL_CELL = {
    "activation": "tanh",
    "gate_activation": "sigmoid",
    "output_activation": None,
    "peephole": False,
    "coupled_gates": False,
    "full_gate_recurrence": False,
    "reset": "after",
    "cell_clip": None,
    "layer_norm": False,
    "zoneout": 0.0,
    "recurrent_dropout": 0.0,
}


# What is of recurrent layers beside the options of their cells.
_OF_RECURRENCE = (
    "bidirectional", "recurrent_dropout", "forget_bias", "gate_bias", "fixed_gates", "static",
)  # fmt: skip


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
    parameters = {**getattr(estimator, "_fixed", {}), **estimator.get_params(deep=False)}
    _check_each(estimator, parameters)
    for parameter in ACTIVATION_PARAMETERS:
        if parameters.get(parameter) is not None:
            read_activation(parameters[parameter], parameter)
    _check_gate_bias(parameters.get("gate_bias"), CELLS[estimator._cell].gates)
    if "fixed_gates" in parameters:
        _check_fixed_gates(name, parameters)
    _check_quantiles(parameters.get("quantile"))
    check_convolutions(
        name, parameters, writes_steps=estimator._per_step or estimator._writes_steps
    )
    output = estimator._output_type()
    if parameters["bptt_steps"] is not None:
        _check_truncation(name, parameters, output)
    by_row = {"class_weight": None, "label_smoothing": 0.0}
    if output is not None and any(
        parameters.get(option, usual) != usual for option, usual in by_row.items()
    ):
        raise InvalidParameterError(
            f"The 'output' parameter of {name} must be 'softmax' with class_weight or "
            f"label_smoothing: {output.spoken_name} scores whole sequences. Got "
            f"class_weight={parameters['class_weight']!r} and "
            f"label_smoothing={parameters['label_smoothing']!r} instead."
        )
    if parameters.get("forbidden_transitions") is not None and output is None:
        raise InvalidParameterError(
            f"The 'forbidden_transitions' parameter of {name} must be None unless output='crf': "
            "labels that are scored step by step know no neighbours. Got "
            f"{parameters['forbidden_transitions']!r} instead."
        )
    by_step = estimator._per_step and output is None
    if parameters["validation_split"] == "time" and not by_step:
        raise InvalidParameterError(
            f"The 'validation_split' parameter of {name} must be 'random' where targets are not "
            "scored step by step. Got 'time' instead."
        )
    reads_ids = looks_up_ids(estimator)
    if not parameters["embedding_trainable"] and not reads_ids:
        raise InvalidParameterError(
            f"The 'embedding_trainable' parameter of {name} must be True without embedding_dim or "
            "embedding_init. Got False instead."
        )
    if parameters["spelling_columns"] and not reads_ids:
        raise InvalidParameterError(
            f"The 'spelling_columns' parameter of {name} must be 0 without embedding_dim: only "
            f"token ids have spellings. Got {parameters['spelling_columns']!r} instead."
        )
    if parameters["categorical_features"] is not None and not reads_ids:
        raise InvalidParameterError(
            f"The 'categorical_features' parameter of {name} must be None without "
            f"embedding_dim. Got {parameters['categorical_features']!r} instead."
        )
    if parameters["static_features"] is not None and parameters["static"] != "state":
        raise InvalidParameterError(
            f"The 'static_features' parameter of {name} must be None without static='state'. Got "
            f"{parameters['static_features']!r} instead."
        )
    if isinstance(parameters["hidden_size"], tuple):
        _check_widths(type(estimator), parameters)
    if parameters["precision"] == "bf16":
        _check_usual_cell(name, parameters)
    if parameters["layer_norm"] and parameters.get("reset") == "before":
        raise InvalidParameterError(
            f"The 'layer_norm' parameter of {name} must be False with reset='before'. "
            "Got True instead."
        )


def check_each_of(estimator: Any, names: Iterable[str]) -> None:
    """Check some parameters by themselves: those that an answer reads as they are now.

    Raises
    ------
    InvalidParameterError
        As `check_parameters` does.
    """
    if not get_config()["skip_parameter_validation"]:
        _check_each(estimator, {name: getattr(estimator, name) for name in names})


def _check_each(estimator: Any, parameters: dict[str, Any]) -> None:
    allowed = {name: entry.allowed for name, (_, entry) in entries_of(type(estimator)).items()}
    validate_parameter_constraints(allowed, parameters, caller_name=type(estimator).__name__)


def _check_truncation(name: str, parameters: dict[str, Any], output: type[Output] | None) -> None:
    try:
        check_truncation(
            parameters["solver"], bidirectional=parameters["bidirectional"], output=output
        )
    except ValueError as error:
        raise InvalidParameterError(
            f"The 'bptt_steps' parameter of {name} must be None here. Got "
            f"{parameters['bptt_steps']!r} instead: {error}."
        ) from error


def _check_widths(cls: Any, parameters: dict[str, Any]) -> None:
    """Refuse what a tuple of widths says already, and options of layers that are not there."""
    widths, name = parameters["hidden_size"], cls.__name__
    if parameters["n_layers"] != 1:
        raise InvalidParameterError(
            f"The 'n_layers' parameter of {name} must be 1 where hidden_size={widths!r} has an "
            f"entry for each layer. Got {parameters['n_layers']!r} instead."
        )
    if widths:
        return
    for option, (usual, entry) in entries_of(cls).items():
        if entry.part != "cell" and option not in _OF_RECURRENCE:
            continue
        if not equal(parameters[option], usual):
            raise InvalidParameterError(
                f"The {option!r} parameter of {name} must be {usual!r} with "
                f"hidden_size={widths!r}: there is no recurrent layer. Got "
                f"{parameters[option]!r} instead."
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


def _check_quantiles(quantile: Any) -> None:
    if not isinstance(quantile, (list, tuple)):
        return
    numbers = all(FRACTION.is_satisfied_by(q) for q in quantile)
    if not numbers or not 0 < len(set(quantile)) == len(quantile):
        raise InvalidParameterError(
            "The 'quantile' parameter must be a number in (0, 1) or a list of such numbers, each "
            f"once. Got {quantile!r} instead."
        )


def _check_fixed_gates(name: str, parameters: dict[str, Any]) -> None:
    fixed = parameters["fixed_gates"]
    spec = make_spec(
        "lstm",
        1,
        1,
        gate_activation=read_activation(parameters["gate_activation"], "gate_activation"),
        **{option: parameters[option] for option in ("cell_clip", "layer_norm", "coupled_gates")},
    )
    try:
        check_fixed_gates(fixed, spec, parameters["gate_bias"])
    except ValueError as error:
        raise InvalidParameterError(
            f"The 'fixed_gates' parameter of {name} does not fit. Got {fixed!r} instead: {error}."
        ) from error
    if "f" in fixed and parameters["forget_bias"] != 1.0:
        raise InvalidParameterError(
            f"The 'forget_bias' parameter of {name} must be 1.0 where fixed_gates names the forget "
            f"gate. Got {parameters['forget_bias']!r} instead."
        )


def _check_gate_bias(gate_bias: Any, gates: tuple[str, ...]) -> None:
    if not isinstance(gate_bias, dict):
        return
    for gate, value in gate_bias.items():
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if gate not in gates or not is_number or not isfinite(value):
            raise InvalidParameterError(
                "The 'gate_bias' parameter must be None, 'chrono' or a dict of finite numbers for "
                f"the gates {', '.join(gates)}. Got {gate_bias!r} instead."
            )

"""Estimators, transformers, solvers and schedules as plain values, and back.

An object is the name of its class, its constructor's parameters and, if it was fitted, what it
learnt. It is restored by its constructor and by setting attributes; nothing else is called.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator

from rnnkit.estimators.fitted import FittedEstimator
from rnnkit.exceptions import FormatError
from rnnkit.persistence.catalogue import class_named, hidden_attributes, name_of
from rnnkit.persistence.consistency import check_consistency
from rnnkit.persistence.decoding import Decoder
from rnnkit.persistence.encoding import Encoder
from rnnkit.persistence.recurrent import decode_fit, encode_fit

__all__ = ["decode_object", "encoder_of_objects"]

_FITTED = re.compile(r"[A-Za-z][A-Za-z0-9_]*_")
# What scikit-learn's set_output and set_..._request leave behind.
_OUTPUT, _REQUESTS = "_sklearn_output_config", "_metadata_request"
# Callbacks, which a file does not carry, and the tasks in which they stand.
_WATCHING = (
    "_skl_callbacks",
    "_skl_callbacks_to_teardown",
    "_callback_fit_ctx",
    "_parent_callback_ctx",
)


def encoder_of_objects(*, include_training_state: bool) -> Any:
    """Return the function that an `Encoder` needs for objects."""

    def encode(value: Any, place: str, encoder: Encoder) -> Any:
        name = name_of(type(value))
        if name is None:
            return None
        below = f"{place}." if place else ""
        parameters = value.get_params(deep=False)
        if parameters.get("memory") is not None:
            raise TypeError(
                f"cannot save {below}memory={parameters['memory']!r}: a file carries no folder of "
                "this machine; set_params(memory=None)"
            )
        table = {
            "class": name,
            "parameters": {k: encoder.encode(v, below + k) for k, v in parameters.items()},
        }
        if not isinstance(value, BaseEstimator):  # a solver or a schedule, which learns nothing
            return table
        attributes = _learnt(value, parameters)
        if _OUTPUT in attributes:
            table["output"] = encoder.encode(attributes.pop(_OUTPUT), f"{below}output")
        if _REQUESTS in attributes:
            requests = _requests(attributes.pop(_REQUESTS))
            table["requests"] = encoder.encode(requests, f"{below}requests")
        if isinstance(value, FittedEstimator) and hasattr(value, "network_"):
            table["fit"], done = encode_fit(
                value, below, encoder, include_training_state=include_training_state
            )
            attributes = {k: v for k, v in attributes.items() if k not in done}
        hidden = {attribute: key for key, attribute in hidden_attributes(name).items()}
        learnt = {}
        for attribute, content in attributes.items():
            key = hidden.get(attribute, attribute)
            if key == attribute and not _FITTED.fullmatch(attribute):
                raise TypeError(
                    f"cannot save {below}{attribute}: {type(value).__name__} has it beside its "
                    "parameters and what fit learns"
                )
            learnt[key] = encoder.encode(content, below + key)
        if learnt:
            table["learnt"] = learnt
        return table

    return encode


def _learnt(value: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that are neither parameters nor there from the beginning."""
    fresh = vars(type(value)(**parameters))
    skipped = {*parameters, *_WATCHING}
    return {
        name: content
        for name, content in vars(value).items()
        if name not in skipped and not (name in fresh and _equal(fresh[name], content))
    }


def _equal(a: Any, b: Any) -> bool:
    return a is b or (
        type(a) is type(b)
        and not isinstance(a, np.ndarray)
        and isinstance(a, (int, float, str, bool))
        and a == b
    )


def _requests(request: Any) -> dict[str, dict[str, Any]]:
    """Return which metadata each method asks for."""
    parts = vars(request).items()
    return {method: dict(part.requests) for method, part in parts if hasattr(part, "requests")}


def decode_object(table: Any, decoder: Decoder) -> Any:
    """Return the object that a table tells of.

    Raises
    ------
    FormatError
        If its class is none that files carry, or does not have what the table gives it.
    """
    if not isinstance(table, dict) or not {"class", "parameters"} <= table.keys():
        raise FormatError("an object has no class and parameters")
    unknown = table.keys() - {"class", "parameters", "output", "requests", "fit", "learnt"}
    if unknown:
        raise FormatError(f"an object has the unknown part {min(unknown)!r:.100}")
    name, kind = table["class"], class_named(table["class"])
    parameters = _table_of(table["parameters"], decoder)
    _check_names(name, kind, parameters)
    value: Any = kind(**parameters)
    if not isinstance(value, BaseEstimator):
        return value
    if "output" in table:
        value.set_output(**decoder.decode(table["output"]))
    if "requests" in table:
        _set_requests(value, decoder.decode(table["requests"]))
    if "fit" in table:
        if not isinstance(value, FittedEstimator):
            raise FormatError(f"{name} has no network")
        decode_fit(value, table["fit"], decoder)
    hidden = hidden_attributes(name)
    learnt = _table_of(table.get("learnt", {}), decoder)
    for key, content in learnt.items():
        attribute = hidden.get(key, key)
        if attribute == key and (not _FITTED.fullmatch(key) or key in parameters):
            raise FormatError(f"{name} learns no {key!r:.100}")
        setattr(value, attribute, content)
    check_consistency(name, value, learnt)
    return value


def _table_of(table: Any, decoder: Decoder) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise FormatError("the parameters, or what was learnt, are no table")
    return {key: decoder.decode(content) for key, content in table.items()}


def _check_names(name: str, kind: type, parameters: dict[str, Any]) -> None:
    known = inspect.signature(kind).parameters
    for parameter in parameters:
        if parameter not in known:
            raise FormatError(f"{name} has no parameter {parameter!r:.100} here")
    if parameters.get("memory") is not None:
        raise FormatError(
            f"{name} names a folder of another machine, memory={parameters['memory']!r:.100}"
        )


def _set_requests(value: Any, requests: Any) -> None:
    """Ask for metadata as `set_fit_request` and its like did."""
    with config_context(enable_metadata_routing=True):
        for method, asked in dict(requests).items():
            wanted = {name: how for name, how in dict(asked).items() if how is not None}
            setter = getattr(value, f"set_{method}_request", None)
            if not wanted:
                continue
            if setter is None:
                raise FormatError(f"{type(value).__name__} asks for nothing in {method!r:.100}")
            setter(**wanted)

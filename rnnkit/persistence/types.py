"""Whether the fields of a dataclass hold what their annotations say."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from rnnkit.exceptions import FormatError

__all__ = ["check_fields", "conforms"]


def check_fields(data: Any, name: str) -> None:
    """Raise FormatError unless every field of a dataclass is of its annotated type."""
    hints = get_type_hints(type(data))
    for field in fields(data):
        value = getattr(data, field.name)
        if not conforms(value, hints[field.name]):
            raise FormatError(f"{field.name} of its {name} is {value!r:.100}")


def conforms(value: Any, hint: Any) -> bool:
    """Whether a value is what an annotation says; booleans are no integers."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if hint is None or hint is type(None):
        return value is None
    if origin in (Union, types.UnionType):
        return any(conforms(value, argument) for argument in arguments)
    if hint is float:
        return type(value) in (float, int)
    if hint in (int, bool, str):
        return type(value) is hint
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return type(value) is tuple and all(conforms(v, arguments[0]) for v in value)
        return (
            type(value) is tuple
            and len(value) == len(arguments)
            and all(map(conforms, value, arguments))
        )
    if origin is list:
        return type(value) is list and all(conforms(v, arguments[0]) for v in value)
    if origin is dict or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return isinstance(value, Mapping) and all(
            conforms(k, arguments[0]) and conforms(v, arguments[1]) for k, v in value.items()
        )
    kind = origin or hint
    if not isinstance(kind, type) or not isinstance(value, kind):
        return False
    if is_dataclass(value):
        check_fields(value, type(value).__name__)
    return True

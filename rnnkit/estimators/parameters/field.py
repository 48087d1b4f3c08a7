"""One constructor parameter: its default, what is allowed and its documentation, in one entry."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from rnnkit.backends import is_device_name
from rnnkit.drafts import shallow_copy
from rnnkit.training.options import Options

__all__ = [
    "ANY_NUMBER",
    "FRACTION",
    "NON_NEGATIVE",
    "POSITIVE",
    "RATE",
    "DeviceName",
    "Number",
    "Parameter",
    "Widths",
    "entries_of",
    "equal",
    "fixed",
    "integer",
    "like",
    "parameter",
    "parameters",
    "values_for",
    "with_plain_numbers",
]

_PLAIN = {bool, int, float, str, type(None)}  # what most parameters are
_DATA = {"embedding_init", "vocabulary"}  # which are arrays and lists of any size

parameters = dataclasses.dataclass(kw_only=True, eq=False, repr=False)


class Parameter(NamedTuple):
    """What is known of a constructor parameter beside its name and default.

    Parameters
    ----------
    allowed : list
        What it may be, in the words of scikit-learn's parameter validation.
    kind, text : str
        Its documentation: what stands after the name, and the description.
    part : {"estimator", "reader", "cell", "network", "training"}
        Who takes it under its own name: the estimator alone, `Reader`, `LayerSpec`,
        `build_network` or `Trainer`. How X is read is decided once, by the first `fit`.
    """

    allowed: list[Any]
    kind: str
    text: str
    part: str


def parameter(
    default: Any,
    allowed: list[Any],
    kind: str,
    text: str,
    *,
    part: str = "estimator",
    positional: bool = False,
) -> Any:
    """Declare a constructor parameter as a field of a dataclass; arguments as in `Parameter`."""
    return dataclasses.field(
        default=default,
        kw_only=not positional,
        metadata={"parameter": Parameter(allowed, kind, text, part)},
    )


def entries_of(cls: Any) -> dict[str, tuple[Any, Parameter]]:
    """Return the default and the entry of every constructor parameter of a class, by name."""
    return {
        field.name: (field.default, field.metadata["parameter"])
        for field in dataclasses.fields(cls)
    }


def like(
    name: str, *classes: Any, default: Any = dataclasses.MISSING, positional: bool = False
) -> Any:
    """Declare a parameter that some of `classes` have, perhaps with a default of its own."""
    entries = {name: entry for cls in classes for name, entry in entries_of(cls).items()}
    usual, entry = entries[name]
    return dataclasses.field(
        default=usual if default is dataclasses.MISSING else default,
        kw_only=not positional,
        metadata={"parameter": entry},
    )


def values_for(estimator: Any, *parts: str) -> dict[str, Any]:
    """Return the parameters of an estimator that some parts take under their own names."""
    return {
        name: getattr(estimator, name)
        for name, (_, entry) in entries_of(type(estimator)).items()
        if entry.part in parts
    }


def fixed(**values: Any) -> Callable[[type[Any]], type[Any]]:
    """Take parameters of the classes above away from a class: there they have one value each.

    Stands below `parameters`. The values stay attributes, which all that reads parameters sees.
    """

    def take(cls: type[Any]) -> type[Any]:
        for name, value in values.items():
            cls.__annotations__[name] = ClassVar[Any]
            setattr(cls, name, value)
        cls._fixed = {**getattr(cls, "_fixed", {}), **values}
        return cls

    return take


@cache
def _names_of(cls: Any) -> tuple[str, ...]:
    return tuple(name for name in cls._get_param_names() if name not in _DATA)


def with_plain_numbers(copy: Any) -> Any:
    """Make NumPy scalars among the parameters of a copy of an estimator Python's numbers.

    A parameter says a number, not what dtype to compute in; the estimator itself keeps what it
    was given.
    """
    cls: Any = type(copy)
    values = vars(copy)
    for name in _names_of(cls):
        value = values.get(name)
        if type(value) not in _PLAIN:
            values[name] = _plain(value)
    return copy


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return float(value) if isinstance(value, np.floating) else value.item()
    if isinstance(value, dict):
        is_plain = not any(isinstance(entry, np.generic) for entry in value.values())
        return value if is_plain else {key: _plain(entry) for key, entry in value.items()}
    if type(value) in (tuple, list) and any(isinstance(entry, np.generic) for entry in value):
        return type(value)(map(_plain, value))
    if isinstance(value, Options) and any(isinstance(v, np.generic) for v in vars(value).values()):
        value = shallow_copy(value)
        vars(value).update({name: _plain(entry) for name, entry in vars(value).items()})
    return value


def equal(a: Any, b: Any) -> bool:
    """Whether two values of a parameter are equal, arrays entry by entry wherever they are."""
    if a is b:
        return True
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(value, b[key]) for key, value in a.items())
    if isinstance(a, (list, tuple)) and type(a) is type(b):
        return len(a) == len(b) and all(map(equal, a, b))
    if hasattr(a, "shape") or hasattr(b, "shape"):
        a, b = np.asarray(a), np.asarray(b)
        return bool(np.array_equal(a, b, equal_nan=a.dtype.kind == b.dtype.kind == "f"))
    return bool(a == b)


class Number(Interval):
    """An interval of numbers without the booleans, which Python counts among the integers."""

    def is_satisfied_by(self, val: object) -> bool:
        return not isinstance(val, bool) and super().is_satisfied_by(val)


class Widths(HasMethods):
    """Tuples of integers from 1 on, `least` of them or more: a width for each layer."""

    def __init__(self, least: int) -> None:
        super().__init__("__len__")
        self.least = least

    def is_satisfied_by(self, val: object) -> bool:
        is_tuple = isinstance(val, tuple) and len(val) >= self.least
        return is_tuple and all(map(integer(1).is_satisfied_by, cast("tuple[Any, ...]", val)))

    def __str__(self) -> str:
        some = "that is not empty" if self.least else "that may be empty"
        return f"a tuple {some} of such ints, one for each layer"


class DeviceName(StrOptions):
    """The names of backends, k being any number."""

    def is_satisfied_by(self, val: object) -> bool:
        return val != "cuda:k" and (super().is_satisfied_by(val) or is_device_name(val))


def integer(smallest: int) -> Number:
    """Allow integers from `smallest` on."""
    return Number(Integral, smallest, None, closed="left")


POSITIVE = Number(Real, 0, None, closed="neither")
NON_NEGATIVE = Number(Real, 0, None, closed="left")
RATE = Number(Real, 0, 1, closed="left")
FRACTION = Number(Real, 0, 1, closed="neither")
ANY_NUMBER = Number(Real, None, None, closed="neither")

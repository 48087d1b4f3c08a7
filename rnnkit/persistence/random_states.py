"""Random generators as plain values: what NumPy's own setters believe is checked here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnkit.exceptions import FormatError

__all__ = ["check_generator_state", "restore_random_state", "state_of"]

_BIT = {"has_uint32": (int, 2), "uinteger": (int, 2**32)}
_PCG = {"state": {"state": (int, 2**128), "inc": (int, 2**128)}, **_BIT}
# What the state of a bit generator holds: integers below a limit, or arrays of a dtype and length.
# NumPy indexes by positions without a look, so that a wrong one reads beyond its buffer.
STATES: dict[str, dict[str, Any]] = {
    "MT19937": {"state": {"key": ("uint32", 624), "pos": (int, 625)}},
    "PCG64": _PCG,
    "PCG64DXSM": _PCG,
    "Philox": {
        "state": {"counter": ("uint64", 4), "key": ("uint64", 2)},
        "buffer": ("uint64", 4),
        "buffer_pos": (int, 5),
        **_BIT,
    },
    "SFC64": {"state": {"state": ("uint64", 4)}, **_BIT},
}
_GAUSS = {"has_gauss": (int, 2), "gauss": (float, None)}


def state_of(generator: Any, place: str) -> dict[str, Any]:
    """Return the state of a `RandomState` or a `Generator` as plain values.

    Raises
    ------
    TypeError
        If its bit generator is none of NumPy's.
    """
    is_legacy = isinstance(generator, np.random.RandomState)
    state = generator.get_state(legacy=False) if is_legacy else generator.bit_generator.state
    if state["bit_generator"] not in STATES:
        raise TypeError(f"cannot save {place}: files carry no {state['bit_generator']}")
    return {"class": "RandomState" if is_legacy else "Generator", **state}


def check_generator_state(state: Any, *, legacy: bool) -> None:
    """Raise FormatError unless a state is one that a generator can be given.

    Parameters
    ----------
    state : object
        Plain values.
    legacy : bool
        Whether it is that of a `RandomState`.
    """
    if not isinstance(state, Mapping) or state.get("bit_generator") not in STATES:
        raise FormatError("the state of a random generator names none of NumPy's")
    expected = {**STATES[state["bit_generator"]], **(_GAUSS if legacy else {})}
    _check_table({k: v for k, v in state.items() if k != "bit_generator"}, expected)


def restore_random_state(plain: Any) -> Any:
    """Return the generator that `state_of` told of."""
    if not isinstance(plain, dict) or plain.get("class") not in ("RandomState", "Generator"):
        raise FormatError("a random generator is none of NumPy's")
    state = {key: value for key, value in plain.items() if key != "class"}
    legacy = plain["class"] == "RandomState"
    check_generator_state(state, legacy=legacy)
    bit_generator = getattr(np.random, state["bit_generator"])(0)
    if legacy:
        random_state = np.random.RandomState(bit_generator)
        random_state.set_state(state)
        return random_state
    bit_generator.state = state
    return np.random.Generator(bit_generator)


def _check_table(found: Any, expected: Mapping[str, Any]) -> None:
    if not isinstance(found, Mapping) or found.keys() != expected.keys():
        raise FormatError(f"the state of a random generator must hold {', '.join(expected)}")
    for name, what in expected.items():
        value = found[name]
        if isinstance(what, dict):
            _check_table(value, what)
            continue
        kind, limit = what
        if isinstance(kind, str):
            right = (
                isinstance(value, np.ndarray) and value.dtype == kind and value.shape == (limit,)
            )
        elif kind is int:
            right = type(value) is int and 0 <= value < limit
        else:
            right = type(value) is float
        if not right:
            raise FormatError(f"{name} of a random generator is none: {value!r:.60}")

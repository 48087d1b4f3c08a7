"""Plain values to JSON and arrays: numbers, text, lists, tables, arrays and what is made of these.

None, booleans, integers, finite floats, text and lists are themselves in JSON. Everything else is
a table with one entry, whose key says what it is: see `decoding.DECODERS`. An object that was met
before is a reference, so that what was one object is one object again. What is an object of a class
is the business of whoever gives the function for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from rnnkit.persistence.container import NAMES
from rnnkit.persistence.dates import DATES, plain_date
from rnnkit.persistence.kinds import DTYPE, SCALARS, TYPES, is_short
from rnnkit.persistence.random_states import state_of
from rnnkit.sequences.columns import column_names
from rnnkit.sequences.tables import is_frame

__all__ = ["Encoder"]

PACKED = 24  # entries from which a list of numbers or of text is an array
_TYPE_NAMES = {kind: name for name, kind in TYPES.items()}
_INT64 = range(-(2**63), 2**63)


class Encoder:
    """Turns values into JSON and arrays.

    Parameters
    ----------
    of_object : callable
        Called with an object of some class, its place and the encoder; returns a JSON table, or
        None if it does not know the class.

    Attributes
    ----------
    arrays : dict of str to ndarray
        What is not JSON, by the names that the JSON uses.
    """

    def __init__(self, of_object: Callable[[Any, str, Encoder], Any]) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._of_object = of_object
        self._met: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no id is used again
        self._open: set[int] = set()

    def encode(self, value: Any, place: str) -> Any:
        """Return a value as JSON.

        Parameters
        ----------
        value : object
        place : str
            Where it stands, for messages and the names of arrays.

        Raises
        ------
        TypeError
            If it is, or holds, something that no file carries.
        """
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if kind is list:
            with_packed = self._pack(value, place)
            return self._many(value, place) if with_packed is None else with_packed
        if kind is tuple:
            return {"tuple": self.encode(list(value), place)}
        if kind is dict:
            return {"dict": self._guarded(value, place, self._table)}
        if kind in (set, frozenset):
            return {kind.__name__: self.encode(sorted(value, key=repr), place)}
        if kind in (slice, range):
            if kind is range and not is_short(value):
                raise TypeError(f"cannot save {place}: {value!r:.100} is too long")
            parts = [value.start, value.stop, value.step]
            return {kind.__name__: [self.encode(part, place) for part in parts]}
        if kind is bytes:
            return {"bytes": value.decode("latin-1")}
        if (moment := plain_date(value)) is not None:
            return {"date": moment}
        if isinstance(value, np.generic):
            return self._scalar(value, place)
        if isinstance(value, np.dtype) and DTYPE.fullmatch(value.str):
            return {"dtype": value.str}
        if isinstance(value, type) and value in _TYPE_NAMES:
            return {"type": _TYPE_NAMES[value]}
        return self._once(value, place)

    def add_array(self, array: np.ndarray, place: str) -> str:
        """Keep an array of numbers under a name of its own, which is returned."""
        name, n = place, 1
        while name in self.arrays or name == "__metadata__":
            n += 1
            name = f"{place}.{n}"
        self.arrays[name] = array
        return name

    def _many(self, values: Iterable[Any], place: str) -> list[Any]:
        listed: list[Any] = self._guarded(values, place, self._listed)
        return listed

    def _listed(self, values: Any, place: str) -> list[Any]:
        return [self.encode(value, f"{place}.{i}") for i, value in enumerate(values)]

    def _table(self, table: dict[Any, Any], place: str) -> Any:
        """Return a JSON table where keys are text and few, otherwise keys and values."""
        if len(table) < PACKED and all(type(key) is str for key in table):
            return {key: self.encode(value, f"{place}.{key}") for key, value in table.items()}
        return [
            self.encode(list(table), f"{place}.keys"),
            self.encode(list(table.values()), f"{place}.values"),
        ]

    def _guarded(self, value: Any, place: str, encode: Callable[[Any, str], Any]) -> Any:
        """Encode what holds other values, unless it holds itself."""
        if id(value) in self._open:
            raise TypeError(f"cannot save {place}: it contains itself")
        self._open.add(id(value))
        encoded: Any = encode(value, place)
        self._open.remove(id(value))
        return encoded

    def _pack(self, values: list[Any], place: str) -> Any:
        """Return a long list of numbers, or of text, as arrays; None for any other."""
        kinds = set(map(type, values)) if len(values) >= PACKED else set()
        if kinds == {float}:
            return {"floats": self.add_array(np.array(values, "<f8"), place)}
        if kinds == {int} and all(value in _INT64 for value in values):
            return {"integers": self.add_array(np.array(values, "<i8"), place)}
        if kinds == {str}:
            return {"texts": self._texts(values, place)}
        if kinds == {np.ndarray} and _are_rows(values):
            return {"rows": self.add_array(np.stack(values), place)}
        return None

    def _texts(self, texts: list[str], place: str) -> list[str]:
        pieces = [text.encode("utf-8", "surrogatepass") for text in texts]
        ends = np.cumsum([len(piece) for piece in pieces]).astype("<i8")
        flat = np.frombuffer(b"".join(pieces), np.uint8)
        return [self.add_array(flat, f"{place}.text"), self.add_array(ends, f"{place}.ends")]

    def _scalar(self, value: np.generic, place: str) -> Any:
        name = {"U": "str", "S": "bytes"}.get(value.dtype.kind, value.dtype.name)
        if name not in SCALARS:
            raise TypeError(f"cannot save {place}: a file holds no number of dtype {value.dtype}")
        return {"scalar": [name, self.encode(value.item(), place)]}

    def _once(self, value: Any, place: str) -> Any:
        """Encode what has an identity: a reference if it was met before."""
        if id(value) in self._met:
            return {"ref": self._met[id(value)]}
        encoded = self._guarded(value, place, self._with_identity)
        self._met[id(value)] = len(self._met)
        self._kept.append(value)
        return encoded

    def _with_identity(self, value: Any, place: str) -> Any:
        if isinstance(value, np.ndarray):
            return {"array": self._array(value, place)}
        if isinstance(value, (np.random.RandomState, np.random.Generator)):
            return {"random_state": self.encode(state_of(value, place), place)}
        if is_frame(value) and len(value) == 0:
            names = self.encode(list(column_names(value)), place)
            return {"no_rows": [_library_of(value), names]}
        encoded = self._of_object(value, place, self)
        if encoded is None:
            name = f"{type(value).__module__}.{type(value).__qualname__}"
            raise TypeError(
                f"cannot save {place}: files of rnnkit carry no {name}, got {value!r:.80}"
            )
        return {"object": encoded}

    def _array(self, array: np.ndarray, place: str) -> Any:
        if type(array) not in (np.ndarray, np.memmap):
            raise TypeError(f"cannot save {place}: a file holds no {type(array).__name__}")
        dtype = array.dtype
        are_dates = DATES.fullmatch(dtype.str) is not None
        if are_dates or dtype.newbyteorder("<") in NAMES:
            by_column = array.flags.f_contiguous and not array.flags.c_contiguous
            numbers = array.view(f"{dtype.str[0]}i8") if are_dates else array
            entry = {"data": self.add_array(numbers.T if by_column else numbers, place)}
            return {
                **entry,
                **({"order": "F"} if by_column else {}),
                **({"dtype": dtype.str} if are_dates or not dtype.isnative else {}),
            }
        if not DTYPE.fullmatch(dtype.str):
            raise TypeError(f"cannot save {place}: a file holds no array of dtype {dtype}")
        items = self.encode(array.ravel().tolist(), place)
        return {"dtype": dtype.str, "shape": list(array.shape), "items": items}


def _are_rows(arrays: list[np.ndarray]) -> bool:
    """Whether arrays are vectors of numbers, all of one length and dtype."""
    first = arrays[0]
    return first.dtype in NAMES and all(
        array.ndim == 1 and (array.shape, array.dtype) == (first.shape, first.dtype)
        for array in arrays
    )


def _library_of(frame: Any) -> str:
    """Return which library makes frames like this one of arrays."""
    return "polars" if type(frame).__module__.partition(".")[0] == "polars" else "pandas"

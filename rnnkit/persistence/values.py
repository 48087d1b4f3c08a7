"""Plain values as JSON and arrays: numbers, text, lists, tables, arrays and what is made of these.

None, booleans, integers, finite floats, text and lists are themselves in JSON. Everything else is
a table with one entry, whose key says what it is: see `DECODERS`. An object that was met before is
a reference, so that what was one object is one object again. What is an object of a class is the
business of whoever gives `Encoder` and `Decoder` the functions for them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import numpy as np

from rnnkit.exceptions import FormatError, MissingExtraError
from rnnkit.persistence.container import NAMES, Container
from rnnkit.persistence.random_states import restore_random_state, state_of
from rnnkit.sequences.columns import column_names
from rnnkit.sequences.tables import is_frame

__all__ = ["Decoder", "Encoder", "text_memory"]

PACKED = 24  # entries from which a list of numbers or of text is an array
TYPES: dict[str, Any] = {
    "bool": bool, "float": float, "int": int, "object": object, "str": str,
    "bool_": np.bool_, **{d.type.__name__: d.type for d in NAMES if d.kind != "b"},
}  # fmt: skip
_TYPE_NAMES = {kind: name for name, kind in TYPES.items()}
_DTYPE = re.compile(r"[<>|=](?:b1|[iu][1248]|f[248]|O|[US]\d{1,9})")
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
            parts = [value.start, value.stop, value.step]
            return {kind.__name__: [self.encode(part, place) for part in parts]}
        if kind is bytes:
            return {"bytes": value.decode("latin-1")}
        if isinstance(value, np.generic):
            return self._scalar(value, place)
        if isinstance(value, np.dtype) and _DTYPE.fullmatch(value.str):
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
        if dtype.newbyteorder("<") in NAMES:
            by_column = array.flags.f_contiguous and not array.flags.c_contiguous
            stored = array.T if by_column else array
            entry = {"data": self.add_array(stored, place)}
            return {
                **entry,
                **({"order": "F"} if by_column else {}),
                **({} if dtype.isnative else {"dtype": dtype.str}),
            }
        if not _DTYPE.fullmatch(dtype.str):
            raise TypeError(f"cannot save {place}: a file holds no array of dtype {dtype}")
        items = self.encode(array.ravel().tolist(), place)
        return {"dtype": dtype.str, "shape": list(array.shape), "items": items}


def _library_of(frame: Any) -> str:
    """Return which library makes frames like this one of arrays."""
    return "polars" if type(frame).__module__.partition(".")[0] == "polars" else "pandas"


def text_memory(n: int, width: int, n_characters: int) -> None:
    """Raise FormatError if text would take far more memory as an array than it has characters."""
    if n * width > 2**24 + 64 * n_characters:
        raise FormatError(f"an array of {n} texts of {width} bytes is far longer than its text")


class Decoder:
    """Turns JSON and arrays back into values; restores nothing that it does not know.

    Parameters
    ----------
    container : Container
        The arrays.
    of_object : callable
        Called with the JSON table of an object and the decoder; returns the object.
    """

    def __init__(self, container: Container, of_object: Callable[[Any, Decoder], Any]) -> None:
        self.container = container
        self._of_object = of_object
        self._met: list[Any] = []

    def decode(self, node: Any) -> Any:
        """Return the value that JSON tells of.

        Raises
        ------
        FormatError
            If it tells of none.
        """
        if isinstance(node, list):
            return [self.decode(entry) for entry in node]
        if not isinstance(node, dict):
            return node
        if len(node) != 1:
            raise FormatError(f"a value has the keys {sorted(node)!r:.100}")
        ((tag, content),) = node.items()
        if tag not in DECODERS:
            raise FormatError(f"it holds a value of the unknown kind {tag!r:.100}")
        return DECODERS[tag](self, content)

    def decode_list(self, node: Any) -> list[Any]:
        """Return the list that JSON tells of; FormatError if it is something else."""
        values = self.decode(node)
        if not isinstance(values, list):
            raise FormatError(f"there should be a list, got {type(values).__name__}")
        return values

    def _float(self, content: Any) -> float:
        if content not in ("nan", "inf", "-inf"):
            raise FormatError(f"no number is called {content!r:.100}")
        return float(content)

    def _tuple(self, content: Any) -> tuple[Any, ...]:
        return tuple(self.decode_list(content))

    def _dict(self, content: Any) -> dict[Any, Any]:
        if isinstance(content, dict):
            return {key: self.decode(value) for key, value in content.items()}
        if not isinstance(content, list) or len(content) != 2:
            raise FormatError("a table has no keys and values")
        keys, values = self.decode_list(content[0]), self.decode_list(content[1])
        found = dict(zip(keys, values))
        if not len(keys) == len(values) == len(found):
            raise FormatError("a table has a key twice, or keys and values are not equally many")
        return found

    def _set(self, content: Any) -> set[Any]:
        return set(self.decode_list(content))

    def _frozenset(self, content: Any) -> frozenset[Any]:
        return frozenset(self.decode_list(content))

    def _slice(self, content: Any) -> slice:
        return slice(*self.decode_list(content))

    def _range(self, content: Any) -> range:
        return range(*self.decode_list(content))

    def _bytes(self, content: Any) -> bytes:
        return _text(content).encode("latin-1")

    def _scalar(self, content: Any) -> Any:
        if not isinstance(content, list) or len(content) != 2:
            raise FormatError("a number has no dtype and value")
        name, value = content[0], self.decode(content[1])
        if name not in SCALARS:
            raise FormatError(f"no number has the dtype {name!r:.100}")
        kind, plain = SCALARS[name]
        if type(value) is not plain:
            raise FormatError(f"a number of dtype {name} is {value!r:.100}")
        return kind(value)

    def _dtype(self, content: Any) -> np.dtype:
        if not _DTYPE.fullmatch(_text(content)):
            raise FormatError(f"there is no dtype {content!r:.100}")
        dtype: np.dtype = np.dtype(content)
        return dtype

    def _type(self, content: Any) -> type:
        if _text(content) not in TYPES:
            raise FormatError(f"there is no type {content!r:.100}")
        kind: type = TYPES[content]
        return kind

    def _floats(self, content: Any) -> list[float]:
        return self._numbers(content, "f")

    def _integers(self, content: Any) -> list[int]:
        return self._numbers(content, "i")

    def _numbers(self, content: Any, kind: str) -> list[Any]:
        array = self.container.read(content)
        if array.ndim != 1 or array.dtype.kind != kind:
            raise FormatError(f"its array {content!r:.100} is no list of such numbers")
        numbers: list[Any] = array.tolist()
        return numbers

    def _texts(self, content: Any) -> list[str]:
        if not isinstance(content, list) or len(content) != 2:
            raise FormatError("a list of texts has no text and ends")
        flat, ends = map(self.container.read, content)
        if flat.dtype != np.uint8 or flat.ndim != 1 or ends.dtype != np.int64 or ends.ndim != 1:
            raise FormatError("a list of texts has no bytes and ends")
        starts = np.concatenate([[0], ends])
        if np.any(starts[1:] < starts[:-1]) or starts[-1] != len(flat):
            raise FormatError("the ends in a list of texts do not increase to its end")
        text = flat.tobytes()
        try:
            pieces = zip(starts.tolist(), ends.tolist())
            return [text[a:b].decode("utf-8", "surrogatepass") for a, b in pieces]
        except UnicodeDecodeError:
            raise FormatError("a list of texts is no UTF-8") from None

    def _ref(self, content: Any) -> Any:
        if isinstance(content, bool) or not isinstance(content, int):
            raise FormatError(f"a reference is {content!r:.100}")
        if not 0 <= content < len(self._met):
            raise FormatError(f"a reference to object {content}, of {len(self._met)} so far")
        return self._met[content]

    def _array(self, content: Any) -> np.ndarray:
        if not isinstance(content, dict):
            raise FormatError("an array is no table")
        if "items" in content:
            array = self._array_of_items(content)
        else:
            array = self.container.read(content.get("data"))
            if content.get("order") == "F":
                array = array.T
            if "dtype" in content:
                dtype = self._dtype(content["dtype"])
                if dtype.newbyteorder("=") != array.dtype:
                    raise FormatError(f"an array of {array.dtype} says that it has {dtype}")
                array = array.astype(dtype)
        self._met.append(array)
        return array

    def _array_of_items(self, content: dict[str, Any]) -> np.ndarray:
        dtype, shape = self._dtype(content.get("dtype")), content.get("shape")
        items = self.decode_list(content["items"])
        if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
            raise FormatError(f"an array has the shape {shape!r:.100}")
        if math.prod(shape) != len(items) or len(shape) > 32:
            raise FormatError(f"an array of shape {shape!r:.100} has {len(items)} entries")
        if dtype.kind not in "OUS":
            raise FormatError(f"an array of dtype {dtype} is a list")
        if dtype.kind != "O":
            kind = str if dtype.kind == "U" else bytes
            if not all(type(item) is kind for item in items):
                raise FormatError("an array of texts holds something else")
            text_memory(len(items), dtype.itemsize, sum(map(len, items)))
        flat = np.empty(len(items), dtype)
        for i, item in enumerate(items):
            flat[i] = item
        return flat.reshape(shape)

    def _random_state(self, content: Any) -> Any:
        found = restore_random_state(self.decode(content))
        self._met.append(found)
        return found

    def _no_rows(self, content: Any) -> Any:
        """Return a frame of some columns without rows."""
        library, names = self.decode_list(content)
        if library not in ("pandas", "polars"):
            raise FormatError(f"no frames are of {library!r:.100}")
        try:
            module = import_module(library)
        except ImportError as error:
            raise MissingExtraError(library, "frames", "a model fitted on frames") from error
        frame = module.DataFrame({_text(name): [] for name in names})
        self._met.append(frame)
        return frame

    def _object(self, content: Any) -> Any:
        found = self._of_object(content, self)
        self._met.append(found)
        return found


def _text(content: Any) -> str:
    if not isinstance(content, str):
        raise FormatError(f"there should be a text, got {content!r:.100}")
    return content


SCALARS: dict[Any, tuple[Any, type]] = {
    "bool": (np.bool_, bool), "str": (np.str_, str), "bytes": (np.bytes_, bytes),
    **{f"{kind}{8 * size}": (np.dtype(f"{kind[0]}{size}").type, plain)
       for kind, plain in (("int", int), ("uint", int), ("float", float))
       for size in (1, 2, 4, 8) if (kind, size) != ("float", 1)},
}  # fmt: skip

DECODERS: dict[str, Callable[[Decoder, Any], Any]] = {
    "array": Decoder._array,
    "bytes": Decoder._bytes,
    "dict": Decoder._dict,
    "dtype": Decoder._dtype,
    "float": Decoder._float,
    "floats": Decoder._floats,
    "frozenset": Decoder._frozenset,
    "integers": Decoder._integers,
    "no_rows": Decoder._no_rows,
    "object": Decoder._object,
    "random_state": Decoder._random_state,
    "range": Decoder._range,
    "ref": Decoder._ref,
    "scalar": Decoder._scalar,
    "set": Decoder._set,
    "slice": Decoder._slice,
    "texts": Decoder._texts,
    "tuple": Decoder._tuple,
    "type": Decoder._type,
}

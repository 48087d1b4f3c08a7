"""Plain values from JSON and arrays; restores nothing that it does not know. See `encoding`."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from rnnkit.exceptions import FormatError, MissingExtraError
from rnnkit.persistence.container import Container
from rnnkit.persistence.dates import DATES, date_of
from rnnkit.persistence.kinds import DTYPE, SCALARS, TYPES, is_short, text_memory
from rnnkit.persistence.random_states import restore_random_state

__all__ = ["DECODERS", "Decoder"]


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
        numbers = range(*self.decode_list(content))
        if not is_short(numbers):
            raise FormatError(f"{numbers!r:.100} is longer than any that a file may hold")
        return numbers

    def _bytes(self, content: Any) -> bytes:
        return _text(content).encode("latin-1")

    def _date(self, content: Any) -> Any:
        return date_of(content)

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
        if not DTYPE.fullmatch(_text(content)):
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

    def _rows(self, content: Any) -> list[np.ndarray]:
        array = self.container.read(content)
        if array.ndim != 2:
            raise FormatError(f"its array {content!r:.100} has no rows")
        return list(array)

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
            name = content.get("dtype")
            if isinstance(name, str) and DATES.fullmatch(name):
                if array.dtype != np.int64:
                    raise FormatError(f"an array of {array.dtype} says that it has {name}")
                array = array.view(f"{name[1:]}").astype(name)
            elif "dtype" in content:
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


DECODERS: dict[str, Callable[[Decoder, Any], Any]] = {
    "array": Decoder._array,
    "bytes": Decoder._bytes,
    "date": Decoder._date,
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
    "rows": Decoder._rows,
    "scalar": Decoder._scalar,
    "set": Decoder._set,
    "slice": Decoder._slice,
    "texts": Decoder._texts,
    "tuple": Decoder._tuple,
    "type": Decoder._type,
}

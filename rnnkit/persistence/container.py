"""The bytes of a file: named arrays and some text in the safetensors layout.

A file is the length of its header (8 bytes, little-endian), the header (JSON: the text under
"__metadata__", and of every array its dtype, shape and place) and the arrays, little-endian and
row by row, with nothing between or after them. Source: the safetensors format,
https://huggingface.co/docs/safetensors. Nothing of a header is believed before it was compared
with the bytes that are there.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import isfinite, prod
from typing import Any, Protocol

import numpy as np

from rnnkit.exceptions import FormatError

__all__ = ["Bytes", "Container", "OpenFile", "Source", "layout", "parse_json"]

DTYPES = {
    "BOOL": "|b1", "U8": "|u1", "I8": "|i1", "U16": "<u2", "I16": "<i2", "U32": "<u4",
    "I32": "<i4", "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip
NAMES = {np.dtype(text): name for name, text in DTYPES.items()}
METADATA = "__metadata__"
ALIGNMENT = 64  # bytes, of the first array
LONGEST_HEADER = 32 * 2**20  # bytes
MOST_VALUES = 500_000  # of one JSON text; long lists are arrays
DEEPEST = 256  # levels of one JSON text
LONGEST_INTEGER = 4000  # digits

_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


def layout(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> Iterator[Any]:
    """Return the bytes of a file in pieces: the header, then every array.

    Arrays of larger entries come first, so that each is aligned; those of one size keep their
    order.

    Raises
    ------
    ValueError
        If the header is longer than `Container` reads.
    """
    ordered = sorted(arrays.items(), key=lambda item: -item[1].dtype.itemsize)
    header: dict[str, Any] = {METADATA: dict(metadata)}
    end = 0
    for name, array in ordered:
        begin, end = end, end + array.nbytes
        header[name] = {
            "dtype": NAMES[array.dtype.newbyteorder("<")],
            "shape": list(array.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    if len(text) > LONGEST_HEADER:
        raise ValueError(f"the model has {len(text)} bytes of text beside its arrays, too many")
    yield len(text).to_bytes(8, "little") + text
    for _, array in ordered:
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        yield little.reshape(-1).view(np.uint8)


class Source(Protocol):
    """Where bytes come from."""

    size: int

    def read(self, begin: int, end: int) -> np.ndarray:
        """Return bytes, (end - begin,) uint8, that may be written to."""
        ...


class OpenFile:
    """The bytes of an open file; each piece is read into memory of its own.

    Parameters
    ----------
    fd : int
        A descriptor that can be read.
    """

    def __init__(self, fd: int) -> None:
        self.size = os.fstat(fd).st_size
        self._fd = fd

    def read(self, begin: int, end: int) -> np.ndarray:
        """Return bytes, (end - begin,) uint8, that may be written to."""
        piece = np.empty(end - begin, np.uint8)
        rest = memoryview(piece)
        while len(rest):
            n = os.preadv(self._fd, [rest], end - len(rest))
            if n == 0:
                raise FormatError("it became shorter while it was read")
            rest = rest[n:]
        return piece


class Bytes:
    """Bytes that lie in memory, or are mapped into it.

    Parameters
    ----------
    buffer : bytes-like
        What can be written to is not copied.
    """

    def __init__(self, buffer: Any) -> None:
        self._all = np.frombuffer(buffer, np.uint8)
        self.size = len(self._all)

    def read(self, begin: int, end: int) -> np.ndarray:
        """Return bytes, (end - begin,) uint8, that may be written to."""
        piece = self._all[begin:end]
        return piece if piece.flags.writeable else piece.copy()


class Container:
    """A file whose header was checked.

    Parameters
    ----------
    source : Source
        The bytes.

    Attributes
    ----------
    metadata : dict of str to str
        The text beside the arrays.

    Raises
    ------
    FormatError
        If the bytes are no such file, or the header does not describe them exactly.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        header, start = _read_header(source)
        metadata = header.pop(METADATA, {})
        if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
            raise FormatError(f"its {METADATA} is no table of texts")
        self.metadata: dict[str, str] = metadata
        self._places = {name: _Place(name, entry, start) for name, entry in header.items()}
        _check_cover(self._places, start, source.size)
        self._unread = set(self._places)

    def shape(self, name: Any) -> tuple[int, ...]:
        """Return the shape of an array; FormatError if there is none of this name."""
        return self._place(name).shape

    def read(self, name: Any) -> np.ndarray:
        """Return an array that may be written to; each may be read once.

        Raises
        ------
        FormatError
            If there is none of this name, or it was read before.
        """
        return self.read_flat([name]).reshape(self.shape(name))

    def read_flat(self, names: Sequence[Any]) -> np.ndarray:
        """Return several arrays of one dtype as one vector; each may be read once.

        Raises
        ------
        FormatError
            If there is none of a name, it was read before, or dtypes differ.
        """
        places = [self._place(name) for name in names]
        dtypes = {place.dtype for place in places}
        if len(dtypes) != 1:
            raise FormatError(
                f"arrays that belong together have the dtypes {sorted(map(str, dtypes))}"
            )
        for name in names:
            if name not in self._unread:
                raise FormatError(f"its array {name!r} is used twice")
            self._unread.remove(name)
        if all(a.end == b.begin for a, b in pairwise(places)):
            pieces = self._source.read(places[0].begin, places[-1].end)
        else:
            pieces = np.concatenate([self._source.read(p.begin, p.end) for p in places])
        dtype = dtypes.pop()
        array = _as_bool(pieces, names) if dtype.kind == "b" else pieces.view(dtype)
        native: np.ndarray = array if dtype.isnative else array.astype(dtype.newbyteorder("="))
        return native

    def require_all_read(self) -> None:
        """Raise FormatError if an array was not read."""
        if self._unread:
            raise FormatError(f"no part of the model uses its array {min(self._unread)!r}")

    def _place(self, name: Any) -> _Place:
        if not isinstance(name, str) or name not in self._places:
            raise FormatError(f"it has no array {name!r:.100}")
        return self._places[name]


class _Place:
    """Where an array lies, in bytes from the start of the file."""

    __slots__ = ("begin", "dtype", "end", "shape")

    def __init__(self, name: str, entry: Any, start: int) -> None:
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
            raise FormatError(f"its array {name!r:.100} has no dtype, shape and data_offsets")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise FormatError(f"its array {name!r:.100} has the unknown dtype {dtype!r:.100}")
        if not (_are_counts(shape) and len(shape) <= 32):
            raise FormatError(f"its array {name!r:.100} has the impossible shape {shape!r:.100}")
        if not (_are_counts(offsets) and len(offsets) == 2):
            raise FormatError(f"its array {name!r:.100} has impossible offsets {offsets!r:.100}")
        self.dtype = np.dtype(DTYPES[dtype])
        self.shape = tuple(shape)
        self.begin, self.end = start + offsets[0], start + offsets[1]
        needed = prod(shape) * self.dtype.itemsize
        if needed != self.end - self.begin:
            raise FormatError(
                f"its array {name!r:.100} of shape {self.shape!r:.100} and dtype {dtype} needs "
                f"{needed} bytes, but its offsets are {offsets!r:.100}"
            )


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(v, int) and not isinstance(v, bool) and 0 <= v < 2**63 for v in values
    )


def _check_cover(places: Mapping[str, _Place], start: int, size: int) -> None:
    """Check that arrays lie one after the other from the header to the end of the file."""
    end = start
    for name, place in sorted(places.items(), key=lambda item: (item[1].begin, item[1].end)):
        if place.begin != end:
            what = "overlaps another" if place.begin < end else "has a hole before it"
            raise FormatError(f"its array {name!r:.100} {what}")
        end = place.end
    if end > size:
        raise FormatError(f"it is cut off: its arrays end at byte {end}, it has {size}")
    if end < size:
        raise FormatError(f"it has {size - end} bytes after its last array")


def _as_bool(pieces: np.ndarray, names: Sequence[str]) -> np.ndarray:
    if pieces.size and pieces.max() > 1:
        raise FormatError(f"its array {names[0]!r:.100} holds bytes that are neither 0 nor 1")
    return pieces.view(np.bool_)


def _read_header(source: Source) -> tuple[dict[str, Any], int]:
    """Return the header and where the arrays begin."""
    if source.size < 8:
        raise FormatError(f"it has {source.size} bytes, too few for a header")
    length = int.from_bytes(source.read(0, 8).tobytes(), "little")
    if length > LONGEST_HEADER:
        raise FormatError(f"its header would have {length} bytes, more than {LONGEST_HEADER}")
    if 8 + length > source.size:
        raise FormatError(f"it is cut off: its header has {length} bytes, it has {source.size}")
    try:
        text = source.read(8, 8 + length).tobytes().decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError("its header is no UTF-8 text") from None
    header = parse_json(text, "its header")
    if not isinstance(header, dict):
        raise FormatError("its header is no table")
    return header, 8 + length


def parse_json(text: str, name: str) -> Any:
    """Return what a JSON text says, if it is small, flat and plain.

    Parameters
    ----------
    text : str
    name : str
        What the text is, for messages.

    Raises
    ------
    FormatError
        If the text is no JSON, a table has a key twice, a number is not finite or very long, or
        there are too many values or levels.
    """

    def refuse(constant: str) -> Any:
        raise FormatError(f"{name} holds {constant}, which is no JSON")

    def number(digits: str) -> float:
        value = float(digits)
        if not isfinite(value):
            raise FormatError(f"{name} holds the number {digits:.40}, which is not finite")
        return value

    def integer(digits: str) -> int:
        if len(digits) > LONGEST_INTEGER:
            raise FormatError(f"{name} holds an integer of {len(digits)} digits")
        return int(digits)

    def table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise FormatError(f"{name} has a table with a key twice")
        return found

    _check_size(_STRING.sub("", text), name)
    try:
        return json.loads(
            text,
            parse_constant=refuse,
            parse_float=number,
            parse_int=integer,
            object_pairs_hook=table,
        )
    except FormatError:
        raise
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name} is no JSON: {error}") from None


def _check_size(skeleton: str, name: str) -> None:
    """Check what is left of a JSON text without its strings."""
    if skeleton.count(",") + skeleton.count("[") + skeleton.count("{") > MOST_VALUES:
        raise FormatError(f"{name} holds more than {MOST_VALUES} values")
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", skeleton):
        depth += 1 if bracket in "[{" else -1
        if depth > DEEPEST:
            raise FormatError(f"{name} is nested more than {DEEPEST} levels deep")

"""What both who writes and who reads plain values must know: dtypes, types and scalars."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from rnnkit.exceptions import FormatError
from rnnkit.persistence.container import NAMES

__all__ = ["DTYPE", "SCALARS", "TYPES", "is_short", "text_memory"]

# The dtypes of arrays, and of what is a dtype: numbers, objects and text.
DTYPE = re.compile(r"[<>|=](?:b1|[iu][1248]|f[248]|O|[US]\d{1,9})")

# Types that are themselves values.
TYPES: dict[str, Any] = {
    "bool": bool, "float": float, "int": int, "object": object, "str": str,
    "bool_": np.bool_, **{d.type.__name__: d.type for d in NAMES if d.kind != "b"},
}  # fmt: skip

# The type of NumPy's scalars, and the plain one that each is made of.
SCALARS: dict[Any, tuple[Any, type]] = {
    "bool": (np.bool_, bool), "str": (np.str_, str), "bytes": (np.bytes_, bytes),
    **{f"{kind}{8 * size}": (np.dtype(f"{kind[0]}{size}").type, plain)
       for kind, plain in (("int", int), ("uint", int), ("float", float))
       for size in (1, 2, 4, 8) if (kind, size) != ("float", 1)},
}  # fmt: skip


def is_short(numbers: range) -> bool:
    """Whether a range has no more numbers than may be gone through: a few bytes tell any range."""
    return not numbers or abs(numbers[-1] - numbers[0]) // abs(numbers.step) < 2**20


def text_memory(n: int, width: int, n_characters: int) -> None:
    """Raise FormatError if text would take far more memory as an array than it has characters."""
    if n * width > 2**24 + 64 * n_characters:
        raise FormatError(f"an array of {n} texts of {width} bytes is far longer than its text")

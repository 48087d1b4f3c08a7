"""Text files become numbered lines, and what is wrong in one is told with file and line."""

from __future__ import annotations

import gzip
import io
import math
import os
import re
import zlib
from collections.abc import Sequence
from typing import IO, Any, NoReturn

import numpy as np

__all__ = ["TextLines", "numbers_of", "parse_number", "parse_numbers"]

GZIP_MAGIC = b"\x1f\x8b"
BLOCK = 1 << 16  # bytes that are decompressed at a time
# Neither str.splitlines nor str.split: they also cut at characters that belong to tokens, such as
# the no-break space or the line separator U+2028.
LINE_END = re.compile(r"\r\n|\n|\r")
PLAIN_NUMBERS = re.compile(r"[0-9eE+\-., \t]*")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
MISSING = ("?", "nan", "+nan", "-nan")
BLANKS = " \t"
WORD = re.compile(r"[^ \t]+")


class TextLines:
    """The lines of a text file, and errors that name them.

    Parameters
    ----------
    file : str, path-like or file object
        A path, or an object whose ``read()`` gives str or bytes; bytes may be compressed by gzip,
        whatever the file is called.
    encoding : str
        How bytes are decoded; a byte order mark is no part of the text.

    Attributes
    ----------
    name : str
        How error texts call the file.
    lines : list of str
        Without line ends. Line i has the number i + 1.

    Raises
    ------
    OSError
        If the file cannot be opened.
    TypeError
        If `file` is none of these.
    ValueError
        If the bytes cannot be decompressed or decoded, with the line where.
    """

    def __init__(self, file: Any, encoding: str = "utf-8") -> None:
        if isinstance(file, (str, os.PathLike)):
            self.name = os.fspath(file)
            with open(file, "rb") as opened:
                content = self._read(opened)
        elif hasattr(file, "read"):
            name = getattr(file, "name", None)
            self.name = name if isinstance(name, str) else "<file>"
            content = self._read(file)
        else:
            raise TypeError(f"file must be a path or a file object, got {type(file).__name__}")
        text = self._decode(content, encoding) if isinstance(content, bytes) else content
        self.lines = LINE_END.split(text.removeprefix("\ufeff"))
        if self.lines[-1] == "":
            self.lines.pop()

    def _read(self, opened: IO[Any]) -> str | bytes:
        content = opened.read()
        if isinstance(content, (bytearray, memoryview)):
            content = bytes(content)
        if not isinstance(content, (str, bytes)):
            raise TypeError(f"file.read() must give str or bytes, got {type(content).__name__}")
        if isinstance(content, bytes) and content.startswith(GZIP_MAGIC):
            return self._decompress(content)
        return content

    def _decompress(self, content: bytes) -> bytes:
        blocks: list[bytes] = []
        try:
            with gzip.open(io.BytesIO(content)) as opened:
                while block := opened.read(BLOCK):
                    blocks.append(block)
        except (EOFError, OSError, zlib.error) as error:
            n_lines = sum(block.count(b"\n") for block in blocks)
            raise self.error(
                n_lines + 1, f"the gzip file is damaged here or later: {error}"
            ) from error
        return b"".join(blocks)

    def _decode(self, content: bytes, encoding: str) -> str:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError as error:
            before = content[: error.start].decode(encoding, errors="ignore")
            number = len(LINE_END.split(before))
            raise self.error(
                number,
                f"byte {content[error.start]:#04x} is no {encoding} ({error.reason}); give the "
                "file's encoding, such as encoding='latin-1' or 'utf-16'",
            ) from error

    def error(self, number: int, text: str) -> ValueError:
        """Return the error that says what is wrong with the line of a number, from 1."""
        return ValueError(f"{self.name}, line {number}: {text}")

    def refuse_empty(self, noun: str) -> NoReturn:
        """Raise ValueError because the file ends without a sequence."""
        raise self.error(max(len(self.lines), 1), f"the file ends here and holds no {noun}")


def parse_number(text: str) -> float:
    """Return a decimal number, NaN where it is missing.

    Raises
    ------
    ValueError
        If the text is neither ``?`` nor NaN nor a finite decimal number: what Python would also
        take (``1_000``, ``infinity``, digits of other scripts) is refused.

    Examples
    --------
    >>> from rnnkit.datasets.lines import parse_number
    >>> parse_number("-1.5e3"), parse_number("?")
    (-1500.0, nan)
    """
    text = text.strip(BLANKS)
    if NUMBER.fullmatch(text):
        value = float(text)
        if math.isfinite(value):
            return value
        raise ValueError(f"{text} is too large for float64")
    if text.lower() in MISSING:
        return math.nan
    what = repr(text[:40]) if text else "nothing"
    raise ValueError(f"a number, ? or NaN is expected, got {what}")


def parse_numbers(text: str, separator: str = ",") -> list[float]:
    """Return the numbers of a text.

    Raises
    ------
    ValueError
        If one is no number, saying which.
    """
    return numbers_of(text.split(separator), plain=PLAIN_NUMBERS.fullmatch(text) is not None)


def numbers_of(fields: Sequence[str], *, plain: bool = False) -> list[float]:
    """Return the numbers of fields; `plain` says that none holds what only Python takes.

    Raises
    ------
    ValueError
        If one is no number, saying which.
    """
    if plain:
        try:
            values = list(map(float, fields))
        except ValueError:
            pass
        else:
            if np.isfinite(values).all():
                return values
    values = []
    for i, field in enumerate(fields):
        try:
            values.append(parse_number(field))
        except ValueError as error:
            raise ValueError(f"value {i + 1} of {len(fields)}: {error}") from error
    return values

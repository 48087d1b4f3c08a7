"""Text of a file with damage done to it, and what every reader must answer to that."""

import io
import re

from hypothesis import strategies as st

LINE_NUMBER = re.compile(r"<file>, line \d+: ")
PIECES = [
    "?",
    "NaN",
    ",",
    ":",
    "\t",
    " ",
    "\n",
    "\n\n",
    "#",
    "@",
    "'",
    '"',
    "{",
    "(",
    ")",
    "\\",
] + [
    "1e999",
    "1_0",
    "inf",
    "٣",
    "-",
    "qid:1",
    "\x85",
    "\u2028",
    "\xa0",
    "\x00",
]


@st.composite
def damaged(draw, texts):
    """Return one of some texts with up to three places cut out, repeated or overwritten."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        stop = min(len(text), start + draw(st.integers(0, 12)))
        piece = draw(st.sampled_from([*PIECES, "", text[start:stop] * 2]) | st.text(max_size=4))
        text = text[:start] + piece + text[stop:]
    return text


def read(reader, text, **options):
    """Return what a reader makes of a text; None if it refuses it with the line's number."""
    try:
        return reader(io.StringIO(text, newline=""), **options)
    except ValueError as error:
        message = str(error)
    assert LINE_NUMBER.match(message), message
    return None


def lines_of(text):
    """Return the lines that hold more than blanks."""
    return [line for line in re.split(r"\r\n|\n|\r", text) if line.strip(" \t")]

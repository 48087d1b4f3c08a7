"""Every kind of file gives the same lines, and every fault its line."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from rnnkit.datasets.lines import TextLines, numbers_of, parse_number, parse_numbers

TEXT = "Grüße\tA\n\nzwei\xa0Wörter\u2028\x85\tB\n"
LINES = ["Grüße\tA", "", "zwei\xa0Wörter\u2028\x85\tB"]


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        gzip.compress(TEXT.encode()),
        gzip.compress(TEXT.encode("utf-8-sig")),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.rstrip("\n").encode(),
    ],
    ids=["plain", "bom", "gzip", "gzip-bom", "crlf", "cr", "no-last-line-end"],
)
def test_every_kind_of_file_gives_the_same_lines(tmp_path, content):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    for file in (path, str(path), io.BytesIO(content)):
        assert TextLines(file).lines == LINES
    with open(path, "rb") as opened:
        source = TextLines(opened)
    assert (source.lines, source.name) == (LINES, str(path))


def test_an_open_text_file_is_read(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(TEXT, encoding="utf-8-sig")
    with open(path, encoding="utf-8") as opened:
        assert TextLines(opened).lines == LINES


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252"])
def test_other_encodings(encoding):
    assert TextLines(io.BytesIO("Grüße\nÄ".encode(encoding)), encoding).lines == ["Grüße", "Ä"]


def test_bytes_of_another_encoding_are_refused_with_their_line():
    with pytest.raises(ValueError, match=r"<file>, line 3: byte 0xfc is no utf-8.*latin-1"):
        TextLines(io.BytesIO("a\nb\ngrün\n".encode("latin-1")))


def test_a_damaged_gzip_file_is_refused_with_its_line():
    content = gzip.compress("".join(f"line {i}\n" for i in range(50_000)).encode())
    with pytest.raises(ValueError, match=r"line [1-9]\d+: the gzip file is damaged"):
        TextLines(io.BytesIO(content[: len(content) - 20]))


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(TypeError, match="path or a file object, got int"):
        TextLines(3)
    with pytest.raises(FileNotFoundError):
        TextLines(Path(tmp_path) / "absent")


@pytest.mark.parametrize("text, value", [("1", 1.0), (" -.5e+2", -50.0), ("3.", 3.0), ("+0", 0.0)])
def test_numbers(text, value):
    assert parse_number(text) == value
    assert numbers_of([text]) == [value]


@pytest.mark.parametrize("text", ["?", "nan", "NaN", " NAN ", "-nan"])
def test_missing_numbers(text):
    assert np.isnan(parse_number(text))
    assert np.isnan(parse_numbers(f"1,{text},2")[1])


@pytest.mark.parametrize(
    "text", ["", "1_0", "inf", "-Infinity", "1e999", "٣", "0x1", "1 2", "1\xa0", "e5", "."]
)
def test_what_only_python_takes_for_a_number_is_refused(text):
    with pytest.raises(ValueError):
        parse_number(text)
    with pytest.raises(ValueError, match="value 2 of 3"):
        parse_numbers(f"1,{text},2")

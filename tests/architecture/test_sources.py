"""The sources of the whole repository keep the rules that no linter knows."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("rnnkit", "tests", "benchmarks", "examples", "docs", ".ci")
SUFFIXES = {".py", ".pyx", ".pxd", ".h", ".inl", ".c", ".cpp", ".cu", ".md", ".toml"}
FORBIDDEN_FLAGS = ("-O" + "fast", "-ffast" + "-math", "-march=" + "native")
DOUBT = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")


def is_generated(path):
    return path.suffix == ".c" and path.with_suffix(".pyx").exists()


SOURCES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*")
    if path.suffix in SUFFIXES and not is_generated(path)
) + sorted(path for path in ROOT.iterdir() if path.suffix in SUFFIXES)


def relative(path):
    return path.relative_to(ROOT).as_posix()


def test_sources_were_found():
    assert {"setup.py", "rnnkit/cells.py", "pyproject.toml"} <= {relative(p) for p in SOURCES}


@pytest.mark.parametrize("name", ["setup.py", "pyproject.toml"])
@pytest.mark.parametrize("flag", FORBIDDEN_FLAGS)
def test_no_flag_that_changes_arithmetic_or_pins_the_machine(name, flag):
    assert flag not in (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_note_of_unfinished_work(path):
    found = DOUBT.search(path.read_text(encoding="utf-8"))
    assert found is None, f"{relative(path)} says {found.group()}"


C_SOURCES = [p for p in SOURCES if p.suffix in {".c", ".h", ".inl", ".cu", ".cpp"}]


@pytest.mark.parametrize("path", C_SOURCES, ids=relative)
def test_c_sources_open_with_their_purpose(path):
    assert path.read_text(encoding="utf-8").lstrip().startswith(("/*", "//"))


# A file of the package can be read in a sitting, but where ARCHITECTURE.md names it in a line as
# "`backends/reference.py` (567 lines): the reason".
LONGEST = 450
LONG_WITH_A_REASON = {
    f"rnnkit/{name}"
    for name in re.findall(
        r"`([\w./]+)` \(\d+ lines\): \w", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    )
}
LONG = {
    relative(path)
    for path in SOURCES
    if relative(path).startswith("rnnkit/")
    and len(path.read_text(encoding="utf-8").splitlines()) > LONGEST
}


def test_files_of_the_package_are_short():
    too_long = LONG - LONG_WITH_A_REASON
    assert not too_long, f"over {LONGEST} lines: {sorted(too_long)}"


def test_only_long_files_are_excused():
    assert LONG_WITH_A_REASON <= LONG

"""The table of instruction sets asks a machine for exactly what each file is compiled for."""

import re
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "rnnkit" / "_core" / "src"
DISPATCH = (SOURCES / "dispatch.c").read_text(encoding="utf-8").replace("\\\n", " ")
ROWS = dict(re.findall(r'ROW\("\w+", (\w+), (.*?)\)(?= *ROW| *\n)', DISPATCH))


def features(needs):
    """Return the features that an expression asks for, those of the macros it names included."""
    for macro, meaning in re.findall(r"#define (RK_HAS_\w+) +(.*)", DISPATCH):
        if re.search(rf"\b{macro}\b", needs):
            return features(needs.replace(macro, meaning))
    return set(re.findall(r'RK_HAS\("(\w+)"\)', needs))


def test_every_file_has_a_row():
    assert set(ROWS) == {path.stem.removeprefix("isa_") for path in SOURCES.glob("isa_*.c")}


@pytest.mark.parametrize("isa", ROWS)
def test_the_row_needs_what_the_file_is_compiled_for(isa):
    text = (SOURCES / f"isa_{isa}.c").read_text(encoding="utf-8")
    target = re.search(r'#define RK_TARGET "(.*)"', text)
    assert features(ROWS[isa]) == (set(target[1].split(",")) if target else set())
    assert f"#define RK_ISA {isa}\n" in text

"""The table of instruction sets asks a machine for exactly what each file is compiled for."""

import re
from pathlib import Path

import pytest
from scipy.linalg import cython_blas

from rnnkit._core.threads import current_isa
from rnnkit.backends.cpu import isa_available, using_isa

SOURCES = Path(__file__).parents[2] / "rnnkit" / "_core" / "src"
DISPATCH = (SOURCES / "dispatch.c").read_text(encoding="utf-8").replace("\\\n", " ")
ROWS = dict(re.findall(r'ROW\("\w+", (\w+), (.*?)\)(?= *ROW| *\n)', DISPATCH))


def features(needs):
    """Return the features that an expression asks for, those of the macros it names included."""
    for macro, meaning in re.findall(r"#define (RK_HAS_\w+) +(.*)", DISPATCH):
        if re.search(rf"\b{macro}\b", needs):
            return features(needs.replace(macro, meaning))
    return set(re.findall(r'RK_(?:HAS|HAS_ANEW|MAY_USE)\("([\w-]+)"\)', needs))


def test_every_file_has_a_row():
    assert set(ROWS) == {path.stem.removeprefix("isa_") for path in SOURCES.glob("isa_*.c")}


@pytest.mark.parametrize("isa", ROWS)
def test_the_row_needs_what_the_file_is_compiled_for(isa):
    text = (SOURCES / f"isa_{isa}.c").read_text(encoding="utf-8")
    target = re.search(r'#define RK_TARGET "(.*)"', text)
    assert features(ROWS[isa]) == (set(target[1].split(",")) if target else set())
    assert f"#define RK_ISA {isa}\n" in text


def test_a_blas_is_taken_before_no_kernels_but_the_portable_ones():
    assert isa_available()[:2] == ("scalar", "blas")


def test_a_blas_of_other_numbers_is_refused(monkeypatch):
    """A gemv stands for a gemm that counts in 64 bits: both have other types in their name."""
    functions, before = cython_blas.__pyx_capi__, current_isa()
    monkeypatch.setitem(functions, "sgemm", functions["sgemv"])
    with pytest.raises(ImportError, match=r"RNNKIT_ISA=blas needs a SciPy"), using_isa("blas"):
        pass
    assert current_isa() == before

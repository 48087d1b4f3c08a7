"""Where the bytes of a number lie the other way round, the core is not built: it says why."""

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
KERNELS = CHECKOUT / "rnnkit" / "_core" / "src" / "kernels.h"
TURNED = ["-U__BYTE_ORDER__", "-D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__"]
COMPILERS = {"gcc": TURNED, "clang": TURNED, "s390x-linux-gnu-gcc": []}  # the last one's are


def compiled(compiler, *flags):
    """Compile the kernels' header alone; whether that went well, and what was said."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    command = [compiler, *flags, "-w", "-fsyntax-only", "-x", "c", str(KERNELS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_kernels_refuse_a_big_endian_machine(compiler):
    well, said = compiled(compiler, *COMPILERS[compiler])
    assert not well
    assert "rnnkit needs a little-endian machine" in said


@pytest.mark.parametrize("compiler", [name for name, flags in COMPILERS.items() if flags])
def test_the_kernels_take_a_little_endian_one(compiler):
    well, said = compiled(compiler)
    assert well, said


def test_the_build_refuses_it_in_one_sentence(monkeypatch):
    pytest.importorskip("Cython", reason="setup.py imports it")
    monkeypatch.setattr(sys, "byteorder", "big")
    monkeypatch.chdir(CHECKOUT)
    with pytest.raises(
        SystemExit, match=r"^rnnkit needs a little-endian machine, and \w+ is none$"
    ):
        runpy.run_path("setup.py")

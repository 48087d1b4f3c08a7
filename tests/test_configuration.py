"""What an installation says of itself, and what building it asks for."""

import importlib.resources
import os
import runpy
import sys
import types
from pathlib import Path

import pytest

from rnnkit import show_config

SETUP = Path(__file__).resolve().parents[1] / "setup.py"


def test_facts_come_by_topic(capsys):
    facts = show_config(mode="dicts")
    assert facts["core"]["threads"] >= 1
    assert show_config() is None
    assert '"limits_from"' in capsys.readouterr().out
    with pytest.raises(ValueError, match="mode must be 'stdout' or 'dicts', got 'json'"):
        show_config(mode="json")


def test_the_package_says_that_it_has_types():
    assert (importlib.resources.files("rnnkit") / "py.typed").is_file()


@pytest.fixture
def build_core(monkeypatch):
    """The build command of setup.py, without what setup.py goes on to do."""
    setuptools = pytest.importorskip("setuptools")
    cython = types.SimpleNamespace(cythonize=lambda *args, **options: [])
    monkeypatch.setitem(sys.modules, "Cython", types.SimpleNamespace(Build=cython))
    monkeypatch.setitem(sys.modules, "Cython.Build", cython)
    monkeypatch.setattr(setuptools, "setup", lambda **options: None)
    monkeypatch.chdir(SETUP.parent)
    return runpy.run_path(str(SETUP))["BuildCore"](setuptools.Distribution())


def set_compiler(command):
    from setuptools._distutils import ccompiler, sysconfig

    command.compiler = ccompiler.new_compiler()
    sysconfig.customize_compiler(command.compiler)


def test_a_machine_without_a_compiler_is_told_which_to_install(build_core, monkeypatch):
    monkeypatch.setenv("CC", "/nonexistent/cc")
    set_compiler(build_core)
    with pytest.raises(SystemExit, match="rnnkit needs a C compiler, gcc or clang") as caught:
        build_core.build_extensions()
    assert "\n" not in str(caught.value)


def test_a_compiler_without_openmp_is_told_from_one_that_has_it(build_core, capfd):
    """Only the build with OpenMP's regions in place of the pool asks."""
    set_compiler(build_core)
    if build_core.compile_error("int main(void) { return 0; }\n") is not None:
        pytest.skip("there is no C compiler here")
    assert build_core.compile_error("int main(void) {\n") is not None
    assert not build_core.links_with("-fno-such-option")


def test_it_is_compiled_on_all_processors_unless_told_otherwise(build_core):
    build_core.ensure_finalized()
    mine = getattr(os, "sched_getaffinity", lambda process: range(os.cpu_count()))
    assert build_core.parallel == len(mine(0))
    other = type(build_core)(build_core.distribution)
    other.parallel = 3
    other.ensure_finalized()
    assert other.parallel == 3

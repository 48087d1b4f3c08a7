"""What an installation says of itself, and what building it asks for."""

import importlib.resources
import runpy
import sys
import types
import warnings
from pathlib import Path

import pytest

from rnnkit import configuration, show_config
from rnnkit.configuration import LARGE_FIT, warn_of_serial_build

SETUP = Path(__file__).resolve().parents[1] / "setup.py"


def serial_core():
    return {"openmp": "serial build", "threads": 1}


@pytest.fixture
def serial_build(monkeypatch):
    """A core without OpenMP on a machine of four, in a process that has not warned."""
    monkeypatch.setattr(configuration, "core_information", serial_core)
    monkeypatch.setattr(configuration, "_has_warned", [])
    monkeypatch.setattr(configuration.os, "cpu_count", lambda: 4)


def test_facts_come_by_topic(capsys):
    facts = show_config(mode="dicts")
    assert facts["core"]["threads"] >= 1
    assert show_config() is None
    assert '"openmp"' in capsys.readouterr().out
    with pytest.raises(ValueError, match="mode must be 'stdout' or 'dicts', got 'json'"):
        show_config(mode="json")


def test_a_serial_build_says_so(serial_build):
    assert show_config(mode="dicts")["core"]["openmp"].startswith("no: ")


def test_a_serial_build_warns_once_and_of_much_work_alone(serial_build):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_serial_build(LARGE_FIT / 2)
    with pytest.warns(UserWarning, match="without OpenMP and uses one thread of 4; install gcc"):
        warn_of_serial_build(LARGE_FIT)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_serial_build(LARGE_FIT)


def test_a_build_with_openmp_never_warns(serial_build, monkeypatch):
    monkeypatch.setattr(configuration, "core_information", lambda: {"openmp": "OpenMP of 2015-11"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_serial_build(LARGE_FIT)


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


def test_a_compiler_without_openmp_builds_serially(build_core, capfd):
    set_compiler(build_core)
    if build_core.compile_error("int main(void) { return 0; }\n") is not None:
        pytest.skip("there is no C compiler here")
    assert build_core.compile_error("int main(void) {\n") is not None
    assert not build_core.links_with("-fno-such-option")

"""Imports go strictly downward, read from the syntax tree of every file of the package."""

import ast
import sys
from pathlib import Path

import pytest
from architecture.package import FILES, FOLDER

LAYERS = {
    "": 8,  # rnnkit/__init__.py
    "adapters": 7,
    "callbacks": 7,
    "distributed": 7,
    "persistence": 6,
    "inspection": 6,
    "energy": 6,
    "estimators": 5,
    "training": 4,
    "functional": 4,
    "network": 3,
    "preprocessing": 3,
    "datasets": 3,
    "metrics": 3,
    "configuration": 3,
    "backends": 2,
    "sequences": 2,
    "asking": 1,
    "cells": 1,
    "convolutions": 1,
    "drafts": 1,
    "exceptions": 1,
    "ownership": 1,
    "documentation": 1,
    "parameter_names": 1,
    "schemes": 1,
    "_core": 0,
}
SEES_SKLEARN = {"estimators", "preprocessing", "metrics", "persistence", "inspection"} | {
    "distributed",
    "energy",
    "adapters",
    "",
}
REQUIRED_PACKAGES = {"numpy", "scipy", "sklearn", "safetensors", "threadpoolctl", "rnnkit"}
ADAPTERS = ("adapters/aeon.py", "adapters/sktime.py")  # subclasses of another library's classes
FORBIDDEN_NAMES = ("utils", "util", "common", "helpers", "helper", "misc")


def relative(path):
    return path.relative_to(FOLDER).as_posix()


def area_of(path):
    """Return the first folder or module name below the package; "" for its own __init__."""
    first = Path(relative(path)).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def is_type_checking_block(node):
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def imports_of(path):
    """Return (full module name, loaded later, line) of every import statement of a file.

    "Loaded later" are imports inside a function, or for type checkers alone.
    """
    folders = ["rnnkit", *Path(relative(path)).parts[:-1]]
    found = []

    def visit(node, later):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend((name.name, later, child.lineno) for name in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = folders[: len(folders) - child.level + 1] if child.level else []
                module = ".".join([*base, *([child.module] if child.module else [])])
                found.extend((f"{module}.{name.name}", later, child.lineno) for name in child.names)
            is_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            visit(child, later or is_function or is_type_checking_block(child))

    visit(ast.parse(path.read_text(encoding="utf-8")), False)
    return found


def area_of_import(module):
    """Return the area an import of rnnkit reaches, or None for a module of someone else."""
    parts = module.split(".")
    if parts[0] != "rnnkit":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in LAYERS else ""


def test_the_package_was_found():
    assert {area_of(path) for path in FILES} >= {"", "cells", "backends", "sequences"}


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_area_has_a_layer(path):
    assert area_of(path) in LAYERS, f"{relative(path)} belongs to no layer"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_imports_only_downward(path):
    area = area_of(path)
    wrong = [
        f"line {line}: {module}"
        for module, _, line in imports_of(path)
        if (other := area_of_import(module)) is not None
        and other != area
        and LAYERS[other] >= LAYERS[area]
    ]
    assert not wrong, f"{relative(path)} imports a peer or upward: {wrong}"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_only_the_cpu_backend_sees_the_core(path):
    allowed = relative(path) == "backends/cpu.py" or area_of(path) in ("_core", "")
    sees = [module for module, _, _ in imports_of(path) if area_of_import(module) == "_core"]
    assert allowed or not sees, f"{relative(path)} imports {sees}"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_only_one_file_of_the_cuda_backend_sees_cupy(path):
    sees = [module for module, _, _ in imports_of(path) if module.split(".")[0] == "cupy"]
    allowed = relative(path) == "backends/cuda/device.py"
    assert allowed or not sees, f"{relative(path)} imports {sees}"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_sklearn_only_where_allowed(path):
    sees = [module for module, _, _ in imports_of(path) if module.split(".")[0] == "sklearn"]
    assert area_of(path) in SEES_SKLEARN or not sees, f"{relative(path)} imports {sees}"


def what_an_adapter_is_for(path):
    """Return the packages that a file needs as a whole: a module of `adapters` and its pandas."""
    return {path.stem, "pandas"} if relative(path) in ADAPTERS else set()


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_nobody_imports_an_adapter(path):
    """It needs its library when it is loaded, so it is loaded only by who asks for it."""
    modules = [f"rnnkit.{name.removesuffix('.py').replace('/', '.')}" for name in ADAPTERS]
    sees = [module for module, _, _ in imports_of(path) if module.startswith(tuple(modules))]
    assert not sees, f"{relative(path)} imports {sees}"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_optional_packages_only_inside_functions(path):
    known = REQUIRED_PACKAGES | sys.stdlib_module_names | what_an_adapter_is_for(path)
    wrong = [
        f"line {line}: {module}"
        for module, later, line in imports_of(path)
        if module.split(".")[0] not in known and not later
    ]
    assert not wrong, f"{relative(path)} imports optional packages when loaded: {wrong}"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_names_say_what_a_file_holds(path):
    assert path.stem not in FORBIDDEN_NAMES
    assert not set(Path(relative(path)).parts[:-1]) & set(FORBIDDEN_NAMES)


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_file_states_its_purpose(path):
    purpose = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert purpose, f"{relative(path)} has no module docstring"


def write(folder, text):
    path = folder / "sequences" / "planted.py"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text, found",
    [
        ("from rnnkit.network import Network\n", "rnnkit.network.Network"),
        ("from ..network import Network\n", "rnnkit.network.Network"),
        ("from . import packing\n", "rnnkit.sequences.packing"),
        ("def f():\n    from rnnkit import network\n", "rnnkit.network"),
        ("try:\n    import torch\nexcept ImportError:\n    torch = None\n", "torch"),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import sklearn.base\n",
            "sklearn.base",
        ),
    ],
)
def test_every_form_of_import_is_seen(tmp_path, monkeypatch, text, found):
    monkeypatch.setitem(globals(), "FOLDER", tmp_path)
    assert found in [module for module, _, _ in imports_of(write(tmp_path, text))]

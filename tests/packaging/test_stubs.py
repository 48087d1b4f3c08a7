"""The stubs of the compiled modules say what these have: the same names and parameters."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import rnnkit._core

CORE = Path(rnnkit._core.__file__).parent
SOURCES = Path(__file__).resolve().parents[2] / "rnnkit" / "_core"
MODULES = sorted(path.stem for path in CORE.glob("*.pyi"))


def compiled(name):
    return importlib.import_module(f"rnnkit._core.{name}")


def stub_of(name):
    return ast.parse((CORE / f"{name}.pyi").read_text(encoding="utf-8"))


def parameters_of_stub(function):
    """Names, kinds and defaults, as `parameters_of` gives them."""
    given = function.args
    ordered = given.posonlyargs + given.args
    without = len(ordered) - len(given.defaults)
    parameters = [(a.arg, "POSITIONAL_OR_KEYWORD", i >= without) for i, a in enumerate(ordered)]
    keywords = zip(given.kwonlyargs, given.kw_defaults)
    return parameters + [(a.arg, "KEYWORD_ONLY", value is not None) for a, value in keywords]


def parameters_of(function):
    return [
        (p.name, p.kind.name, p.default is not p.empty)
        for p in inspect.signature(function).parameters.values()
    ]


def public(names):
    return {name for name in names if not name.startswith("_")}


def of_kind(body, *kinds):
    return {node.name: node for node in body if isinstance(node, kinds)}


def own_functions(module):
    """Functions of the module itself; what Cython makes of them is no FunctionType."""
    return public(
        name
        for name, value in vars(module).items()
        if callable(value) and not isinstance(value, type) and value.__module__ == module.__name__
    )


def own_classes(module):
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    }


def test_every_compiled_module_has_a_stub():
    assert sorted(path.stem for path in SOURCES.glob("*.pyx")) == MODULES


@pytest.mark.parametrize("name", MODULES)
def test_functions_are_those_of_the_module(name):
    module, stubs = compiled(name), of_kind(stub_of(name).body, ast.FunctionDef)
    assert own_functions(module) == set(stubs)
    for function, stub in stubs.items():
        assert parameters_of(getattr(module, function)) == parameters_of_stub(stub), function


@pytest.mark.parametrize("name", MODULES)
def test_classes_and_their_members_are_those_of_the_module(name):
    classes = own_classes(compiled(name))
    stubs = of_kind(stub_of(name).body, ast.ClassDef)
    assert public(stubs) == set(classes)
    for class_name, its_class in classes.items():
        members = of_kind(stubs[class_name].body, ast.FunctionDef)
        assert public(vars(its_class)) == public(members), class_name
        for member in public(members):
            value = vars(its_class)[member]
            if inspect.isgetsetdescriptor(value):
                continue
            assert parameters_of(value) == parameters_of_stub(members[member]), member


@pytest.mark.parametrize("name", MODULES)
def test_what_constructs_an_object_takes_what_the_stub_says(name):
    source = (SOURCES / f"{name}.pyx").read_text(encoding="utf-8")
    for class_name, body in re.findall(
        r"^cdef class (\w+).*?:\n(.*?)(?=^\S|\Z)", source, re.M | re.S
    ):
        found = re.search(r"def __cinit__\(self(.*?)\):", body)
        wanted = (
            []
            if found is None
            else [p.split("=")[0].split()[-1] for p in found[1].split(",") if p.strip()]
        )
        stub = of_kind(stub_of(name).body, ast.ClassDef)[class_name]
        new = of_kind(stub.body, ast.FunctionDef).get("__new__")
        given = []
        if new is not None:
            given += [argument.arg for argument in new.args.args[1:]]
            given += ["*"] * bool(new.args.kwonlyargs)
            given += [argument.arg for argument in new.args.kwonlyargs]
        assert given == wanted, class_name


@pytest.mark.parametrize("name", MODULES)
def test_values_of_the_stub_are_there(name):
    values = [node.target.id for node in stub_of(name).body if isinstance(node, ast.AnnAssign)]
    for value in values:
        assert hasattr(compiled(name), value), value

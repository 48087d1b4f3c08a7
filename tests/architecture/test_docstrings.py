"""Every public name is documented in numpydoc form, and every example runs."""

import ast
import doctest
import inspect
import re

import numpy as np
import pytest
from architecture.package import FILES, FOLDER, load_public_modules

SECTION = re.compile(r"^([A-Z][A-Za-z ]+)\n-{3,}\n", re.MULTILINE)
MODULES = load_public_modules()
PARAMETER = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*) ?(?::|$)", re.MULTILINE)


def is_protocol(item):
    return getattr(item, "_is_protocol", False)


def listed_callables(modules):
    """Return {qualified name: object} of the classes and functions in the modules' __all__."""
    found = {}
    for module in modules:
        for name in getattr(module, "__all__", ()):
            item = getattr(module, name)
            is_callable = inspect.isclass(item) or inspect.isfunction(item)
            if is_callable and item.__module__.startswith("rnnkit"):
                found[f"{item.__module__}.{name}"] = item
    return found


ROOMS = sorted({path.parent for path in FILES})

# What users import: from rnnkit and from the packages and modules right below it.
PUBLIC = listed_callables(module for module in MODULES if module.__name__.count(".") <= 1)
CLASSES = {name: item for name, item in PUBLIC.items() if inspect.isclass(item)}


def sections_of(docstring):
    """Return {title: text} of a numpydoc docstring; the text before the first is ""."""
    docstring = inspect.cleandoc(docstring or "")
    parts = SECTION.split(docstring)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2]))}


def documented_parameters(docstring):
    names = []
    for group in PARAMETER.findall(sections_of(docstring).get("Parameters", "")):
        names += [name.strip() for name in group.split(",")]
    return names


def signature_parameters(function):
    signature = inspect.signature(function)
    names = []
    for name, parameter in signature.parameters.items():
        if name == "self":
            continue
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}
        names.append(stars.get(parameter.kind, "") + name)
    return names


@pytest.mark.parametrize("room", ROOMS, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_folder_says_what_it_is_for(room):
    file = room / "__init__.py"
    assert file.is_file(), "a folder of Python files has an __init__.py that says what it is for"
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    first = text.split("\n\n")[0]
    assert first.endswith("."), f"no sentence: {first!r}"
    assert len(first.split()) >= 6, f"too short to say it: {first!r}"


@pytest.mark.parametrize("name", PUBLIC)
def test_first_line_is_one_sentence(name):
    first = sections_of(PUBLIC[name].__doc__)[""].strip().split("\n\n")[0]
    assert first, f"{name} has no docstring"
    assert first.rstrip().endswith((".", ":")), f"{name}: {first!r} is not a sentence"
    assert first[0].isupper() or not first[0].isalpha()


RETURNED = {"rnnkit.functional.layers.RecurrentOutput"}  # made by a function alone, never by users


def takes_arguments_by_name(item):
    """Whether a class documents its own constructor: named tuples and protocols do not."""
    return not (inspect.isclass(item) and (issubclass(item, tuple) or is_protocol(item)))


@pytest.mark.parametrize(
    "name", [n for n, i in PUBLIC.items() if takes_arguments_by_name(i) and n not in RETURNED]
)
def test_parameters_match_the_signature(name):
    item = PUBLIC[name]
    try:
        expected = signature_parameters(item)
    except (TypeError, ValueError):  # a class whose constructor lives in C
        expected = []
    documented = documented_parameters(item.__doc__)
    if inspect.isfunction(item) and len(expected) <= 2 and not documented:
        return  # a short function may say it all in its first sentence
    if item.__module__ == "rnnkit.cells" and inspect.isclass(item):
        return  # data classes, whose fields the text names one by one
    assert documented == expected, f"{name}: documents {documented}, takes {expected}"


def own_methods(cls):
    for name, method in inspect.getmembers(cls, inspect.isfunction):
        if not name.startswith("_") and method.__module__.startswith("rnnkit"):
            yield name, method


METHODS = {
    f"{name}.{method_name}": method
    for name, cls in CLASSES.items()
    if not is_protocol(cls)
    for method_name, method in own_methods(cls)
}


@pytest.mark.parametrize("name", METHODS)
def test_public_method_is_documented(name):
    text = METHODS[name].__doc__
    assert text, f"{name} has no docstring"
    documented = documented_parameters(text)
    expected = signature_parameters(METHODS[name])
    assert not documented or documented == expected, f"{name}: {documented} against {expected}"


def examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    for module in MODULES:
        for test in finder.find(module, module.__name__):
            if test.examples:
                yield test


EXAMPLES = list(examples())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda test: test.name)
def test_example_runs(example):
    if example.name.startswith("rnnkit.inspection"):
        pytest.importorskip("matplotlib", reason="pictures need the extra plot").use("Agg")
    output = []
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    with np.printoptions(precision=8, legacy=False):
        doctest.DocTestRunner(optionflags=flags).run(example, out=output.append)
    assert not output, "".join(output)

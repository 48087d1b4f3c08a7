"""The API page lists every public name, and nothing that does not exist.

It reads the text of docs/api.rst; no part of Sphinx is needed.
"""

import re
from operator import attrgetter
from pathlib import Path
from types import ModuleType

import pytest

import rnnkit

PAGE = Path(__file__).parents[2] / "docs" / "api.rst"
ROOMS = sorted(name for name in rnnkit.__all__ if isinstance(getattr(rnnkit, name), ModuleType))


def listed():
    """The names of the page, as seen from rnnkit: entries of the lists and code in sentences."""
    text = PAGE.read_text()
    entries = re.findall(r"^   (\w[\w.]*)$", text, re.MULTILINE)
    in_sentences = re.findall(r"``(?:rnnkit\.)?([\w.]+)``", text)
    return {*entries, *(name for name in in_sentences if name != "rnnkit")}


def test_it_lists_every_name_of_the_package():
    names = [name for name in rnnkit.__all__ if name not in ROOMS]
    assert sorted(set(names) - listed()) == []


@pytest.mark.parametrize("room", ROOMS)
def test_it_lists_every_name_of(room):
    """A function that `rnnkit` itself offers too is listed once, without its room."""
    module = getattr(rnnkit, room)
    missing = [
        name
        for name in module.__all__
        if f"{room}.{name}" not in listed()
        and getattr(rnnkit, name, None) is not getattr(module, name)
        and not (isinstance(getattr(module, name), ModuleType) and _lists_all_of(room, name))
    ]
    assert missing == []


def _lists_all_of(room, name):
    """Whether the functions of a module within a room are all listed."""
    public = getattr(getattr(rnnkit, room), name).__all__
    return all(f"{room}.{name}.{function}" in listed() for function in public)


def test_each_entry_exists():
    entries = re.findall(r"^   (\w[\w.]*)$", PAGE.read_text(), re.MULTILINE)
    assert len(entries) == len(set(entries)) > 60
    for entry in entries:
        attrgetter(entry)(rnnkit)


def classes():
    """The classes that the page lists."""
    entries = re.findall(r"^   (\w[\w.]*)$", PAGE.read_text(), re.MULTILINE)
    found = {name: attrgetter(name)(rnnkit) for name in entries}
    return {name: one for name, one in found.items() if isinstance(one, type)}


@pytest.mark.parametrize("name", classes())
def test_each_public_method_says_what_it_does(name):
    """The page of a class shows its methods, inherited ones too; one without text would lack."""
    silent = [
        method
        for method in dir(classes()[name])
        if not method.startswith("_")
        and callable(getattr(classes()[name], method))
        and not (getattr(classes()[name], method).__doc__ or "").strip()
    ]
    assert silent == []
    template = (PAGE.parent / "_templates" / "autosummary" / "class.rst").read_text()
    assert ":members:" in template
    assert ":inherited-members:" in template

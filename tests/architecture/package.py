"""The installed package as the architecture tests look at it: its files and public modules."""

import importlib
import pkgutil
from contextlib import suppress
from pathlib import Path

import rnnkit
from rnnkit.exceptions import MissingExtraError

FOLDER = Path(rnnkit.__file__).parent
FILES = sorted(FOLDER.rglob("*.py"))


def is_public(module_name):
    return not any(part.startswith("_") for part in module_name.split(".")[1:])


def load_public_modules():
    """Return all but those whose library is not installed, such as adapters."""
    found = pkgutil.walk_packages(rnnkit.__path__, "rnnkit.")
    names = ["rnnkit", *(module.name for module in found)]
    modules = []
    for name in filter(is_public, names):
        with suppress(MissingExtraError):
            modules.append(importlib.import_module(name))
    return modules

"""The installed package as the architecture tests look at it: its files and public modules."""

import importlib
import pkgutil
from pathlib import Path

import rnnkit

FOLDER = Path(rnnkit.__file__).parent
FILES = sorted(FOLDER.rglob("*.py"))


def is_public(module_name):
    return not any(part.startswith("_") for part in module_name.split(".")[1:])


def load_public_modules():
    found = pkgutil.walk_packages(rnnkit.__path__, "rnnkit.")
    names = ["rnnkit", *(module.name for module in found)]
    return [importlib.import_module(name) for name in names if is_public(name)]

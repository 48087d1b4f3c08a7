"""Names of a package whose modules are imported when one of them is first asked for (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["imported_when_asked"]


def imported_when_asked(
    package: str, find: Callable[[str], str | None]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package that imports what is asked of it.

    Parameters
    ----------
    package : str
        The package's ``__name__``; its ``__all__`` is what it offers.
    find : callable
        ``find(name)`` is the module that has the name, or that is meant by it; None if there is
        none.

    Returns
    -------
    getter, lister : callable
        What is found is kept in the package, so that the next time nothing is looked for.
    """

    def getter(name: str) -> Any:
        home = find(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(home)
        value = module if home == f"{package}.{name}" else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    def lister() -> list[str]:
        there = vars(sys.modules[package])
        return sorted({*there, *there["__all__"]})

    return getter, lister

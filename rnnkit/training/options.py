"""Objects that are nothing but their constructor's arguments, in scikit-learn's manner."""

from __future__ import annotations

import inspect
from typing import Any

from rnnkit.parameter_names import check_names

__all__ = ["Options"]


class Options:
    """Base of solvers and schedules: parameters, copies and comparison by constructor argument.

    A subclass stores every argument of its constructor, unchanged, under the argument's name. It
    can then be cloned by scikit-learn and its parameters reached in a grid, as in
    ``solver__momentum``, without either side importing the other.
    """

    @classmethod
    def _names(cls) -> list[str]:
        if cls.__init__ is object.__init__:
            return []
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the constructor's arguments by name; `deep` is accepted and changes nothing."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **params: Any) -> Options:
        """Set constructor arguments by name and return self.

        Raises
        ------
        ValueError
            If a name is not an argument of the constructor; the nearest one is named.
        """
        check_names(self, params)
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({arguments})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.get_params() == other.get_params()

    def __hash__(self) -> int:
        return hash((type(self), tuple(self.get_params().items())))

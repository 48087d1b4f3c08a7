"""Names of parameters that `set_params` gets: an unknown one is answered with the nearest."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

__all__ = ["ChecksNames", "check_names"]


PARTS = ("steps", "transformer_list", "transformers", "estimators")  # lists of objects with names


class ChecksNames:
    """What has parameters, and whose `set_params` answers an unknown name with the nearest.

    It checks all names, also those inside of other objects, before it sets any.
    """

    def set_params(self, **params: Any) -> Any:
        """Set constructor parameters by name.

        Parameters
        ----------
        **params : dict
            ``name=value``, or ``solver__momentum=value`` for what is inside an object.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no such parameter; the nearest one is named.
        """
        check_names(self, params)
        inner: Any = super()
        return inner.set_params(**params)


def check_names(owner: Any, names: Mapping[str, Any]) -> None:
    """Check that an object has the parameters that are to be set.

    Parameters
    ----------
    owner : object with get_params
    names : mapping of str to object
        What `set_params` got: ``name`` or ``name__name_inside`` to value.

    Raises
    ------
    ValueError
        Naming the first that it has not, and the nearest that it has; or if a parameter's
        value is no object with parameters inside.
    """
    # Of a pipeline the steps, which are no parameters of its constructor, can be set too.
    values = {k: v for k, v in owner.get_params(deep=True).items() if "__" not in k}
    known = list(values)
    if any(name in PARTS and name in values for name in names):
        return  # what is inside, with names of its own, becomes another
    values.update({name: value for name, value in names.items() if name in values})
    inside: dict[str, dict[str, Any]] = {}
    for key, value in names.items():
        name, nested, rest = key.partition("__")
        if name not in known:
            raise ValueError(
                f"Invalid parameter {name!r} for {type(owner).__name__}"
                f"{_nearest(name, known)} Valid parameters are: {known!r}."
            )
        if nested:
            inside.setdefault(name, {})[rest] = value
    for name, names_inside in inside.items():
        if not hasattr(values[name], "get_params"):
            raise ValueError(
                f"{name}={values[name]!r} has no parameters inside to set: "
                f"{', '.join(f'{name}__{inner}' for inner in names_inside)} needs an object"
                f"{_example(name)}"
            )
        check_names(values[name], names_inside)


def _nearest(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else "."


def _example(name: str) -> str:
    """Name an object to pass for a parameter that may be a string."""
    examples = {"solver": "rnnkit.training.SGD()", "learning_rate": "rnnkit.training.Cosine()"}
    return f", such as {name}={examples[name]}" if name in examples else ""

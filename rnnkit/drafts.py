"""Drafts: an object learns in a copy, and has what that learnt at the end, or nothing of it."""

from __future__ import annotations

from typing import Any

__all__ = ["shallow_copy", "take_over"]


def shallow_copy(owner: Any) -> Any:
    """Return an object of the same class with the same attributes."""
    copy = object.__new__(type(owner))
    vars(copy).update(vars(owner))
    return copy


def take_over(owner: Any, draft: Any, before: dict[str, Any]) -> None:
    """Give an object what its draft has set or taken out; what others set meanwhile stays.

    Parameters
    ----------
    owner, draft : object
    before : dict of str to object
        The attributes that the draft began with.
    """
    learnt, nothing = vars(draft), object()
    vars(owner).update(
        {name: value for name, value in learnt.items() if before.get(name, nothing) is not value}
    )
    for name in before.keys() - learnt.keys():
        vars(owner).pop(name, None)

"""The names of the update rules; every backend brings the arithmetic of each."""

from __future__ import annotations

__all__ = ["UPDATE_RULES", "require_rule"]

UPDATE_RULES = ("sgd", "rmsprop", "adagrad", "adadelta", "adam")


def require_rule(rule: str) -> None:
    """Raise ValueError if no rule is called so."""
    if rule not in UPDATE_RULES:
        allowed = ", ".join(UPDATE_RULES)
        raise ValueError(f"unknown update rule {rule!r}; allowed are {allowed}")

"""The packages that only a cluster needs, and what is said where they are missing."""

from __future__ import annotations

from importlib.util import find_spec

from rnnkit.exceptions import MissingExtraError

__all__ = ["need_dask", "need_xgboost"]


def need_dask(purpose: str) -> None:
    """Raise MissingExtraError unless dask and distributed are installed."""
    for package in ("dask", "distributed"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "distributed", purpose)


def need_xgboost(purpose: str) -> None:
    """Raise MissingExtraError unless xgboost, whose all-reduce is used, is installed."""
    if find_spec("xgboost") is None:
        raise MissingExtraError("xgboost", "distributed", purpose)

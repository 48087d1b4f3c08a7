"""Warnings of a fit, told once for each place in the user's code, however many fits it asks for."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import Any

__all__ = ["tell"]

# What stands between a user's line and a fit: searches, pipelines, workers.
BETWEEN = ("rnnkit", "sklearn", "joblib")
ONCE = ("default", "module", "once")  # the actions of filters by which nothing is told again

_told: set[tuple[str, str, str, int]] = set()


def tell(text: str, category: type[Warning], *, subject: str | None = None) -> None:
    """Warn at the user's line that led to a fit, if it was not told there before.

    A search fits many times, and Python forgets what it told whenever `warnings.catch_warnings`
    ends, as it does within every one of these fits. The filters decide as ever: with "always" each
    fit tells, with "error" it raises, with "ignore" it is silent, in the workers of joblib too.

    Parameters
    ----------
    text : str
    category : type of Warning
    subject : str, default=None
        What the text is about, where its figures differ from fit to fit; None: the text.
    """
    frame = _frame_of_user()
    place = frame.f_code.co_filename, frame.f_lineno
    module = _module(frame)
    if _action(text, category, module, frame.f_lineno) in ONCE:
        key = (subject or text, category.__name__, *place)
        if key in _told:
            return
        _told.add(key)
    warnings.warn_explicit(text, category, *place, module)


def _frame_of_user() -> FrameType:
    """Return the innermost frame of neither rnnkit, scikit-learn nor joblib, or the outermost."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _module(frame).split(".")[0] in BETWEEN:
        frame = frame.f_back
    return frame


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__") or "<unknown>")


def _action(text: str, category: type[Warning], module: str, line: int) -> str:
    """Return what the first filter that fits asks for."""
    for action, message, kind, name, number in _filters():
        if (
            (message is None or message.match(text))
            and issubclass(category, kind)
            and (name is None or name.match(module))
            and number in (0, line)
        ):
            return str(action)
    return "default"


def _filters() -> Sequence[Any]:
    """Return the filters that hold here, the first first.

    A Python without its lock keeps those of `warnings.catch_warnings` with the context (as any
    Python from 3.14 on does if asked to), and `warnings.filters` is then only what stands below.
    """
    if getattr(sys.flags, "context_aware_warnings", False):
        return warnings._get_filters()  # type: ignore[attr-defined, no-any-return]
    return warnings.filters

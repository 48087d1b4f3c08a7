"""The fit of a transformer: whole or as if it had not been, and told to callbacks of scikit-learn.

Transformers have no epochs: callbacks are told that a fit begins and ends. A pipeline hands its
callbacks, such as a progress bar, on to all its steps.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from rnnkit.drafts import shallow_copy, take_over

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # an experimental part of scikit-learn; without it there is nobody to tell

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's."""

    with_callbacks = lambda method: method

__all__ = ["CallbackSupportMixin", "watched", "whole"]

Method = TypeVar("Method", bound=Callable[..., Any])

_tear_down: Callable[[Any], Any] = with_callbacks(lambda transformer: None)


def watched(fit: Method) -> Method:
    """Return the `fit` of a transformer, whose callbacks are told when it begins and ends."""

    @wraps(fit)
    def watched_fit(self: Any, X: Any, y: Any = None, *args: Any, **options: Any) -> Any:
        if not getattr(self, "_skl_callbacks", None):
            return fit(self, X, y, *args, **options)
        try:
            task = self._init_callback_context()
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            fitted = fit(self, X, y, *args, **options)
            task.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes={})
            return fitted
        finally:
            _tear_down(self)

    return watched_fit  # type: ignore[return-value]


def whole(fit: Method) -> Method:
    """Return the `fit` of a transformer that changes all it has to change, or raises.

    It learns with a shallow copy, which nobody else has; what that learnt becomes the
    transformer's at the end.
    """

    @wraps(fit)
    def whole_fit(self: Any, X: Any, y: Any = None, *args: Any, **options: Any) -> Any:
        draft = shallow_copy(self)
        before = dict(vars(draft))
        fit(draft, X, y, *args, **options)
        take_over(self, draft, before)
        return self

    return whole_fit  # type: ignore[return-value]

"""What stands in for `sklearn.callback` where scikit-learn has none: rnnkit's callbacks alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rnnkit.training import EpochCallback

__all__ = ["CallbackSupportMixin", "SklearnCallback", "with_callbacks"]

SklearnCallback = EpochCallback


class _Task:
    """The task of a fit, of which nothing but its place is told."""

    task_id = 0
    parent = None

    def subcontext(self, task_name: str) -> _Task:
        """Return the task of an epoch."""
        return self

    def call_on_fit_task_begin(self, **told: Any) -> _Task:
        """Tell nobody."""
        return self

    def call_on_fit_task_end(self, **told: Any) -> bool:
        """Tell nobody; nobody ends the training."""
        return False

    def propagate_callback_context(self, inner: Any) -> AbstractContextManager[None]:
        """Hand nothing on: callbacks are those of the estimator on which they were set."""
        return nullcontext()


class CallbackSupportMixin:
    """Keeps callbacks, sets them up and tears them down, as scikit-learn's class of this name."""

    def set_callbacks(self, *callbacks: Any) -> Any:
        """Set callbacks.

        Parameters
        ----------
        *callbacks : EpochCallback

        Returns
        -------
        self
        """
        if callbacks:
            self._skl_callbacks = list(callbacks)
        else:
            vars(self).pop("_skl_callbacks", None)
        return self

    def _init_callback_context(self, task_name: str = "fit", max_subtasks: int = 0) -> Any:
        self._skl_callbacks_to_teardown: list[Any] = []
        for callback in getattr(self, "_skl_callbacks", ()):
            self._skl_callbacks_to_teardown.append(callback)
            callback.setup(self, None)
        return _Task()

    def __sklearn_clone__(self) -> Any:
        copy = super().__sklearn_clone__()  # type: ignore[misc]
        if hasattr(self, "_skl_callbacks"):
            copy._skl_callbacks = self._skl_callbacks
        return copy


def with_callbacks(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the method, after which the callbacks that were set up are torn down."""

    def torn_down(estimator: Any) -> Any:
        try:
            return method(estimator)
        finally:
            for callback in vars(estimator).pop("_skl_callbacks_to_teardown", ()):
                callback.teardown(estimator, None)

    return torn_down

"""Arrays on a GPU as users give them: read on the host, and answered on the GPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from rnnkit.backends import is_device_name
from rnnkit.estimators.transaction import at_this_moment

__all__ = ["answers", "downloaded", "takes_device_arrays"]

Method = TypeVar("Method", bound=Callable[..., Any])


def takes_device_arrays(method: Method) -> Method:
    """Let a method of an estimator take arrays that lie on a GPU, if its device may be one.

    They are copied to the host. If the first argument is such an array, so is what the method
    returns, unless that holds labels that are no numbers.
    """
    return _on_host(method, lambda estimator: estimator)


def answers(method: Method) -> Method:
    """The same for a method that changes nothing: it answers from what is learnt at this moment."""
    return _on_host(method, at_this_moment)


def _on_host(method: Method, choose: Callable[[Any], Any]) -> Method:
    """Return the method of the estimator chosen, taking and giving device arrays."""

    @wraps(method)
    def on_host(self: Any, X: Any, *args: Any, **options: Any) -> Any:
        chosen = choose(self)
        if not is_device_name(chosen.device):
            return method(chosen, X, *args, **options)
        arguments = [downloaded(argument) for argument in args]
        options = {name: downloaded(option) for name, option in options.items()}
        result = method(chosen, downloaded(X), *arguments, **options)
        return _on_device(result, X) if _is_on_device(X) else result

    return on_host  # type: ignore[return-value]


def _is_on_device(array: Any) -> bool:
    return hasattr(array, "__cuda_array_interface__")


def downloaded(argument: Any) -> Any:
    """Return an argument with the arrays that lie on a GPU, alone or in a list, on the host."""
    if _is_on_device(argument):
        from rnnkit.backends.cuda import from_gpu

        return from_gpu(argument)
    if isinstance(argument, (list, tuple)) and any(map(_is_on_device, argument)):
        return type(argument)(map(downloaded, argument))
    return argument


def _on_device(result: Any, X: Any) -> Any:
    """Return numbers on the GPU that X lies on."""
    if isinstance(result, dict):
        return {name: _on_device(part, X) for name, part in result.items()}
    if isinstance(result, np.ndarray) and result.dtype.kind in "fiub":
        from rnnkit.backends.cuda import to_gpu

        return to_gpu(result, X)
    return result

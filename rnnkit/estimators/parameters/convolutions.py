"""Whether the convolutions of an estimator fit it: checked before anything is read."""

from __future__ import annotations

from typing import Any

from sklearn.utils._param_validation import InvalidParameterError

from rnnkit.convolutions import Convolution
from rnnkit.training import LBFGS

__all__ = ["check_convolutions"]


def check_convolutions(name: str, parameters: dict[str, Any], *, writes_steps: bool) -> None:
    """Raise unless the convolutions fit an estimator of this name and these parameters.

    Parameters
    ----------
    name : str
        Of the estimator.
    parameters : dict
        All of its parameters.
    writes_steps : bool
        Whether it gives as many steps as it reads.

    Raises
    ------
    InvalidParameterError
    """
    given = parameters["convolutions"]
    join = parameters["convolution_join"]
    if given is not None and not all(isinstance(shape, Convolution) for shape in given):
        raise _refusal(name, "None or a list of rnnkit.Convolution", given)
    if not given:
        if join != "before":
            raise InvalidParameterError(
                f"The 'convolution_join' parameter of {name} must be 'before' without "
                f"convolutions. Got {join!r} instead."
            )
        return
    shortens = any(shape.shortening > 1 for shape in given)
    if shortens and writes_steps:
        allowed = "of stride=1 and pooling=None where every step is answered"
        raise _refusal(name, allowed, given)
    if join == "before" and parameters["static"] == "state":
        raise InvalidParameterError(
            f"The 'convolutions' parameter of {name} must be None, or convolution_join='parallel', "
            "with static='state': a convolution before the first recurrent layer would mix the "
            f"static columns with the others. Got {given!r} instead."
        )
    if any(shape.batch_norm for shape in given) and _is_lbfgs(parameters["solver"]):
        allowed = (
            "of batch_norm=False with solver='lbfgs', whose line searches would be kept as "
            "minibatches"
        )
        raise _refusal(name, allowed, given)
    whole = any(shape.needs_whole_sequences for shape in given)
    if whole and parameters["bptt_steps"] is not None:
        allowed = "of causal=True, stride=1 and pooling=None with bptt_steps"
        raise _refusal(name, allowed, given)


def _is_lbfgs(solver: Any) -> bool:
    return isinstance(solver, LBFGS) or (isinstance(solver, str) and solver == "lbfgs")


def _refusal(name: str, allowed: str, given: Any) -> InvalidParameterError:
    return InvalidParameterError(
        f"The 'convolutions' parameter of {name} must be {allowed}. Got {given!r} instead."
    )

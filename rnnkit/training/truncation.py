"""Where truncated backpropagation is impossible, in the words of the parameters."""

from __future__ import annotations

from typing import Any

from rnnkit.network.outputs import Output
from rnnkit.training.optimizers import LBFGS

__all__ = ["check_truncation"]


def check_truncation(
    solver: Any, *, bidirectional: bool = False, output: Output | type[Output] | None = None
) -> None:
    """Raise ValueError if `bptt_steps` cannot be used beside other parameters.

    Needs no data, so that it can be asked before y is read.

    Parameters
    ----------
    solver : str, Solver or LBFGS
        The update rule.
    bidirectional : bool, default=False
        Whether a layer runs in reverse.
    output : Output or class of outputs, default=None
        What the network ends in; None: not known yet.
    """
    if bidirectional:
        raise ValueError(
            "bptt_steps cannot be used with bidirectional=True: a reverse layer needs the whole "
            "sequence"
        )
    if output is not None and output.whole_sequences:
        raise ValueError(
            f"bptt_steps cannot be used with {output.spoken_name}, whose loss needs whole sequences"
        )
    if isinstance(solver, LBFGS) or solver == "lbfgs":
        raise ValueError(
            "bptt_steps cannot be used with solver='lbfgs', which takes all steps at once"
        )

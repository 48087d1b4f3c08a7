"""Networks as data: parameters in one vector, a chain of layers, an output with its loss."""

from rnnkit.network.losses import Output
from rnnkit.network.parameters import ParameterVector

__all__ = ["Output", "ParameterVector"]

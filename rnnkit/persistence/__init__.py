"""Models that leave the process: what other libraries read, and what they wrote."""

from rnnkit.persistence import keras, pytorch

__all__ = ["keras", "pytorch"]

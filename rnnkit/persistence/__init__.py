"""Models that leave the process: what other libraries read, and what they wrote."""

from rnnkit.persistence import keras, pytorch
from rnnkit.persistence.onnx import from_onnx, to_onnx

__all__ = ["from_onnx", "keras", "pytorch", "to_onnx"]

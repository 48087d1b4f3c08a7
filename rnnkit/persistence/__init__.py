"""Models that leave the process: as files, and in the forms that other libraries read and write.

What reads a fitted estimator into bytes or arrays, and back, may enter; what it computes may not.
"""

from rnnkit.persistence import keras, pytorch
from rnnkit.persistence.files import load, save
from rnnkit.persistence.onnx import from_onnx, to_onnx

__all__ = ["from_onnx", "keras", "load", "pytorch", "save", "to_onnx"]

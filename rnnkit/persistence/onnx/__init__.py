"""ONNX: trained models as graphs that other runtimes compute, and such graphs as estimators.

What knows the names and layouts of ONNX's operators may enter; what an estimator is may not.
"""

from rnnkit.persistence.onnx.reading import from_onnx
from rnnkit.persistence.onnx.writing import to_onnx

__all__ = ["from_onnx", "to_onnx"]

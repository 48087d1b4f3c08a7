"""A graph in the making: nodes, constants and the names of what flows between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.exceptions import MissingExtraError

__all__ = ["Graph", "load_onnx"]

OPSET = 17
IR_VERSION = 8


def load_onnx(purpose: str) -> Any:
    """Return the package onnx.

    Raises
    ------
    MissingExtraError
        If it is not installed; `purpose` is what needs it.
    """
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise MissingExtraError("onnx", "onnx", purpose) from error
    return onnx


class Graph:
    """Nodes in the order they compute, and the constants they take.

    Parameters
    ----------
    onnx : module
        The package, from `load_onnx`.

    Attributes
    ----------
    inputs : list
        What was declared as inputs.
    """

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self._nodes: list[Any] = []
        self._constants: dict[str, np.ndarray] = {}
        self._known: dict[Any, str] = {}
        self.inputs: list[Any] = []
        self._outputs: list[Any] = []

    def constant(self, value: Any, name: str | None = None) -> str:
        """Return the name of a constant; equal ones without a name of their own are one."""
        array = np.asarray(value)
        key = (array.dtype.str, array.shape, array.tobytes())
        if name is None:
            if array.dtype.kind in "OU":
                key = ("text", array.shape, repr(array.tolist()))  # type: ignore[assignment]
            if key in self._known:
                return self._known[key]
            name = self._known[key] = f"constant_{len(self._known)}"
        self._constants[name] = array
        return name

    def add(self, operator: str, *inputs: Any, name: str | None = None, **attributes: Any) -> str:
        """Add a node of one output; return that one's name.

        Inputs are names, or arrays, which become constants. `name` names the output.
        """
        return self.add_all(operator, inputs, [name or f"{operator.lower()}_{len(self._nodes)}"],
                            **attributes)[0]  # fmt: skip

    def add_all(
        self, operator: str, inputs: Any, outputs: list[str], **attributes: Any
    ) -> list[str]:
        """Add a node of several outputs; return their names."""
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        while names and not names[-1]:
            names.pop()
        node = self.onnx.helper.make_node(
            operator, names, outputs, name=f"{operator}_{len(self._nodes)}", **attributes
        )
        self._nodes.append(node)
        return outputs

    def take_in(self, name: str, dtype: Any, shape: list[Any]) -> str:
        """Declare an input; a dimension is a number, or a letter where it is free."""
        self.inputs.append(self._described(name, dtype, shape))
        return name

    def give_out(self, name: str, value: str, dtype: Any, shape: list[Any]) -> None:
        """Declare a value as an output under a name."""
        self.add("Identity", value, name=name)
        self._outputs.append(self._described(name, dtype, shape))

    def _described(self, name: str, dtype: Any, shape: list[Any]) -> Any:
        tensor_type = (
            self.onnx.TensorProto.STRING
            if dtype is str
            else self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        )
        return self.onnx.helper.make_tensor_value_info(name, tensor_type, shape)

    def to_model(self, name: str, doc: str, version: str, metadata: dict[str, str]) -> Any:
        """Return the graph as a checked ModelProto."""
        onnx = self.onnx
        graph = onnx.helper.make_graph(
            self._nodes,
            name,
            self.inputs,
            self._outputs,
            initializer=[self._tensor(key, value) for key, value in self._constants.items()],
            doc_string=doc,
        )
        model = onnx.helper.make_model(
            graph,
            opset_imports=[onnx.helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="rnnkit",
            producer_version=version,
            domain="rnnkit",
            doc_string=doc,
        )
        onnx.helper.set_model_props(model, metadata)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _tensor(self, name: str, array: np.ndarray) -> Any:
        if array.dtype.kind in "OU":
            texts = [str(text).encode() for text in array.ravel()]
            text_type = self.onnx.TensorProto.STRING
            return self.onnx.helper.make_tensor(name, text_type, array.shape, texts)
        return self.onnx.numpy_helper.from_array(array.copy(order="C"), name)

"""ONNX Runtime's recurrent operators, forward only: it does not train."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

N_GATES = {"rnn": 1, "lstm": 4, "gru": 3}


class OnnxRuntimeLayer:
    """One layer in its own time-major layout, with random weights."""

    def __init__(self, cell, x, hidden_size, n_threads):
        n_inputs, rows = x.shape[2], N_GATES[cell] * hidden_size
        rng = np.random.default_rng(0)
        weights = {
            "W": rng.normal(0, 0.1, (1, rows, n_inputs)).astype(np.float32),
            "R": rng.normal(0, 0.1, (1, rows, hidden_size)).astype(np.float32),
        }
        attributes = {"hidden_size": hidden_size}
        if cell == "gru":
            attributes["linear_before_reset"] = 1
        node = helper.make_node(cell.upper(), ["X", "W", "R"], ["Y"], **attributes)
        graph = helper.make_graph(
            [node],
            "layer",
            [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, None, n_inputs])],
            [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(array, name) for name, array in weights.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.x = np.ascontiguousarray(x.transpose(1, 0, 2))

    def forward(self):
        """Run the whole batch."""
        return self.session.run(None, {"X": self.x})[0]

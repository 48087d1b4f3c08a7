"""ONNX Runtime's recurrent operators, forward only: it does not train."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

GATES = {"rnn": [0], "lstm": [0, 3, 1, 2], "gru": [1, 0, 2]}  # our gates in its order


def recurrent_session(cell, weights, n_threads, with_state=False):
    """Return a session of one operator; `with_state` adds states in and out of a single step."""
    hidden_size = weights["weight_hh"].shape[1]

    def gates(array):
        blocks = array.reshape(len(GATES[cell]), hidden_size, -1)
        return blocks[GATES[cell]].reshape(1, *array.shape)

    second = np.zeros_like(weights["bias"])
    if "bias_hn" in weights:
        second[2 * hidden_size :] = weights["bias_hn"]
    constants = {
        "W": gates(weights["weight_ih"]),
        "R": gates(weights["weight_hh"]),
        "B": np.concatenate([gates(weights["bias"]), gates(second)], axis=1),
    }
    states = ["h", "c"] if cell == "lstm" else ["h"]
    inputs = ["X", *constants, "", *(f"{s}0" for s in states)] if with_state else ["X", *constants]
    outputs = ["", *(f"{s}_n" for s in states)] if with_state else ["Y"]
    attributes = {"linear_before_reset": 1} if cell == "gru" else {}
    node = helper.make_node(cell.upper(), inputs, outputs, hidden_size=hidden_size, **attributes)

    def tensor(name, shape=None):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    n_inputs = weights["weight_ih"].shape[1]
    state_inputs = [tensor(f"{s}0", [1, 1, hidden_size]) for s in states] if with_state else []
    graph = helper.make_graph(
        [node],
        "layer",
        [tensor("X", [None, None, n_inputs]), *state_inputs],
        [tensor(name) for name in outputs if name],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


class OnnxRuntimeLayer:
    """One layer in its own time-major layout, on our weights."""

    def __init__(self, cell, x, weights, lengths, n_threads):
        self.session = recurrent_session(cell, weights, n_threads)
        self.x = np.ascontiguousarray(x.transpose(1, 0, 2))
        self.real = np.arange(x.shape[1])[:, None] < lengths

    def forward(self):
        """Run the whole batch."""
        return self.session.run(None, {"X": self.x})[0]

    def rows(self):
        """Return the outputs as packed rows (P, H)."""
        return self.forward()[:, 0][self.real]


class OnnxRuntimeStep:
    """One step of one sequence with inputs and outputs bound once, states swapped in place."""

    def __init__(self, cell, weights):
        hidden_size, n_inputs = weights["weight_hh"].shape[1], weights["weight_ih"].shape[1]
        self.session = recurrent_session(cell, weights, 1, with_state=True)
        self.binding = self.session.io_binding()
        self.x = onnxruntime.OrtValue.ortvalue_from_numpy(np.ones((1, 1, n_inputs), np.float32))
        self.binding.bind_ortvalue_input("X", self.x)
        for state in ("h", "c") if cell == "lstm" else ("h",):
            zeros = np.zeros((1, 1, hidden_size), np.float32)
            value = onnxruntime.OrtValue.ortvalue_from_numpy(zeros)
            self.binding.bind_ortvalue_input(f"{state}0", value)
            self.binding.bind_ortvalue_output(f"{state}_n", value)

    def step(self, x):
        """Take one step from x (I,)."""
        self.x.update_inplace(x)
        self.session.run_with_iobinding(self.binding)

"""Recurrent layers run by onnxruntime, from weights in PyTorch's names and gate order."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

GATE_ORDER = {"rnn": (0,), "lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}  # i o f c; z r h
ROLES = {"rnn": ("activation",), "gru": ("gate_activation", "activation")} | {
    "lstm": ("gate_activation", "activation", "output_activation")
}
NAMES = {
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "softsign": "Softsign",
    "relu": "Relu",
    "hard_sigmoid": "HardSigmoid",
    "linear": "Affine",
    "leaky_relu": "LeakyRelu",
    "scaled_tanh": "ScaledTanh",
}
# An alpha (beta) is listed only for the functions that take one.
TAKES_ALPHA = ("hard_sigmoid", "linear", "leaky_relu", "scaled_tanh")
TAKES_BETA = ("hard_sigmoid", "linear", "scaled_tanh")


def reordered(array, order):
    """Permute the blocks of rows that belong to the gates."""
    return np.concatenate([np.split(array, len(order))[k] for k in order])


def stacked(weights, name, suffixes, order=None):
    """Return an ONNX weight: one entry for each direction."""
    arrays = [weights[f"{name}_l0{suffix}"] for suffix in suffixes]
    return np.stack([a if order is None else reordered(a, order) for a in arrays])


def onnx_inputs(x, weights, cell, suffixes, lengths, h0, c0):
    """Return the operator's inputs in order; None where absent."""
    order = GATE_ORDER[cell]
    biases = [stacked(weights, f"bias_{part}", suffixes, order) for part in ("ih", "hh")]
    inputs = {
        "X": x.transpose(1, 0, 2),
        "W": stacked(weights, "weight_ih", suffixes, order),
        "R": stacked(weights, "weight_hh", suffixes, order),
        "B": np.concatenate(biases, axis=1),
        "sequence_lens": None if lengths is None else np.asarray(lengths, np.int32),
        "initial_h": h0,
    }
    if cell == "lstm":
        inputs["initial_c"] = c0
        has_peephole = f"peephole_l0{suffixes[0]}" in weights
        inputs["P"] = stacked(weights, "peephole", suffixes, (0, 2, 1)) if has_peephole else None
    return inputs


def run_onnx(x, weights, cell, *, lengths=None, h0=None, c0=None, direction="forward", **options):
    """Return y (N, T, D·H), h_n and c_n; options: ONNX attributes and `functions`.

    functions: for each direction a dict of role -> Activation.
    """
    suffixes = ("", "_reverse") if direction == "bidirectional" else ("",)
    hidden_size = weights["weight_hh_l0"].shape[1]
    functions = options.pop("functions", None)
    if functions is not None:
        chosen = [f[role] for f in functions for role in ROLES[cell]]
        options["activations"] = [NAMES[f.name] for f in chosen]
        parameters = {
            "activation_alpha": [f.alpha for f in chosen if f.name in TAKES_ALPHA],
            "activation_beta": [f.beta for f in chosen if f.name in TAKES_BETA],
        }
        options.update({name: values for name, values in parameters.items() if values})
    inputs = onnx_inputs(x, weights, cell, suffixes, lengths, h0, c0)
    outputs = ["Y", "Y_h"] + (["Y_c"] if cell == "lstm" else [])
    node = helper.make_node(
        cell.upper(),
        [name if value is not None else "" for name, value in inputs.items()],
        outputs,
        hidden_size=hidden_size,
        direction=direction,
        **options,
    )
    given = {name: np.ascontiguousarray(v) for name, v in inputs.items() if v is not None}
    graph = helper.make_graph(
        [node],
        "layer",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
            )
            for name, value in given.items()
        ],
        [
            helper.make_tensor_value_info(
                name, TensorProto.FLOAT, list("TDNH" if name == "Y" else "DNH")
            )
            for name in outputs
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    y, h_n, *c_n = session.run(outputs, given)
    y = y.transpose(2, 0, 1, 3).reshape(*x.shape[:2], -1)  # from (T, D, N, H)
    return y, h_n, c_n[0] if c_n else None

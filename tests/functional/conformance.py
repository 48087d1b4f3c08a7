"""Translation of the external conformance cases into calls of `recurrent`."""

import numpy as np

from rnnkit.functional import recurrent

ROLES = {
    "lstm": ("gate_activation", "activation", "output_activation"),
    "gru": ("gate_activation", "activation"),
    "rnn": ("activation",),
}
NAMES = {"leakyrelu": "leaky_relu", "scaledtanh": "scaled_tanh"}
TAKES_ALPHA = ("leakyrelu", "scaledtanh")
TAKES_BETA = ("scaledtanh",)


def activation_options(case):
    """Return the activation arguments; a case lists its functions direction after direction."""
    roles = ROLES[case["family"]]
    n_directions = 2 if case["direction"] == "bidirectional" else 1
    alphas, betas = iter(case["alpha"]), iter(case["beta"])
    functions = []
    for name in case["activations"]:
        alpha = next(alphas, None) if name in TAKES_ALPHA else None
        beta = next(betas, None) if name in TAKES_BETA else None
        functions.append((NAMES.get(name, name), (alpha, beta)))
    if len(functions) < n_directions * len(roles):
        functions = functions * n_directions
    options = {"activation_params": {}}
    for k, role in enumerate(roles):
        chosen = functions[k :: len(roles)][:n_directions]
        options[role] = tuple(name for name, _ in chosen)
        options["activation_params"][role] = tuple(params for _, params in chosen)
    return options


def named_weights(case):
    """Return the weights of a case, stacked over directions, under PyTorch's names."""
    arrays = {
        "weight_ih": case["W_ih"],
        "weight_hh": case["W_hh"],
        "bias_ih": case["b_ih"],
        "bias_hh": case["b_hh"],
    }
    if "peephole_ifo" in case:
        arrays["peephole"] = case["peephole_ifo"]
    return {
        f"{name}_l0{'_reverse' if d else ''}": stacked[d]
        for name, stacked in arrays.items()
        for d in range(len(stacked))
    }


def without_masked_steps(case):
    """Return x without the steps a mask leaves out, as a list, and where each step was."""
    N, T = case["x"].shape[:2]
    real = np.ones((N, T), dtype=bool)
    if "lengths" in case:
        real &= np.arange(T) < np.asarray(case["lengths"])[:, None]
    if "mask" in case:
        real &= np.asarray(case["mask"], dtype=bool)
    return [x[keep] for x, keep in zip(case["x"], real)], real


def initial_states(case):
    """Return h0 and c0 (D, N, H); a case may give one state for all sequences."""
    shape = (len(case["W_hh"]), len(case["x"]), case["W_hh"].shape[2])
    return {
        name: np.broadcast_to(case[name].reshape(shape[0], -1, shape[2]), shape)
        for name in ("h0", "c0")
        if name in case
    }


def run(case, backend):
    """Return y (N, T, D, H), h_n and c_n of a case.

    A stateful Keras layer was called repeat_stateful + 1 times, each time from the states in
    which the call before had ended.
    """
    options = {
        "cell": case["family"],
        "bidirectional": case["direction"] == "bidirectional",
        "reverse": case["direction"] == "reverse",
        "coupled_gates": bool(case["coupled_input_forget"]),
        "cell_clip": case["clip"] or None,
        "reset": case.get("gru_reset", "after"),
        "backend": backend,
        **activation_options(case),
    }
    x, real = without_masked_steps(case)
    if "mask" not in case:
        x, options["lengths"] = case["x"], case.get("lengths")
    states = initial_states(case)
    for _ in range(1 + case.get("keras", {}).get("repeat_stateful", 0)):
        result = recurrent(x, named_weights(case), **options, **states)
        states = {"h0": result.h_n}
        if result.c_n is not None:
            states["c0"] = result.c_n
    y = result.y
    if "mask" in case:
        y = np.zeros((*real.shape, result.y[0].shape[1]), result.h_n.dtype)
        y[real] = np.concatenate(result.y)
    return y.reshape(*y.shape[:2], len(case["W_ih"]), -1), result.h_n, result.c_n

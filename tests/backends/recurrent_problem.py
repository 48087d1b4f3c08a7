"""Random recurrent layers for the tests of the backends: what goes in, and what came out."""

from dataclasses import dataclass, field, replace

import numpy as np

from rnnkit.cells import LayerSpec, make_activation
from rnnkit.sequences import pack

# Options of each cell, as arguments of LayerSpec; "masks" adds the random masks of training.
OPTIONS = {
    "rnn": {
        "plain": {},
        "relu": {"activation": ("relu",)},
        "softsign": {"activation": ("softsign",)},
        "sigmoid": {"activation": ("sigmoid",)},
        "hard_sigmoid": {"activation": ("hard_sigmoid", 0.3, 0.4)},
        "linear": {"activation": ("linear", 0.7, 0.1)},
        "leaky_relu": {"activation": ("leaky_relu", 0.3)},
        "scaled_tanh": {"activation": ("scaled_tanh", 1.3, 0.8)},
        "clip": {"cell_clip": 0.5},
        "clip_decreasing": {"activation": ("linear", -0.5, 0.1), "cell_clip": 0.5},
        "layer_norm": {"layer_norm": True},
        "masks": {"masks": True},
        "all": {"cell_clip": 0.9, "layer_norm": True, "masks": True},
    },
    "lstm": {
        "plain": {},
        "activations": {
            "activation": ("softsign",),
            "gate_activation": ("hard_sigmoid", 0.3, 0.4),
            "output_activation": ("scaled_tanh", 1.3, 0.8),
        },
        "relu": {"activation": ("relu",), "output_activation": ("leaky_relu", 0.3)},
        "peephole": {"peephole": True},
        "coupled": {"coupled_gates": True},
        "peephole_coupled": {"peephole": True, "coupled_gates": True},
        "clip": {"cell_clip": 0.5},
        "peephole_clip": {"peephole": True, "cell_clip": 0.5},
        "layer_norm": {"layer_norm": True},
        "layer_norm_coupled": {"layer_norm": True, "coupled_gates": True},
        "masks": {"masks": True},
        "peephole_masks": {"peephole": True, "masks": True},
        "all": {"peephole": True, "cell_clip": 0.9, "layer_norm": True, "masks": True},
        "gates": {"full_gate_recurrence": True},
        "gates_activations": {
            "full_gate_recurrence": True,
            "gate_activation": ("softsign",),
            "output_activation": ("linear", 0.7, 0.1),
        },
        "gates_coupled": {"full_gate_recurrence": True, "coupled_gates": True, "peephole": True},
        "gates_clip": {"full_gate_recurrence": True, "cell_clip": 0.5},
        "gates_layer_norm": {"full_gate_recurrence": True, "layer_norm": True},
        "gates_masks": {"full_gate_recurrence": True, "peephole": True, "masks": True},
        "gates_all": {
            "full_gate_recurrence": True,
            "peephole": True,
            "coupled_gates": True,
            "cell_clip": 0.9,
            "layer_norm": True,
            "masks": True,
        },
    },
    "gru": {
        "plain": {},
        "before": {"reset": "before"},
        "activations": {
            "activation": ("softsign",),
            "gate_activation": ("hard_sigmoid", 0.3, 0.4),
        },
        "before_activations": {
            "reset": "before",
            "activation": ("scaled_tanh", 1.3, 0.8),
            "gate_activation": ("softsign",),
        },
        "clip": {"cell_clip": 0.5},
        "before_clip": {"reset": "before", "cell_clip": 0.5},
        "layer_norm": {"layer_norm": True},
        "masks": {"masks": True},
        "before_masks": {"reset": "before", "masks": True},
        "all": {"cell_clip": 0.9, "layer_norm": True, "masks": True},
    },
}
CASES = [(cell, option) for cell, options in OPTIONS.items() for option in options]

RAGGED = (4, 4, 2, 1, 0)
EQUAL = (3, 3, 3)


@dataclass
class Problem:
    """A layer, a packed minibatch and the gradients of a loss by what the layer returns."""

    spec: LayerSpec
    plan: object
    x: np.ndarray
    weights: dict
    starts: dict  # h0, c0
    ends: dict  # dh_n, dc_n
    dy: np.ndarray
    masks: dict = field(default_factory=dict)  # recurrent_mask, zoneout_masks

    def astype(self, dtype):
        """Return the same problem in another dtype."""

        def cast(item):
            if isinstance(item, dict):
                return {name: cast(part) for name, part in item.items()}
            if isinstance(item, tuple):
                return tuple(cast(part) for part in item)
            return None if item is None else item.astype(dtype)

        parts = (self.x, self.weights, self.starts, self.ends, self.dy, self.masks)
        return Problem(self.spec, self.plan, *(cast(part) for part in parts))

    def inputs(self):
        """Return everything that the loss can be differentiated by, under its name."""
        return {"x": self.x, **self.starts, **self.weights}


def alone(problem, single, b):
    """Sequence b of a problem of equal lengths without masks, in the plan of another of its own."""
    n = len(problem.starts["h0"])
    starts = {name: state[b : b + 1] for name, state in problem.starts.items()}
    rows = {"x": problem.x[b::n], "dy": problem.dy[b::n]}
    return replace(problem, plan=single.plan, starts=starts, ends=single.ends, masks={}, **rows)


def make_problem(
    cell, option="plain", lengths=RAGGED, n_inputs=2, hidden_size=3, reverse=False, seed=0
):
    """Draw a problem in float64."""
    rng = np.random.RandomState(seed)
    options = dict(OPTIONS[cell][option])
    with_masks = options.pop("masks", False)
    for name in ("activation", "gate_activation", "output_activation"):
        if name in options:
            options[name] = make_activation(*options[name])
    spec = LayerSpec(
        cell, n_inputs, hidden_size, reverse, zoneout=0.3 if with_masks else 0.0, **options
    )
    plan = pack(np.array(lengths))
    state = (plan.n_sequences, hidden_size)
    states = {"h": state, "c": (plan.n_sequences, spec.second_state_size)}
    rows = (plan.n_rows, hidden_size)
    names = ("h", "c") if spec.has_cell_state else ("h",)
    # Rows of a weight sum about H terms: this keeps every gate in its responsive range.
    scale = {"weight_ih": 1 / np.sqrt(n_inputs), "weight_hh": 1 / np.sqrt(hidden_size)}
    scale["gate_recurrence"] = 1 / np.sqrt(3 * hidden_size)
    weights = {
        name: rng.normal(size=shape) * scale.get(name, 0.7)
        for name, shape in spec.parameter_shapes().items()
    }
    masks = {}
    if with_masks:
        masks["recurrent_mask"] = (rng.uniform(size=state) < 0.7) / 0.7
        kept = [(rng.uniform(size=rows) < 0.3).astype(float) for _ in names]
        masks["zoneout_masks"] = (kept[0], kept[1] if spec.has_cell_state else None)
    return Problem(
        spec,
        plan,
        rng.normal(size=(plan.n_rows, n_inputs)),
        weights,
        {f"{name}0": rng.normal(size=states[name]) for name in names},
        {f"d{name}_n": rng.normal(size=states[name]) for name in names},
        rng.normal(size=rows),
        masks,
    )


def run_forward(backend, problem, training=True, starts=True):
    """Return the operation and copies of what its forward call returned."""
    operation = backend.recurrent(problem.spec, problem.x.dtype)
    y, h_n, c_n = operation.forward(
        problem.plan,
        problem.x,
        problem.weights,
        **(problem.starts if starts else {}),
        training=training,
        **problem.masks,
    )
    outputs = {"y": y, "h_n": h_n, "c_n": c_n}
    return operation, {name: np.array(a) for name, a in outputs.items() if a is not None}


def run_both(backend, problem, starts=True, ends=True, dy=True):
    """Return all outputs and the gradients by all inputs."""
    operation, outputs = run_forward(backend, problem, starts=starts)
    dweights = {name: np.zeros_like(weight) for name, weight in problem.weights.items()}
    dx, dh0, dc0 = operation.backward(
        problem.dy if dy else None, dweights, **(problem.ends if ends else {})
    )
    gradients = {"x": dx, "h0": dh0, "c0": dc0}
    gradients = {name: np.array(a) for name, a in gradients.items() if a is not None}
    return outputs, {**gradients, **dweights}


def loss_of(backend, problem):
    """Return the loss whose gradients by y, h_n and c_n the problem holds."""
    _, outputs = run_forward(backend, problem)
    loss = (outputs["y"] * problem.dy).sum() + (outputs["h_n"] * problem.ends["dh_n"]).sum()
    if "c_n" in outputs:
        loss += (outputs["c_n"] * problem.ends["dc_n"]).sum()
    return loss

"""The reference backend against the equations, sequence by sequence, and finite differences."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from backends.recurrent_problem import (
    CASES,
    EQUAL,
    RAGGED,
    loss_of,
    make_problem,
    run_both,
    run_forward,
)
from gradcheck import assert_gradients
from scipy.special import expit, log_softmax
from tolerances import assert_close, tolerance

from rnnkit.backends import get_backend
from rnnkit.cells import ACTIVATIONS, LAYER_NORM_EPSILON, make_activation
from rnnkit.exceptions import MissingExtraError

BACKEND = get_backend("reference")

FUNCTIONS = {
    "tanh": lambda x, a, b: np.tanh(x),
    "sigmoid": lambda x, a, b: expit(x),
    "softsign": lambda x, a, b: x / (1 + abs(x)),
    "relu": lambda x, a, b: x * (x > 0),
    "hard_sigmoid": lambda x, a, b: np.minimum(1, np.maximum(0, a * x + b)),
    "linear": lambda x, a, b: a * x + b,
    "leaky_relu": lambda x, a, b: x * (x > 0) + a * x * (x <= 0),
    "scaled_tanh": lambda x, a, b: a * np.tanh(b * x),
}


def normalized(a):
    return (a - np.mean(a)) / np.sqrt(np.var(a) + LAYER_NORM_EPSILON)


class Oracle:
    """One sequence, one step at a time, gate by gate, as the equations of LayerSpec read."""

    def __init__(self, spec, weights):
        self.spec, self.weights = spec, weights

    def rows(self, product, gate):
        H = self.spec.hidden_size
        position = {"rnn": "a", "lstm": "ifgo", "gru": "rzn"}[self.spec.cell].index(gate)
        return product[position * H : (position + 1) * H]

    def product(self, name, v, q=None):
        a = np.array([sum(w * u for w, u in zip(row, v)) for row in self.weights[f"weight_{name}"]])
        if q is not None:
            H, rows = self.spec.hidden_size, self.weights["gate_recurrence"]
            seen = [sum(w * u for w, u in zip(row, q)) for row in rows]
            a += np.concatenate([seen[: 2 * H], np.zeros(H), seen[2 * H :]])
        return self.weights[f"norm_{name}"] * normalized(a) if self.spec.layer_norm else a

    def apply(self, argument, a):
        function = getattr(self.spec, argument)
        if self.spec.cell_clip is not None and argument != "output_activation":
            a = np.minimum(self.spec.cell_clip, np.maximum(-self.spec.cell_clip, a))
        return FUNCTIONS[function.name](a, function.alpha, function.beta)

    def peephole(self, gate, c):
        if not self.spec.peephole:
            return 0
        H = self.spec.hidden_size
        k = "ifo".index(gate)
        return self.weights["peephole"][k * H : (k + 1) * H] * c

    def step(self, x, h, c, mask):
        q = None
        if self.spec.full_gate_recurrence:
            c, q = np.split(c, [len(h)])
        w, u = self.product("ih", x), self.product("hh", mask * h, q)
        wx, uh, b = (lambda gate, p=p: self.rows(p, gate) for p in (w, u, self.weights["bias"]))
        if self.spec.cell == "rnn":
            return self.apply("activation", wx("a") + uh("a") + b("a")), c
        if self.spec.cell == "gru":
            r = self.apply("gate_activation", wx("r") + uh("r") + b("r"))
            z = self.apply("gate_activation", wx("z") + uh("z") + b("z"))
            if self.spec.reset == "after":
                reset = r * (uh("n") + self.weights["bias_hn"])
            else:
                reset = self.rows(self.product("hh", r * mask * h), "n") + self.weights["bias_hn"]
            n = self.apply("activation", wx("n") + b("n") + reset)
            return (1 - z) * n + z * h, c
        i = self.apply("gate_activation", wx("i") + uh("i") + b("i") + self.peephole("i", c))
        f = self.apply("gate_activation", wx("f") + uh("f") + b("f") + self.peephole("f", c))
        g = self.apply("activation", wx("g") + uh("g") + b("g"))
        if self.spec.coupled_gates:
            f = 1 - i
        c = f * c + i * g
        o = self.apply("gate_activation", wx("o") + uh("o") + b("o") + self.peephole("o", c))
        s = c
        if self.spec.layer_norm:
            s = self.weights["norm_c"] * normalized(c) + self.weights["norm_c_bias"]
        seen = np.concatenate([i, f, o]) if self.spec.full_gate_recurrence else []
        return o * self.apply("output_activation", s), np.concatenate([c, seen])


def oracle_outputs(problem, training=True):
    """Run every sequence of a problem on its own."""
    spec, plan = problem.spec, problem.plan
    oracle = Oracle(spec, problem.weights)
    outputs = {"y": np.empty_like(problem.dy), "h_n": [], "c_n": []}
    for b, length in enumerate(plan.lengths):
        h = problem.starts["h0"][b]
        c = problem.starts["c0"][b] if spec.has_cell_state else None
        mask = problem.masks["recurrent_mask"][b] if training and problem.masks else 1
        steps = range(length)
        for t in reversed(steps) if spec.reverse else steps:
            row = plan.step_offsets[t] + b
            k_h = k_c = 0 if training else spec.zoneout
            if training and problem.masks:
                masks = problem.masks["zoneout_masks"]
                k_h, k_c = masks[0][row], masks[1][row] if spec.has_cell_state else None
            h_new, c_new = oracle.step(problem.x[row], h, c, mask)
            h = k_h * h + (1 - k_h) * h_new
            if spec.has_cell_state:
                of_c = np.zeros_like(c)  # the gates beside c are new at every step
                of_c[: len(h)] = k_c
                c = of_c * c + (1 - of_c) * c_new
            outputs["y"][row] = h
        outputs["h_n"].append(h)
        outputs["c_n"].append(c)
    if not spec.has_cell_state:
        del outputs["c_n"]
    return outputs


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell, option", CASES)
def test_forward_is_the_equations(cell, option, reverse, training):
    problem = make_problem(cell, option, reverse=reverse)
    _, outputs = run_forward(BACKEND, problem, training=training)
    expected = oracle_outputs(problem, training)
    assert set(outputs) == set(expected)
    for name, want in expected.items():
        assert_close(outputs[name], want, np.float64, accumulations=5 * 4)


@pytest.mark.parametrize("lengths", [RAGGED, EQUAL], ids=["ragged", "equal"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell, option", CASES)
def test_gradients_are_finite_differences(cell, option, reverse, lengths):
    if lengths == EQUAL and option not in ("plain", "all", "peephole", "before"):
        lengths = (1, 1)  # a single step; the ragged minibatch has the long ones
    problem = make_problem(cell, option, lengths, reverse=reverse, seed=3)
    _, gradients = run_both(BACKEND, problem)
    assert_gradients(gradients, lambda: loss_of(BACKEND, problem), problem.inputs())


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_sequence_without_steps_passes_states_and_gradients_on(cell):
    problem = make_problem(cell, lengths=RAGGED)
    outputs, gradients = run_both(BACKEND, problem)
    assert problem.plan.lengths[-1] == 0
    for state in problem.starts:
        name = state[0]
        np.testing.assert_array_equal(outputs[f"{name}_n"][-1], problem.starts[state][-1])
        np.testing.assert_array_equal(gradients[state][-1], problem.ends[f"d{name}_n"][-1])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_minibatch_without_any_step(cell):
    problem = make_problem(cell, lengths=(0, 0))
    outputs, gradients = run_both(BACKEND, problem)
    np.testing.assert_array_equal(outputs["h_n"], problem.starts["h0"])
    np.testing.assert_array_equal(gradients["h0"], problem.ends["dh_n"])
    assert not gradients["weight_hh"].any()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_absent_states_and_gradients_are_zeros(cell):
    problem = make_problem(cell)
    zeros = dataclasses.replace(
        problem,
        starts={name: np.zeros_like(a) for name, a in problem.starts.items()},
        ends={name: np.zeros_like(a) for name, a in problem.ends.items()},
    )
    for got, want in zip(
        run_both(BACKEND, problem, starts=False, ends=False), run_both(BACKEND, zeros)
    ):
        for name in want:
            np.testing.assert_array_equal(got[name], want[name])
    zeros.dy[:] = 0
    _, got = run_both(BACKEND, problem, dy=False)
    problem.dy[:] = 0
    _, want = run_both(BACKEND, problem)
    for name in want:
        np.testing.assert_array_equal(got[name], want[name])


def test_parameter_gradients_are_added():
    problem = make_problem("gru")
    _, gradients = run_both(BACKEND, problem)
    operation, _ = run_forward(BACKEND, problem)
    total = {name: np.ones_like(weight) for name, weight in problem.weights.items()}
    result = operation.backward(problem.dy, total, problem.ends["dh_n"], input_gradient=False)
    assert result.dx is None
    for name, gradient in total.items():
        assert_close(gradient, 1 + gradients[name], np.float64, accumulations=20)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_gates_are_kept_in_packed_order(cell):
    problem = make_problem(cell, lengths=(2, 1))
    operation, _ = run_forward(BACKEND, problem)
    oracle = Oracle(problem.spec, problem.weights)
    seen = []
    original = oracle.apply
    oracle.apply = lambda argument, a: seen.append(original(argument, a)) or seen[-1]
    h0 = problem.starts["h0"]
    c0 = problem.starts.get("c0", h0)
    for b in range(2):
        seen.clear()
        oracle.step(problem.x[b], h0[b], c0[b], 1)
        for gate, want in zip(problem.spec.gates, seen):
            assert_close(operation.gate(gate)[b], want, np.float64, accumulations=8)
    assert operation.gate(problem.spec.gates[0]).shape == (3, 3)


def test_backward_needs_one_training_forward_for_each_call():
    problem = make_problem("lstm")
    operation, _ = run_forward(BACKEND, problem, training=False)
    gradients = {name: np.zeros_like(weight) for name, weight in problem.weights.items()}
    with pytest.raises(RuntimeError, match="training=True"):
        operation.backward(None, gradients)
    operation, _ = run_forward(BACKEND, problem)
    operation.backward(None, gradients)
    with pytest.raises(RuntimeError, match="only once"):
        operation.backward(None, gradients)


@pytest.mark.parametrize("cell, option", CASES)
def test_float32_stays_float32(cell, option):
    outputs, gradients = run_both(BACKEND, make_problem(cell, option).astype(np.float32))
    for array in (*outputs.values(), *gradients.values()):
        assert array.dtype == np.float32


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_of_huge_inputs_is_finite(name):
    problem = make_problem("rnn", lengths=(1, 1))
    spec = dataclasses.replace(problem.spec, activation=make_activation(name))
    problem = dataclasses.replace(problem, spec=spec)
    problem.x[:] = [[1e30, 1e30], [-1e30, 1e-30]]
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        outputs, gradients = run_both(BACKEND, problem)
    assert np.isfinite(outputs["y"]).all()
    assert np.isfinite(gradients["x"]).all()


def test_dense_gradients_are_finite_differences():
    rng = np.random.RandomState(0)
    arrays = {"x": rng.normal(size=(5, 3)), "weight": rng.normal(size=(4, 3)), "bias": np.ones(4)}
    dy = rng.normal(size=(5, 4))
    dense = BACKEND.dense(3, 4, np.dtype(np.float64))
    expected = [
        [sum(w * v for w, v in zip(row, x)) + 1 for row in arrays["weight"]] for x in arrays["x"]
    ]
    assert_close(dense.forward(**arrays), expected, np.float64, accumulations=3)
    dweight, dbias = np.zeros((4, 3)), np.zeros(4)
    dx = dense.backward(arrays["x"], dy, arrays["weight"], dweight, dbias)
    computed = {"x": dx, "weight": dweight, "bias": dbias}
    assert_gradients(computed, lambda: (dense.forward(**arrays) * dy).sum(), arrays)
    again = dense.backward(arrays["x"], dy, arrays["weight"], dweight, dbias, input_gradient=False)
    assert again is None
    assert_close(dbias, 2 * dy.sum(axis=0), np.float64, accumulations=10)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy(weighted, label_smoothing):
    rng = np.random.RandomState(0)
    scores, labels = 3 * rng.normal(size=(6, 4)), rng.randint(4, size=6)
    weights = rng.uniform(size=6) if weighted else None

    def loss():
        return BACKEND.softmax_cross_entropy(scores, labels, weights, label_smoothing)[0]

    target = (1 - label_smoothing) * np.eye(4)[labels] + label_smoothing / 4
    losses = -(target * log_softmax(scores, axis=1)).sum(axis=1)
    assert_close(loss(), losses @ (np.ones(6) if weights is None else weights), np.float64, 24)
    dscores = BACKEND.softmax_cross_entropy(scores, labels, weights, label_smoothing)[1]
    assert_gradients({"scores": dscores}, loss, {"scores": scores})


def test_cross_entropy_and_softmax_of_huge_scores():
    scores = np.array([[1e4, -1e4, 0.0]], dtype=np.float32)
    loss, dscores = BACKEND.softmax_cross_entropy(scores, np.array([1]), None)
    assert loss == 2e4
    np.testing.assert_array_equal(dscores, [[1, -1, 0]])
    np.testing.assert_array_equal(BACKEND.softmax(scores), [[1, 0, 0]])
    assert BACKEND.softmax(scores).dtype == dscores.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1.0, 1e-30, 1e30])
def test_clip_norm(dtype, size):
    gradient = (np.array([3.0, 0.0, -4.0]) * size).astype(dtype)
    before = gradient.copy()
    norm = BACKEND.clip_norm(gradient, 10 * size)
    assert_close(norm / size, 5.0, dtype)
    np.testing.assert_array_equal(gradient, before)
    BACKEND.clip_norm(gradient, size)
    assert_close(gradient / size, np.array([0.6, 0.0, -0.8]), dtype)


def test_clip_norm_of_numbers_whose_squares_overflow():
    gradient = np.array([3e300, 0.0, -4e300])
    assert_close(BACKEND.clip_norm(gradient, np.inf) / 1e300, 5.0, np.float64)
    assert_close(BACKEND.clip_norm(gradient, 2.0) / 1e300, 5.0, np.float64)
    assert_close(gradient, np.array([1.2, 0.0, -1.6]), np.float64)


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
def test_clip_norm_leaves_a_gradient_that_is_not_finite(wrong):
    gradient = np.array([1.0, wrong, 2.0])
    assert not np.isfinite(BACKEND.clip_norm(gradient, 1.0))
    np.testing.assert_array_equal(gradient, [1.0, wrong, 2.0])


RULES = {
    "sgd": [dict(momentum=0.0, nesterov=False), dict(momentum=0.9, nesterov=False)]
    + [dict(momentum=0.9, nesterov=True)],
    "rmsprop": [dict(decay=0.9, epsilon=1e-3, momentum=m) for m in (0.0, 0.8)],
    "adagrad": [dict(epsilon=1e-3)],
    "adadelta": [dict(decay=0.9, epsilon=1e-3)],
    "adam": [dict(beta_1=0.8, beta_2=0.95, epsilon=1e-3, weight_decay=w) for w in (0.0, 0.1)],
}
STATES = {
    "sgd": ["velocity"],
    "rmsprop": ["square", "velocity"],
    "adagrad": ["square"],
    "adadelta": ["square", "change"],
    "adam": ["mean", "square"],
}


def torch_optimizer(rule, parameter, options, rate):
    torch = pytest.importorskip("torch", reason="needs the extra rnnkit[oracle]")
    o = dict(options)
    if rule == "sgd":
        return torch.optim.SGD([parameter], rate, **o)
    if rule == "rmsprop":
        return torch.optim.RMSprop([parameter], rate, o["decay"], o["epsilon"], 0, o["momentum"])
    if rule == "adagrad":
        return torch.optim.Adagrad([parameter], rate, eps=o["epsilon"])
    if rule == "adadelta":
        return torch.optim.Adadelta([parameter], rate, o["decay"], o["epsilon"])
    betas = (o["beta_1"], o["beta_2"])
    return torch.optim.AdamW([parameter], rate, betas, o["epsilon"], o["weight_decay"])


@pytest.mark.parametrize("rule, options", [(r, o) for r, many in RULES.items() for o in many])
def test_update_rules_are_those_of_torch(rule, options):
    torch = pytest.importorskip("torch", reason="needs the extra rnnkit[oracle]")
    rng = np.random.RandomState(0)
    parameters = rng.normal(size=7)
    theirs = torch.tensor(parameters.copy(), requires_grad=True)
    optimizer = torch_optimizer(rule, theirs, options, 0.05)
    state = {name: np.zeros(7) for name in STATES[rule]}
    for step in range(1, 6):
        gradient = rng.normal(size=7)
        kept = gradient.copy()
        pace = SimpleNamespace(learning_rate=0.05, step=step)
        BACKEND.update(rule, parameters, gradient, state, pace, **options)
        np.testing.assert_array_equal(gradient, kept)
        theirs.grad = torch.tensor(gradient)
        optimizer.step()
        assert_close(parameters, theirs.detach().numpy(), np.float64, accumulations=30)


@pytest.mark.parametrize("rule", RULES)
def test_update_in_float32(rule):
    parameters, gradient = np.ones(3, np.float32), np.full(3, 0.5, np.float32)
    state = {name: np.zeros(3, np.float32) for name in STATES[rule]}
    options = RULES[rule][-1]
    wide = np.ones(3)
    wide_state = {name: np.zeros(3) for name in STATES[rule]}
    for step in (1, 2, 3):
        pace = SimpleNamespace(learning_rate=0.1, step=step)
        BACKEND.update(rule, parameters, gradient, state, pace, **options)
        BACKEND.update(rule, wide, gradient.astype(float), wide_state, pace, **options)
    assert parameters.dtype == np.float32
    assert (wide < 1).all()
    assert np.abs(parameters - wide).max() <= tolerance(np.float32, 30)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="unknown update rule 'adamax'; allowed are sgd"):
        BACKEND.update("adamax", np.ones(1), np.ones(1), {}, None)
    with pytest.raises(ValueError, match="unknown backend 'gpu'"):
        get_backend("gpu")


def test_cuda_is_refused_with_one_clear_sentence():
    with pytest.raises((MissingExtraError, RuntimeError), match="cuda"):
        get_backend("cuda")

"""What the core uses as an index cannot have changed since it was checked."""

import numpy as np
import pytest
from programs import run_program

from rnnkit.backends import get_backend
from rnnkit.backends.plans import checked_plan
from rnnkit.cells import LayerSpec
from rnnkit.sequences import pack

LAYER = """
import numpy as np
from types import SimpleNamespace
from rnnkit.backends import get_backend
from rnnkit.cells import LayerSpec
from rnnkit.sequences import Sequences, pack
from rnnkit.functional import recurrent
import rnnkit

CPU = get_backend("cpu")
FLOAT = np.dtype(np.float64)
SPEC = LayerSpec("lstm", 2, 5)
WEIGHTS = {name: np.full(shape, 0.1) for name, shape in SPEC.parameter_shapes().items()}
GRADIENTS = {name: np.zeros_like(weight) for name, weight in WEIGHTS.items()}
LAYER = CPU.recurrent(SPEC, FLOAT)

class Liar(np.ndarray):
    shape = property(lambda array: (64, 2))

class Plan:
    def __init__(self, lengths, step_offsets):
        self.lengths = np.array(lengths, np.intp)
        self.step_offsets = np.array(step_offsets, np.intp)
    n_sequences = property(lambda self: len(self.lengths))
    n_steps = property(lambda self: len(self.step_offsets) - 1)
    n_rows = property(lambda self: int(self.step_offsets[-1]))

def refused(act):
    try:
        act()
    except (ValueError, TypeError, AttributeError, RuntimeError, IndexError) as error:
        print(type(error).__name__)
        return
    raise SystemExit("was not refused")
"""

FUNCTIONAL = """
X = Sequences(np.zeros((12, 2)), np.array([0, 10, 12]))
weights = {"weight_ih_l0": np.ones((20, 2)), "weight_hh_l0": np.ones((20, 5))}
"""

# What they do ended in reads and writes out of bounds, or would.
REFUSED = {
    "offsets are written to": FUNCTIONAL + "refused(lambda: X.offsets.__setitem__(2, -100000))",
    "offsets are set": FUNCTIONAL
    + "refused(lambda: setattr(X, 'offsets', np.array([0, 10, -100000])))",
    "values are set": FUNCTIONAL + "refused(lambda: setattr(X, 'values', X.values[:3]))",
    "offsets are made writable": FUNCTIONAL
    + "refused(lambda: X.offsets.setflags(write=True))\n"
    + "refused(lambda: X.offsets.base.__setitem__(0, 7))",
    "lengths of a plan are written to": "refused(lambda: pack(np.array([3, 1])).lengths.fill(9))",
    "a plan has negative lengths": "refused(lambda: pack(np.array([3, -100000])))",
    "a step begins far away": "refused(lambda: LAYER.forward(Plan([2, 1], [0, 2, 3000000]), "
    "np.zeros((3000000, 2)), WEIGHTS))",
    "a step begins before the rows": "refused(lambda: LAYER.forward(Plan([2, 1], [0, -9000, 3]), "
    "np.zeros((3, 2)), WEIGHTS))",
    "a length is negative": "refused(lambda: LAYER.forward(Plan([2, -100000], [0, 1, 2]), "
    "np.zeros((2, 2)), WEIGHTS))",
    "a length exceeds the steps": "refused(lambda: LAYER.forward(Plan([200000, 1], [0, 2, 3]), "
    "np.zeros((3, 2)), WEIGHTS))",
    "steps without offsets": "refused(lambda: LAYER.forward(Plan([], np.zeros(0)), "
    "np.zeros((0, 2)), WEIGHTS))",
    "a subclass lies about its shape": "refused(lambda: LAYER.forward(pack(np.full(4, 16)), "
    "np.zeros((1, 2)).view(Liar), WEIGHTS))",
    "backward of a layer bound anew": "LAYER.forward(pack(np.array([2])), np.zeros((2, 2)), "
    "WEIGHTS, training=True)\nLAYER.__init__(LayerSpec('lstm', 900, 900), FLOAT)\n"
    "refused(lambda: LAYER.backward(np.ones((2, 900)), GRADIENTS))",
    "an object that was never bound": "from rnnkit._core.recurrent import RecurrentLayer\n"
    "refused(lambda: RecurrentLayer.__new__(RecurrentLayer))",
    "a dense layer that was never bound": "from rnnkit._core.heads import Dense\n"
    "refused(lambda: Dense.__new__(Dense))",
    "a gradient that is no array": "LAYER.forward(pack(np.array([2])), np.zeros((2, 2)), WEIGHTS, "
    "training=True)\nfakes = {n: SimpleNamespace(shape=g.shape, dtype=g.dtype, flags=g.flags) "
    "for n, g in GRADIENTS.items()}\nrefused(lambda: LAYER.backward(np.ones((2, 5)), fakes))",
    "a gradient in read-only memory": "import tempfile\n"
    "LAYER.forward(pack(np.array([2])), np.zeros((2, 2)), WEIGHTS, training=True)\n"
    "with tempfile.NamedTemporaryFile() as file:\n"
    "    np.save(file, WEIGHTS['bias']); file.flush()\n"
    "    GRADIENTS['bias'] = np.asarray(np.load(file.name, mmap_mode='r'))\n"
    "    refused(lambda: LAYER.backward(np.ones((2, 5)), GRADIENTS))",
    "a bias gradient that is too short": "dense = CPU.dense(2, 100000, FLOAT)\n"
    "refused(lambda: dense.backward(np.ones((1, 2)), np.ones((1, 100000)), np.ones((100000, 2)), "
    "np.zeros((100000, 2)), np.zeros(1)))",
    "weights of too few rows": "refused(lambda: CPU.softmax_cross_entropy(np.zeros((3000000, 2)), "
    "np.zeros(3000000, np.intp), np.ones(1)))",
    "a label beyond the classes": "refused(lambda: CPU.softmax_cross_entropy(np.zeros((1, 2)), "
    "np.array([10**9]), None))",
    "a gradient shorter than its parameters": "refused(lambda: CPU.update('sgd', "
    "np.zeros(3000000), np.zeros(1), {'velocity': np.zeros(3000000)}, "
    "SimpleNamespace(learning_rate=0.1, step=1), momentum=0.9, nesterov=False))",
    "a state shorter than its parameters": "refused(lambda: CPU.update('adam', "
    "np.zeros(3000000), np.zeros(3000000), {'mean': np.zeros(3000000), 'square': np.zeros(1)}, "
    "SimpleNamespace(learning_rate=0.1, step=1), beta_1=0.9, beta_2=0.9, epsilon=1e-8, "
    "weight_decay=0.0))",
    "a state of another width": "step = CPU.recurrent_stream(SPEC, FLOAT, WEIGHTS)\n"
    "refused(lambda: setattr(step, 'state', (np.zeros((1, 1)), np.zeros((1, 1)))))",
}


def test_attacks_are_refused():
    """One interpreter for all; the last line it prints names the attack that ends it."""
    program = "".join(
        f"print({name!r}, flush=True)\nexec({LAYER + attack!r}, {{}})\n"
        for name, attack in REFUSED.items()
    )
    printed = run_program(program).splitlines()
    assert [line for line in printed if line in REFUSED] == list(REFUSED)


def test_a_plan_changed_after_forward_changes_nothing():
    program = """
def run(change):
    plan = Plan([3, 2], [0, 2, 4, 5])
    layer = CPU.recurrent(SPEC, FLOAT)
    y, _, _ = layer.forward(plan, np.arange(10.0).reshape(5, 2), WEIGHTS, training=True)
    if change:
        plan.lengths[:] = -10**6, 10**6
        plan.step_offsets[:] = 10**9
    gradients = {name: np.zeros_like(weight) for name, weight in WEIGHTS.items()}
    dx, _, _ = layer.backward(np.ones((5, 5)), gradients)
    return dx
assert (run(True) == run(False)).all()
"""
    run_program(LAYER + program)


def test_offsets_of_the_caller_may_change():
    program = (
        FUNCTIONAL
        + """
offsets = np.array([0, 10, 12])
X = Sequences(np.arange(24.0).reshape(12, 2), offsets)
expected = recurrent(X, weights).y.values.copy()
offsets[:] = [0, 10, -100000]
assert (recurrent(X, weights).y.values == expected).all()
"""
    )
    run_program(LAYER + program)


def test_a_gradient_exchanged_meanwhile_is_not_written_to():
    """The arrays that were checked are those that are added to."""
    program = """
import threading
spec = LayerSpec("rnn", 64, 256)
weights = {name: np.zeros(shape) for name, shape in spec.parameter_shapes().items()}
layer = CPU.recurrent(spec, FLOAT)
gradients = {name: np.zeros_like(weight) for name, weight in weights.items()}
kept = dict(gradients)
plan = pack(np.full(64, 60))
layer.forward(plan, np.ones((64 * 60, 64)), weights, training=True)
stop = threading.Event()
def exchange():
    while not stop.is_set():
        gradients["weight_hh"] = np.zeros(0)
        gradients["weight_hh"] = kept["weight_hh"]
thread = threading.Thread(target=exchange)
thread.start()
try:
    layer.backward(np.ones((64 * 60, 256)), gradients)
except ValueError:
    pass
stop.set()
thread.join()
"""
    run_program(LAYER + program)


WRONG_PLANS = {
    "does not begin with 0": ([2, 1], [1, 3, 4]),
    "grows by too many": ([2, 1], [0, 2, 4]),
    "falls": ([2, 1], [0, 2, 1]),
    "too few steps": ([3, 1], [0, 2, 3]),
    "too many steps": ([2, 1], [0, 2, 3, 3]),
    "unsorted": ([1, 2], [0, 2, 3]),
    "negative": ([1, -1], [0, 1]),
    "no steps": ([], []),
}


class Wrong:
    def __init__(self, lengths, step_offsets):
        self.lengths = np.array(lengths, np.intp)
        self.step_offsets = np.array(step_offsets, np.intp)
        self.n_sequences, self.n_steps = len(lengths), len(step_offsets) - 1
        self.n_rows = max(step_offsets, default=0)


@pytest.mark.parametrize("plan", WRONG_PLANS.values(), ids=WRONG_PLANS)
def test_wrong_plans(plan):
    spec = LayerSpec("gru", 2, 3)
    weights = {name: np.zeros(shape) for name, shape in spec.parameter_shapes().items()}
    plan = Wrong(*plan)
    layer = get_backend("cpu").recurrent(spec, np.dtype(np.float64))
    with pytest.raises(ValueError, match=r"lengths|step_offsets"):
        layer.forward(plan, np.zeros((max(plan.n_rows, 0), 2)), weights)
    with pytest.raises(ValueError, match=r"lengths|step_offsets"):
        checked_plan(plan)


@pytest.mark.parametrize("lengths", [[], [0], [0, 0], [5, 3, 0], [1], [2, 2]], ids=str)
def test_right_plans(lengths):
    plan = pack(np.array(lengths, np.intp))
    offsets, own = checked_plan(plan)
    np.testing.assert_array_equal(offsets, plan.step_offsets)
    np.testing.assert_array_equal(own, plan.lengths)
    spec = LayerSpec("gru", 2, 3)
    weights = {name: np.zeros(shape) for name, shape in spec.parameter_shapes().items()}
    layer = get_backend("cpu").recurrent(spec, np.dtype(np.float64))
    assert layer.forward(plan, np.zeros((plan.n_rows, 2)), weights)[0].shape == (plan.n_rows, 3)

"""Objects with buffers let one call in at a time; what comes meanwhile is refused."""

import copy
import pickle
import threading

import numpy as np
import pytest
from programs import run_program

from rnnkit.backends import get_backend
from rnnkit.cells import LayerSpec
from rnnkit.functional import RecurrentStream, recurrent
from rnnkit.network import SoftmaxCrossEntropy, build_network
from rnnkit.network.inputs import Inputs
from rnnkit.ownership import Owner
from rnnkit.sequences import pack

SPEC = LayerSpec("gru", 3, 16)
FLOAT = np.dtype(np.float64)
IN_USE = "in use by another call"


def weights_of(spec):
    rng = np.random.default_rng(0)
    return {name: 0.1 * rng.normal(size=s) for name, s in spec.parameter_shapes().items()}


class Meddling:
    """A plan that calls something when a call of an operation looks at it."""

    def __init__(self, plan, act):
        self._plan, self._act = plan, act

    @property
    def step_offsets(self):
        self._act()
        return self._plan.step_offsets

    def __getattr__(self, name):
        return getattr(self._plan, name)


def test_an_owner_refuses_the_second():
    owner = Owner("thing")
    with owner, pytest.raises(RuntimeError, match="this thing is in use"), owner:
        pass
    with owner:
        pass
    for other in (copy.deepcopy(owner), pickle.loads(pickle.dumps(owner))):
        with owner, other:
            pass


def test_an_owner_is_shared_within_its_thread():
    owner, refused = Owner("thing"), []

    def come():
        try:
            with owner.shared_in_thread():
                pass
        except RuntimeError as error:
            refused.append(error)

    with owner:
        with owner.shared_in_thread():
            pass
        thread = threading.Thread(target=come)
        thread.start()
        thread.join()
    assert len(refused) == 1
    with owner.shared_in_thread():
        pass


def test_a_layer_of_the_core_refuses_a_call_within_a_call():
    weights, plan, x = weights_of(SPEC), pack(np.array([2, 1])), np.ones((3, 3))
    layer = get_backend("cpu").recurrent(SPEC, FLOAT)
    gradients = {name: np.zeros_like(weight) for name, weight in weights.items()}
    for act in (
        lambda: layer.forward(plan, x, weights),
        lambda: layer.backward(None, gradients),
        lambda: layer.gate("r"),
    ):
        with pytest.raises(RuntimeError, match=IN_USE):
            layer.forward(Meddling(plan, act), x, weights)
    assert layer.forward(plan, x, weights)[0].shape == (3, 16)


# Two threads use one object of the core as fast as they can, for a second: what they get is right
# or refused, and both happened.
THREADS = """
import threading, time
import numpy as np
from rnnkit.backends import get_backend
from rnnkit.cells import LayerSpec
from rnnkit.sequences import pack

CPU, FLOAT = get_backend("cpu"), np.dtype(np.float64)
rng = np.random.default_rng(0)
spec = LayerSpec("lstm", 8, 48)
weights = {name: 0.1 * rng.normal(size=s) for name, s in spec.parameter_shapes().items()}
plans = [pack(np.full(n, 40)) for n in (1, 30)]
xs = [rng.normal(size=(plan.n_rows, 8)) for plan in plans]

def together(calls, expected):
    counts = [0, 0, 0]
    def work(which):
        end = time.monotonic() + 1
        while time.monotonic() < end:
            try:
                found = calls[which]()
            except RuntimeError as error:
                assert "in use" in str(error), error
                counts[1] += 1
                continue
            counts[0 if np.array_equal(found, expected[which]) else 2] += 1
    threads = [threading.Thread(target=work, args=(i % 2,)) for i in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    right, refused, wrong = counts
    assert right and refused and not wrong, counts
"""

TOGETHER = {
    "layer": """
layer = CPU.recurrent(spec, FLOAT)
calls = [lambda i=i: layer.forward(plans[i], xs[i], weights)[1] for i in (0, 1)]
together(calls, [call() for call in calls])
""",
    "dense": """
dense = CPU.dense(8, 400, FLOAT)
matrix, bias = rng.normal(size=(400, 8)), rng.normal(size=400)
calls = [lambda i=i: dense.forward(xs[i], (1 + i) * matrix, bias) for i in (0, 1)]
together(calls, [call() for call in calls])
""",
    "gradients of functional.recurrent": """
from rnnkit.functional import recurrent
matrices = 0.1 * rng.normal(size=(192, 8)), 0.1 * rng.normal(size=(192, 48))
given = dict(zip(("weight_ih_l0", "weight_hh_l0"), matrices))
output = recurrent(rng.normal(size=(30, 40, 8)), given)
dys = [rng.normal(size=(30, 40, 48)) for _ in range(2)]
calls = [lambda i=i: output.backward(dys[i])["weight_hh_l0"] for i in (0, 1)]
together(calls, [call() for call in calls])
""",
}


def test_threads_on_one_object_of_the_core():
    run_program(THREADS + "".join(TOGETHER.values()))


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_bound_network_refuses_a_call_within_a_call(backend):
    network = build_network("lstm", 2, SoftmaxCrossEntropy(2), per_step=False, hidden_size=3)
    bound = network.bind(get_backend(backend), training=True)
    plan, inputs = pack(np.array([2, 2])), Inputs(np.zeros((4, 2)))
    for act in (
        lambda: bound.forward(plan, inputs),
        lambda: bound.backward(np.zeros((2, 2))),
        lambda: bound.hidden_states(plan, inputs),
    ):
        with pytest.raises(RuntimeError, match=IN_USE):
            bound.forward(Meddling(plan, act), inputs)
    assert bound.forward(plan, inputs).shape == (2, 2)


def test_a_stream_counts_every_step_once():
    """However many threads feed it, what was not refused are steps one after the other."""
    weights = {
        name.replace("weight_ih", "weight_ih_l0").replace("weight_hh", "weight_hh_l0"): weight
        for name, weight in weights_of(LayerSpec("rnn", 2, 4)).items()
        if name.startswith("weight")
    }
    shared, alone = (RecurrentStream(weights, "rnn") for _ in range(2))
    x, taken = np.ones(2), []

    def feed():
        n = 0
        for _ in range(500):
            try:
                shared.step(x)
            except RuntimeError:
                continue
            n += 1
        taken.append(n)

    threads = [threading.Thread(target=feed) for _ in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    for _ in range(sum(taken)):
        alone.step(x)
    np.testing.assert_array_equal(shared.state[0][0], alone.state[0][0])


def test_gradients_in_one_thread_may_be_asked_for_again():
    weights = {"weight_ih_l0": np.ones((3, 2)), "weight_hh_l0": np.eye(3)}
    output = recurrent(np.ones((1, 4, 2)), weights, "rnn")
    first, second = (output.backward(dh_n=np.ones((1, 1, 3))) for _ in range(2))
    np.testing.assert_array_equal(first["x"], second["x"])

"""The pool of workers: neighbours, signals, forks, limits and the end of a process."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from rnnkit._core import threads
from rnnkit.backends import get_backend
from rnnkit.backends.cpu import using_threads
from rnnkit.cells import LayerSpec
from rnnkit.sequences import pack

LAYER = """
import numpy as np
from rnnkit.backends import get_backend
from rnnkit.backends.cpu import using_threads
from rnnkit.cells import LayerSpec
from rnnkit.sequences import pack
from rnnkit._core.threads import max_threads, workers

def run(n_sequences=64, n_steps=50, cell="lstm", n_inputs=16, hidden_size=64):
    layer = LayerSpec(cell, n_inputs, hidden_size)
    operation = get_backend("cpu").recurrent(layer, np.dtype(np.float32))
    rng = np.random.default_rng(0)
    weights = {
        name: rng.normal(0, 0.3, shape).astype(np.float32)
        for name, shape in layer.parameter_shapes().items()
    }
    plan = pack(np.full(n_sequences, n_steps))
    x = rng.normal(size=(plan.n_rows, n_inputs)).astype(np.float32)
    y, _, _ = operation.forward(plan, x, weights, training=True)
    gradients = {name: np.zeros_like(weight) for name, weight in weights.items()}
    dx, _, _ = operation.backward(np.ones_like(y), gradients)
    return b"".join(a.tobytes() for a in (y, dx, *gradients.values()))
"""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def run_python(program, timeout=100, **environment):
    """Run a program in a fresh interpreter; return what it printed. None unsets a variable."""
    variables = {**os.environ, "OMP_NUM_THREADS": "2", **environment}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={name: value for name, value in variables.items() if value is not None},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def busy_processes():
    """Two other processes that take whatever the processors give."""
    command = [sys.executable, "-c", "print('runs', flush=True)\nwhile True: pass"]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    for process in started:
        process.stdout.readline()
    yield
    for process in started:
        process.kill()
        process.communicate()


# Tiles of sequences, panels that do not divide, steps shared by all, and their alternatives.
SHAPES = {
    "tiles": {"n_sequences": 33, "hidden_size": 48},
    "wide panels": {"n_sequences": 17, "n_steps": 7, "hidden_size": 200, "n_inputs": 70},
    "shared steps": {"n_sequences": 2, "hidden_size": 300, "n_steps": 20},
    "one unit": {"n_sequences": 40, "hidden_size": 1, "n_inputs": 1},
}


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("name", SHAPES)
def test_bits_depend_on_no_number_of_threads_beside_other_processes(cell, name, busy_processes):
    names = {}
    exec(LAYER, names)
    with using_threads(1):
        alone = names["run"](cell=cell, **SHAPES[name])
    for n in (2, 3, 4):
        with using_threads(n):
            for _ in range(5):
                assert names["run"](cell=cell, **SHAPES[name]) == alone, n


# ---- signals ----


def operation_of(n_sequences, n_steps, n_inputs, hidden_size):
    layer = LayerSpec("lstm", n_inputs, hidden_size)
    operation = get_backend("cpu").recurrent(layer, np.dtype(np.float32))
    weights = {
        name: np.full(shape, 1e-3, np.float32) for name, shape in layer.parameter_shapes().items()
    }
    plan = pack(np.full(n_sequences, n_steps))
    x = np.ones((plan.n_rows, n_inputs), np.float32)
    return operation, plan, x, weights


class Later:
    """Sends this process a signal after some time; when it did, by two clocks."""

    def __init__(self, number, delay):
        self._timer = threading.Timer(delay, self._send, (number,))
        self.sent = None
        self._timer.start()

    def _send(self, number):
        self.sent = time.perf_counter(), time.process_time()
        os.kill(os.getpid(), number)


def assert_ctrl_c_ends(call, n_threads=1):
    """Repeat a call; what it computes after Ctrl-C takes half a second of each thread at most.

    By the processor's clock, which stands while others use it; the wait itself is a few times
    that at most.
    """
    later = Later(signal.SIGINT, 0.1)
    try:
        while True:
            call()
    except KeyboardInterrupt:
        waited, computed = time.perf_counter(), time.process_time()
    assert computed - later.sent[1] < 0.5 * n_threads
    assert waited - later.sent[0] < 5


LONG = {
    "one sequence": (1, 1_500_000, 1, 48),
    "a wide layer": (300, 30, 64, 1500),
    "many sequences": (100, 2000, 64, 256),
}


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("what", LONG)
def test_ctrl_c_ends_a_long_call_soon(what, n_threads):
    operation, plan, x, weights = operation_of(*LONG[what])
    with using_threads(n_threads):
        assert_ctrl_c_ends(lambda: operation.forward(plan, x, weights), n_threads)
        small = pack(np.array([3, 2]))
        y, _, _ = operation.forward(small, x[: small.n_rows], weights)  # all is as before
        assert np.isfinite(y).all()


def test_ctrl_c_ends_backward_soon():
    operation, plan, x, weights = operation_of(256, 600, 16, 96)
    gradients = {name: np.zeros_like(weight) for name, weight in weights.items()}

    def train():
        y, _, _ = operation.forward(plan, x, weights, training=True)
        operation.backward(np.ones_like(y), gradients)

    for _ in range(3):
        assert_ctrl_c_ends(train)


def test_ctrl_c_ends_dense_products_soon():
    dense = get_backend("cpu").dense(1500, 1500, np.dtype(np.float32))
    x, weight = np.ones((40_000, 1500), np.float32), np.ones((1500, 1500), np.float32)
    bias = np.zeros(1500, np.float32)
    assert_ctrl_c_ends(lambda: dense.forward(x, weight, bias))


def test_a_handler_that_returns_lets_the_call_go_on():
    """It may compute itself; the other call's numbers stay what they were."""
    operation, plan, x, weights = operation_of(64, 3000, 8, 64)
    with using_threads(2):
        expected = operation.forward(plan, x, weights)[0].copy()
        inner, inner_plan, inner_x, inner_weights = operation_of(32, 50, 8, 64)
        seen = []

        def handler(number, frame):
            seen.append(inner.forward(inner_plan, inner_x, inner_weights)[0].copy())

        before = signal.signal(signal.SIGUSR1, handler)
        try:
            Later(signal.SIGUSR1, 0.05)
            while not seen:
                assert np.array_equal(operation.forward(plan, x, weights)[0], expected)
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert np.array_equal(seen[0], inner.forward(inner_plan, inner_x, inner_weights)[0])


def test_other_threads_do_not_notice_ctrl_c():
    results = []
    operation, plan, x, weights = operation_of(64, 4000, 8, 64)
    expected = operation.forward(plan, x, weights)[0].copy()

    def work():
        own = operation_of(64, 4000, 8, 64)[0]
        results.extend(np.array_equal(own.forward(plan, x, weights)[0], expected) for _ in range(3))

    other = threading.Thread(target=work)
    other.start()
    assert_ctrl_c_ends(lambda: operation.forward(plan, x, weights), 3)
    other.join()
    assert results == [True] * 3


# ---- forks ----

FOREIGN_REGION = """
#include <omp.h>
int region(void) {
    int n = 0;
#pragma omp parallel num_threads(2) reduction(+ : n)
    n += 1;
    return n;
}
"""


@needs_fork
@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_child_works_after_a_region_of_another_library(tmp_path):
    """The other library shares the OpenMP runtime, which cannot be used in the child."""
    source, library = tmp_path / "region.c", tmp_path / "region.so"
    source.write_text(FOREIGN_REGION)
    command = ["cc", "-shared", "-fPIC", "-fopenmp", str(source), "-o", str(library)]
    if subprocess.run(command, check=False).returncode:
        pytest.skip("the compiler has no OpenMP")
    for parent_computes in ("before = run()", ""):
        program = LAYER + (
            "import ctypes, os\n"
            f"assert ctypes.CDLL({str(library)!r}).region() == 2\n"
            f"{parent_computes}\n"
            "child = os.fork()\n"
            "if child == 0:\n"
            "    result = run()\n"
            "    os._exit(0 if result == run() and workers() in (0, 1) else 1)\n"
            "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        )
        assert run_python(program) == "0"


@needs_fork
def test_a_child_forked_while_another_thread_computes_has_workers_of_its_own():
    program = LAYER + (
        "import os, threading\n"
        "expected, stop = run(), threading.Event()\n"
        "def work():\n"
        "    while not stop.is_set(): run()\n"
        "other = threading.Thread(target=work)\n"
        "other.start()\n"
        "codes = []\n"
        "for _ in range(10):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        os._exit(0 if run() == expected and run() == expected else 1)\n"
        "    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "stop.set()\n"
        "other.join()\n"
        "assert run() == expected\n"
        "print(codes)\n"
    )
    assert run_python(program) == str([0] * 10)


@needs_fork
def test_a_call_whose_handler_forks_ends_in_the_child_and_goes_on_in_the_parent():
    program = LAYER + (
        "import os, signal, threading\n"
        "layer = LayerSpec('rnn', 1, 64)\n"
        "operation = get_backend('cpu').recurrent(layer, np.dtype(np.float32))\n"
        "weights = {n: np.full(s, .01, 'f') for n, s in layer.parameter_shapes().items()}\n"
        "plan, x = pack(np.full(64, 20000)), np.ones((64 * 20000, 1), 'f')\n"
        "expected = operation.forward(plan, x, weights)[1]\n"
        "children = []\n"
        "def handler(number, frame):\n"
        "    children.append(os.fork())\n"
        "signal.signal(signal.SIGUSR1, handler)\n"
        "threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()\n"
        "try:\n"
        "    while not children:\n"
        "        first = operation.forward(plan, x, weights)[1]\n"
        "except RuntimeError as error:\n"
        "    ok = children == [0] and 'forked during this call' in str(error)\n"
        "    os._exit(0 if ok and run() == run() else 1)\n"
        "if children == [0]:\n"
        "    os._exit(0)  # forked between two calls\n"
        "code = os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1])\n"
        "print(code, np.array_equal(first, expected), workers())\n"
    )
    found = run_python(program)
    # In a region of OpenMP's threads the child is ended: it would wait for the others for ever.
    assert found == ("0 True 1" if threads.helpers() == "pool" else "1 True 0")


# ---- limits ----


def test_an_absurd_number_of_threads_is_capped():
    program = LAYER + "print(max_threads(), run() == run(), workers())"
    most, same, started = run_python(program, OMP_NUM_THREADS="100000").split()
    assert int(most) == min(256, 4 * len(os.sched_getaffinity(0)))
    assert same == "True"
    assert int(started) < int(most)
    with pytest.raises(ValueError, match="must be at most 256, got 257"), using_threads(257):
        pass


needs_the_pool = pytest.mark.skipif(
    threads.helpers() != "pool", reason="this build's threads are OpenMP's"
)
needs_two_processors = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two processors and a system that assigns them",
)


@needs_two_processors
def test_processors_taken_away_after_the_import_are_not_counted():
    program = LAYER + (
        "import os\n"
        "from rnnkit._core.threads import processors\n"
        "before = processors(), run() and processors()\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "print(before, processors())\n"
    )
    n = len(os.sched_getaffinity(0))
    assert run_python(program) == f"({n}, {n}) 1"


@needs_two_processors
@pytest.mark.parametrize("asked", [None, "2"])
def test_processors_taken_away_after_the_import_are_not_used(asked):
    program = LAYER + (
        "import os\n"
        "before, first = max_threads(), run()\n"
        "one = {min(os.sched_getaffinity(0))}\n"
        "os.sched_setaffinity(0, one)\n"
        "after, second = max_threads(), run()\n"
        "print(before, after, first == second)\n"
    )
    before, after, same = run_python(program, OMP_NUM_THREADS=asked).split()
    assert int(before) >= 2
    assert (after, same) == ("1", "True")


@needs_two_processors
def test_workers_stay_on_the_processors_of_the_caller():
    program = LAYER + (
        "import os\n"
        "from rnnkit.backends.cpu import using_threads\n"
        "run()\n"
        "one = {max(os.sched_getaffinity(0))}\n"
        "os.sched_setaffinity(0, one)\n"
        "with using_threads(2): run()\n"
        "masks = [os.sched_getaffinity(int(task)) for task in os.listdir('/proc/self/task')]\n"
        "print(workers(), sum(mask == one for mask in masks))\n"
    )
    assert run_python(program) == "1 2"


PLACED = LAYER + (
    "import os, time\n"
    "mine = os.sched_getaffinity(0)\n"
    "def is_free():\n"
    "    run()\n"
    "    tasks = [int(task) for task in os.listdir('/proc/self/task')]\n"
    "    masks = [os.sched_getaffinity(task) for task in tasks if task != os.getpid()]\n"
    "    return all(mask == mine for mask in masks)\n"
    "end = time.monotonic() + 60\n"
    "while is_free() is not WANTED and time.monotonic() < end: pass\n"
    "print(time.monotonic() < end)\n"
)


@needs_two_processors
@needs_the_pool
def test_workers_keep_off_the_callers_processor_while_others_are_free():
    assert run_python(PLACED.replace("WANTED", "False")) == "True"


@needs_two_processors
@needs_the_pool
def test_the_scheduler_places_workers_while_others_want_the_processors(busy_processes):
    assert run_python(PLACED.replace("WANTED", "True")) == "True"


# ---- the end ----


@pytest.mark.parametrize("daemon", [False, True])
def test_a_process_ends_whatever_its_threads_do(daemon):
    program = LAYER + (
        "import threading\n"
        "run()\n"
        "def work():\n"
        f"    while {daemon}: run()\n"
        "other = threading.Thread(target=work, daemon=True)\n"
        "other.start()\n"
        "run()\n"
        "print('ended')\n"
    )
    assert run_python(program) == "ended"


@needs_two_processors
@needs_the_pool
def test_one_short_sequence_has_one_thread():
    """What it could share, its parameter gradients, is less than waking a worker."""
    program = LAYER + (
        "run(1, 60, n_inputs=1, hidden_size=48)\n"
        "one = workers()\n"
        "run(2, 60, n_inputs=1, hidden_size=48)\n"
        "print(one, workers())\n"
    )
    assert run_python(program) == "0 1"


def test_workers_start_at_first_need():
    program = LAYER + (
        "before = workers()\n"
        "run(2, 2, hidden_size=2)\n"
        "print(before, workers(), run() == run(), workers() < max(2, max_threads()))\n"
    )
    assert run_python(program) == "0 0 True True"

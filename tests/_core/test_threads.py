"""Thread counts, forks, the floating-point mode and the choice of the instruction set."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from rnnkit._core import threads
from rnnkit.backends import get_backend
from rnnkit.backends.cpu import isa_available, using_isa, using_threads
from rnnkit.cells import LayerSpec
from rnnkit.sequences import pack

PROGRAM = """
import numpy as np
from rnnkit.backends import get_backend
from rnnkit.cells import LayerSpec
from rnnkit.sequences import pack

def run():
    layer = LayerSpec("lstm", 16, 64)
    operation = get_backend("cpu").recurrent(layer, np.dtype(np.float32))
    rng = np.random.default_rng(0)
    weights = {
        name: rng.normal(size=shape).astype(np.float32)
        for name, shape in layer.parameter_shapes().items()
    }
    plan = pack(np.full(64, 50))
    x = rng.normal(size=(plan.n_rows, 16)).astype(np.float32)
    y, _, _ = operation.forward(plan, x, weights, training=True)
    gradients = {name: np.zeros_like(weight) for name, weight in weights.items()}
    operation.backward(np.ones_like(y), gradients)
    return y.sum(), gradients["weight_hh"].sum()
"""


def run_python(program, **environment):
    """Run a program in a fresh interpreter that stops after 60 s; return what it printed.

    -P keeps the current folder, which may be the uncompiled source, off its path.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def max_threads_of(**environment):
    program = "from rnnkit._core.threads import max_threads; print(max_threads())"
    return int(run_python(program, **environment))


def test_environment_and_limits_set_the_thread_count():
    assert max_threads_of(OMP_NUM_THREADS="1") == 1
    assert max_threads_of(OMP_NUM_THREADS="3") == 3
    with threadpool_limits(1):
        assert threads.max_threads() == 1
    with using_threads(5):
        assert threads.max_threads() == 5
    with pytest.raises(ValueError, match="must not be negative, got -1"), using_threads(-1):
        pass


def test_calls_of_several_python_threads_share_the_cores():
    """However many fit at once, their calls together use no more threads than one alone."""
    program = PROGRAM + (
        "import threading\n"
        "from rnnkit._core.threads import busy_threads, max_threads\n"
        "alone, results, seen = run(), [], []\n"
        "def work():\n"
        "    for _ in range(20):\n"
        "        results.append(run())\n"
        "workers = [threading.Thread(target=work) for _ in range(3)]\n"
        "for worker in workers: worker.start()\n"
        "while any(worker.is_alive() for worker in workers): seen.append(busy_threads())\n"
        "assert set(results) == {alone}, 'the bits changed'\n"
        "print(max_threads(), max(seen), busy_threads())\n"
    )
    limit, most, at_the_end = map(int, run_python(program, OMP_NUM_THREADS="4").split())
    assert limit == 4
    assert 0 < most <= limit + 2  # a call whose threads are all taken still runs on its own
    assert at_the_end == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_computes_the_same_and_does_not_hang():
    program = PROGRAM + (
        "import os\n"
        "parent = run()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if run() == parent else 1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert run_python(program, OMP_NUM_THREADS="2") == "0"


def test_floating_point_mode_is_restored():
    """Denormals count as zero inside a call and nowhere else."""
    tiny = np.float32(1e-40)
    layer = LayerSpec("rnn", 1, 1)
    operation = get_backend("cpu").recurrent(layer, np.dtype(np.float32))
    weights = {name: np.zeros(s, np.float32) for name, s in layer.parameter_shapes().items()}
    for n in (1, 2):
        with using_threads(n):
            operation.forward(pack(np.array([2, 2])), np.ones((4, 1), np.float32), weights)
        assert tiny * np.float32(0.5) > 0


def test_denormal_states_do_not_slow_a_layer_down():
    """A state that fades through the denormal range takes no longer than one that stays."""
    layer = LayerSpec("rnn", 1, 64)
    operation = get_backend("cpu").recurrent(layer, np.dtype(np.float32))
    weights = {name: np.zeros(s, np.float32) for name, s in layer.parameter_shapes().items()}
    plan = pack(np.array([4000]))
    x = np.zeros((4000, 1), np.float32)

    def seconds(factor, h0):
        weights["weight_hh"][:] = factor * np.eye(64, dtype=np.float32)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            operation.forward(plan, x, weights, np.full((1, 64), h0, np.float32))
            times.append(time.perf_counter() - start)
        return min(times)

    assert seconds(0.9999, 1e-39) < 4 * seconds(0.9999, 0.5)


@pytest.mark.parametrize("isa", isa_available())
def test_environment_chooses_the_instruction_set(isa):
    program = "import rnnkit; print(rnnkit.show_config(mode='dicts')['core']['isa_in_use'])"
    assert run_python(program, RNNKIT_ISA=isa) == isa


def test_unknown_instruction_set():
    with (
        pytest.raises(ValueError, match=r"RNNKIT_ISA must be one of .* got 'sse9'"),
        using_isa("sse9"),
    ):
        pass

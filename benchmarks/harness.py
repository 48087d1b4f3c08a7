"""What every benchmark shares: the environment stamp, interleaved timing, JSON lines of results."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

# A rival reads its limits when it is imported: one instruction set for all that have a switch.
if os.environ.get("RNNKIT_ISA") == "avx2":
    os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")
    os.environ.setdefault("MKL_ENABLE_INSTRUCTIONS", "AVX2")
    os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_max_isa=AVX2")

import numpy as np
from threadpoolctl import threadpool_limits

import rnnkit

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("rnnkit", "numpy", "scipy", "scikit-learn", "torch", "onnxruntime", "skorch", "jax")


def cpu_name():
    """Return the processor's name as the system gives it."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def versions():
    """Return {package: version} of what is installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def commit(folder):
    """Return the commit of a folder, marked when its tree differs from it; None outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        run = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=True)
        return run.stdout.strip()
    return None


def environment():
    """Return what a figure depends on besides the code."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        # The package imported need not lie beside these files.
        "commit": commit(Path(rnnkit.__file__).parent),
        "benchmarks_commit": commit(Path(__file__).parent),
        "versions": versions(),
        "rnnkit": rnnkit.show_config(mode="dicts"),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
    }


class Results:
    """Append a run's figures to benchmarks/results/<name>.jsonl, the environment first."""

    def __init__(self, name):
        RESULTS.mkdir(exist_ok=True)
        self.path = RESULTS / f"{name}.jsonl"
        self.write(kind="environment", **environment())

    def write(self, **record):
        """Append one record."""
        with open(self.path, "a", encoding="utf-8") as lines:
            lines.write(json.dumps(record) + "\n")


SETTLE_SECONDS = 0.05  # idle thread pools spin about this long before they sleep
WARM_SECONDS = 0.01  # a scheduler may need some milliseconds to give a woken thread its own core
LONG_SECONDS = 0.2  # a call this long hides what waking its threads costs


def interleaved(runs, repeats=15, seconds=10.0, prepare=None):
    """Time functions in turn, so that a disturbance of the machine meets all of them.

    Before each timed call the thread pool of the one before gets time to fall asleep, and untimed
    calls wake its own for WARM_SECONDS: otherwise one library's spinning threads slow the next.
    Calls that take LONG_SECONDS get one untimed call in the first round alone.

    Parameters
    ----------
    runs : dict of str to callable
        Called in turn.
    repeats : int, default=15
        The number of rounds; fewer when `seconds` run out, never fewer than 3.
    seconds : float, default=10.0
        The time after which no further round begins.
    prepare : dict of str to callable, optional
        Called, untimed, before a function's calls: settings of the process that it needs.

    Returns
    -------
    dict of str to float
        The time in milliseconds that a quarter of a function's calls beat: on a machine that others
        share the median is at times theirs.
    """
    times = {name: [] for name in runs}
    start = time.perf_counter()
    for done in range(repeats):
        if done >= 3 and time.perf_counter() - start > seconds:
            break
        for name, run in runs.items():
            time.sleep(SETTLE_SECONDS)
            if prepare:
                prepare[name]()
            if not times[name] or times[name][-1] < LONG_SECONDS:
                warm_up(run)
            begin = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begin)
    return {name: 1e3 * float(np.quantile(values, 0.25)) for name, values in times.items()}


def warm_up(run):
    """Call a function, untimed, once or until WARM_SECONDS are over."""
    begin = time.perf_counter()
    run()
    while time.perf_counter() - begin < WARM_SECONDS:
        run()


def use_threads(n, confine=False):
    """Let rnnkit, BLAS and torch have n threads; `confine` also keeps the process on n cores."""
    threadpool_limits(limits=n)
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(n)
    pin(n if confine else None)


def pin(n):
    """Keep every thread of the process on the first n processors, None: on all it began with."""
    if not hasattr(os, "sched_setaffinity"):
        return
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(int(task), PROCESSORS[:n])


PROCESSORS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def run_in_new_process(code, path=()):
    """Run code in a fresh interpreter and return what it prints.

    -P keeps the current folder, which may be the uncompiled source, off its path; bytecode is
    compiled as users have it.

    Parameters
    ----------
    code : str
    path : sequence of Path, default=()
        Folders, beside those of PYTHONPATH, from which the code imports.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    folders = [*map(str, path), *filter(None, [environment.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(folders)
    command = [sys.executable, "-P", "-W", "ignore", "-c", code]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def require_equal(ours, theirs, what, tolerance=1e-4):
    """Raise if two results differ by more than `tolerance` of the largest value."""
    scale = max(float(np.max(np.abs(theirs))), np.finfo(np.float32).tiny)
    error = float(np.max(np.abs(np.asarray(ours) - np.asarray(theirs)))) / scale
    if not error <= tolerance:
        raise AssertionError(f"{what}: the results differ by {error:.1e}, not the same work")


def geometric_mean(ratios):
    """Return the geometric mean of positive numbers."""
    return statistics.geometric_mean(ratios)

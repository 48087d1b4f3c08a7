"""Rows of memory, start-up and size, each in processes of its own.

Peak memory: what one epoch of a single minibatch (64 sequences, 500 steps, 16 features, 128
units, LSTM, float32) adds to the peak (VmHWM, Linux) of a process that did a small fit, against
the activations saved for backward: 4 bytes × P rows × (4 gates + cell state + hidden state) × H.
Import: the time of `from rnnkit import LSTMClassifier` after `import sklearn.neural_network`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import run_in_new_process
from speed.rows import at_most, missing

FIT = """
import re, warnings
import numpy as np
from rnnkit import LSTMClassifier
warnings.simplefilter("ignore")
X = np.random.default_rng(0).standard_normal(({n}, {t}, {i})).astype(np.float32)
y = np.arange({n}) % 2
def peak():
    with open("/proc/self/status") as status:
        return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", status.read())[1])
def fit(X):
    LSTMClassifier({h}, batch_size={n}, max_iter=1, random_state=0).fit(X, y)
fit(X[:, :2])
before = peak()
fit(X)
print(peak() - before)
"""
IMPORT = """
import time
import sklearn.neural_network
begin = time.perf_counter()
from rnnkit import LSTMClassifier
print(time.perf_counter() - begin)
"""


def printed_number(code):
    """Return the number that code prints in a fresh interpreter."""
    return float(run_in_new_process(code))


def peak_memory(run):
    """Row of a fit's peak memory."""
    n, t, i, h = 64, 500, 16, 128
    added = printed_number(FIT.format(n=n, t=t, i=i, h=h))
    saved = 4 * n * t * (4 + 1 + 1) * h
    run.results.write(kind="peak memory", bytes=added, saved_activations=saved)
    what = f"peak memory of a fit over saved activations ({saved / 2**20:.0f} MiB)"
    return [at_most(what, added / saved, 1.2, "×")]


def import_time(run):
    """Row of the import."""
    printed_number(IMPORT)  # leaves the bytecode
    times = [printed_number(IMPORT) for _ in range(3 if run.quick else 9)]
    run.results.write(kind="import", seconds=times)
    what = "import of an estimator beyond scikit-learn's"
    return [at_most(what, statistics.median(times), 0.1, " s")]


def wheel_size(run):
    """Row of the wheel, built in a folder that is removed."""
    if run.quick:
        return [missing("wheel", "not built in a quick run", "<= 5 MB")]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder]
        repository = str(Path(__file__).parents[2])
        subprocess.run([sys.executable, "-m", "pip", "wheel", *options, repository], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        size = wheel.stat().st_size
    run.results.write(kind="wheel", bytes=size)
    return [at_most("wheel", size / 1e6, 5, " MB")]

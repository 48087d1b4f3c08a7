"""Neighbours: processes that take processors, and whether the machine gives what it promises."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time

BUSY = "print('runs', flush=True)\nwhile True: pass"
FITS = """
import warnings
import numpy as np
from rnnkit import LSTMClassifier
warnings.simplefilter("ignore")
rng = np.random.default_rng(1)
X, y = rng.normal(size=(600, 60, 1)).astype("f"), rng.integers(0, 5, 600)
print('runs', flush=True)
while True:
    LSTMClassifier(hidden_size=48, batch_size=32, max_iter=1, random_state=0).fit(X, y)
"""
LOADS = {
    "alone": [],
    "beside 1": [BUSY],
    "beside 2": [BUSY] * 2,
    "beside 4": [BUSY] * 4,
    "beside rnnkit": [FITS],
}
TICKS = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def neighbours(name):
    """Run the processes of a load inside the ``with`` block; their process ids.

    RuntimeError if one does not run, or has ended before the block: what was measured then was not
    beside it.
    """
    started = [
        subprocess.Popen([sys.executable, "-P", "-c", code], stdout=subprocess.PIPE)
        for code in LOADS[name]
    ]
    try:
        for process in started:
            if process.stdout.readline().strip() != b"runs":
                raise RuntimeError(f"a process of the load {name!r} did not begin")
        yield [process.pid for process in started]
        if any(process.poll() is not None for process in started):
            raise RuntimeError(f"a process of the load {name!r} ended before its time")
    finally:
        for process in started:
            process.kill()
            process.communicate()


class Foreign:
    """Processor time that neither this process nor its neighbours used, from /proc."""

    def __init__(self, pids):
        self._files = [f"/proc/{pid}/stat" for pid in pids]
        self._before = self._read()

    def _read(self):
        own = sum(os.times()[:2])
        for file in self._files:
            with open(file, encoding="utf-8") as line:
                fields = line.read().rsplit(")", 1)[1].split()
            own += (int(fields[11]) + int(fields[12])) / TICKS
        with open("/proc/stat", encoding="utf-8") as lines:
            fields = [int(field) for field in lines.readline().split()[1:]]
        return (sum(fields) - fields[3] - fields[4]) / TICKS, own, time.perf_counter()

    def share(self):
        """Return the processors that others had, on average, since the last call."""
        before, self._before = self._before, self._read()
        busy, own, seconds = (now - then for now, then in zip(self._before, before))
        return max(0.0, busy - own) / seconds


COUNT = """
import sys, time
while sys.stdin.readline():
    n, end = 0, time.perf_counter() + {seconds}
    while time.perf_counter() < end: n += 1
    print(n, flush=True)
"""


def processors_there(seconds=0.15):
    """Return how much two processes get done together, in units of what one does alone."""
    code = COUNT.format(seconds=seconds)
    pipe = subprocess.PIPE
    pair = [
        subprocess.Popen([sys.executable, "-P", "-c", code], stdin=pipe, stdout=pipe, text=True)
        for _ in range(2)
    ]

    def count(processes):
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        return sum(int(process.stdout.readline()) for process in processes)

    count(pair)
    alone = max(count(pair[:1]), count(pair[1:]))
    together = count(pair)
    for process in pair:
        process.kill()
        process.communicate()
    return together / alone

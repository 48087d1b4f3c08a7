"""How long a share of the tests takes in two processes at once, against once alone.

    python benchmarks/bench_workers.py [--rounds 1] [TEST ...]

What a test suite with two workers looks like on two processors: each run has the default number of
threads. By default the share is a minute of fits, layers and solvers. Goals: two at once take less
than 1.5 times the time of one, and each within 1.3 of its share, what one takes alone with one
thread.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from harness import Results
from neighbours.loads import processors_there

ROOT = Path(__file__).resolve().parents[1]
TESTS = ["tests/golden", "tests/functional/test_recurrent.py", "tests/training/test_trainer.py"]
AT_ONCE, SHARE = 1.5, 1.3


def seconds(tests, n, **variables):
    """Run the tests in n processes at once; how long the slowest took."""
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    begin = time.perf_counter()
    runs = [
        subprocess.Popen(
            command, cwd=ROOT, env={**environment, **variables}, stdout=subprocess.PIPE, text=True
        )
        for _ in range(n)
    ]
    for run in runs:
        out, _ = run.communicate()
        if run.returncode:
            raise SystemExit(f"the tests failed:\n{out[-2000:]}")
    return time.perf_counter() - begin


def main():
    """Measure and print both goals."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tests", nargs="*", default=TESTS)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    there = processors_there()
    print(f"two processes get {there:.2f} times done what one does", flush=True)
    results = Results("workers")
    for _ in range(options.rounds):
        one_thread = seconds(options.tests, 1, OMP_NUM_THREADS="1")
        alone, both = seconds(options.tests, 1), seconds(options.tests, 2)
        results.write(
            kind="workers", tests=options.tests, processors=there, one_thread=one_thread,
            alone=alone, both=both,
        )  # fmt: skip
        print(
            f"one thread {one_thread:.1f} s, alone {alone:.1f} s, two at once {both:.1f} s: "
            f"{both / alone:.2f}× of one (goal < {AT_ONCE}), {both / one_thread:.2f}× of its share "
            f"(goal <= {SHARE})",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Fits, predicts and layers beside other processes: is the default ever slower than one thread?

    python benchmarks/bench_neighbours.py [--quick] [--only NAME ...] [--loads NAME ...]

Everything is timed alone, beside one, two and four processes that only count, and beside another
rnnkit that fits; with one thread and with the default number, PyTorch and ONNX Runtime likewise,
in turn, at the same load. A figure is the mean of one thread's times over that of the default's:
a scheduler deals out processors in slices of some milliseconds, so calls shorter than that are
either undisturbed or stopped for a slice, and a median would show only one of the two. The worst
call is shown beside it. Before all, two processes count together to see whether two processors are
really there, and rounds in which processes of others took more than a tenth of one are left out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from harness import SETTLE_SECONDS, Results, use_threads, warm_up
from neighbours.loads import LOADS, Foreign, neighbours, processors_there
from neighbours.work import BATCHES, LAYERS, fit_job, layer_job, predict_job
from speed.rows import Row, at_least, at_most, missing

from rnnkit.backends.cpu import core_information

BLOCK_SECONDS = 0.1  # of calls of one contender in a round
MOST_FOREIGN = 0.1  # processors that others may have had in a round
FIT_GOALS = {"alone": 1.5, "beside 1": 1.0, "beside 2": 1.2, "beside 4": 1.3, "beside rnnkit": 0.95}
LAYER_GOALS = {"small": 1.45, "middle": 1.8, "wide": 1.9}
SLICE_MS = 8  # that the worst call may be longer than one thread's
SHARE = 1.3  # times its share that each of two workers may take


def timed(job, pids, seconds, n_calls=0):
    """Return {contender: seconds of its calls} of the quiet rounds, and how many were left out."""
    times = {name: [] for name in job.calls}
    foreign = Foreign(pids)
    end, rounds, noisy = time.perf_counter() + seconds, 0, 0
    while rounds < 3 or time.perf_counter() < end:
        rounds += 1
        round_times = {}
        foreign.share()
        for name, (call, n) in job.calls.items():
            use_threads(n)
            time.sleep(SETTLE_SECONDS)
            warm_up(call)
            stop = time.perf_counter() + BLOCK_SECONDS
            round_times[name] = []
            while not round_times[name] or time.perf_counter() < stop:
                begin = time.perf_counter()
                call()
                round_times[name].append(time.perf_counter() - begin)
        if foreign.share() > MOST_FOREIGN:
            noisy += 1
            if noisy < 2 * rounds / 3 or time.perf_counter() < end:
                continue
        for name, found in round_times.items():
            times[name] += found
        if n_calls and all(len(found) >= n_calls for found in times.values()):
            break
    return {name: np.array(found) for name, found in times.items()}, noisy


class Table:
    """What was measured, {(job, load): times}, and the rows of the table."""

    def __init__(self, threads, results):
        self.threads = threads
        self.results = results
        self.times = {}

    def measure(self, job, load, pids, seconds, n_calls=0):
        """Time a job at a load and print what came out."""
        times, noisy = timed(job, pids, seconds, n_calls)
        self.times[job.name, load] = times
        shown = []
        for name, found in times.items():
            library, n = name.split("/")
            text = f"{name} {1e3 * np.median(found):.3g} [{1e3 * found.max():.3g}]"
            if n != "1":
                text += f" {times[f'{library}/1'].mean() / found.mean():.2f}×"
            shown.append(text)
            self.results.write(
                kind="neighbours", job=job.name, load=load, contender=name, noisy_rounds=noisy,
                calls=len(found), mean=found.mean(), median=np.median(found), worst=found.max(),
            )  # fmt: skip
        left_out = f" ({noisy} noisy rounds)" if noisy else ""
        print(f"{job.name}, {load}: {'; '.join(shown)}{left_out}", flush=True)

    def ours(self, job, load):
        """Return our times with one thread and with the default, None if not measured."""
        times = self.times.get((job, load))
        return times and (times["rnnkit/1"], times[f"rnnkit/{self.threads}"])

    def gain(self, job, load):
        """Return one thread's mean time over the default's."""
        one, default = self.ours(job, load)
        return one.mean() / default.mean()

    def rows(self):
        """Return every goal beside its figure."""
        rows = []
        for load, goal in FIT_GOALS.items():
            if self.ours("fit", load):
                rows.append(at_least(f"small fit, {load}", self.gain("fit", load), goal))
        if self.ours("fit", "beside 1"):
            one, default = self.ours("fit", "beside 1")
            worst = default.max() / np.median(one)
            rows.append(at_most("worst small fit beside 1 / one thread's median", worst, 1.25, "×"))
        for size, goal in LAYER_GOALS.items():
            jobs = [job for job, load in self.times if load == "alone" and job.startswith(size)]
            gains = [self.gain(job, "alone") for job in jobs if "B=1," not in job]
            if gains:
                rows.append(
                    at_least(f"{size} layer alone, lowest of {len(gains)}", min(gains), goal)
                )
        for job, load in self.times:
            if job == CALLS:
                one, default = self.ours(job, load)
                rows.append(
                    at_most(
                        f"worst of {len(default)} small calls, {load}, beyond one thread's",
                        1e3 * (default.max() - one.max()), SLICE_MS, " ms",
                    )
                )  # fmt: skip
        return rows


CALLS = "small layer, B=32, train"

SEARCH = """
import sys, time, warnings
import numpy as np
from sklearn.model_selection import GridSearchCV
from rnnkit import LSTMClassifier
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X, y = rng.normal(size=(600, 60, 1)).astype("f"), rng.integers(0, 3, 600)
model = LSTMClassifier(batch_size=32, max_iter=15, tol=0, random_state=0)
for n_jobs in (1, 2) * {rounds}:
    search = GridSearchCV(model, {{"hidden_size": [32, 48]}}, cv=3, n_jobs=n_jobs)
    search.fit(X, y)
    begin = time.perf_counter()
    search.fit(X, y)
    print(n_jobs, time.perf_counter() - begin)
"""

WORKER = """
import sys, time, warnings
import numpy as np
from rnnkit import LSTMClassifier
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X, y = rng.normal(size=(600, 60, 1)).astype("f"), rng.integers(0, 3, 600)
model = LSTMClassifier(48, batch_size=32, max_iter=1, tol=0, random_state=0).fit(X, y)
print("ready", flush=True)
sys.stdin.readline()
begin = time.perf_counter()
for _ in range({fits}):
    model.fit(X, y)
print(time.perf_counter() - begin, flush=True)
"""


def python(code, **environment):
    """Start code in a fresh interpreter."""
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, env={**os.environ, **environment},
    )  # fmt: skip


def grid_search(rounds):
    """Return the row of a grid search with two jobs against half the time of one thread."""
    found = {1: [], 2: []}
    out, _ = python(SEARCH.format(rounds=rounds), OMP_NUM_THREADS="1").communicate()
    for line in out.splitlines():
        found[int(line.split()[0])].append(float(line.split()[1]))
    code = SEARCH.format(rounds=rounds).replace("(1, 2)", "(2,)")
    out, _ = python(code).communicate()
    default = [float(line.split()[1]) for line in out.splitlines()]
    share = np.median(found[1]) / 2
    print(f"grid search: one thread {np.median(found[1]):.2f} s, two jobs {default}", flush=True)
    what = "GridSearchCV(n_jobs=2) / half of one thread's time"
    return at_most(what, np.median(default) / share, SHARE, "×")


def two_workers(fits, rounds=3):
    """Return the row of two processes that fit at once, each against one thread alone."""

    def seconds(n, **environment):
        workers = [python(WORKER.format(fits=fits), **environment) for _ in range(n)]
        for worker in workers:
            worker.stdout.readline()
        for worker in workers:
            worker.stdin.write("\n")
            worker.stdin.flush()
        return max(float(worker.communicate()[0]) for worker in workers)

    alone = [seconds(1, OMP_NUM_THREADS="1") for _ in range(rounds)]
    both = [seconds(2) for _ in range(rounds)]
    print(f"two workers: one thread alone {alone} s, two at once {both} s", flush=True)
    what = "each of two processes that fit at once / one thread alone"
    return at_most(what, np.median(both) / np.median(alone), SHARE, "×")


def jobs_of(quick, threads):
    """Return what is timed, each with the factor of its time and its least number of calls."""
    jobs = [(fit_job(threads), 3.0, 0), (predict_job(threads), 0.7, 0)]
    for size in LAYERS:
        for n_sequences in (32,) if quick else BATCHES:
            for task in ("train",) if quick else ("forward", "train"):
                job = layer_job(size, n_sequences, task, threads)
                jobs.append((job, 1.0, 1000 if job.name == CALLS else 0))
    return jobs


def main():
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few shapes, within 200 s")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="jobs whose name contains one")
    parser.add_argument("--loads", nargs="+", choices=LOADS, default=list(LOADS))
    options = parser.parse_args()
    if not Path("/proc/stat").exists():
        parser.error("this benchmark reads /proc and needs Linux")
    threads = core_information()["threads"]
    if threads < 2 or os.environ.get("OMP_NUM_THREADS"):
        parser.error("needs two processors and OMP_NUM_THREADS unset")
    there = processors_there()
    print(f"two processes get {there:.2f} times done what one does; default threads {threads}")
    table = Table(threads, Results("neighbours"))
    jobs = [
        job
        for job in jobs_of(options.quick, threads)
        if not options.only or any(name in job[0].name for name in options.only)
    ]
    for load in options.loads:
        with neighbours(load) as pids:
            for job, factor, n_calls in jobs:
                seconds = factor * (2.0 if options.quick else 8.0)
                table.measure(job, load, pids, seconds, n_calls)
    rows = table.rows()
    if not options.only or "workers" in options.only:
        rows += [grid_search(1 if options.quick else 3), two_workers(5 if options.quick else 20)]
    if there < 1.8:
        rows = [missing(row.what, f"{there:.2f} processors", row.goal) for row in rows]
    print_table(rows)


def print_table(rows: list[Row]) -> None:
    """Print each goal beside its figure."""
    width = max(len(row.what) for row in rows)
    verdicts = {True: "met", False: "MISSED", None: "not measured"}
    for row in rows:
        print(f"{row.what:{width}}  {row.measured:>16}  {row.goal:>10}  {verdicts[row.met]}")


if __name__ == "__main__":
    main()

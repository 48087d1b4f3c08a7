"""Fits, predicts and layers beside other processes: is the default ever slower than one thread?

    python benchmarks/bench_neighbours.py [--quick] [--only NAME ...] [--loads NAME ...]
    python benchmarks/bench_neighbours.py --resume FILE --limit 200   # again, until all is there

Everything is timed alone, beside one, two and four processes that only count, and beside another
rnnkit that fits; with one thread and with the default number, PyTorch and ONNX Runtime likewise,
in turn, at the same load. A figure is the mean of one thread's times over that of the default's:
a scheduler deals out processors in slices of some milliseconds, so calls shorter than that are
either undisturbed or stopped for a slice, and a median would show only one of the two. The worst
call is shown beside it. Before all, two processes count together to see whether two processors are
really there, and rounds in which processes of others took more than a tenth of one are left out.

The whole table takes a quarter of an hour of a quiet machine. With ``--resume`` what was measured
is kept in a file and not measured again, and nothing is begun after ``--limit`` seconds, so it can
be made in pieces; each run prints all goals with what there is so far.
"""

from __future__ import annotations

import argparse
import json
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

# Of calls of one contender in a round; a fit lasts for longer than the favour that a scheduler does
# to who has just slept.
BLOCK_SECONDS, FIT_SECONDS = 0.1, 1.0
LEAST_ROUNDS = 3
MOST_FOREIGN = 0.1  # processors that others may have had in a round
FIT_GOALS = {"alone": 1.5, "beside 1": 1.0, "beside 2": 1.2, "beside 4": 1.3, "beside rnnkit": 0.95}
LAYER_GOALS = {"small": 1.45, "middle": 1.8, "wide": 1.9}
SLICE_MS = 8  # that the worst call may be longer than one thread's
LEAST_PROCESSORS = 1.8  # that two processes must get, for figures to say anything
SHARE = 1.3  # times its share that each of two workers may take


def timed(job, pids, seconds, n_calls=0):
    """Return {contender: seconds of its calls} of the quiet rounds, and how many were left out.

    Each contender has an equal share of the time, three times that to come to n_calls, and sits
    out when it is used up: else one slow rival would leave the others three calls each.
    """
    times = {name: [] for name in job.calls}
    used = dict.fromkeys(job.calls, 0.0)
    share = seconds / len(job.calls)

    def has_turn(name):
        wanted = share if len(times[name]) >= n_calls else 3 * share
        return rounds <= LEAST_ROUNDS or used[name] < wanted

    block = FIT_SECONDS if job.name == "fit" else BLOCK_SECONDS
    foreign = Foreign(pids)
    rounds, noisy = 1, 0
    while turns := [name for name in job.calls if has_turn(name)]:
        round_times = {}
        foreign.share()
        for name in turns:
            call, n = job.calls[name]
            use_threads(n)
            time.sleep(SETTLE_SECONDS)
            warm_up(call)
            begin = time.perf_counter()
            round_times[name] = repeated(call, block)
            used[name] += time.perf_counter() - begin
        if foreign.share() > MOST_FOREIGN and noisy < 2 * rounds / 3:
            noisy += 1
        else:
            for name, found in round_times.items():
                times[name] += found
        rounds += 1
    return {name: np.array(found) for name, found in times.items()}, noisy


def repeated(call, seconds):
    """Return the seconds of each call, one after the other until the time is over."""
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return times


class Table:
    """What was measured, {(job, load): times}, and the rows of the table."""

    def __init__(self, threads, results, file=None):
        self.threads = threads
        self.results = results
        self.times = {}
        self.others = {}  # rows that are one measurement each
        self._file = file
        if file and file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                self._take(json.loads(line))

    def _take(self, record):
        if "row" in record:
            self.others[record["name"]] = Row(*record["row"])
        else:
            times = {name: np.array(found) for name, found in record["times"].items()}
            self.times[record["job"], record["load"]] = times

    def _keep(self, record):
        self._take(record)
        if self._file:
            with self._file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(record) + "\n")

    def measure_row(self, name, measure):
        """Measure a row by itself."""
        self._keep({"name": name, "row": measure()})

    def measure(self, job, load, pids, seconds, n_calls=0):
        """Time a job at a load and print what came out."""
        times, noisy = timed(job, pids, seconds, n_calls)
        kept = {name: [round(t, 7) for t in found] for name, found in times.items()}
        self._keep({"job": job.name, "load": load, "times": kept})
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
            what = f"small fit, {load}"
            if self.ours("fit", load):
                rows.append(at_least(what, self.gain("fit", load), goal))
            else:
                rows.append(missing(what, "", f">= {goal:g}×"))
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
        return rows + list(self.others.values())


CALLS = "small layer, B=32, train"

SEARCH = """
import sys, time, warnings
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV
from rnnkit import LSTMClassifier
warnings.simplefilter("ignore")
class Counts(BaseEstimator):
    def __init__(self, n=0, hidden_size=0):
        self.n, self.hidden_size = n, hidden_size
    def fit(self, X, y):
        for _ in range(self.n): pass
        return self
    def score(self, X, y): return 0.0
def seconds(call):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin
rng = np.random.default_rng(0)
X, y = rng.normal(size=(600, 60, 1)).astype("f"), rng.integers(0, 3, 600)
models = {{"rnnkit": LSTMClassifier(48, batch_size=32, max_iter={epochs}, tol=0, random_state=0)}}
fit = min(seconds(lambda: models["rnnkit"].fit(X[:400], y[:400])) for _ in range(2))
million = min(seconds(lambda: Counts(10**6).fit(X, y)) for _ in range(3))
models["counts"] = Counts(int(1e6 * fit / million))
for name, model in models.items():
    for n_jobs in (1, 2):
        search = GridSearchCV(model, {{"hidden_size": [48, 49]}}, cv=3, refit=False, n_jobs=n_jobs)
        times = [seconds(lambda: search.fit(X, y)) for _ in range({rounds} + 1)]
        print(name, n_jobs, *times)
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


def grid_search(rounds, epochs):
    """Return the row of a grid search with two jobs against half of its time with one.

    Six fits, nothing refitted, in a process whose jobs were started before: importing takes a new
    one a second, whatever it then fits. Beside it stands the same search over an estimator that
    only counts for as long: what scikit-learn and joblib take.
    """
    code = SEARCH.format(rounds=rounds, epochs=epochs)

    def warm_seconds(**environment):
        out, _ = python(code, **environment).communicate()
        lines = [line.split() for line in out.splitlines()]
        return {
            (name, int(n)): np.median([float(t) for t in times[1:]]) for name, n, *times in lines
        }

    one, default = warm_seconds(OMP_NUM_THREADS="1"), warm_seconds()
    ratios = {name: 2 * default[name, 2] / one[name, 1] for name in ("rnnkit", "counts")}
    print(
        f"grid search: one job with one thread {one['rnnkit', 1]:.2f} s, two jobs "
        f"{default['rnnkit', 2]:.2f} s, {ratios['rnnkit']:.2f}× their share; an estimator that "
        f"only counts {one['counts', 1]:.2f} and {default['counts', 2]:.2f} s, "
        f"{ratios['counts']:.2f}×",
        flush=True,
    )
    return at_most(
        "GridSearchCV(n_jobs=2) / half of one thread's time", ratios["rnnkit"], SHARE, "×"
    )


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
    jobs = [(fit_job(threads), 6.0, 0), (predict_job(threads), 0.7, 0)]
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
    parser.add_argument("--resume", type=Path, metavar="FILE", help="what was measured already")
    parser.add_argument("--limit", type=float, metavar="SECONDS", help="begin nothing after them")
    options = parser.parse_args()
    if not Path("/proc/stat").exists():
        parser.error("this benchmark reads /proc and needs Linux")
    threads = core_information()["threads"]
    if threads < 2 or os.environ.get("OMP_NUM_THREADS"):
        parser.error("needs two processors and OMP_NUM_THREADS unset")
    end = time.perf_counter() + (options.limit or float("inf"))
    there = processors_there()
    print(f"two processes get {there:.2f} times done what one does; default threads {threads}")
    if there < LEAST_PROCESSORS and options.resume:
        parser.error(f"two processors are not really there now: {there:.2f}; try again later")
    table = Table(threads, Results("neighbours"), options.resume)
    jobs = [
        job
        for job in jobs_of(options.quick, threads)
        if not options.only or any(name in job[0].name for name in options.only)
    ]
    left = 0
    for load in options.loads:
        todo = [job for job in jobs if (job[0].name, load) not in table.times]
        with neighbours(load if todo and time.perf_counter() < end else "alone") as pids:
            for job, factor, n_calls in todo:
                if time.perf_counter() < end:
                    seconds = factor * (2.0 if options.quick else 8.0)
                    table.measure(job, load, pids, seconds, n_calls)
                else:
                    left += 1
    by_themselves = {
        "search": lambda: grid_search(*((1, 15) if options.quick else (3, 60))),
        "workers": lambda: two_workers(5 if options.quick else 20),
    }
    for name, measure in by_themselves.items():
        if (not options.only or name in options.only) and name not in table.others:
            if time.perf_counter() < end:
                table.measure_row(name, measure)
            else:
                left += 1
    rows = table.rows()
    if there < LEAST_PROCESSORS:
        rows = [missing(row.what, f"{there:.2f} processors", row.goal) for row in rows]
    print_table(rows)
    if left:
        print(f"{left} measurements are left for the next run")


def print_table(rows: list[Row]) -> None:
    """Print each goal beside its figure."""
    width = max(len(row.what) for row in rows)
    verdicts = {True: "met", False: "MISSED", None: "not measured"}
    for row in rows:
        print(f"{row.what:{width}}  {row.measured:>16}  {row.goal:>10}  {verdicts[row.met]}")


if __name__ == "__main__":
    main()

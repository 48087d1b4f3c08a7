"""Rows of one recurrent layer: forward, training, share of peak, second thread, ragged.

Times come from `bench_recurrent.measure`, which checks that all compared do equal work. The ratio
asked for at a shape is the goal below, or what the machine's peak leaves of it (speed/peaks.py);
the lowest row is the shape that is furthest from its own.
"""

from __future__ import annotations

from functools import cache

from bench_recurrent import SHAPES, best_rival, measure, report, training_flops
from harness import geometric_mean
from speed.peaks import SHARE
from speed.rows import at_least

LOWEST = {("lstm", "train"): 1.35, ("gru", "train"): 1.4, ("lstm", "forward"): 1.15}
LOWEST["gru", "forward"] = 1.0
SECOND_THREAD = 0.925  # of what a second thread gives a large product
MEAN = {
    ("lstm", "train"): {1: 1.8, 2: 2.4},
    ("gru", "train"): {1: 2.5, 2: 3.6},
    ("lstm", "forward"): {1: 1.3, 2: 1.3},
    ("gru", "forward"): {1: 1.8, 2: 1.8},
}


class Layers:
    """Measured layers, each shape once a run."""

    def __init__(self, run):
        self.run = run
        self.shapes = [SHAPES[i] for i in (0, 2, 5)] if run.quick else SHAPES
        self.times = cache(self._times)

    def _times(self, cell, shape, n_threads, ragged=False):
        tasks = ("train",) if ragged else ("forward", "train")
        run = self.run
        times, lengths = measure(
            cell, shape, n_threads, ragged, run.repeats, run.seconds, tasks=tasks
        )
        for task in tasks:
            report(run.results, cell, task, shape, n_threads, ragged, times[task], lengths)
        return times, lengths

    def against_rivals(self, cell, task):
        """Rows of lowest ratio and geometric mean, on 1 and on 2 threads."""
        rows = []
        for n_threads in (1, 2):
            ratios, lowest, means = [], [], []
            lowest_goal = LOWEST.get((cell, task), 1.0)
            mean_goal = MEAN.get((cell, task), {1: 1.0, 2: 1.0})[n_threads]
            for shape in self.shapes:
                times, lengths = self.times(cell, shape, n_threads)
                flops = training_flops(cell, lengths, *shape[2:]) / (1 if task == "train" else 3)
                rival, ours = best_rival(times[task]), times[task]["rnnkit"]
                ratios.append(rival / ours)
                for goals, goal in ((lowest, lowest_goal), (means, mean_goal)):
                    goals.append(self.run.peaks.limited(goal, rival, ours, flops, n_threads))
            what = f"{cell} {task}, {n_threads} thread{'s' * (n_threads > 1)}"
            i = min(range(len(ratios)), key=lambda i: ratios[i] / lowest[i])
            size = ",".join(map(str, self.shapes[i]))
            rows.append(at_least(f"{what}, lowest ({size})", ratios[i], lowest[i]))
            rows.append(
                at_least(f"{what}, geometric mean", geometric_mean(ratios), geometric_mean(means))
            )
        return rows

    def share_of_peak(self):
        """Rows of training at H >= 128 and B >= 32 as a share of the sgemm peak."""
        peak = self.run.peaks.float32[1]
        rows = []
        for cell in ("lstm", "gru"):
            shares = []
            for shape in (s for s in self.shapes if s[3] >= 128 and s[0] >= 32):
                times, lengths = self.times(cell, shape, 1)
                flops = training_flops(cell, lengths, *shape[2:])
                shares.append(100 * flops / times["train"]["rnnkit"] / 1e6 / peak)
            what = f"{cell} training, share of sgemm peak ({peak:.0f} GFLOP/s), lowest"
            rows.append(at_least(what, min(shares), 100 * SHARE, " %"))
        return rows

    def second_thread(self):
        """Rows of the gain from a second thread in training at B >= 32."""
        rows = []
        for cell in ("lstm", "gru"):
            gains = [
                self.times(cell, shape, 1)[0]["train"]["rnnkit"]
                / self.times(cell, shape, 2)[0]["train"]["rnnkit"]
                for shape in self.shapes
                if shape[0] >= 32
            ]
            goal = self.run.peaks.of_threads(SECOND_THREAD)
            rows.append(at_least(f"{cell} training, second thread, lowest", min(gains), goal))
        return rows

    def ragged(self):
        """Rows of ragged training against PyTorch packed and padded."""
        rows = []
        shapes = [s for s in self.shapes if s[0] > 1]
        for cell in ("lstm", "gru"):
            packed, padded = {}, {}
            for shape in shapes:
                times = self.times(cell, shape, 1, ragged=True)[0]["train"]
                packed[shape] = best_rival(times, "torch packed/") / times["rnnkit"]
                padded[shape] = best_rival(times, "torch/") / times["rnnkit"]
            small = [ratio for shape, ratio in packed.items() if shape[3] <= 128]
            what = f"{cell} ragged training against torch"
            rows += [
                at_least(f"{what} packed, lowest", min(packed.values()), 3.5),
                at_least(f"{what} packed, H <= 128, lowest", min(small), 10),
                at_least(f"{what} padded, lowest", min(padded.values()), 2),
            ]
        return rows

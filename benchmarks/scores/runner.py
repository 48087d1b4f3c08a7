"""Run a task over several seeds, print the mean and the spread, and record them."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

DEFAULT_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@dataclass(frozen=True)
class Task:
    """One figure of the tables: what computes it and what it is held against."""

    name: str
    run: Callable[[int], float]  # seed -> held-out figure
    target: float
    larger_is_better: bool = True
    unit: str = "accuracy"

    def reaches_target(self, figure: float) -> bool:
        """Tell whether a mean figure is at or beyond the target."""
        return figure >= self.target if self.larger_is_better else figure <= self.target


@cache
def loaders():
    """Return the module loaders.py of the data folder (RNNKIT_DATA)."""
    folder = Path(os.environ.get("RNNKIT_DATA", DEFAULT_DATA))
    if not folder.is_dir():
        raise SystemExit(f"{folder} is absent; set RNNKIT_DATA to the folder of data sets")
    spec = importlib.util.spec_from_file_location("data_loaders", folder / "loaders.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_task(task: Task, seeds: int, results) -> None:
    """Run a task with seeds 0 .. seeds - 1, print a line and record it."""
    figures, times = [], []
    for seed in range(seeds):
        begin = time.perf_counter()
        figures.append(float(task.run(seed)))
        times.append(time.perf_counter() - begin)
    mean, spread = float(np.mean(figures)), float(np.std(figures))
    verdict = "reached" if task.reaches_target(mean) else "missed"
    sign = ">=" if task.larger_is_better else "<="
    print(
        f"{task.name:24} {mean:.4f} ± {spread:.4f} {task.unit:10} ({seeds} seeds)  "
        f"target {sign} {task.target:g}: {verdict:7}  {np.mean(times):.1f} s a run",
        flush=True,
    )
    results.write(
        kind="score",
        task=task.name,
        unit=task.unit,
        mean=mean,
        std=spread,
        figures=figures,
        target=task.target,
        seconds=times,
    )

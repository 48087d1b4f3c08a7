"""Held-out scores on real data, mean ± standard deviation over seeds, beside their targets.

    python benchmarks/bench_scores.py [task or family ...] [--seeds 5]

The data folder is taken from RNNKIT_DATA. Families are the files under benchmarks/scores/.
"""

import argparse
import importlib
from pathlib import Path

from harness import Results
from scores.runner import run_task

FAMILIES = sorted(
    path.stem for path in (Path(__file__).parent / "scores").glob("*.py") if path.stem != "runner"
)


def main():
    """Run the tasks named on the command line, all by default."""
    tasks = {
        task.name: (family, task)
        for family in FAMILIES
        for task in importlib.import_module(f"scores.{family}").TASKS
    }
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join([*FAMILIES, *tasks]))
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    unknown = set(options.names) - set(tasks) - set(FAMILIES)
    if unknown:
        parser.error(f"unknown {sorted(unknown)}; known are {', '.join([*FAMILIES, *tasks])}")
    results = Results("scores")
    for name, (family, task) in tasks.items():
        if not options.names or {name, family} & set(options.names):
            run_task(task, options.seeds, results)


if __name__ == "__main__":
    main()

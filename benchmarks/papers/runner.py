"""What the experiments share: running every seed, printing and recording what it took."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import numpy as np

from benchmarks.harness import Results


@dataclass(frozen=True)
class Outcome:
    """What one run of an experiment came to."""

    reached: bool
    n_sequences: int  # trained on until the run ended
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """An experiment of the literature and the number of training sequences it may take."""

    name: str
    run: Callable[[int], Outcome]  # seed -> outcome
    limit: int
    seeds: int = 10
    paper: str = ""  # the figure that the paper reports


def run_experiments(description: str, *experiments: Experiment) -> None:
    """Run experiments with seeds of the command line, print and record them."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("names", nargs="*", metavar="name", help="experiments; all by default")
    parser.add_argument("--seeds", type=int, metavar="N", help="number of runs of each")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="seed of the first")
    options = parser.parse_args()
    known = [experiment.name for experiment in experiments]
    if set(options.names) - set(known):
        parser.error(f"known are {', '.join(known)}; got {', '.join(options.names)}")
    results = Results("papers")
    for experiment in experiments:
        if not options.names or experiment.name in options.names:
            n_seeds = options.seeds or experiment.seeds
            _run(experiment, range(options.first, options.first + n_seeds), results)


def _run(experiment: Experiment, seeds: range, results: Results) -> None:
    outcomes = []
    for seed in seeds:
        begin = time.process_time()
        outcome = experiment.run(seed)
        seconds = time.process_time() - begin
        outcomes.append(outcome)
        figures = "  ".join(f"{name} {value:.4g}" for name, value in outcome.figures.items())
        print(
            f"{experiment.name}  seed {seed}: {'reached' if outcome.reached else 'MISSED '}  "
            f"{outcome.n_sequences:6,} sequences  {figures}  {seconds:.0f} s of processor",
            flush=True,
        )
        results.write(
            kind="run", experiment=experiment.name, seed=seed, seconds=seconds, **asdict(outcome)
        )
    needed = [outcome.n_sequences for outcome in outcomes if outcome.reached]
    spread = ""
    if needed:
        spread = f"; {min(needed):,} to {max(needed):,}, median {np.median(needed):,.0f}"
    means = {
        name: float(np.nanmean([outcome.figures[name] for outcome in outcomes]))
        for name in outcomes[0].figures
    }
    shown = "".join(f"; mean {name} {value:.4g}" for name, value in means.items())
    paper = f"; paper: {experiment.paper}" if experiment.paper else ""
    print(
        f"{experiment.name}: {len(needed)} of {len(seeds)} seeds within "
        f"{experiment.limit:,} sequences{spread}{shown}{paper}",
        flush=True,
    )
    results.write(
        kind="summary",
        experiment=experiment.name,
        reached=len(needed),
        seeds=len(seeds),
        limit=experiment.limit,
        n_sequences=needed,
        means=means,
    )

"""Every speed goal, measured in one run: the figure, the goal beside it, met or missed.

    python benchmarks/bench_speed.py [--quick] [--only ROWS ...] [--beside N]

RNNKIT_ISA=avx2 in the environment measures that path, with the rivals held to it as well.
benchmarks/README.md says how to read the table.
"""

from __future__ import annotations

import argparse
import time

from harness import Results, environment
from neighbours.loads import neighbours
from speed import bfloat16, directions, fits, footprint, forecasts, labels, small_calls, texts
from speed.layers import Layers
from speed.peaks import Peaks, measured_peaks
from speed.rows import Run, missing


def groups(run):
    """Return {name: function that measures its rows}, in the order of the table."""
    layers = Layers(run)
    found = {
        f"{cell}-{task}": lambda cell=cell, task=task: layers.against_rivals(cell, task)
        for task in ("train", "forward")
        for cell in ("lstm", "gru", "rnn")
    }
    return found | {
        "peak": layers.share_of_peak,
        "second-thread": layers.second_thread,
        "ragged": layers.ragged,
        "directions": lambda: directions.rows(run),
        "epoch": lambda: fits.epoch(run),
        "labels": lambda: labels.against_torch(run),
        "tables": lambda: labels.large_tables(run),
        "grid": lambda: fits.grid_search(run),
        "text-train": lambda: texts.training(run),
        "text-write": lambda: texts.writing(run),
        "forecast": lambda: forecasts.training(run),
        "streaming": lambda: small_calls.streaming(run),
        "python-share": lambda: small_calls.python_share(run),
        "gate-functions": lambda: small_calls.gate_functions(run),
        "memory": lambda: footprint.peak_memory(run),
        "import": lambda: footprint.import_time(run),
        "bf16": lambda: bfloat16.training(run),
        "wheel": lambda: footprint.wheel_size(run),
    }


def heading():
    """Return what the figures depend on, as text."""
    facts = environment()
    core = facts["rnnkit"]["core"]
    packages = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    absent = [name for name in ("torch", "onnxruntime", "jax", "skorch") if name not in packages]
    lines = [
        f"{facts['cpu']}, {facts['cores']} cores, load {facts['load']:.1f}; {facts['time']}",
        f"instruction set in use: {core['isa_in_use']}; {packages}",
        f"rnnkit measured at commit {facts['commit']}, benchmarks {facts['benchmarks_commit']}",
    ]
    return "\n".join(
        lines + [f"not installed, so not compared: {', '.join(absent)}"] * bool(absent)
    )


def table(rows, beside):
    """Return the rows as text in columns, with what was measured beside others as the last."""
    width = max(len(row.what) for row in rows)
    verdicts = {True: "met", False: "MISSED", None: "not measured"}
    lines = (
        f"{row.what:{width}}  {row.measured:>12}  {row.goal:>10}  {verdicts[row.met]:12}  {other}"
        for row, other in zip(rows, beside)
    )
    return "\n".join(line.rstrip() for line in lines)


def measured_beside(n_processes, name, measure, run, rows):
    """Return what a group's rows are beside so many processes that only count, "" without any."""
    if not n_processes:
        return [""] * len(rows)
    load = f"beside {n_processes}"
    with neighbours(load):
        others = measured(f"{name} {load}", measure)
    run.results.write(kind="beside", processes=n_processes, rows=[row._asdict() for row in others])
    if len(others) != len(rows):
        return [f"{load}: {others[0].measured}"] * len(rows)
    return [f"{load}: {row.measured}" for row in others]


def measured(name, measure):
    """Return a group's rows; one that fails is a row that says so, and the run goes on."""
    print(f"--- {name}", flush=True)
    begin = time.perf_counter()
    try:
        rows = measure()
    except Exception as error:
        rows = [missing(name, f"failed: {type(error).__name__}: {error}", "")]
        print(rows[0].measured)
    print(f"--- {name} took {time.perf_counter() - begin:.0f} s", flush=True)
    return rows


def main():
    """Measure the groups asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="three shapes, few repeats")
    parser.add_argument("--only", nargs="+", metavar="ROWS", help="of these groups; see README.md")
    parser.add_argument(
        "--beside",
        type=int,
        default=0,
        choices=(0, 1, 2, 4),
        help="each group once more beside so many processes that only count",
    )
    options = parser.parse_args()
    repeats, seconds = (3, 1.0) if options.quick else (15, 6.0)
    run = Run(Results("speed"), options.quick, repeats, seconds, Peaks())
    known = groups(run)
    unknown = set(options.only or ()) - set(known)
    if unknown:
        parser.error(f"unknown {sorted(unknown)}; known are {', '.join(known)}")
    title = heading()
    print(title, flush=True)
    run.peaks = measured_peaks(run)
    title += f"\n{run.peaks}"
    print(run.peaks, flush=True)
    again, rows, beside = groups(run), [], []
    for name in options.only or known:
        of_group = measured(name, known[name])
        rows += of_group
        beside += measured_beside(options.beside, name, again[name], run, of_group)
    for row in rows:
        run.results.write(kind="goal", **row._asdict())
    print(f"\n{title}\n\n{table(rows, beside)}")


if __name__ == "__main__":
    main()

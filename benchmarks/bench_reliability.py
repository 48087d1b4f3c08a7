"""How much was tried to break it: one table, each figure beside the command that repeats it.

    python benchmarks/bench_reliability.py             # the stated figures; hours
    python benchmarks/bench_reliability.py --share 0.01
    python benchmarks/bench_reliability.py --only fuzz memory

A row is a command of the repository's tests with its figure. `--share` takes that part of what can
be counted down: fits, seconds, files, configurations, planted bugs. The exit status is 0 if every
row is as it should be.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Row(NamedTuple):
    """A promise, the command that tries to break it, and where its figure stands.

    `command` takes the place of `{n}` by a share of `whole`; `figure` finds in what is printed what
    the table shows. The command's exit status says whether the promise held.
    """

    group: str
    promise: str
    command: str
    figure: str
    whole: int = 0
    least: int = 1


ROWS = (
    Row("memory", "memory is flat over fits",
        "python tests/reliability/flat_memory.py --fits {n}",
        r"\d+ fits: grown by [-\d.]+ MB", 1000, 100),
    Row("core", "random calls of the core crash nothing",
        "python -P tests/hardening/fuzz_core.py {n}",
        r"\d+ calls, of which \d+ were refused", 600, 5),
    Row("core", "threads on shared objects get right answers or a refusal",
        "python -P tests/hardening/share_objects.py {n}", r"\d+ signals", 60, 6),
    Row("fuzz", "mutated files are refused or load",
        "python tests/persistence/fuzzing.py --files {n} --processes 2",
        r"\d+ files in \d+ s, \d+ of them wrong", 1_000_000, 1000),
    Row("faults", "every fault of the table has its answer",
        "pytest -q -p no:cacheprovider tests/reliability", r"\d+ passed.*?(?= in |$)"),
    Row("bits", "bits depend on nothing they may not",
        "python tests/determinism/sweep.py --n {n}",
        r"\d+ configurations on .*: \d+ changed their bits", 100, 2),
    Row("mutants", "planted bugs of Python are noticed",
        "python tests/mutants/plant.py --only python {some}",
        r"\d+ of \d+ mutants killed, \d+ survived"),
    Row("mutants", "planted bugs of the core are noticed",
        "python tests/mutants/plant.py --only kernel {some}",
        r"\d+ of \d+ mutants killed, \d+ survived"),
)  # fmt: skip
SOME = {"python": "--match crf", "kernel": "--match clip"}  # of a share of the mutants


def command_of(row: Row, share: float) -> str:
    """Return the command of a row for a share of its tries."""
    kind = "python" if "--only python" in row.command else "kernel"
    some = SOME[kind] if share < 1 else ""
    return row.command.format(n=max(row.least, round(row.whole * share)), some=some).strip()


def run(command: str) -> tuple[str, int, float]:
    """Run a command from the repository's root; return what it printed, its status, seconds."""
    first, *rest = command.split()
    words = (
        [sys.executable, *rest]
        if first == "python"
        else [sys.executable, "-P", "-m", *command.split()]
    )
    path = os.pathsep.join(filter(None, [str(ROOT / "tests"), os.environ.get("PYTHONPATH")]))
    start = time.perf_counter()
    done = subprocess.run(
        words, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    return done.stdout, done.returncode, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    groups = list(dict.fromkeys(row.group for row in ROWS))
    parser.add_argument("--share", type=float, default=1.0, help="of what can be counted down")
    parser.add_argument("--only", nargs="+", choices=groups, default=groups)
    arguments = parser.parse_args()
    print("| promise | figure | held | seconds | command |\n|---|---|---|---|---|", flush=True)
    failed = 0
    for row in ROWS:
        if row.group not in arguments.only:
            continue
        command = command_of(row, arguments.share)
        text, status, seconds = run(command)
        found = re.findall(row.figure, text)
        held = status == 0 and bool(found)
        failed += not held
        figure = found[-1] if found else text.strip()[-200:].replace("\n", " ")
        print(f"| {row.promise} | {figure} | {'yes' if held else 'NO'} | {seconds:.0f} | "
              f"`{command}` |", flush=True)  # fmt: skip
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()

"""Plant mutants one after the other and see whether the tests notice.

    python tests/mutants/plant.py                    # all; those of the core are built each time
    python tests/mutants/plant.py --only python      # or kernel
    python tests/mutants/plant.py --match crf        # those whose name or file says so

Everything happens in a copy of the repository, in a temporary folder. A mutant is killed if its
tests fail, survives if they pass; anything else (a build or a collection that breaks) is an error
of the mutant itself. The exit status is 0 if all are killed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mutants import kernel, python  # after the path
from mutants.mutant import ROOT

LEFT_OUT = shutil.ignore_patterns(".git", "__pycache__", ".pytest_cache", ".mypy_cache", "*.log")
LIMIT = 600  # seconds of one run of tests
KILLED, SURVIVED = "killed", "SURVIVED"


# The module that the sources in C are linked into.
KERNELS = "build/lib*/rnnkit/_core/threads*.so"


def build(copy, planted=None):
    """Build the core of the copy; return whether that worked.

    Where the file planted is one in C, its module alone is built: the time of the file is set
    back, as all modules are said to depend on it.
    """
    if planted is not None and planted.suffix != ".pyx":
        built = list(copy.glob(KERNELS))
        for module in built:
            before = module.stat().st_mtime - 1
            os.utime(planted, (before, before))
            module.unlink()
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    return done.returncode == 0


def run_tests(copy, tests):
    """Run tests in the copy; return pytest's exit status, 124 where it took too long."""
    command = [sys.executable, "-c", "import pytest, sys; sys.exit(pytest.main(sys.argv[1:]))"]
    command += ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *tests]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.setdefault("OMP_NUM_THREADS", "1")
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, timeout=LIMIT
        )
    except subprocess.TimeoutExpired:
        return 124
    return done.returncode


def outcome(mutant, copy):
    """Plant a mutant in the copy, run its tests, and take it out again; return what happened."""
    path = copy / mutant.file
    original = path.read_text(encoding="utf-8")
    path.write_text(mutant.planted(original), encoding="utf-8")
    try:
        if mutant.is_compiled and not build(copy, path):
            return "does not build"
        status = run_tests(copy, mutant.tests)
    finally:
        path.write_text(original, encoding="utf-8")
    known = {0: SURVIVED, 1: KILLED, 2: KILLED + " (at import)", 124: KILLED + " (by time)"}
    return known.get(status, f"pytest ended with {status}")


def main():
    parser = argparse.ArgumentParser(description="Plant mutants and see whether tests notice.")
    parser.add_argument("--only", choices=("kernel", "python"))
    parser.add_argument("--match", default="", help="only those whose name or file holds this")
    arguments = parser.parse_args()
    groups = {"kernel": kernel.MUTANTS, "python": python.MUTANTS}
    chosen = [
        mutant
        for group, mutants in groups.items()
        if arguments.only in (None, group)
        for mutant in mutants
        if arguments.match in mutant.name or arguments.match in mutant.file
    ]
    for mutant in chosen:  # all lines are found, or nothing is run
        mutant.planted((ROOT / mutant.file).read_text(encoding="utf-8"))
    start, results = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy")
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        clean = sorted({test for mutant in chosen for test in mutant.tests})
        if run_tests(copy, clean) != 0:
            sys.exit(f"without a mutant these do not pass: {' '.join(clean)}")
        was_compiled = None
        for mutant in chosen:
            if was_compiled is not None and was_compiled != copy / mutant.file:
                build(copy, was_compiled)
            was_compiled = copy / mutant.file if mutant.is_compiled else None
            result = outcome(mutant, copy)
            results.append(result)
            print(f"{result:10} {mutant.file}: {mutant.name}", flush=True)
    n_killed = sum(result.startswith(KILLED) for result in results)
    seconds = time.perf_counter() - start
    print(f"{n_killed} of {len(results)} mutants killed, {results.count(SURVIVED)} survived; "
          f"{seconds:.0f} s")  # fmt: skip
    sys.exit(n_killed < len(results))


if __name__ == "__main__":
    main()

"""The installed package as a wheel's test sees it, and where its limits of threads come from."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnkit._core import threads

INSTALLED = Path(__file__).parent / "installed.py"


def run(*command, **environment):
    return subprocess.run(
        [sys.executable, "-P", *command],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.mark.parametrize("n_threads", ["1", "2"])
def test_it_fits_keeps_limits_and_forks(n_threads):
    done = run(str(INSTALLED), OMP_NUM_THREADS=n_threads)
    assert done.returncode == 0, done.stderr
    assert "fits, keeps limits, forks" in done.stdout


def test_no_module_is_linked_to_openmp():
    """scikit-learn's is asked; a second one would be carried by every wheel."""
    core = Path(threads.__file__).parent
    modules = [path for path in core.iterdir() if path.suffix in (".so", ".dylib")]
    assert modules
    for module in modules:
        assert b"libgomp" not in module.read_bytes(), module
        assert b"libomp" not in module.read_bytes(), module


WITHOUT = """
import sys, threadpoolctl
sys.modules["sklearn.utils._openmp_helpers"] = None
threadpoolctl.threadpool_info = lambda: []
from rnnkit._core.threads import limits_from, max_threads
print(repr(limits_from()), max_threads())
"""


@pytest.mark.parametrize("asked, threads_then", [("1", 1), ("2,1", 2), ("nonsense", None)])
def test_without_any_openmp_its_variable_still_counts(asked, threads_then):
    loaded = "import sklearn.metrics\ndel sklearn.utils._openmp_helpers\n"
    program = loaded + WITHOUT
    done = run("-c", program, OMP_NUM_THREADS=asked)
    if "nonsense" in asked and done.returncode:  # a runtime of another library may refuse it
        pytest.skip(done.stderr[-200:])
    assert done.returncode == 0, done.stderr
    limits, count = done.stdout.split()
    assert limits == "''"
    assert int(count) == threads_then if threads_then else int(count) >= 1

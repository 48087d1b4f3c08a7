"""Importing rnnkit: no warning, and hardly longer than what it stands on."""

import os
import statistics
import subprocess
import sys

# What a person who fits and scores with scikit-learn has imported anyway.
SCIKIT_LEARN = "import sklearn.metrics, sklearn.model_selection, sklearn.pipeline"
MOST_SECONDS = 0.1  # on top of it
MOST_SHARE = 0.25  # or, of it, where a busy machine makes all of it slow


def run(program, **environment):
    command = [sys.executable, "-P", "-W", "error", "-c", program]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_warning():
    assert run("import rnnkit") == ""


def test_it_takes_hardly_longer_than_scikit_learn(tmp_path):
    """Seconds of the processor, in turn, from bytecode, as of an installed package."""
    cache = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    timed = "import time\nbegin = time.process_time()\n{}\nprint(time.process_time() - begin)"
    seconds = {SCIKIT_LEARN: [], SCIKIT_LEARN + ", rnnkit": []}
    for _ in range(6):
        for imports, times in seconds.items():
            times.append(float(run(timed.format(imports), **cache)))
    alone, both = (statistics.median(times[1:]) for times in seconds.values())
    assert both - alone < max(MOST_SECONDS, MOST_SHARE * alone), (alone, both)

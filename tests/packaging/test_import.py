"""Importing rnnkit: no warning, and hardly longer than what it stands on."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rnnkit

# What a person who fits and scores with scikit-learn has imported anyway.
SCIKIT_LEARN = "import sklearn.metrics, sklearn.model_selection, sklearn.pipeline"
MOST_SHARE = 0.25  # of it, on top of it


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
    """Seconds of the processor, from bytecode, in turn; the least of each."""
    cache = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    timed = "import time\nbegin = time.process_time()\n{}\nprint(time.process_time() - begin)"
    seconds = {SCIKIT_LEARN: [], f"{SCIKIT_LEARN}\nfrom rnnkit import LSTMClassifier": []}
    for _ in range(6):
        for imports, times in seconds.items():
            times.append(float(run(timed.format(imports), **cache)))
    alone, both = map(min, seconds.values())
    assert both - alone < MOST_SHARE * alone, (alone, both)


def test_only_what_is_asked_for_is_imported():
    ask = """
import rnnkit, sys
{}
print(*(name for name in sys.modules if name.split(".")[0] == "rnnkit"))
"""
    nothing = run(ask.format("assert not hasattr(rnnkit, 'LSTMClassifer')"))
    assert sorted(nothing.split()) == ["rnnkit", "rnnkit._core", "rnnkit.asking"]
    loaded = run(ask.format("rnnkit.LSTMClassifier")).split()
    assert "rnnkit.estimators.classifier" in loaded
    others = ("estimators.forecasting", "estimators.language", "estimators.autoencoder")
    others += ("estimators.reservoir", "persistence", "energy", "inspection", "callbacks")
    assert not [name for name in loaded if name.startswith(tuple(f"rnnkit.{o}" for o in others))]


def home_of_every_name(package):
    """Return {name: module} as the package's imports for type checkers say."""
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    return {name.name: part.module for part in checked.body for name in part.names}


@pytest.mark.parametrize("package", [rnnkit, rnnkit.estimators], ids=lambda p: p.__name__)
def test_type_checkers_are_told_of_all_that_is_imported_when_asked(package):
    told = home_of_every_name(package)
    assert set(told) == set(package.__all__) - {"__version__"}
    for name, home in told.items():
        module = importlib.import_module(home)
        at_home = (
            getattr(module, name)
            if module is not package
            else importlib.import_module(f"{home}.{name}")
        )
        assert getattr(package, name) is at_home, name


def test_a_name_that_is_nowhere_is_named():
    for package in (rnnkit, rnnkit.estimators):
        with pytest.raises(AttributeError, match=f"'{package.__name__}' has no attribute 'LSTN'"):
            _ = package.LSTN

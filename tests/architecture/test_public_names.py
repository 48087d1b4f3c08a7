"""What `import rnnkit` offers is one list, complete, importable and without strangers."""

import subprocess
import sys

import pytest
from architecture.package import load_public_modules

import rnnkit

CELLS = ("RNN", "LSTM", "GRU")
TASKS = ("Classifier", "Regressor", "SequenceTagger", "SequenceRegressor")

# What the public contract may put in rnnkit.__all__; a name outside it is an accident.
ALLOWED = {f"{cell}{task}" for cell in CELLS for task in (*TASKS, "SequenceLabeller")} | {
    "RecurrentFeatures",
    "Sequences",
    "__version__",
    "load",
    "save",
    "show_config",
    "to_onnx",
}
SUBMODULES = {"datasets", "functional", "inspection", "metrics", "persistence", "preprocessing"} | {
    "solvers",
    "schedules",
    "training",
}
MODULES = load_public_modules()
REQUIRED = {
    "LSTMClassifier",
    "GRUClassifier",
    "RNNClassifier",
    "Sequences",
    "__version__",
    "show_config",
}


def test_all_holds_what_the_contract_names():
    names = set(rnnkit.__all__)
    assert names >= REQUIRED
    assert names <= ALLOWED | SUBMODULES, names - ALLOWED - SUBMODULES


def test_all_is_sorted_and_without_twins():
    assert len(set(rnnkit.__all__)) == len(rnnkit.__all__)
    assert list(rnnkit.__all__) == sorted(rnnkit.__all__)


def test_every_cell_has_every_task_or_none():
    names = set(rnnkit.__all__)
    for task in TASKS:
        present = {cell for cell in CELLS if f"{cell}{task}" in names}
        assert present in (set(), set(CELLS)), f"{task} exists only for {present}"


@pytest.mark.parametrize("name", rnnkit.__all__)
def test_public_name_is_there(name):
    assert hasattr(rnnkit, name)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_module_lists_its_public_names(module):
    missing = [public for public in getattr(module, "__all__", ()) if not hasattr(module, public)]
    assert not missing, f"{module.__name__}.__all__ names {missing}, which do not exist"


def test_import_loads_no_optional_package():
    """`import rnnkit` stays light: none of the packages behind an extra is loaded."""
    optional = ["torch", "onnx", "onnxruntime", "matplotlib", "pandas", "polars", "cupy", "dask"]
    code = (
        "import sys, sklearn.base; before = set(sys.modules); import rnnkit; "
        f"print([m for m in {optional!r} if m in sys.modules and m not in before])"
    )
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"

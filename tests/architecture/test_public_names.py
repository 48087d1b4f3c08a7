"""What `import rnnkit` offers is one list, complete, importable and without strangers."""

import ast
import subprocess
import sys

import pytest
from architecture.package import FILES, FOLDER, load_public_modules

import rnnkit

CELLS = ("RNN", "LSTM", "GRU")
TASKS = ("Classifier", "Regressor", "SequenceTagger", "SequenceRegressor", "SequenceLabeller")
TASKS += ("Autoencoder", "EncoderDecoder", "Forecaster", "LanguageModel", "SeriesGenerator")

# What the public contract may put in rnnkit.__all__; a name outside it is an accident.
ALLOWED = {f"{cell}{task}" for cell in CELLS for task in TASKS} | {
    "Convolution",
    "EchoStateClassifier",
    "EchoStateRegressor",
    "EchoStateSequenceRegressor",
    "EchoStateSequenceTagger",
    "EvolinoRegressor",
    "EvolinoSequenceRegressor",
    "quantize",
    "RecurrentFeatures",
    "SequencePipeline",
    "Sequences",
    "TransformedTargetSequenceRegressor",
    "__version__",
    "from_onnx",
    "load",
    "save",
    "show_config",
    "to_onnx",
}
SUBMODULES = {"datasets", "functional", "inspection", "metrics", "persistence", "preprocessing"} | {
    "callbacks",
    "distributed",
    "energy",
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


def listed_and_defined(text):
    """Return the names in a file's `__all__`, and its public classes and functions."""
    listed, defined = set(), set()
    for statement in ast.parse(text).body:
        if isinstance(statement, (ast.ClassDef, ast.FunctionDef)):
            defined.add(statement.name)
        elif isinstance(statement, ast.Assign):
            names = {target.id for target in statement.targets if isinstance(target, ast.Name)}
            if "__all__" in names:
                listed = set(ast.literal_eval(statement.value))
    return listed, {name for name in defined if not name.startswith("_")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_file_lists_every_class_and_function_it_does_not_keep_to_itself(path):
    listed, defined = listed_and_defined(path.read_text(encoding="utf-8"))
    assert defined <= listed, f"neither in __all__ nor with an underscore: {defined - listed}"


def test_import_loads_no_optional_package():
    """`import rnnkit` stays light: none of the packages behind an extra is loaded."""
    optional = ["torch", "onnx", "onnxruntime", "matplotlib", "pandas", "polars", "cupy", "dask"]
    optional += ["tensorboardX"]
    code = (
        "import sys, sklearn.base; before = set(sys.modules); import rnnkit; "
        f"print([m for m in {optional!r} if m in sys.modules and m not in before])"
    )
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"


def test_completion_offers_what_is_imported_later():
    assert set(rnnkit.__all__) <= set(dir(rnnkit))

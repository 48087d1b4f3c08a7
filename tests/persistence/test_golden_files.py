"""Files of every version load and answer as they did when they were written."""

import json
import warnings

import numpy as np
import pytest
from persistence.golden_files import ANSWERS, FOLDER, LARGEST, plain
from tolerances import assert_close

import rnnkit

CASES = {
    f"{folder.name}/{name}": (folder / name, case)
    for folder in sorted(FOLDER.iterdir())
    for name, case in json.loads((folder / ANSWERS).read_text()).items()
}
# What is computed in float32, whatever was given.
IN_SINGLE = ("token", "word", "writing", "written_labels")


def numbers_of(nested):
    """The numbers, and the texts, of nested lists, each in one flat list."""
    if isinstance(nested, list):
        return [value for part in nested for value in numbers_of(part)]
    return [nested]


def test_there_are_files_of_this_version_and_all_are_small():
    assert (FOLDER / rnnkit.__version__).is_dir()
    for folder in FOLDER.iterdir():
        files = {path.name for path in folder.iterdir()} - {ANSWERS}
        assert {f"{folder.name}/{name}" for name in files} <= CASES.keys()
        assert all((folder / name).stat().st_size < LARGEST for name in files)


@pytest.mark.parametrize("name", CASES)
def test_an_old_file_answers_as_it_did(name):
    path, case = CASES[name]
    X = case["X"]
    if case["dtype"] != "text":
        X = [np.array(x, case["dtype"]) for x in X]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator = rnnkit.load(path)
        answer = plain(getattr(estimator, case["method"])(X))
    got, expected = numbers_of(answer), numbers_of(case["answer"])
    if isinstance(expected[0], str):
        assert got == expected
    else:
        in_single = case["dtype"] == "<f4" or any(part in name for part in IN_SINGLE)
        assert_close(got, expected, np.float32 if in_single else np.float64, 64)


def test_an_old_training_goes_on():
    path, case = CASES["0.1.0/training_state.safetensors"]
    model = rnnkit.load(path)
    X = [np.array(x) for x in case["X"]]
    model.partial_fit(X, model.predict(X))
    assert len(model.loss_curve_) == 2
    assert model._trainer.n_epochs == 2

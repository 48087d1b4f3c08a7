"""Every model of the golden table comes back from its file as it was, in another process too."""

import json
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from estimators.options import FORMS, MODES, OPTIONS, small
from golden import models as golden
from persistence.same import differences
from sklearn.base import clone

import rnnkit
from rnnkit.estimators.parameters.field import entries_of
from rnnkit.persistence.catalogue import HIDDEN

MODELS = golden.models()

CHILD = """
import sys, warnings, pathlib
import rnnkit
from golden import models as golden
warnings.simplefilter("ignore")
table = golden.models()
for i, name in enumerate(table):
    path = pathlib.Path(sys.argv[1]) / str(i)
    if path.exists():
        model = rnnkit.load(path)
        answers = golden.answers_of(model, table[name].data)
        print(golden.digest(golden.knowledge_of(model)), golden.digest(answers), name)
"""


def fitted(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MODELS[name].fit(clone(MODELS[name].estimator), MODELS[name].data)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Every model fitted and saved: {name: (model, path)}."""
    folder = tmp_path_factory.mktemp("models")
    saved = {}
    for i, name in enumerate(MODELS):
        saved[name] = fitted(name), folder / str(i)
        rnnkit.save(*saved[name])
    return saved


@pytest.fixture(scope="module")
def elsewhere(files):
    """What another process, that loaded the files, says about knowledge and answers."""
    folder = next(iter(files.values()))[1].parent
    tests = str(Path(__file__).parents[1])
    # Without empty entries: they stand for the current folder, where nothing may be compiled.
    path = os.pathsep.join(filter(None, [tests, os.environ.get("PYTHONPATH")]))
    run = subprocess.run(
        [sys.executable, "-P", "-c", CHILD, str(folder)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    lines = (line.split(" ", 2) for line in run.stdout.splitlines())
    return {name: (knowledge, answers) for knowledge, answers, name in lines}


@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_lost(files, name):
    model, path = files[name]
    loaded = rnnkit.load(path)
    assert differences(model, loaded) == []
    assert differences(model, pickle.loads(pickle.dumps(loaded))) == []
    assert repr(loaded.get_params()) == repr(model.get_params())


@pytest.mark.parametrize("name", MODELS)
def test_another_process_answers_the_same_bits(files, elsewhere, name):
    model, _ = files[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers = golden.digest(golden.answers_of(model, MODELS[name].data))
    assert elsewhere[name] == (golden.digest(golden.knowledge_of(model)), answers)


@pytest.mark.parametrize("name", ["LSTM Classifier f4", "tokens, spelling", "solver lbfgs"])
def test_mapped_weights_answer_the_same_bits_and_may_be_changed(files, name):
    model, path = files[name]
    content = path.read_bytes()
    loaded = rnnkit.load(path, mmap=True)
    assert differences(model, loaded) == []
    for weight in loaded.weights_.values():
        assert type(weight) is np.ndarray
        weight += 1
    assert path.read_bytes() == content


def words_of(node):
    """Every key and every text of some JSON."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from words_of(value)
    elif isinstance(node, list):
        for value in node:
            yield from words_of(value)
    elif isinstance(node, str):
        yield node


@pytest.mark.parametrize("name", MODELS)
def test_files_hold_no_private_name(files, name):
    with safetensors.safe_open(files[name][1], "numpy") as file:
        words = [*words_of(json.loads(file.metadata()["model"])), *file.keys()]
    assert not [word for word in words if any(part.startswith("_") for part in word.split("."))]


def test_other_programs_read_the_weights_by_their_names(files):
    model, path = files["LSTM Classifier f8"]
    arrays = safetensors.numpy.load_file(path)
    for name, weight in model.weights_.items():
        np.testing.assert_array_equal(arrays[name], weight)


def test_a_file_that_another_program_wrote_anew_is_read(files, tmp_path):
    model, path = files["partial_fit"]
    with safetensors.safe_open(path, "numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        safetensors.numpy.save_file(arrays, tmp_path / "again", file.metadata())
    assert (tmp_path / "again").read_bytes() != path.read_bytes()
    assert differences(model, rnnkit.load(tmp_path / "again")) == []


OTHER = {name: option.value for name, option in OPTIONS.items()}
OTHER |= {"monitor": "score", "verbose": 1, "warm_start": True, "device": "reference"}


@pytest.mark.parametrize(
    "mode", ["label", "tag", "ctc", "number, squared", "vector per step, huber"]
)
@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_every_parameter_survives_before_and_after_a_fit(cell, mode, tmp_path):
    mode = MODES[mode]
    estimator = small(cell, mode)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(FORMS["numbers"], mode.y)
    answers = estimator.predict(FORMS["numbers"])
    for parameter in entries_of(type(estimator)):
        value = OTHER[parameter]
        before = getattr(estimator, parameter)
        for changed in (small(cell, mode), estimator):
            changed.set_params(**{parameter: value})
            rnnkit.save(changed, tmp_path / "model")
            loaded = rnnkit.load(tmp_path / "model")
            assert differences(changed, loaded) == [], parameter
        if parameter not in ("beam_width", "device"):
            assert differences(answers, loaded.predict(FORMS["numbers"])) == []
        estimator.set_params(**{parameter: before})


def test_a_warm_start_with_another_activation_is_what_is_saved(tmp_path):
    mode = MODES["label"]
    estimator = small("GRU", mode, warm_start=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(FORMS["numbers"], mode.y)
        estimator.set_params(activation="relu").fit(FORMS["numbers"], mode.y)
    estimator.set_params(activation="softsign")
    rnnkit.save(estimator, tmp_path / "model")
    assert differences(estimator, rnnkit.load(tmp_path / "model")) == []


LABELS = {
    "text": ["b", "a"],
    "long text": ["ä" * 300, "\U0001f600"],
    "wide text": np.array(["b", "a"], "<U20"),
    "integers": [7, -3],
    "large integers": [2**62, 3],
    "small integers": np.array([3, 1], np.int8),
    "unsigned": np.array([3, 2**63], np.uint64),
    "big-endian": np.array([3, 1], ">i4"),
    "booleans": [True, False],
    "floats": [1.0, -2.0],
    "objects": np.array(["x", "y"], object),
    "objects of integers": np.array([10, 2], object),
    "many": [f"label {i}" for i in range(60)],
}


@pytest.mark.parametrize("kind", LABELS)
def test_classes_of_every_kind(kind, tmp_path):
    labels = LABELS[kind]
    X = np.arange(len(labels) * 6.0).reshape(-1, 3, 1) / 60
    y = np.concatenate([labels, labels]) if isinstance(labels, np.ndarray) else labels * 2
    model = rnnkit.GRUClassifier(2, max_iter=1, random_state=0, learning_rate="linear").fit(X, y)
    rnnkit.save(model, tmp_path / "model")
    loaded = rnnkit.load(tmp_path / "model")
    assert differences(model, loaded) == []
    assert differences(model.predict(X), loaded.predict(X)) == []


@pytest.mark.parametrize(
    "random_state",
    [None, 3, 2**32 - 1, np.int64(5), np.random.RandomState(4), np.random.default_rng(5)]
    + [np.random.Generator(kind(6)) for kind in (np.random.Philox, np.random.SFC64)],
    ids=str,
)
def test_random_states(random_state, tmp_path):
    if hasattr(random_state, "standard_normal"):
        random_state.standard_normal(3)
    estimator = rnnkit.LSTMClassifier(random_state=random_state)
    rnnkit.save(estimator, tmp_path / "model")
    loaded = rnnkit.load(tmp_path / "model")
    assert differences(estimator, loaded) == []
    if hasattr(random_state, "standard_normal"):
        assert loaded.random_state.standard_normal() == random_state.standard_normal()


def test_what_was_one_object_is_one_again(tmp_path):
    solver = rnnkit.training.SGD(0.5)
    estimator = rnnkit.LSTMClassifier(2, max_iter=1, solver=solver, learning_rate="linear")
    estimator.fit(np.zeros((4, 2, 1)), [0, 1, 0, 1])
    rnnkit.save(estimator, tmp_path / "model")
    loaded = rnnkit.load(tmp_path / "model")
    assert loaded.solver is loaded._built_with["solver"]
    assert loaded.solver is not solver


def test_hidden_names_are_of_classes_that_files_carry():
    for name, attributes in HIDDEN.items():
        assert len(set(attributes.values())) == len(attributes), name
        assert not any(key.startswith("_") or key.endswith("_") for key in attributes), name

"""The room of networks of an energy: loaded late, kept in files, and what X it takes."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone

import rnnkit
from rnnkit import energy
from rnnkit.persistence.catalogue import _ENERGY

X = (np.random.RandomState(0).rand(12, 6) > 0.5).astype(float)
ESTIMATORS = [
    energy.HopfieldNetwork("hebb"),
    energy.HopfieldNetwork("softmax"),
    energy.DeepBoltzmannMachine((3, 2), max_iter=2),
    energy.DeepBeliefNetwork((3, 2), pretrain_iter=2, solver="lbfgs"),
]


def test_it_is_loaded_when_asked_for():
    code = (
        "import sys, rnnkit\n"
        "assert 'rnnkit.energy' not in sys.modules\n"
        "rnnkit.energy.HopfieldNetwork\n"
        "assert 'rnnkit.energy' in sys.modules"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


def test_files_carry_each():
    assert sorted(_ENERGY) == sorted(energy.__all__)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
@pytest.mark.parametrize(
    "sequences",
    [
        np.zeros((3, 4, 6)),
        [np.zeros((4, 6)), np.zeros((2, 6))],
        [[1.0, 2.0], [1.0]],
        [[[1.0], [2.0]], [[1.0], [0.0]]],
        rnnkit.Sequences.from_any([np.zeros((4, 6))]),
        np.array([np.zeros((4, 6)), np.zeros((2, 6)), None], dtype=object)[:2],
    ],
    ids=["array", "arrays", "ragged rows", "lists", "Sequences", "objects"],
)
def test_sequences_are_refused_with_what_to_do(estimator, sequences):
    estimator = clone(estimator)
    with pytest.raises(ValueError, match=r"must be one row of numbers .*RecurrentFeatures"):
        estimator.fit(sequences, [0, 1, 0][: len(sequences)])
    assert not hasattr(estimator, "n_features_in_")


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_a_fit_that_raises_changes_nothing(estimator):
    estimator = clone(estimator).fit(X, np.arange(12) % 2)
    before = {name: id(value) for name, value in vars(estimator).items()}
    with pytest.raises(ValueError, match="NaN"):
        estimator.fit(np.full((3, 2), np.nan), [0, 1, 0])
    assert {name: id(value) for name, value in vars(estimator).items()} == before

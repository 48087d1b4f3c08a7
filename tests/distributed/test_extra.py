"""Without dask, what needs it says which extra brings it; the rest works."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from rnnkit import GRUClassifier, distributed
from rnnkit.distributed import extra
from rnnkit.exceptions import MissingExtraError

X = np.random.RandomState(0).standard_normal((8, 3, 1))


@pytest.mark.parametrize("missing", ("dask", "distributed"))
def test_one_sentence_names_the_extra(monkeypatch, missing):
    find = importlib.util.find_spec
    monkeypatch.setattr(extra, "find_spec", lambda name: None if name == missing else find)
    model = GRUClassifier(2, max_iter=1)
    for call in (
        lambda: distributed.fit(model, X, np.arange(8) % 2),
        lambda: distributed.predict(model, X),
    ):
        with pytest.raises(MissingExtraError, match=rf"'{missing}'.*rnnkit\[distributed\]"):
            call()
    monkeypatch.setattr(extra, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"'xgboost'.*rnnkit\[distributed\]"):
        extra.need_xgboost("this")


def test_nothing_is_imported_that_is_not_used():
    code = (
        "import sys, rnnkit.distributed; "
        "print({'dask', 'distributed', 'xgboost'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "set()", run.stdout + run.stderr

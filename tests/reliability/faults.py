"""A table of faults: each has a number, a sentence that says what goes wrong, and a check."""

import inspect
import os
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rnnkit

N_FAULTS = 92

RNG = np.random.RandomState(0)
X = RNG.randn(24, 5, 2)
LABELS = np.where(X[:, -1, 0] > 0, "up", "down")
NUMBERS = X.sum(axis=(1, 2))
TAGS = np.where(X[:, :, 0] > 0, "up", "down")


class Faults:
    """Faults by number; `test` makes a test of all of them."""

    def __init__(self) -> None:
        self.checks: dict[int, tuple[str, Callable[..., None]]] = {}

    def __call__(self, number: int, sentence: str) -> Callable[[Callable[..., None]], None]:
        def keep(check: Callable[..., None]) -> None:
            assert number not in self.checks
            self.checks[number] = sentence, check

        return keep

    def test(self) -> Callable[..., None]:
        """Return a test function with a case for every fault."""
        cases = [
            pytest.param(check, id=f"{number} {sentence}")
            for number, (sentence, check) in self.checks.items()
        ]

        @pytest.mark.parametrize("check", cases)
        def test_fault(check: Callable[..., None], request: pytest.FixtureRequest) -> None:
            fixtures = inspect.signature(check).parameters
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                check(**{name: request.getfixturevalue(name) for name in fixtures})

        return test_fault


def small(kind: str = "LSTMClassifier", **parameters: Any) -> Any:
    """Return a small estimator, two epochs long."""
    settings = {"hidden_size": 4, "max_iter": 2, "random_state": 0, "batch_size": 8}
    return getattr(rnnkit, kind)(**{**settings, **parameters})


def refused(errors: Any, match: str, call: Callable[..., Any], *args: Any, **options: Any) -> None:
    """Check that a call is refused, in one sentence that matches."""
    with pytest.raises(errors, match=match) as caught:
        call(*args, **options)
    assert len(str(caught.value)) < 1200


def refused_unchanged(errors: Any, match: str, estimator: Any, *args: Any, **options: Any) -> None:
    """Check that a fit is refused and that a fitted estimator stays as it was."""
    estimator.fit(X, TAGS if "Tagger" in type(estimator).__name__ else LABELS)
    before = estimator.weights_["head.bias"].copy(), estimator.n_features_in_, estimator.t_
    refused(errors, match, estimator.fit, *args, **options)
    np.testing.assert_array_equal(estimator.weights_["head.bias"], before[0])
    assert (estimator.n_features_in_, estimator.t_) == before[1:]


def same_bits(a: Any, b: Any) -> None:
    assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def python(code: str, timeout: float = 120, **environment: str) -> str:
    """Run code in a fresh process and return what it printed; it must not fail or hang."""
    run = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", textwrap.dedent(code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout

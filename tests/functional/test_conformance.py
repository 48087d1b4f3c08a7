"""`recurrent` against the external conformance cases of four public suites."""

import importlib.util

import numpy as np
import pytest
from functional.conformance import run

from rnnkit.functional import recurrent

N_CASES = 176
BACKENDS = ["reference", "cpu"]


@pytest.fixture(scope="module")
def cases_module(conformance_folder):
    spec = importlib.util.spec_from_file_location("cases", conformance_folder / "cases.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def cases(cases_module):
    return cases_module.load_cases()


def test_all_cases_are_there(cases):
    assert len(cases) == N_CASES


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("index", range(N_CASES))
def test_case(cases_module, cases, index, backend):
    case = cases[index]
    y, h_n, c_n = run(case, backend)
    for name, got, want in cases_module.expected(case, y, h_n, c_n):
        np.testing.assert_allclose(
            got, want, rtol=case["rtol"], atol=case["atol"], err_msg=f"{case['id']}: {name}"
        )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "index, message",
    [(0, "lengths must have shape"), (1, r"lengths\[\d\] must be"), (2, "unknown activation")],
)
def test_case_that_must_fail(cases_module, index, message, backend):
    case = cases_module.load_expected_failures()[index]
    T, N, n_inputs = case["dims"]["X"]
    (name,) = case["attrs"]["activations"]
    H = case["attrs"]["hidden_size"]
    weights = {
        "weight_ih_l0": np.zeros(case["dims"]["W"][1:]),
        "weight_hh_l0": np.zeros(case["dims"]["R"][1:]),
    }
    with pytest.raises(ValueError, match=message):
        recurrent(
            np.zeros((N, T, n_inputs)),
            weights,
            "rnn",
            lengths=case["seq"],
            activation="tanh" if name == "Tanh" else name,
            reverse=case["attrs"]["direction"] == "reverse",
            h0=np.zeros((1, N, H)),
            backend=backend,
        )


def test_there_are_three_cases_that_must_fail(cases_module):
    assert len(cases_module.load_expected_failures()) == 3

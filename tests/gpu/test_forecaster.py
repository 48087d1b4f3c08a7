"""Forecasters with device="cuda": the CPU's forecasts and intervals."""

import numpy as np
import pytest
from gpu.cupy_stand_in import standing_in
from gpu.host_kernels import needs_compiler
from tolerances import assert_close

import rnnkit

pytestmark = needs_compiler


@pytest.fixture
def on_gpu(cublas):
    with standing_in():
        yield


@pytest.mark.parametrize("strategy", ["direct", "recursive"])
@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_forecasts_are_those_of_the_cpu(on_gpu, cell, strategy):
    y = 9 + np.sin(np.arange(60)) + 0.1 * np.random.RandomState(0).randn(60)
    make = getattr(rnnkit, f"{cell}Forecaster")
    found = [
        make(
            4,
            strategy=strategy,
            n_estimators=2,
            max_iter=4,
            learning_rate_init=0.05,
            difference=None,
            random_state=0,
            device=device,
        ).fit(y, fh=range(1, 5))
        for device in ("cpu", "cuda")
    ]
    for method in ("predict", "predict_interval"):
        expected, got = (getattr(forecaster, method)() for forecaster in found)
        assert_close(got, expected, "float64", 10**6)

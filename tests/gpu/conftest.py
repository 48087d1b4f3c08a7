"""Fixtures of the tests that compute on a GPU, or on what stands in for one."""

import pytest
from gpu.cublas_stand_in import CublasStandIn
from gpu.cupy_stand_in import standing_in

from rnnkit.backends import cuda


@pytest.fixture
def gpu():
    """A backend on the GPU that is stood in for, with the package's own matrix product."""
    with standing_in():
        yield cuda.CudaBackend(cublas=False)


@pytest.fixture
def cublas(monkeypatch):
    """The cuBLAS that the backends made in this test find."""
    library = CublasStandIn()
    monkeypatch.setattr(cuda, "load_cublas", lambda: library)
    return library

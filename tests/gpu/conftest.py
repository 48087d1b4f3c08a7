"""Fixtures of the tests that compute on a GPU, or on what stands in for one.

Run those of a real GPU with ``pytest -m gpu``. They are skipped where there is none, or fail if
RNNKIT_REQUIRE_GPU=1.
"""

import os

import pytest
from gpu.cublas_stand_in import CublasStandIn
from gpu.cupy_stand_in import standing_in
from gpu.host_kernels import COMPILER

from rnnkit.backends.cuda import CudaBackend, products, why_no_gpu

GPU_IS_REQUIRED = os.environ.get("RNNKIT_REQUIRE_GPU") == "1"


def pytest_collection_modifyitems(config, items):
    """Where there is no GPU, one skipped test speaks for all of its tests."""
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if not on_gpu or GPU_IS_REQUIRED:
        return
    reason = why_no_gpu()
    if reason is None:
        return
    first, *others = on_gpu
    first.add_marker(pytest.mark.skip(reason=f"{len(on_gpu)} tests need a GPU: {reason}"))
    left_out = set(others)
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=others)


def require_compiler():
    if COMPILER is None:
        pytest.skip("the kernels are compiled by a C++ compiler, and there is none (CXX)")


@pytest.fixture
def host_gpu():
    """A backend on the GPU that is stood in for, with the package's own matrix product."""
    require_compiler()
    with standing_in():
        backend = CudaBackend(cublas=False)
        with backend.active():
            yield backend


@pytest.fixture
def nvidia():
    """A backend on a real GPU."""
    backend = CudaBackend()
    with backend.active(give_back=True):
        yield backend


@pytest.fixture(params=["host_gpu", pytest.param("nvidia", marks=pytest.mark.gpu)])
def gpu(request):
    """A backend on the GPU that is stood in for, and one on a real GPU."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def cublas(monkeypatch):
    """The cuBLAS that the backends made in this test find."""
    library = CublasStandIn()
    monkeypatch.setattr(products, "load_cublas", lambda: library)
    return library

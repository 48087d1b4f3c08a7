"""Fixtures that every test may use."""

import importlib.util
import os
import signal
import threading
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from rnnkit._core.threads import max_threads

SHARED = Path(__file__).resolve().parents[2] / "shared"


def folder_from(variable, default):
    folder = Path(os.environ.get(variable, default))
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; set {variable} to the folder that holds it")
    return folder


@pytest.fixture(scope="session")
def data_folder():
    """The folder of real data sets, with its loaders.py; skips where there is none."""
    return folder_from("RNNKIT_DATA", SHARED / "data")


@pytest.fixture(scope="session")
def data_loaders(data_folder):
    """The module loaders.py of the data folder."""
    spec = importlib.util.spec_from_file_location("data_loaders", data_folder / "loaders.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def conformance_folder():
    """The folder of external conformance cases; skips where there is none."""
    return folder_from("RNNKIT_CONFORMANCE", SHARED / "conformance")


@pytest.fixture
def n_threads_limit():
    """Return a context manager that limits OpenMP and BLAS to the given number of threads."""
    return lambda n: threadpool_limits(limits=n)


@pytest.fixture
def torch_on_one_thread():
    """PyTorch, on one thread for as long as the test runs: it may share our OpenMP runtime."""
    torch = pytest.importorskip("torch", reason="needs the extra 'oracle'")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def threads_stay_as_they_are():
    """A test that leaves another limit of threads behind would change what later ones see."""
    before = max_threads()
    yield
    assert max_threads() == before


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_interrupts():
    """Some tests send SIGINT to themselves, which workers of a parallel run begin by ignoring."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)

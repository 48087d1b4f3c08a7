"""A cluster of three processes on this machine; what needs it is skipped without dask."""

import signal

import pytest

LONGEST = 120  # seconds; what waits for another process could wait for ever


@pytest.fixture(autouse=True)
def time_limit(request):
    """End a test that waits for longer than any should."""

    def end(number, frame):
        raise TimeoutError(f"{request.node.name} took more than {LONGEST} seconds")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(LONGEST)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def cluster():
    distributed = pytest.importorskip("distributed")
    pytest.importorskip("xgboost")
    with distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, processes=True, dashboard_address=":0", memory_limit=0
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    distributed = pytest.importorskip("distributed")
    with distributed.Client(cluster, set_as_default=True) as client:
        yield client

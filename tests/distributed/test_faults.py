"""What goes wrong on a cluster: workers and clients that are killed, too little memory."""

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from partitions import labels, parted, ragged, sequences_in_parts
from sklearn.base import clone

import rnnkit
from rnnkit import LSTMClassifier

pytest.importorskip("dask")
pytest.importorskip("distributed")
pytest.importorskip("xgboost")

from rnnkit import distributed

X = ragged(60)
Y = labels(X)
LONG = LSTMClassifier(24, batch_size=6, max_iter=3000, tol=0, n_iter_no_change=3000, random_state=0)
SECONDS = 10  # within which an error is told


@pytest.fixture
def small_cluster():
    """Two workers of their own, which a test may kill."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            memory_limit=0,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def in_the_background(call):
    result = {}

    def run():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result["value"] = call()
        except BaseException as error:
            result["error"] = error
        result["ended"] = time.monotonic()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, result


def wait_for(condition, seconds=30):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "what is waited for did not come"
        time.sleep(0.05)


def is_training(client):
    """Whether each worker runs a rank."""
    running = client.processing()
    return all(any("rnnkit-rank" in str(key) for key in keys) for keys in running.values())


def kill_one(client, rank=1):
    """Kill the process of a rank that trains."""
    pids = client.run(os.getpid)
    (victim,) = (
        address
        for address, keys in client.processing().items()
        if any(str(key).startswith(f"rnnkit-rank-{rank}-") for key in keys)
    )
    os.kill(pids[victim], signal.SIGKILL)


@pytest.mark.parametrize("rank", (0, 1))
def test_a_killed_worker_ends_the_fit_in_one_error(small_cluster, rank):
    """Whether the first, at which the others have met, or the last."""
    client = small_cluster
    estimator = clone(LONG)
    fit = lambda: distributed.fit(estimator, sequences_in_parts(X, 2), parted(Y, 2), client=client)
    thread, result = in_the_background(fit)
    wait_for(lambda: is_training(client))
    time.sleep(1)
    killed = time.monotonic()
    kill_one(client, rank)
    thread.join(30)
    assert isinstance(result.get("error"), distributed.WorkerLostError), result
    assert "lost" in str(result["error"])
    assert result["ended"] - killed < SECONDS
    assert not hasattr(estimator, "network_")
    # The workers that are there train on.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        short = clone(LONG).set_params(max_iter=2)
        distributed.fit(short, sequences_in_parts(X, 2), parted(Y, 2), client=client)
    assert short.n_iter_ == 2
    assert time.monotonic() - killed < SECONDS


def test_a_checkpoint_goes_on_where_a_worker_was_killed(small_cluster, tmp_path):
    client = small_cluster
    path = tmp_path / "training.safetensors"
    estimator = clone(LONG).set_params(max_iter=60, dropout=0.2, hidden_size=8)
    expected = clone(estimator)
    fit = lambda: distributed.fit(
        clone(estimator),
        sequences_in_parts(X, 2),
        parted(Y, 2),
        client=client,
        checkpoint=path,
    )
    thread, result = in_the_background(fit)
    wait_for(lambda: path.exists() and is_training(client))
    kill_one(client)
    thread.join(120)
    assert "value" in result, result
    found = result["value"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected.fit(X, Y)
    assert not path.exists()
    assert found.n_iter_ == 60
    theirs = expected.network_.parameters.flat
    assert np.abs(found.network_.parameters.flat - theirs).max() <= 1e-6 * np.abs(theirs).max()
    np.testing.assert_allclose(found.loss_curve_, expected.loss_curve_, rtol=1e-6)


CLIENT = """
import sys
import warnings
from distributed import Client
from partitions import labels, parted, ragged, sequences_in_parts
from rnnkit import LSTMClassifier, distributed

warnings.simplefilter("ignore")
address, path = sys.argv[1:]
X = ragged(60)
client = Client(address)
estimator = LSTMClassifier({parameters})
data = sequences_in_parts(X, 2), parted(labels(X), 2)
distributed.fit(estimator, *data, client=client, checkpoint=path)
"""


def test_a_client_that_goes_away(small_cluster, tmp_path):
    """Its training ends, others can train, and a later call goes on from the checkpoint."""
    client = small_cluster
    path = tmp_path / "training.safetensors"
    parameters = {"hidden_size": 8, "batch_size": 6, "max_iter": 300, "random_state": 0}
    parameters |= {"tol": 0, "n_iter_no_change": 300, "early_stopping": True}
    text = CLIENT.format(parameters=", ".join(f"{k}={v!r}" for k, v in parameters.items()))
    tests = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([tests, *sys.path])}
    other = subprocess.Popen(
        [sys.executable, "-P", "-c", text, client.scheduler.address, str(path)], env=environment
    )
    try:
        wait_for(path.exists)
    finally:
        other.kill()
        other.wait()
    gone = time.monotonic()
    wait_for(lambda: not any(client.processing().values()), SECONDS)
    assert time.monotonic() - gone < SECONDS
    data = sequences_in_parts(X, 2), parted(Y, 2)
    estimator = LSTMClassifier(**parameters)
    shorter = clone(estimator).set_params(max_iter=7)
    with pytest.raises(ValueError, match="is of a training with max_iter=300, and max_iter is 7"):
        distributed.fit(shorter, *data, client=client, checkpoint=path)
    n_before = rnnkit.load(path).n_iter_
    assert 1 <= n_before < 300
    expected = clone(estimator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distributed.fit(estimator, *data, client=client, checkpoint=path)
        expected.fit(X, Y)
    assert estimator.n_iter_ == 300
    assert estimator.best_epoch_ == expected.best_epoch_
    np.testing.assert_allclose(estimator.loss_curve_, expected.loss_curve_, rtol=1e-5)


def test_data_beyond_a_memory_limit():
    from dask import array
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            memory_limit="800MB",
        ) as cluster,
        Client(cluster) as client,
    ):
        X = array.ones((52_000, 100, 10), chunks=(4_000, 100, 10))  # 416 MB
        y = np.arange(52_000) % 2
        few = array.ones((40, 10, 10), chunks=(4, 10, 10))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            distributed.fit(clone(LONG).set_params(max_iter=1), few, y[:40], client=client)
        with pytest.raises(MemoryError, match="its memory limit is 800000000 bytes"):
            distributed.fit(clone(LONG), X, y, client=client)

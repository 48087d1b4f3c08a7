"""The service of examples/ answers real requests, side by side, and refuses by sentences."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import rnnkit
from rnnkit.preprocessing import SequenceScaler

SERVICE = Path(__file__).parents[1] / "examples" / "service.py"


def ragged(seed, n=40):
    rng = np.random.RandomState(seed)
    X = [rng.normal(size=(rng.randint(3, 8), 2)) for _ in range(n)]
    return X, np.array(["down", "up"])[[int(x[-1, 0] > 0) for x in X]]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service:
    """The example in a process of its own, asked over HTTP."""

    def __init__(self, model, path):
        rnnkit.save(model, path)
        self.address = f"http://127.0.0.1:{(port := free_port())}"
        command = [sys.executable, "-P", str(SERVICE), str(path), str(port)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        end = time.monotonic() + 60
        while True:
            try:
                self.ask("GET", "/health")
            except urllib.error.URLError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.process.kill()
                    pytest.fail(self.process.communicate()[1])
                time.sleep(0.1)
            else:
                return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=30)

    def ask(self, method, path, content=None):
        body = None if content is None else json.dumps(content).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def refusal(self, method, path, content=None):
        with pytest.raises(urllib.error.HTTPError) as error:
            self.ask(method, path, content)
        return error.value.code, json.load(error.value)["detail"]


@pytest.fixture(scope="module")
def classifier():
    X, y = ragged(0)
    return rnnkit.GRUClassifier(8, max_iter=20, random_state=0).fit(X, y)


@pytest.fixture(scope="module")
def service(classifier, tmp_path_factory):
    pytest.importorskip("fastapi", reason="the extra serve is not installed")
    pytest.importorskip("uvicorn", reason="the extra serve is not installed")
    with Service(classifier, tmp_path_factory.mktemp("service") / "model.safetensors") as running:
        yield running


def test_sequences_are_answered_as_by_the_model(service, classifier):
    X, _ = ragged(1)
    answer = service.ask("POST", "/predict", {"sequences": [x.tolist() for x in X]})
    assert answer["predictions"] == classifier.predict(X).tolist()
    assert answer["probabilities"] == classifier.predict_proba(X).tolist()
    assert answer["classes"] == ["down", "up"]


def test_requests_side_by_side_have_the_same_answers(service, classifier):
    X, _ = ragged(2)
    expected = classifier.predict_proba(X)

    def one(i):
        return service.ask("POST", "/predict", {"sequences": [X[i].tolist()]})["probabilities"][0]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(len(X)))) == expected.tolist()


def test_streams_keep_their_states_apart(service, classifier):
    X, _ = ragged(3, n=6)
    names = [service.ask("POST", "/streams")["stream"] for _ in X]
    last = {}
    for t in range(max(map(len, X))):
        for i, name in enumerate(names):
            if t < len(X[i]):
                step = {"values": X[i][t].tolist()}
                last[i] = service.ask("POST", f"/streams/{name}", step)["prediction"]
    assert [last[i] for i in range(len(X))] == classifier.predict(X).tolist()
    assert service.ask("DELETE", f"/streams/{names[0]}") == {}
    code, detail = service.refusal("POST", f"/streams/{names[0]}", {"values": [0.0, 0.0]})
    assert (code, names[0] in detail) == (404, True)


@pytest.mark.parametrize(
    ("sequences", "sentence"),
    [
        ([[[1.0]]], "X has 1 features"),
        ([[]], "empty"),
        ([[[1.0, 2.0], [1.0]]], "same number of values"),
        ([[[1.0, float("nan")]]], "NaN"),
    ],
)
def test_bad_input_is_refused_by_a_sentence(service, sequences, sentence):
    code, detail = service.refusal("POST", "/predict", {"sequences": sequences})
    assert code == 422
    assert sentence in detail


@pytest.mark.parametrize(
    "content", [{}, {"sequences": []}, {"sequences": "no"}, {"sequences": [1]}]
)
def test_another_form_is_refused(service, content):
    assert service.refusal("POST", "/predict", content)[0] == 422


def test_a_pipeline_of_labels_per_step_is_served_but_has_no_stream(tmp_path):
    pytest.importorskip("fastapi", reason="the extra serve is not installed")
    pytest.importorskip("uvicorn", reason="the extra serve is not installed")
    X, _ = ragged(4)
    y = [np.where(x[:, 0] > 0, "up", "down") for x in X]
    tagger = rnnkit.GRUSequenceTagger(4, max_iter=5, random_state=0)
    model = make_pipeline(SequenceScaler(StandardScaler()), tagger).fit(X, y)
    with Service(model, tmp_path / "model.safetensors") as running:
        answer = running.ask("POST", "/predict", {"sequences": [x.tolist() for x in X]})
        assert answer["predictions"] == [labels.tolist() for labels in model.predict(X)]
        assert running.refusal("POST", "/streams") == (422, "it has no stream()")

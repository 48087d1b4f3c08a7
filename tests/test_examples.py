"""The examples run, say what they found, and are as short as they say."""

import ast
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
LONG_TABLE = EXAMPLES / "long_table.py"
NEWCOMER = EXAMPLES / "newcomer.py"


def test_a_long_table_is_searched():
    pytest.importorskip("narwhals")
    run = subprocess.run([sys.executable, "-P", str(LONG_TABLE)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "n=400" in run.stdout
    accuracy = re.search(r"accuracy of 100 other patients ([\d.]+)", run.stdout)
    assert float(accuracy[1]) > 0.8, run.stdout


def test_it_takes_fewer_than_thirty_lines():
    """From the table to the search; and so does all that is no import."""
    tree = ast.parse(LONG_TABLE.read_text())
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    assert sum(node.end_lineno - node.lineno + 1 for node in functions) < 30


def test_entities_with_rules_are_legal_and_found_better():
    command = [sys.executable, "-P", str(EXAMPLES / "named_entities.py")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    rows = re.findall(r"^(none|iobes) +(\d) +(\d+) +([\d.]+)$", run.stdout, re.MULTILINE)
    assert len(rows) == 6
    free, ruled = ([row for row in rows if row[0] == rules] for rules in ("none", "iobes"))
    for without, with_rules in zip(free, ruled):
        assert without[1] == with_rules[1]
        assert int(without[2]) > int(with_rules[2]) == 0
        assert float(with_rules[3]) > float(without[3])


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory):
    """What the newcomer's path prints, and the folder with the files that it leaves."""
    pytest.importorskip("narwhals")
    folder = tmp_path_factory.mktemp("newcomer")
    command = [sys.executable, "-P", str(NEWCOMER), str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    return run.stdout, folder


@pytest.mark.slow
def test_a_newcomer_gets_from_a_table_to_a_model(newcomer):
    printed, folder = newcomer
    assert "read Sequences(n=300" in printed
    assert float(re.search(r"over clinics ([\d.]+)", printed)[1]) > 0.7, printed
    assert float(re.search(r"accuracy +([\d.]+)", printed)[1]) > 0.75, printed
    assert "loaded in another process: the same probabilities" in printed
    assert (folder / "model.safetensors").stat().st_size > 1000


@pytest.mark.slow
def test_the_graph_answers_without_rnnkit(newcomer):
    printed, folder = newcomer
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    assert float(re.search(r"differs by (\S+)", printed)[1]) < 1e-5, printed
    blocked = "import sys; sys.modules['rnnkit'] = None; sys.argv = sys.argv[1:];"
    run_it = "import runpy; runpy.run_path(sys.argv[0], run_name='__main__')"
    graph, inputs = folder / "network.onnx", folder / "inputs.npz"
    command = [sys.executable, "-c", blocked + run_it, NEWCOMER, "onnx", graph, inputs]
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert len(json.loads(run.stdout)) == 300


@pytest.mark.slow
def test_the_service_answers_requests(newcomer):
    printed, folder = newcomer
    assert re.search(r"served at http://127.0.0.1:\d+/: \{'ill': '(yes|no)'", printed), printed
    model = folder / "model.safetensors"
    command = [sys.executable, "-P", str(NEWCOMER), "serve", str(model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().strip()
            high = [{"day": day, "drug": "b", "pulse": 95, "weight": None} for day in range(5)]
            low = [dict(visit, pulse=45) for visit in high]
            assert _post(address, high)["ill"] == "yes"
            assert _post(address, low)["ill"] == "no"
            assert _post(address, [dict(high[0], drug="never seen")])["ill"] in ("yes", "no")
            for wrong in ([], [dict(high[0], pulse="much")], [{"drug": "b"}], "no list"):
                with pytest.raises(urllib.error.HTTPError) as refusal:
                    _post(address, wrong)
                assert refusal.value.code == 400
                assert json.load(refusal.value)["error"]
        finally:
            server.terminate()


def _post(address, content):
    request = urllib.request.Request(address, json.dumps(content).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def test_a_forecaster_looks_back():
    command = [sys.executable, "-P", str(EXAMPLES / "backtesting.py")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    errors = re.findall(r"^scikit-learn: .* error ([\d.]+) in units", run.stdout, re.MULTILINE)
    assert len(errors) == 3
    assert sum(map(float, errors)) / 3 < 1, run.stdout
    assert "mean score by stabilize" in run.stdout

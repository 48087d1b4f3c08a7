"""From one's own table to a service: read, search, report, save, load, export, serve.

    python examples/newcomer.py                        all steps, in a temporary folder
    python examples/newcomer.py FOLDER                 all steps, and leave the files there
    python examples/newcomer.py predict MODEL TABLE    load a model, predict a table
    python examples/newcomer.py onnx GRAPH INPUTS      the same without rnnkit
    python examples/newcomer.py serve MODEL [PORT]     answer requests until Ctrl-C

The table is written first, as a hospital might export it: a row for each visit, the patients
mixed, some measurements missing. Patients of one clinic resemble each other, so whole clinics are
held out. A patient is ill if the pulse was mostly high under drug b.
"""

import json
import subprocess
import sys
import tempfile
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

NUMBERS = ["pulse", "weight"]


def write_table(path):
    import pandas as pd

    rng = np.random.default_rng(0)
    table = pd.DataFrame({"patient": np.repeat([f"p{i:03}" for i in range(300)], 10)})
    table["clinic"] = np.repeat(rng.integers(1, 13, 300), 10)
    table["day"] = table.groupby("patient").cumcount()
    table["drug"] = rng.choice(["a", "b", "c"], len(table))
    table["pulse"] = (70 + table["clinic"] % 3 + 8 * rng.normal(size=len(table))).round(1)
    table["weight"] = rng.normal(75, 12, len(table)).round(1)
    under_b = (table["pulse"] - 71) * (table["drug"] == "b")
    table["ill"] = np.where(under_b.groupby(table["patient"]).transform("sum") > 0, "yes", "no")
    table.loc[rng.random(len(table)) < 0.1, "weight"] = np.nan
    table.loc[rng.random(len(table)) < 0.03, "pulse"] = np.nan
    table.sample(frac=1.0, random_state=0).to_csv(path, index=False)


def read_table(path):
    """Sequences of visits with the ids of the patients, their labels, and the clinic of each."""
    import pandas as pd

    from rnnkit import Sequences

    table = pd.read_csv(path, dtype={"drug": "category"})
    X, y = Sequences.from_frame(
        table,
        group="patient",
        sort="day",
        columns=[*NUMBERS, "drug"],
        target="ill",
        allow_nan=True,
    )
    clinics = table.groupby("patient")["clinic"].first()
    return X, y, clinics[X.ids].to_numpy()


def search(X, y, groups):
    """Fill, scale and feed the numbers beside the drugs; compare six networks over clinics."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.model_selection import GridSearchCV, GroupKFold
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import StandardScaler

    from rnnkit import GRUClassifier
    from rnnkit.preprocessing import SequenceScaler

    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    columns = make_column_transformer((numbers, NUMBERS), remainder="passthrough")
    network = GRUClassifier(
        embedding_dim=2,
        categorical_features="from_dtype",
        learning_rate_init=0.01,
        learning_rate="cosine",
        max_iter=40,
        random_state=0,
    )
    model = Pipeline([("columns", SequenceScaler(columns)), ("network", network)])
    grid = {"network__hidden_size": [8, 16, 32], "network__dropout": [0.0, 0.3]}
    return GridSearchCV(model, grid, cv=GroupKFold(3), verbose=1).fit(X, y, groups=groups)


def report(model, X, y):
    from sklearn.metrics import classification_report

    print(classification_report(y, model.predict(X), digits=3))
    sure = model.predict_proba(X).max(axis=1)
    for patient, answer, share in list(zip(X.ids, model.predict(X), sure))[:3]:
        print(f"{patient}: {answer}, {share:.0%} sure")


def predict(model_path, table_path):
    """Load a model and say how probable an illness is; run in a process of its own."""
    import rnnkit

    X, _, _ = read_table(table_path)
    model = rnnkit.load(model_path)
    print(json.dumps(model.predict_proba(X)[:, 1].tolist()))


def export(model, X, folder):
    """Write the network as ONNX, and the inputs that its graph takes.

    Filling and scaling the columns stays in Python, so the graph takes what they return. Numbers
    and categories are separate inputs. A category is 1, 2, ... in the order that the metadata of
    the graph list; 0 is any other.
    """
    from rnnkit import to_onnx

    graph = to_onnx(model[-1], folder / "network.onnx")
    metadata = {entry.key: entry.value for entry in graph.metadata_props}
    (drugs,) = json.loads(metadata["rnnkit.reader"])["labels"]
    steps = np.stack(model[:-1].transform(X))  # here all sequences have ten steps
    ids = [[[drugs.index(step[-1]) + 1] for step in sequence] for sequence in steps]
    np.savez(
        folder / "inputs.npz",
        X=steps[:, :, :-1].astype(np.float32),
        ids=np.array(ids, dtype=np.int64),
        lengths=np.full(len(steps), steps.shape[1], dtype=np.int64),
    )


def run_onnx(graph_path, inputs_path):
    """Answer as `predict` does with NumPy and ONNX Runtime alone, in a process of its own."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph_path)
    _, probabilities = session.run(None, dict(np.load(inputs_path)))
    print(json.dumps(probabilities[:, 1].tolist()))


def serve(model_path, port=0):
    """Answer POST requests, a JSON list of a patient's visits, on this machine alone.

    Any number of threads may ask one fitted estimator, so each request has a thread. The server of
    the standard library is for one's own machine; for others put `answer` into a web framework.
    """
    import pandas as pd

    import rnnkit

    model = rnnkit.load(model_path)

    def answer(visits):
        table = pd.DataFrame(visits, columns=["day", "drug", *NUMBERS])
        table = table.astype({"drug": str, **dict.fromkeys(NUMBERS, float)})
        table["patient"] = 0
        X = rnnkit.Sequences.from_frame(
            table, group="patient", sort="day", columns=[*NUMBERS, "drug"], allow_nan=True
        )
        probability = float(model.predict_proba(X)[0, 1])
        return {"ill": str(model.predict(X)[0]), "probability": round(probability, 4)}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            try:
                status, body = 200, answer(json.loads(self._body()))
            except (ValueError, TypeError) as error:
                status, body = 400, {"error": str(error)}
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def _body(self):
            return self.rfile.read(int(self.headers["Content-Length"]))

        def log_message(self, *_):
            """Write no line for each request."""

    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()


def ask(address, visits):
    request = urllib.request.Request(address, json.dumps(visits).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def elsewhere(*arguments):
    """Run a part of this file in a process of its own and return what it prints."""
    command = [sys.executable, "-P", __file__, *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(run.stderr)
    return json.loads(run.stdout)


def main(folder):
    table, model_path = folder / "visits.csv", folder / "model.safetensors"
    write_table(table)
    X, y, clinics = read_table(table)
    print(f"read {X}, the first is {X.ids[0]}: {y[0]}")

    held_out = clinics > 9
    found = search(X[~held_out], y[~held_out], clinics[~held_out])
    print(f"best {found.best_params_}, over clinics {found.best_score_:.3f}")
    model = found.best_estimator_
    report(model, X[held_out], y[held_out])

    import rnnkit

    rnnkit.save(model, model_path)
    here = model.predict_proba(X)[:, 1]
    same = elsewhere("predict", model_path, table) == here.tolist()
    print(f"loaded in another process: {'the same' if same else 'other'} probabilities")

    try:
        import onnx  # noqa: F401 the extra that writes
        import onnxruntime  # noqa: F401 and what runs it there
    except ImportError as error:
        print(f"ONNX skipped, {error.name} is missing: pip install 'rnnkit[onnx]' onnxruntime")
    else:
        export(model, X, folder)
        other = elsewhere("onnx", folder / "network.onnx", folder / "inputs.npz")
        print(f"ONNX Runtime in another process: differs by {np.abs(other - here).max():.0e}")

    command = [sys.executable, "-P", __file__, "serve", str(model_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().strip()
            visits = [
                {"day": 0, "drug": "b", "pulse": 88, "weight": None},
                {"day": 1, "drug": "a", "pulse": 70, "weight": 80.5},
                {"day": 2, "drug": "b", "pulse": 85, "weight": 80.0},
            ]
            print(f"served at {address}: {ask(address, visits)}")
        finally:
            server.terminate()


if __name__ == "__main__":
    steps = {"predict": predict, "onnx": run_onnx, "serve": serve}
    if sys.argv[1:2] and sys.argv[1] in steps:
        steps[sys.argv[1]](*sys.argv[2:])
    elif sys.argv[1:]:
        Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))

"""Files that this and every later version loads, with what was asked of them and answered.

    python tests/persistence/golden_files.py --write

writes a folder for the version that runs, if it has none: a file for each kind of estimator, and
answers.json. A folder that is there is never written again: old files must load for ever.

    python tests/persistence/golden_files.py --write --build aarch64 --only crf tokens

writes some into one for that version on another machine. RNNKIT_GOLDEN_FILES names another place
for the folders.
"""

import argparse
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)

import rnnkit
from rnnkit import training
from rnnkit.energy import (
    DeepBeliefNetwork,
    DeepBoltzmannMachine,
    HopfieldNetwork,
    RecurrentRBM,
)
from rnnkit.preprocessing import Padder, SequenceScaler, SlidingWindows, TokenEncoder

FOLDER = Path(os.environ.get("RNNKIT_GOLDEN_FILES", Path(__file__).with_name("golden")))
ANSWERS = "answers.json"
LARGEST = 30_000  # bytes of a file
METHODS = ("predict_proba", "predict", "transform", "score_samples", "decision_function")

_RNG = np.random.RandomState(0)
DENSE = _RNG.randint(-64, 65, (16, 5, 2)) / 32
RAGGED = [x[: 2 + i % 4] for i, x in enumerate(DENSE)]
ROWS = DENSE[:, :, 0]
IDS = _RNG.randint(0, 6, (16, 5, 3))
WORDS = [["the", "cat", "sat"], ["a", "cät"], ["the", "mat."], ["an", "an"]] * 4
TARGETS: dict[str, Any] = {
    "Classifier": ["up" if x[-1, 0] > 0 else "down" for x in RAGGED],
    "Regressor": [float(x.sum()) for x in RAGGED],
    "SequenceTagger": [["up" if v > 0 else "down" for v in x[:, 0]] for x in RAGGED],
    "SequenceRegressor": [x.sum(axis=1) for x in RAGGED],
    "SequenceLabeller": [["a", "b"][: 1 + i % 2] for i in range(len(RAGGED))],
}


def network(kind: str, **parameters: Any) -> Any:
    settings = dict(hidden_size=4, max_iter=3, learning_rate_init=0.05, batch_size=8)
    return getattr(rnnkit, kind)(**{**settings, "random_state": 0, **parameters})


def fitted() -> dict[str, tuple[Any, Any]]:
    """Return a fitted estimator of each kind, and what it is asked about, by name."""
    table: dict[str, tuple[Any, Any]] = {}

    def add(name: str, estimator: Any, X: Any, y: Any = None) -> None:
        table[name] = estimator.fit(X) if y is None else estimator.fit(X, y), X

    for cell in ("RNN", "LSTM", "GRU"):
        for task, y in TARGETS.items():
            dtype = "f4" if cell == "GRU" else "f8"
            add(f"{cell}{task}", network(cell + task), [x.astype(dtype) for x in RAGGED], y)
    labels, tags = TARGETS["Classifier"], TARGETS["SequenceTagger"]
    add("crf", network("LSTMSequenceTagger", output="crf", bidirectional=True), RAGGED, tags)
    add("several labels", network("GRUClassifier"), RAGGED, (DENSE[:, 0] > 0).astype(int))
    add("numbers as labels", network("LSTMClassifier", pooling="attention"), RAGGED,
        np.array([int(label == "up") * 5 - 2 for label in labels], np.int16))  # fmt: skip
    add("tokens", network("GRUClassifier", embedding_dim=(3,), spelling_columns=2, character_dim=2,
                          character_hidden_size=2, token_dropout=1.0), IDS, labels)  # fmt: skip
    add("options", network("LSTMClassifier", n_layers=2, peephole=True, cell_clip=2.0, dropout=0.1,
                           activation=("leaky_relu", 0.1), gate_bias="chrono",
                           solver=training.SGD(0.5), learning_rate=training.Cosine(0.1),
                           random_state=np.random.RandomState(3)), RAGGED, labels)  # fmt: skip
    add("quantile", network("GRURegressor", loss="quantile", quantile=0.8, early_stopping=True),
        RAGGED, np.array([[x[0, 0], x[-1, 1]] for x in RAGGED]))  # fmt: skip
    add("scaled rows", make_pipeline(SimpleImputer(), StandardScaler(), network("GRUClassifier")),
        ROWS, labels)  # fmt: skip
    add("scaled sequences", Pipeline([("scale", SequenceScaler(MinMaxScaler())),
                                      ("tag", network("LSTMSequenceTagger"))]),
        RAGGED, tags)  # fmt: skip
    add("words", make_pipeline(TokenEncoder(("word", "shape", "spelling"), max_word_length=3),
                               network("GRUClassifier", embedding_dim=2, spelling_columns=3,
                                       character_dim=2, character_hidden_size=2)),
        WORDS, labels)  # fmt: skip
    add("features", make_pipeline(rnnkit.RecurrentFeatures(network("LSTMClassifier")),
                                  LogisticRegression()), RAGGED, labels)  # fmt: skip
    add("transformers", FeatureUnion([
        ("power", PowerTransformer()), ("quantile", QuantileTransformer(n_quantiles=5)),
        ("bins", KBinsDiscretizer(3, encode="onehot-dense")), ("pca", PCA(2)),
        ("columns", ColumnTransformer([("one", OneHotEncoder(sparse_output=False), [0])],
                                      remainder="passthrough")),
    ]), ROWS)  # fmt: skip
    add("padder", Padder(6, fill=-1.0, flatten=True, side="start"), RAGGED)
    add("windows", SlidingWindows(3, step=2), DENSE[:2])
    add("writing", network("GRULanguageModel", embedding_dim=2, tied_embeddings=True), WORDS)
    series = np.cumsum(DENSE[:, :3, 0]) + 9
    forecaster = rnnkit.GRUForecaster(
        4, strategy="recursive", n_estimators=2, max_iter=3, seasonality=4, random_state=0
    ).fit(series, fh=[1, 3])
    table["forecast"] = forecaster, [1, 2, 3, 4]  # what it is asked about are steps ahead
    written = rnnkit.LSTMForecaster(
        4, strategy="encoder-decoder", n_estimators=2, max_iter=3, seasonality=4, random_state=0
    ).fit(series, fh=[1, 3], sample_weight=np.linspace(0.5, 1, len(series)))
    table["forecast written"] = written, [1, 2, 3]
    letters = ["ab", "ba", "aab", "bba", "a", "b"] * 2
    backwards = [text[::-1] for text in letters]
    add("written labels", network("GRUEncoderDecoder", embedding_dim=3), letters, backwards)
    add("written numbers", network("LSTMEncoderDecoder", attention="additive"), RAGGED,
        [x.sum(axis=1)[:2] for x in RAGGED])  # fmt: skip
    add("made series", network("GRUSeriesGenerator"), RAGGED, labels)
    before = [rnnkit.Convolution(3, 2), rnnkit.Convolution(2, 3, stride=2, pooling=2)]
    beside = [rnnkit.Convolution(3, 2, causal=True, layer_norm=True)]
    add("convolutions", network("GRUClassifier", convolutions=before), RAGGED, labels)
    add("convolutions beside", network("LSTMSequenceTagger", convolutions=beside,
                                       convolution_join="parallel"), RAGGED, tags)  # fmt: skip
    normalized = [rnnkit.Convolution(3, 2, batch_norm=True)]
    beside_normalized = network(
        "LSTMClassifier", convolutions=normalized, convolution_join="parallel"
    )
    add("convolutions normalized", beside_normalized, RAGGED, labels)
    gates = network("LSTMClassifier", full_gate_recurrence=True, bidirectional=True)
    add("full gate recurrence", gates, RAGGED, labels)
    narrow = [x.astype(np.float32) for x in RAGGED]
    for cell in ("RNN", "LSTM", "GRU"):
        exact = network(f"{cell}Classifier").fit(narrow, labels)
        table[f"8 bits {cell}"] = rnnkit.quantize(exact), narrow
    add("widths", network("LSTMRegressor", hidden_size=(4, 3)), RAGGED, TARGETS["Regressor"])
    add("no layer", network("RNNClassifier", hidden_size=()), RAGGED, labels)
    for task in ("Classifier", "Regressor", "SequenceRegressor", "SequenceTagger"):
        echo = getattr(rnnkit, f"EchoState{task}")(6, leak=0.5, random_state=0)
        add(f"echo state {task}", echo, RAGGED, TARGETS[task])
    for task in ("Regressor", "SequenceRegressor"):
        evolved = getattr(rnnkit, f"Evolino{task}")(4, population=8, generations=3, random_state=0)
        add(f"evolved {task}", evolved, RAGGED, TARGETS[task])
    switches = [(x > 0).astype(float) for x in RAGGED]
    add("machine at every step", RecurrentRBM(4, n_components=3, max_iter=3, cell="gru",
                                              random_state=0), switches)  # fmt: skip
    on_off, classes = (ROWS > 0).astype(float), np.arange(len(ROWS)) % 3 - 1
    for rule in ("hebb", "pseudo-inverse", "softmax"):
        add(f"patterns by {rule}", HopfieldNetwork(rule, random_state=0), ROWS[:3])
    add("deep machine", DeepBoltzmannMachine((3, 2), max_iter=3, random_state=0), on_off)
    add("belief network", DeepBeliefNetwork((4, 3), max_iter=20, random_state=0), on_off, classes)
    partial = network("GRUClassifier", dropout=0.2)
    partial.partial_fit(RAGGED, labels, classes=["down", "up"])
    table["training state"] = partial, RAGGED
    return table


def plain(values: Any) -> Any:
    """Return arrays, and lists of arrays, as nested lists."""
    if isinstance(values, np.ndarray) and values.dtype != object:
        return values.tolist()
    return [plain(np.asarray(value)) for value in values]


def write(build: str | None, only: list[str] | None) -> None:
    folder = FOLDER / "-".join([rnnkit.__version__, *([build] if build else [])])
    if folder.exists():
        sys.exit(f"{folder} is there; old files are not written again")
    folder.mkdir(parents=True)
    answers = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, (estimator, X) in fitted().items():
            if only and name not in only:
                continue
            path = folder / f"{name.replace(' ', '_')}.safetensors"
            rnnkit.save(estimator, path, include_training_state=name == "training state")
            assert path.stat().st_size < LARGEST, path
            method = next(method for method in METHODS if hasattr(estimator, method))
            is_text = isinstance(np.asarray(X[0]).flat[0], str)
            X = [x if is_text else np.asarray(x) for x in X]
            answers[path.name] = {
                "method": method,
                "X": X if is_text else [x.tolist() for x in X],
                "dtype": "text" if is_text else X[0].dtype.str,
                "answer": plain(getattr(estimator, method)(X)),
            }
    (folder / ANSWERS).write_text(json.dumps(answers, indent=0) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the files of this version")
    parser.add_argument("--build", help="a machine, for a folder of its own")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of the files, these")
    arguments = parser.parse_args()
    if arguments.write:
        write(arguments.build, arguments.only)

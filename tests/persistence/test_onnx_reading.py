"""Graphs read back: our own, with the same class and answers, and those of others."""

import io
import json
import sys

import numpy as np
import pytest
from persistence.test_onnx import assert_near, run, why_refused
from persistence.trained import MODELS, trained
from sklearn.pipeline import make_pipeline

import rnnkit
import rnnkit.exceptions
from rnnkit.preprocessing import SequenceScaler

onnx = pytest.importorskip("onnx", reason='onnx is absent: pip install "rnnkit[oracle]"')
pytest.importorskip("onnxruntime", reason='pip install "rnnkit[oracle]"')

N, T, F, H, K = 6, 5, 3, 4, 3
RNG = np.random.RandomState(0)
X = RNG.randn(N, T, F).astype("f4")
LENGTHS = np.array([5, 3, 1, 2, 4, 5])
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}


def flat(values):
    if isinstance(values, rnnkit.Sequences):
        values = values.to_list()
    return np.concatenate([np.ravel(piece) for piece in values])


@pytest.mark.parametrize("name", [n for n in MODELS if not why_refused(MODELS[n].estimator)])
def test_our_own_files_come_back_as_they_were(name, tmp_path):
    estimator, data = trained(name)
    if why_refused(estimator):  # which a fit alone can tell
        return
    path = tmp_path / "model.onnx"
    rnnkit.to_onnx(estimator, path)
    if type(estimator).__name__.startswith("Evolino"):
        with pytest.raises(ValueError, match=f"the file holds {type(estimator).__name__}"):
            rnnkit.from_onnx(path)
        return
    back = rnnkit.from_onnx(path)
    assert type(back) is type(estimator)
    narrow = [x.astype("f4") if getattr(x, "dtype", None) == "f8" else x for x in data.X]
    given = narrow if isinstance(data.X, list) and not back.embedding_dim else data.X
    if hasattr(estimator, "loss"):
        assert_near(
            flat(back.predict(given, **data.call)), flat(estimator.predict(data.X, **data.call))
        )
        return
    same = (flat(e.predict(x, **data.call)) for e, x in ((back, given), (estimator, data.X)))
    assert np.array_equal(*same)
    assert_near(flat(back.predict_proba(given, **data.call)),
                flat(estimator.predict_proba(data.X, **data.call)))  # fmt: skip
    assert np.array_equal(back.classes_, estimator.classes_)
    assert back.classes_.dtype == estimator.classes_.dtype


class Written:
    """A graph as others write it."""

    def __init__(self, cell="LSTM", both=False, layers=1, time_first=False, ids=None, **attributes):
        self.nodes, self.initializers, self.opset = [], [], 17
        self.rng = np.random.RandomState(1)
        self.cell, self.both, self.attributes = cell, both, attributes
        self.constants = 0
        shape = ["T", "N"] if time_first else ["N", "T"]
        if ids is None:
            x, self.inputs = "x", [self.info("x", 1, [*shape, F])]
            width = F
        else:
            self.inputs = [self.info("x", 7, shape)]
            x, width = self.add("Gather", self.drawn(ids, 2), "x"), 2
        self.lengths = attributes.pop("lengths", "")
        if self.lengths:
            self.inputs.append(self.info("lengths", 7, ["N"]))
        x = x if time_first else self.add("Transpose", x, perm=[1, 0, 2])
        for _ in range(layers):
            x = self.layer(x, width)
            width = H * (1 + both)
        self.states, self.width = x, width  # (T, N, D·H)

    def info(self, name, kind, shape):
        return onnx.helper.make_tensor_value_info(name, kind, shape)

    def constant(self, array):
        name = f"c{self.constants}"
        self.constants += 1
        self.initializers.append(onnx.numpy_helper.from_array(np.asarray(array).copy(), name))
        return name

    def drawn(self, *shape):
        return self.constant((self.rng.randn(*shape) / 2).astype("f4"))

    def add(self, op, *inputs, outputs=1, **attributes):
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(onnx.helper.make_node(op, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def layer(self, x, width):
        d, g = 1 + self.both, GATES[self.cell]
        weights = self.drawn(d, g * H, width), self.drawn(d, g * H, H), self.drawn(d, 2 * g * H)
        inputs = [x, *weights]
        if self.lengths:
            inputs.append(self.add("Cast", "lengths", to=6))
        attributes = {"hidden_size": H, **self.attributes}
        if self.cell == "GRU":
            attributes = {"linear_before_reset": 1, **attributes}
        if self.both:
            attributes["direction"] = "bidirectional"
        y, self.y_h = self.add(self.cell, *inputs, outputs=2, **attributes)
        if not self.both:
            return self.add("Squeeze", y, self.constant(np.array([1])))
        y = self.add("Transpose", y, perm=[0, 2, 1, 3])
        return self.add("Reshape", y, self.constant(np.array([0, 0, -1])))

    def last(self):
        if not self.both:
            return self.add("Squeeze", self.y_h, self.constant(np.array([0])))
        turned = self.add("Transpose", self.y_h, perm=[1, 0, 2])
        return self.add("Reshape", turned, self.constant(np.array([0, -1])))

    def head(self, x, k=K, gemm=False):
        if gemm:
            return self.add("Gemm", x, self.drawn(k, self.width), self.drawn(k), transB=1)
        return self.add("Add", self.add("MatMul", x, self.drawn(self.width, k)), self.drawn(k))

    def head_in(self, x, units, center):
        """A head whose outputs have units and a center of their own."""
        weight = self.rng.randn(self.width, len(units)) / 2 * units
        weight, bias = weight.astype("f4"), np.full(len(units), center, "f4")
        return self.add("Add", self.add("MatMul", x, self.constant(weight)), self.constant(bias))

    def pooled(self, kind, time_first=False):
        return {
            "last": self.last,
            "last of all": lambda: self.add(
                "Gather", self.states, self.constant(np.int64(-1)), axis=0
            ),
            "mean": lambda: self.add("ReduceMean", self.states, axes=[0], keepdims=0),
            "max": lambda: self.add("ReduceMax", self.states, axes=[0], keepdims=0),
            "steps": lambda: (
                self.states if time_first else self.add("Transpose", self.states, perm=[1, 0, 2])
            ),
        }[kind]()  # fmt: skip

    def model(self, value, rank=2):
        graph = onnx.helper.make_graph(
            self.nodes, "g", self.inputs,
            [self.info(value, 1, ["A", "B", "C"][:rank])], self.initializers,
        )  # fmt: skip
        opset = [onnx.helper.make_opsetid("", self.opset)]
        return onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)


@pytest.mark.parametrize("layers, both", [(1, False), (1, True), (2, False), (2, True)])
@pytest.mark.parametrize("cell", GATES)
def test_classifier_of_others(cell, layers, both):
    graph = Written(cell, both, layers)
    probabilities = graph.add("Softmax", graph.head(graph.last(), gemm=True), axis=-1)
    model = graph.model(probabilities)
    ours = rnnkit.from_onnx(model.SerializeToString(), classes=["a", "b", "c"])
    assert type(ours) is getattr(rnnkit, f"{cell}Classifier")
    assert ours.classes_.tolist() == ["a", "b", "c"]
    assert_near(ours.predict_proba(X), run(model, {"x": X})[probabilities])


@pytest.mark.parametrize("pooling", ["last", "last of all", "mean", "max", "steps"])
@pytest.mark.parametrize("tail", ["", "Softmax", "LogSoftmax", "Sigmoid", "Exp"])
@pytest.mark.parametrize("time_first", [False, True])
def test_what_stands_after_the_layers_is_found(time_first, tail, pooling):
    graph = Written("GRU", time_first=time_first)
    scores = graph.head(graph.pooled(pooling, time_first))
    result = graph.add(tail, scores, **({"axis": -1} if "oft" in tail else {})) if tail else scores
    model = graph.model(result, 3 if pooling == "steps" else 2)
    ours = rnnkit.from_onnx(model)
    expected = run(model, {"x": X.swapaxes(0, 1) if time_first else X})[result]
    if time_first and pooling == "steps":
        expected = expected.swapaxes(0, 1)
    labels = tail in ("Softmax", "LogSoftmax", "Sigmoid")
    task = ("SequenceTagger" if labels else "SequenceRegressor") if pooling == "steps" else (
        "Classifier" if labels else "Regressor"
    )  # fmt: skip
    assert type(ours).__name__ == f"GRU{task}"
    if labels:
        found = ours.predict_proba(X)
        assert_near(np.log(found) if tail == "LogSoftmax" else found, expected)
    else:
        assert_near(ours.predict(X), expected)


@pytest.mark.parametrize("center", [0, 1000])
@pytest.mark.parametrize("units", [(1, 1), (1e-5, 1e-5), (1e-12, 1), (1e4, 1e-2), (1e12, 1e9)])
@pytest.mark.parametrize("pooling", ["last", "mean", "max", "steps"])
def test_the_unit_of_the_outputs_does_not_decide_what_is_found(pooling, units, center):
    """Where outputs were small, or near their mean, whatever was tried first agreed."""
    graph = Written("GRU")
    center = center * max(units)
    scores = graph.head_in(graph.pooled(pooling), np.array(units), center)
    model = graph.model(scores, 3 if pooling == "steps" else 2)
    ours = rnnkit.from_onnx(model)
    assert getattr(ours, "pooling", "steps") == pooling
    found, expected = ours.predict(X), run(model, {"x": X})[scores]
    for k in range(len(units)):
        allowed = 1e-5 * np.ptp(expected[..., k]) + 2e-7 * center
        assert np.abs(found[..., k] - expected[..., k]).max() <= allowed


@pytest.mark.parametrize("share", [3e-6, 3e-5])
@pytest.mark.parametrize("pooling", ["last", "max"])
def test_of_two_that_agree_the_nearer_is_taken(pooling, share):
    """One state rises from step to step, so that its last is its largest; the other has a share."""
    model = rnnkit.RNNRegressor(2, pooling=pooling, max_iter=1).fit(X, np.arange(N))
    weights = model.network_.parameters
    weights.flat[...] = 0
    weights.get("rnn.weight_ih_l0")[:, 0] = 0.05, 1.0
    weights.get("rnn.weight_hh_l0")[0, 0] = 1.0
    weights.get("rnn.bias_l0")[0] = 0.15
    weights.get("head.weight")[...] = 1.0, share
    graph = rnnkit.to_onnx(model)
    del graph.metadata_props[:]
    assert rnnkit.from_onnx(graph).pooling == pooling


@pytest.mark.parametrize("pooling", ["last", "steps"])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("cell", GATES)
def test_lengths_beside_steps_that_come_first(cell, both, pooling):
    graph = Written(cell, both, time_first=True, lengths=True)
    scores = graph.head(graph.pooled(pooling, time_first=True))
    model = graph.model(scores, 3 if pooling == "steps" else 2)
    ours = rnnkit.from_onnx(model)
    expected = run(model, {"x": X.swapaxes(0, 1), "lengths": LENGTHS})[scores]
    found = ours.predict(X, lengths=LENGTHS)
    if pooling == "steps":
        real = np.arange(T) < LENGTHS[:, None]
        found, expected = found[real], expected.swapaxes(0, 1)[real]
    assert_near(found, expected)


@pytest.mark.parametrize("attributes", [
    {"activations": ["Softsign", "Relu", "Relu"]},
    {"activations": ["HardSigmoid", "LeakyRelu", "LeakyRelu"], "activation_alpha": [0.3, 0.1, 0.1],
     "activation_beta": [0.4]},
    {"clip": 0.4},
    {"input_forget": 1},
])  # fmt: skip
@pytest.mark.parametrize("both", [False, True])
def test_options_of_the_operator(both, attributes):
    if both:
        attributes = {k: v * 2 if isinstance(v, list) else v for k, v in attributes.items()}
    graph = Written("LSTM", both, lengths=True, **attributes)
    scores = graph.head(graph.last(), 1)
    model = graph.model(scores)
    ours = rnnkit.from_onnx(model)
    expected = run(model, {"x": X, "lengths": LENGTHS})[scores]
    assert_near(ours.predict(X, lengths=LENGTHS), expected[:, 0])


@pytest.mark.parametrize("reset", [0, 1])
def test_both_resets(reset):
    graph = Written("GRU", linear_before_reset=reset)
    scores = graph.head(graph.last(), 2)
    model = graph.model(scores)
    ours = rnnkit.from_onnx(model)
    assert ours.reset == ("after" if reset else "before")
    assert_near(ours.predict(X), run(model, {"x": X})[scores])


def test_an_embedding_before_the_layers():
    graph = Written("LSTM", ids=7)
    scores = graph.add("Softmax", graph.head(graph.states), axis=-1)
    model = graph.model(graph.add("Transpose", scores, perm=[1, 0, 2]), 3)
    ids = RNG.randint(0, 7, (N, T))
    ours = rnnkit.from_onnx(model)
    assert type(ours) is rnnkit.LSTMSequenceTagger
    assert_near(ours.predict_proba(ids[..., None]), next(iter(run(model, {"x": ids}).values())))


def test_one_score_through_a_sigmoid_is_two_classes():
    graph = Written("RNN")
    yes = graph.add("Sigmoid", graph.head(graph.last(), 1))
    model = graph.model(yes)
    ours = rnnkit.from_onnx(model, classes=["no", "yes"])
    assert_near(ours.predict_proba(X)[:, 1:], run(model, {"x": X})[yes])


def broken(what):
    graph = Written("LSTM", **({"direction": "reverse"} if what == "reverse" else {}))
    if what == "no head":
        return graph.model(graph.last())
    value = graph.head(graph.last())
    if what == "tanh":
        value = graph.add("Tanh", value)
    elif what == "cubed":
        value = graph.add("Mul", value, graph.add("Mul", value, value))
    elif what == "cubed a little":  # a thousandth of how much the answers vary
        value = graph.head_in(graph.last(), np.full(K, 1e-5), 0)
        cube = graph.add("Mul", value, graph.add("Mul", value, value))
        value = graph.add("Add", value, graph.add("Mul", cube, graph.constant(np.float32(1e7))))
    elif what == "two inputs":
        graph.inputs.append(graph.info("h0", 1, [1, "N", H]))
    elif what == "activation":
        graph.nodes[1].attribute.append(onnx.helper.make_attribute("activations", ["Elu"] * 3))
    elif what == "states":
        node = graph.nodes[1]
        node.input.extend(["", graph.constant(np.ones((1, N, H), "f4"))])
        graph.inputs[0] = graph.info("x", 1, [N, T, F])
    elif what == "weights":
        graph.inputs.append(graph.info(graph.nodes[1].input[1], 1, [1, 16, 3]))
        graph.initializers = [i for i in graph.initializers if i.name != graph.nodes[1].input[1]]
    return graph.model(value)


@pytest.mark.parametrize("what, message", [
    ("no head", "no linear head"),
    ("tanh", "a node Tanh"),
    ("cubed", "no estimator answers as the graph does"),
    ("cubed a little", "no estimator answers as the graph does"),
    ("two inputs", "must take sequences, and their lengths at most"),
    ("activation", "activation Elu"),
    ("reverse", "direction='reverse'"),
    ("states", "begin from zeros"),
    ("weights", "no constant of the file"),
])  # fmt: skip
def test_what_no_estimator_does_is_named(what, message):
    with pytest.raises(ValueError, match=message):
        rnnkit.from_onnx(broken(what))


def own(**changes):
    fitted = rnnkit.LSTMClassifier(H, max_iter=1, learning_rate="linear").fit(X, np.arange(N) % 3)
    model = rnnkit.to_onnx(fitted)
    for entry in model.metadata_props:
        part = entry.key.removeprefix("rnnkit.")
        if part in changes:
            change = changes[part]
            entry.value = change if isinstance(change, str) else json.dumps(
                {**json.loads(entry.value), **change}
            )  # fmt: skip
    return model


@pytest.mark.parametrize("changes, message", [
    ({"estimator": "Pipeline"}, "holds Pipeline"),
    ({"parameters": {"hidden_size": 10**6}}, "hidden_size=1000000, the arrays 4"),
    ({"parameters": {"n_layers": 10**9}}, "n_layers=1000000000, the arrays 1"),
    ({"parameters": {"colour": 1}}, "colour"),
    ({"parameters": "[" * 100_000}, "metadata"),
    ({"parameters": {"bidirectional": True}}, "_reverse"),
    ({"reader": {"n_step_features": 10**9}}, "columns"),
    ({"reader": {"n_tokens": [10**12], "token_columns": [0]}}, "metadata say"),
    ({"codec": {"classes": ["a"] * 9, "dtype": "<U1"}}, "outputs=9, the arrays 3"),
    ({"codec": {"dtype": "O"}}, ""),
    ({"codec": {"kind": "objects"}}, "metadata"),
])  # fmt: skip
def test_metadata_that_do_not_fit_are_refused(changes, message):
    if changes == {"codec": {"dtype": "O"}}:
        rnnkit.from_onnx(own(**changes))
        return
    with pytest.raises(ValueError, match=message):
        rnnkit.from_onnx(own(**changes))


def test_scalers_and_transformers_are_refused_by_name():
    classifier = rnnkit.LSTMClassifier(H, max_iter=1, learning_rate="linear")
    pipeline = make_pipeline(SequenceScaler(), classifier).fit(X, np.arange(N) % 3)
    with pytest.raises(ValueError, match="holds scalers"):
        rnnkit.from_onnx(rnnkit.to_onnx(pipeline))
    features = rnnkit.RecurrentFeatures(classifier).fit(X, np.arange(N) % 3)
    with pytest.raises(ValueError, match="holds RecurrentFeatures"):
        rnnkit.from_onnx(rnnkit.to_onnx(features))


def test_wrong_arguments(tmp_path, monkeypatch):
    with pytest.raises(TypeError, match="got int"):
        rnnkit.from_onnx(3)
    with pytest.raises(ValueError, match=r"no (valid )?ONNX model"):
        rnnkit.from_onnx(b"\xff\xff\xff\xff")
    with pytest.raises(OSError, match="absent"):
        rnnkit.from_onnx(tmp_path / "absent.onnx")
    with pytest.raises(ValueError, match="holds its labels"):
        rnnkit.from_onnx(own(), classes=[1, 2, 3])
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(rnnkit.exceptions.MissingExtraError, match=r"rnnkit\[onnx\]"):
        rnnkit.from_onnx(tmp_path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["last", "last of all", "mean", "steps"])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("cell", GATES)
def test_what_torch_exports(cell, both, kind):
    torch = pytest.importorskip("torch", reason='torch is absent: pip install "rnnkit[oracle]"')
    if both and kind == "last of all":
        pytest.skip("the reverse direction ends at the first step")

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = getattr(torch.nn, cell)(F, H, 2, batch_first=True, bidirectional=both)
            self.head = torch.nn.Linear(H * (1 + both), K)

        def forward(self, x):
            y, state = self.rnn(x)
            h = state[0] if isinstance(state, tuple) else state
            rows = {
                "last": lambda: torch.cat([h[-2], h[-1]], 1) if both else h[-1],
                "last of all": lambda: y[:, -1],
                "mean": lambda: y.mean(1),
                "steps": lambda: y,
            }[kind]()
            return torch.softmax(self.head(rows), -1)

    module, file = Module(), io.BytesIO()
    axes = {"x": {0: "n", 1: "t"}}
    given = (torch.from_numpy(X),)
    torch.onnx.export(module, given, file, dynamo=False, input_names=["x"], dynamic_axes=axes)
    ours = rnnkit.from_onnx(file.getvalue())
    task = "SequenceTagger" if kind == "steps" else "Classifier"
    assert type(ours).__name__ == f"{cell}{task}"
    assert_near(ours.predict_proba(X), module(*given).detach().numpy())

"""Weights in PyTorch's names: against torch itself, there and back, and what is refused."""

import numpy as np
import pytest
from persistence.trained import MODELS, emptied, refusal, trained
from safetensors.numpy import save_file
from sklearn.base import clone
from tolerances import assert_close

import rnnkit
from rnnkit.persistence.pytorch import from_state_dict, to_state_dict

torch = pytest.importorskip("torch", reason='torch is absent: pip install "rnnkit[oracle]"')

REFUSED = (
    "hidden_size",
    "quantile",
    "spelling_columns",
    "activation",
    "gate_activation",
    "output_activation",
    "reset",
)
REFUSED += (
    "peephole",
    "coupled_gates",
    "full_gate_recurrence",
    "cell_clip",
    "layer_norm",
    "zoneout",
)


def why_refused(estimator):
    if estimator._built_with.get("convolutions"):
        return "no convolutions"
    name = refusal(estimator, REFUSED)
    is_rnn = type(estimator).__name__.startswith("RNN")
    return None if is_rnn and name == "activation" and estimator.activation == "relu" else name


def answers(estimator, data):
    method = "predict_proba" if hasattr(estimator, "predict_proba") else "predict"
    return flat(getattr(estimator, method)(data.X, **data.call))


def flat(values):
    return np.concatenate([np.ravel(piece) for piece in values])


def what_it_knows(estimator):
    """The arguments that tell what y is like, which weights do not."""
    multilabel = estimator._codec.kind == "indicators"
    classes = None if multilabel else getattr(estimator, "classes_", None)
    return {"classes": classes, "multilabel": multilabel}


@pytest.mark.parametrize("name", MODELS)
def test_there_and_back_or_refused_by_name(name):
    estimator, data = trained(name)
    refused = why_refused(estimator)
    if refused is not None:
        with pytest.raises(ValueError, match=refused):
            to_state_dict(estimator)
        return
    mapping = to_state_dict(estimator, "model.")
    assert all(array.dtype == estimator.network_.dtype for array in mapping.values())
    back = from_state_dict(emptied(estimator), mapping, "model.", **what_it_knows(estimator))
    got, expected = answers(back, data), answers(estimator, data)
    if hasattr(estimator, "loss"):  # the unit of y is folded in and rounded
        assert_close(got, expected, estimator.network_.dtype, 50)
        return
    assert np.array_equal(got, expected)
    labels, same = (e.predict(data.X, **data.call) for e in (estimator, back))
    assert np.array_equal(flat(labels), flat(same))


class Net(torch.nn.Module):
    """What a user of PyTorch would write for a task."""

    def __init__(self, cell, inputs, hidden, layers, both, outputs, pooling="last", tables=()):
        super().__init__()
        tables = [torch.nn.Embedding(size, width) for size, width in tables]
        if tables:
            self.embedding = tables[0] if len(tables) == 1 else torch.nn.ModuleList(tables)
        self.tables = tables
        self.rnn = getattr(torch.nn, cell)(
            inputs, hidden, layers, batch_first=True, bidirectional=both
        )
        width = hidden * (1 + both)
        if pooling == "attention":
            self.attention = torch.nn.Sequential(
                torch.nn.Linear(width, width),
                torch.nn.Tanh(),
                torch.nn.Linear(width, 1, bias=False),
            )
        self.head = torch.nn.Linear(width, outputs)
        self.pooling = pooling

    def forward(self, x, ids=None):
        if self.tables:
            looked_up = [table(ids[..., c]) for c, table in enumerate(self.tables)]
            x = torch.cat([*looked_up, x], dim=2) if x is not None else torch.cat(looked_up, dim=2)
        y, state = self.rnn(x)
        h = state[0] if isinstance(state, tuple) else state
        directions = 2 if self.rnn.bidirectional else 1
        pooled = {
            "last": lambda: torch.cat(list(h[-directions:]), dim=1),
            "mean": lambda: y.mean(dim=1),
            "max": lambda: y.max(dim=1).values,
            "attention": lambda: (torch.softmax(self.attention(y), dim=1) * y).sum(dim=1),
            None: lambda: y,
        }[self.pooling]()
        return self.head(pooled)


N, T, F, H = 12, 5, 3, 4
RNG = np.random.RandomState(0)
X = RNG.randn(N, T, F).astype("f4")
IDS = RNG.randint(0, 6, (N, T, 2))
LABELS = np.arange(N) % 3
SMALL = dict(hidden_size=H, max_iter=3, learning_rate="linear", random_state=0)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_module_and_classifier_say_the_same_both_ways(cell, layers, both):
    make = getattr(rnnkit, f"{cell}Classifier")
    ours = make(**SMALL, n_layers=layers, bidirectional=both).fit(X, LABELS)
    theirs = Net(cell, F, H, layers, both, 3)
    mapping = to_state_dict(ours)
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in mapping.items()}, strict=True)
    expected = torch.softmax(theirs(torch.from_numpy(X)), dim=1).detach().numpy()
    assert_close(ours.predict_proba(X), expected, np.float32, 20)

    theirs = Net(cell, F, H, layers, both, 3)  # drawn anew
    back = from_state_dict(clone(ours), theirs.state_dict())
    expected = torch.softmax(theirs(torch.from_numpy(X)), dim=1).detach().numpy()
    assert_close(back.predict_proba(X), expected, np.float32, 20)


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_layer_alone(cell):
    ours = getattr(rnnkit, f"{cell}Classifier")(**SMALL, n_layers=2).fit(X, LABELS)
    layer = getattr(torch.nn, cell)(F, H, 2, batch_first=True)
    mapping = to_state_dict(ours, rnn="", head=None)
    layer.load_state_dict({k: torch.from_numpy(v) for k, v in mapping.items()}, strict=True)
    expected = layer(torch.from_numpy(X))[0].detach().numpy()
    assert_close(ours.hidden_states(X), expected, np.float32, 20)


@pytest.mark.parametrize("pooling", ["mean", "max", "attention"])
def test_pooling(pooling):
    ours = rnnkit.GRUClassifier(**SMALL, pooling=pooling).fit(X, LABELS)
    theirs = Net("GRU", F, H, 1, False, 3, pooling)
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in to_state_dict(ours).items()})
    expected = torch.softmax(theirs(torch.from_numpy(X)), dim=1).detach().numpy()
    assert_close(ours.predict_proba(X), expected, np.float32, 20)


def test_numbers_come_in_the_unit_of_y():
    y = X.sum(axis=2) * 50 + 1000
    ours = rnnkit.LSTMSequenceRegressor(**SMALL).fit(X, y)
    theirs = Net("LSTM", F, H, 1, False, 1, None)
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in to_state_dict(ours).items()})
    expected = theirs(torch.from_numpy(X)).detach().numpy()[..., 0]
    assert_close(ours.predict(X), expected, np.float32, 20)
    back = from_state_dict(rnnkit.LSTMSequenceRegressor(H), theirs.state_dict())
    assert_close(back.predict(X), expected, np.float32, 20)


def test_tables_of_ids_alone_and_beside_numbers():
    ours = rnnkit.GRUSequenceTagger(**SMALL, embedding_dim=(3, 2)).fit(IDS, IDS[..., 0] % 2)
    theirs = Net("GRU", 5, H, 1, False, 2, None, [(6, 3), (6, 2)])
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in to_state_dict(ours).items()})
    expected = torch.softmax(theirs(None, torch.from_numpy(IDS)), dim=2).detach().numpy()
    assert_close(ours.predict_proba(IDS), expected, np.float32, 20)

    theirs = Net("GRU", 3 + F, H, 1, False, 2, None, [(6, 3)])
    mixed = np.concatenate([X, IDS[..., :1]], axis=2)
    back = rnnkit.GRUSequenceTagger(H, embedding_dim=3, categorical_features=(-1,))
    back = from_state_dict(back, theirs.state_dict(), classes=["down", "up"])
    given = torch.from_numpy(X), torch.from_numpy(IDS)
    expected = torch.softmax(theirs(*given), dim=2).detach().numpy()
    assert_close(back.predict_proba(mixed), expected, np.float32, 20)
    assert set(back.predict(mixed).ravel()) <= {"down", "up"}


def test_what_was_taken_over_trains_on():
    theirs = Net("LSTM", F, H, 1, False, 3)
    ours = from_state_dict(rnnkit.LSTMClassifier(H, random_state=0), theirs.state_dict())
    before = ours.predict_proba(X)
    assert ours.n_iter_ == 0
    assert ours.loss_curve_ == []
    ours.partial_fit(X, LABELS)
    assert not np.array_equal(before, ours.predict_proba(X))
    assert clone(ours).get_params() == ours.get_params()


def test_one_score_of_two_classes():
    theirs = Net("RNN", F, H, 1, False, 1)
    ours = from_state_dict(rnnkit.RNNClassifier(H), theirs.state_dict(), classes=["no", "yes"])
    expected = torch.sigmoid(theirs(torch.from_numpy(X))).detach().numpy()[:, 0]
    assert_close(ours.predict_proba(X)[:, 1], expected, np.float32, 20)
    assert ours.classes_.tolist() == ["no", "yes"]


def test_yes_or_no_labels():
    theirs = Net("RNN", F, H, 1, False, 4)
    ours = from_state_dict(rnnkit.RNNClassifier(H), theirs.state_dict(), multilabel=True)
    expected = torch.sigmoid(theirs(torch.from_numpy(X))).detach().numpy()
    assert_close(ours.predict_proba(X), expected, np.float32, 20)


def test_other_names_are_found_and_prefixes_taken():
    module = torch.nn.ModuleDict({
        "encoder": torch.nn.LSTM(F, H),
        "decoder": torch.nn.LSTM(F, H),
        "out": torch.nn.Linear(H, 3),
    })  # fmt: skip
    mapping = module.state_dict()
    with pytest.raises(ValueError, match=r"one recurrent module.*encoder.*decoder"):
        from_state_dict(rnnkit.LSTMClassifier(H), mapping)
    wrapped = {f"module.net.{key}": value for key, value in mapping.items() if "dec" not in key}
    ours = from_state_dict(rnnkit.LSTMClassifier(H), wrapped)
    assert_close(ours.weights_["head.weight"], mapping["out.weight"], np.float32)
    ours = from_state_dict(rnnkit.LSTMClassifier(H), {**wrapped, "other.x": np.ones(2)},
                           "module.net.")  # fmt: skip
    assert_close(ours.weights_["rnn.weight_hh_l0"], mapping["encoder.weight_hh_l0"], np.float32)


def test_no_biases():
    rnn, head = torch.nn.GRU(F, H, bias=False, batch_first=True), torch.nn.Linear(H, 3, bias=False)
    mapping = {f"a.{k}": v for k, v in rnn.state_dict().items()} | {"b.weight": head.weight}
    ours = from_state_dict(rnnkit.GRUClassifier(H), mapping)
    expected = torch.softmax(head(rnn(torch.from_numpy(X))[1][-1]), dim=1).detach().numpy()
    assert_close(ours.predict_proba(X), expected, np.float32, 20)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_files_of_safetensors(tmp_path, dtype):
    from safetensors.torch import save_file as save_tensors

    theirs = Net("LSTM", F, H, 1, False, 3).to(getattr(torch, dtype))
    path = tmp_path / "model.safetensors"
    save_tensors(theirs.state_dict(), path)
    from_file = from_state_dict(rnnkit.LSTMClassifier(H), path)
    from_memory = from_state_dict(rnnkit.LSTMClassifier(H), theirs.state_dict())
    assert from_file.network_.dtype == ("f8" if dtype == "float64" else "f4")
    for name, array in from_file.weights_.items():
        assert np.array_equal(array, from_memory.weights_[name])
    mapping = to_state_dict(from_file)
    save_file(mapping, path)
    assert np.array_equal(
        from_state_dict(rnnkit.LSTMClassifier(H), str(path)).predict_proba(X),
        from_file.predict_proba(X),
    )


def planted(**changes):
    mapping = {k: v.numpy() for k, v in Net("LSTM", F, H, 1, False, 3).state_dict().items()}
    return {k: v for k, v in {**mapping, **changes}.items() if v is not None}


@pytest.mark.parametrize(
    "changes, parameters, message",
    [
        ({"rnn.bias_hh_l0": None}, {}, r"'rnn.bias_hh_l0' is missing"),
        ({"rnn.weight_hh_l0": None}, {}, r"'rnn.weight_hh_l0' is missing"),
        ({"rnn.weight_ih_l0": None}, {}, r"ends in 'weight_ih_l0'"),
        ({"head.weight": None}, {}, r"one head"),
        ({"head.bias": np.ones(2)}, {}, r"'head.bias' must have shape \(3,\), got \(2,\)"),
        ({"head.weight": np.ones((3, 5))}, {}, r"'head.weight' must have shape \(3, 4\)"),
        ({}, {"hidden_size": 5}, r"'rnn.weight_ih_l0' must have shape \(20, 3\).*hidden_size=5"),
        ({}, {"n_layers": 2}, r"'rnn.weight_ih_l1' is missing"),
        ({"rnn.weight_hr_l0": np.ones((2, 2))}, {}, r"'rnn.weight_hr_l0' has no place"),
        ({"rnn.weight_ih_l0": np.ones(3)}, {}, r"'rnn.weight_ih_l0' must have 2 dimensions"),
        ({"head.bias": np.full(3, np.nan)}, {}, r"'head.bias' contains NaN"),
        ({"head.bias": np.array(["a"] * 3)}, {}, r"'head.bias' must hold real numbers"),
        ({}, {"peephole": True}, r"no LSTM with peephole=True"),
        ({}, {"embedding_dim": 2}, r"embedding"),
        ({}, {"hidden_size": 0}, r"hidden_size"),
    ],
)
def test_one_sentence_names_the_key_and_nothing_changes(changes, parameters, message):
    estimator = rnnkit.LSTMClassifier(**{"hidden_size": H, **parameters})
    before = vars(estimator).copy()
    with pytest.raises(ValueError, match=message):
        from_state_dict(estimator, planted(**changes))
    assert vars(estimator) == before


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"classes": [0, 1]}, ValueError, "classes must be 3 labels"),
        ({"classes": [2, 1, 0]}, ValueError, "sorted"),
        ({"classes": [0, 0, 1]}, ValueError, "different"),
        ({"classes": ["a", None, "b"]}, ValueError, "classes must be .* without NaN or None"),
        ({"classes": ["a", 1, 2.0]}, ValueError, "classes mixes text and numbers"),
        ({"classes": "abc"}, ValueError, "classes must be a list of labels"),
        ({"prefix": "model."}, ValueError, "recurrent module"),
        ({"mapping": [1, 2]}, TypeError, "dict of arrays or the path"),
        ({"mapping": "model.pth"}, ValueError, "no safetensors file"),
        ({"mapping": "absent.safetensors"}, OSError, "absent"),
        ({"estimator": "LSTM"}, TypeError, "recurrent estimator"),
    ],
)
def test_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        from_state_dict(
            **{"estimator": rnnkit.LSTMClassifier(H), "mapping": planted(), **arguments}
        )


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    with pytest.raises(ValueError, match="no safetensors file"):
        from_state_dict(rnnkit.LSTMClassifier(H), path)


def test_what_is_no_estimator():
    with pytest.raises(TypeError, match="recurrent estimator of rnnkit, got RecurrentFeatures"):
        to_state_dict(rnnkit.RecurrentFeatures(rnnkit.LSTMClassifier()))

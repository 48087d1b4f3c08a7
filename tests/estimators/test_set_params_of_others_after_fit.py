"""What machines, texts and reservoirs learnt is read from the fit: changed parameters wait."""

import pickle
import warnings

import numpy as np
import pytest
from estimators.test_set_params_after_fit import all_of
from sklearn.base import clone

import rnnkit
from rnnkit.energy import DeepBeliefNetwork, DeepBoltzmannMachine, HopfieldNetwork, RecurrentRBM

RNG = np.random.RandomState(0)
ROWS = RNG.uniform(-1, 1, (12, 5))
X = RNG.randn(12, 6, 3)
ON_OFF = (X > 0).astype(float)
NUMBERS, CLASSES = RNG.randn(12), np.arange(12) % 2
TEXTS = ["".join(RNG.choice([*"ab "], 8)) for _ in range(12)]
SMALL = {"hidden_size": 4, "max_iter": 2, "random_state": 0}
STEPS = X[:, :, 0]

MODELS = {
    "machine": (DeepBoltzmannMachine((3, 2), max_iter=2, random_state=0), (ROWS,)),
    "machine of 0 and 1": (DeepBoltzmannMachine(3, max_iter=2, binarize=0.2), (ROWS,)),
    "belief": (DeepBeliefNetwork((3, 2), pretrain_iter=2, max_iter=2), (ROWS, CLASSES)),
    "belief of 0 and 1": (DeepBeliefNetwork(3, max_iter=2, binarize=0.2), (ROWS, CLASSES)),
    "hebb": (HopfieldNetwork(random_state=0), (ROWS,)),
    "pseudo-inverse": (HopfieldNetwork("pseudo-inverse", random_state=0), (ROWS,)),
    "softmax": (HopfieldNetwork("softmax", random_state=0), (ROWS,)),
    "recurrent machine": (RecurrentRBM(**SMALL), (ON_OFF,)),
    "autoencoder": (rnnkit.GRUAutoencoder(**SMALL), (X,)),
    "generator": (rnnkit.GRUSeriesGenerator(**SMALL), (X, CLASSES)),
    "characters": (rnnkit.GRULanguageModel(**SMALL), (TEXTS,)),
    "words": (rnnkit.GRULanguageModel(tokens="words", **SMALL), (TEXTS,)),
    "reservoir of classes": (rnnkit.EchoStateClassifier(6, random_state=0), (X, CLASSES)),
    "reservoir": (rnnkit.EchoStateRegressor(6, random_state=0), (X, NUMBERS)),
    "reservoir of steps": (rnnkit.EchoStateSequenceRegressor(6, random_state=0), (X, STEPS)),
    "reservoir of tags": (rnnkit.EchoStateSequenceTagger(6, random_state=0), (X, STEPS > 0)),
    "evolved": (rnnkit.EvolinoRegressor(4, random_state=0), (X, NUMBERS)),
    "evolved of steps": (rnnkit.EvolinoSequenceRegressor(4, random_state=0), (X, STEPS)),
}
# How a fitted model is asked, from the moment they are set.
AT_ONCE = {
    DeepBoltzmannMachine: {"mean_field_steps", "transform_layers"},
    HopfieldNetwork: {"max_iter", "tol", "update", "random_state"},
}
OTHER = {
    "hidden_layer_sizes": (5, 4), "binarize": (-0.3, 0.2, 0.9), "rule": ("hebb", "softmax"),
    "cell": ("rnn", "lstm", "gru"), "tokens": ("characters", "words"), "device": ("reference",),
    "activation": ("relu",), "learning_rate": ("constant",), "solver": ("sgd",),
    "batch_size": (3,), "early_stopping": (True,), "static": ("state",), "n_tokens": (9,),
    "embedding_dim": (3,), "convolutions": ([rnnkit.Convolution(3, 2, causal=True)],),
}  # fmt: skip


def others(name, value):
    """Other values that a parameter may have, as its own value tells."""
    if name in OTHER:
        return [other for other in OTHER[name] if other != value]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, (int, float)):
        return [value + 1, value / 2 if isinstance(value, float) else value + 3]
    return [] if value is None or isinstance(value, str) else [2]


ASK = {
    "predict": lambda m, X, y: m.predict(X),
    "predict_proba": lambda m, X, y: m.predict_proba(X),
    "transform": lambda m, X, y: m.transform(X),
    "score": lambda m, X, y: m.score(X, y),
    "score_samples": lambda m, X, y: m.score_samples(X),
    "recall": lambda m, X, y: m.recall(X),
    "energy": lambda m, X, y: m.energy(X),
    "gibbs": lambda m, X, y: m.gibbs(X, random_state=0),
    "sample": lambda m, X, y: m.sample(2, random_state=0),
    "perplexity": lambda m, X, y: m.perplexity(X),
    "reconstruction_error": lambda m, X, y: m.reconstruction_error(X),
    "hidden_states": lambda m, X, y: m.hidden_states(X),
    "gate_activations": lambda m, X, y: m.gate_activations(X),
    "get_feature_names_out": lambda m, X, y: m.get_feature_names_out(),
    "sample of steps": lambda m, X, y: m.sample(2, n_steps=3, random_state=0),
    "realism": lambda m, X, y: m.realism(X),
    "n_outputs_": lambda m, X, y: m.n_outputs_,
}


def answers(model, X, y=None):
    """What every method says: its answer, or why it refuses."""
    found = {}
    for name, ask in ASK.items():
        if hasattr(model, name.split()[0]):
            try:
                found[name] = all_of(ask(model, X, y))
            except (AttributeError, TypeError, ValueError) as error:
                found[name] = str(error)
    return found


@pytest.fixture(scope="module", params=MODELS)
def fitted(request):
    model, data = MODELS[request.param]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clone(model).fit(*data), data


@pytest.mark.filterwarnings("ignore")
def test_a_changed_parameter_changes_no_answer(fitted, tmp_path):
    model, data = fitted
    expected = answers(model, *data)
    rnnkit.save(model, tmp_path / "model")
    read = [model, pickle.loads(pickle.dumps(model)), rnnkit.load(tmp_path / "model")]
    n_tried = 0
    for parameter, value in model.get_params(deep=False).items():
        if parameter in AT_ONCE.get(type(model), {}) | {"device": 0}.keys():
            continue
        for other in others(parameter, value):
            for copy in read if parameter in OTHER else read[:1]:
                copy.set_params(**{parameter: other})
                assert answers(copy, *data) == expected, f"{parameter}={other!r}"
                copy.set_params(**{parameter: value})
                n_tried += 1
    assert n_tried >= 3


@pytest.mark.filterwarnings("ignore")
def test_without_a_gpu_the_cpu_answers_for_it(fitted, monkeypatch):
    monkeypatch.setattr("rnnkit.backends.cuda.why_no_gpu", lambda number: "there is none")
    model, data = fitted
    if "device" not in model.get_params():
        return
    expected = answers(model, *data)
    for name in ("cuda", "cuda:1", "auto"):
        model.set_params(device=name)
        assert answers(model, *data) == expected, name
    model.set_params(device="cpu")


@pytest.mark.parametrize("name", ["machine of 0 and 1", "belief of 0 and 1"])
def test_what_was_fitted_before_it_was_kept_reads_its_parameter(name):
    model, data = MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = clone(model).fit(*data)
    expected = model.transform(ROWS)
    del model._binarize
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).transform(ROWS), expected)


def test_a_partial_fit_keeps_the_threshold():
    model = DeepBoltzmannMachine(3, binarize=0.2, random_state=0).partial_fit(ROWS)
    with pytest.raises(ValueError, match=r"binarize must stay 0\.2 after the first .* got None"):
        model.set_params(binarize=None).partial_fit(ROWS)
    assert model.fit(ROWS * 0.5 + 0.5).partial_fit(ROWS * 0.5 + 0.5).binarize is None

"""Gates that are always open: the cell without them, and nothing moves what they are made of."""

import numpy as np
import pytest
from estimators.problems import estimator, labels_of, ragged, tags_of
from tolerances import assert_close

from rnnkit import LSTMClassifier, LSTMEncoderDecoder, LSTMLanguageModel
from rnnkit.network import SoftmaxCrossEntropy, build_network
from rnnkit.persistence.pytorch import from_state_dict, to_state_dict
from rnnkit.training import AdamW

X = ragged(12)
Y = labels_of(X)
SETS = [("i",), ("f",), ("o",), ("i", "f", "o")]


def without(gates, x, weights, peephole=None):
    """Return h after every step of an LSTM that has none of these gates, step by step."""
    w_ih, w_hh, bias = (weights[f"rnn.{name}_l0"] for name in ("weight_ih", "weight_hh", "bias"))
    n_units = w_hh.shape[1]
    h = c = np.zeros(n_units)
    p_i, p_f, p_o = np.zeros((3, n_units)) if peephole is None else peephole.reshape(3, -1)

    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    states = []
    for step in x:
        i, f, g, o = np.split(w_ih @ step + w_hh @ h + bias, 4)
        i = 1.0 if "i" in gates else sigmoid(i + p_i * c)
        f = 1.0 if "f" in gates else sigmoid(f + p_f * c)
        c = f * c + i * np.tanh(g)
        o = 1.0 if "o" in gates else sigmoid(o + p_o * c)
        h = o * np.tanh(c)
        states.append(h)
    return np.array(states)


@pytest.mark.parametrize("peephole", [False, True])
@pytest.mark.parametrize("gates", SETS, ids="".join)
def test_the_cell_is_that_without_the_gates(gates, peephole):
    model = estimator("LSTM", "SequenceTagger", fixed_gates=gates, peephole=peephole, max_iter=5)
    model.fit(X, tags_of(X))
    own = model.weights_.get("rnn.peephole_l0")
    for x, states in zip(X, model.hidden_states(X)):
        assert_close(states, without(gates, x, model.weights_, own), np.float64, 50)
    for activations in model.gate_activations(X).items():
        gate, values = activations
        if gate in gates:
            assert all((v == 1).all() for v in values)
        elif gate != "g":
            assert not any((v == 1).any() for v in values)


def kept(model):
    """Tell whether all that keeps gates open is as it has to be, and that there is something."""
    entries = [e for layer in model.network_.layers for e in layer.fixed_entries()]
    assert entries
    return all((model.network_.parameters[n][rows] == value).all() for n, rows, value in entries)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    "options",
    [
        *({"solver": name} for name in ("adam", "sgd", "nesterov", "rmsprop", "adagrad")),
        {"solver": "adadelta"},
        {"solver": AdamW(weight_decay=1.0)},
        {"solver": "lbfgs"},
        {"alpha": 0.5, "l1": 0.5},
        {"clip_norm": 1e-3, "clip_value": 1e-3, "bptt_steps": 2},
        {"peephole": True, "bidirectional": True, "n_layers": 2, "zoneout": 0.2},
        {"gate_bias": "chrono", "dropout": 0.2, "recurrent_dropout": 0.2},
        {"coupled_gates": True, "fixed_gates": ("o",)},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore")
def test_no_training_moves_them(options, dtype):
    data = [x.astype(dtype) for x in X]
    options = {"fixed_gates": ("i", "o"), "max_iter": 8, **options}
    model = estimator("LSTM", "Classifier", learning_rate_init=0.1, **options).fit(data, Y)
    assert kept(model)
    first = model.network_.parameters.flat.copy()
    model.set_params(warm_start=True).fit(data, Y)
    assert kept(model)
    if options.get("solver") != "lbfgs":
        model.partial_fit(data, Y)
        assert kept(model)
    n_moved = np.count_nonzero(model.network_.parameters.flat != first)
    trained = model.network_.table().n_trained
    assert n_moved > 0.5 * trained if "l1" not in options else n_moved > 0
    assert n_moved <= trained


def test_other_gates_begin_as_without():
    networks = [
        build_network(
            "lstm", 3, SoftmaxCrossEntropy(2), per_step=False, hidden_size=5, fixed_gates=gates
        )
        for gates in ((), ("f",))
    ]
    for network in networks:
        network.initialize(np.random.RandomState(0))
    plain, fixed = (network.parameters for network in networks)
    others = np.r_[0:5, 10:20]
    for name in ("rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_l0"):
        np.testing.assert_array_equal(plain[name][others], fixed[name][others])
        assert (plain[name] != fixed[name])[5:10].all()
    np.testing.assert_array_equal(plain["head.weight"], fixed["head.weight"])


def test_they_are_counted_as_not_trained_and_named():
    model = estimator(
        "LSTM", "Classifier", fixed_gates=("f", "o"), peephole=True, bidirectional=True, max_iter=2
    )
    table = model.fit(X, Y).network_.table()
    h, n_inputs = model.hidden_size, X[0].shape[1]
    assert table.n_parameters - table.n_trained == 2 * 2 * h * (n_inputs + h + 1 + 1)
    assert "f, o always open" in table[0].layer
    assert f"of these not trained: {table.n_parameters - table.n_trained}" in repr(table)


@pytest.mark.filterwarnings("ignore")
def test_a_decoder_a_language_model_and_a_started_layer_have_them():
    pairs = [[0, 1, 1], [1, 0], [0, 0, 1], [1]] * 3
    model = LSTMEncoderDecoder(
        5, fixed_gates=["i"], max_iter=4, solver="adamw", bidirectional=True, random_state=0
    ).fit(pairs, [row[::-1] for row in pairs])
    assert kept(model)
    assert len(model.network_.layers[-1].fixed_entries()) == 3
    model = LSTMLanguageModel(5, fixed_gates=("f",), max_iter=2, solver="adamw", random_state=0)
    assert kept(model.fit("abcabcabd" * 30))
    steady = [np.column_stack([x, np.full(len(x), i)]) for i, x in enumerate(X)]
    model = estimator("LSTM", "Classifier", static="state", fixed_gates=("o",), max_iter=3)
    assert kept(model.fit(steady, Y))


@pytest.mark.parametrize(
    "options, words",
    [
        ({"fixed_gates": ("g",)}, "it names 'g'; gates that can be open are i, f, o"),
        ({"fixed_gates": ("input",)}, "it names 'input'; gates that can be open are i, f, o"),
        ({"fixed_gates": [["i"]]}, "gates that can be open are i, f, o"),
        ({"fixed_gates": ("i", "i")}, "it names a gate twice"),
        ({"fixed_gates": "i"}, "must be an instance of"),
        ({"fixed_gates": None}, "must be an instance of"),
        ({"fixed_gates": ("i",), "gate_activation": "hard_sigmoid"}, "gate_activation='hard_sig"),
        ({"fixed_gates": ("i",), "cell_clip": 5.0}, "cell_clip=5.0"),
        ({"fixed_gates": ("i",), "layer_norm": True}, "layer_norm=True"),
        ({"fixed_gates": ("i",), "coupled_gates": True}, "coupled_gates=True"),
        ({"fixed_gates": ("i",), "gate_bias": {"i": 1.0}}, "sets the bias of a gate that is fix"),
        ({"fixed_gates": ("f",), "forget_bias": 2.0}, "'forget_bias' parameter .* must be 1.0"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_before_anything_changes(options, words):
    model = LSTMClassifier(3, **options)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=words):
        model.fit(X, Y)
    assert vars(model) == before


def test_other_cells_have_none():
    with pytest.raises(ValueError, match="fixed gates belong to the lstm cell, not gru"):
        build_network("gru", 3, SoftmaxCrossEntropy(2), per_step=False, fixed_gates=("r",))


def test_weights_from_elsewhere_must_have_them():
    model = estimator("LSTM", "Classifier", max_iter=2, fixed_gates=("i",)).fit(X, Y)
    weights = to_state_dict(model)
    again = from_state_dict(estimator("LSTM", "Classifier", fixed_gates=("i",)), weights)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    with pytest.raises(ValueError, match=r"has fixed_gates, so rnn.weight_ih_l0 must be 0 at the"):
        from_state_dict(estimator("LSTM", "Classifier", fixed_gates=("o",)), weights)

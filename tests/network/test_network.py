"""Whole networks: gradients against finite differences, states over a cut, copies."""

import copy
import pickle

import numpy as np
import pytest
from gradcheck import assert_gradient, assert_gradients
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.cells import make_spec
from rnnkit.network import (
    CRF,
    CTC,
    AbsoluteError,
    Bernoulli,
    CharacterEncoder,
    Embedding,
    HuberLoss,
    Inputs,
    PoissonLoss,
    QuantileLoss,
    SoftmaxCrossEntropy,
    SquaredError,
    build_network,
)
from rnnkit.network.network import Network
from rnnkit.sequences import pack, windows

LENGTHS = np.array([3, 1, 4, 4, 2])
BACKEND = get_backend("reference")


def philox():
    return np.random.Generator(np.random.Philox(7))


class Problem:
    """A network, a packed minibatch and targets for it."""

    def __init__(self, output, per_step, n_inputs=2, lengths=LENGTHS, **options):
        rng = np.random.RandomState(0)
        self.plan = pack(lengths)
        self.network = build_network(
            options.pop("cell", "lstm"),
            n_inputs,
            output,
            per_step=per_step,
            **{"hidden_size": 3, **options},
        )
        self.network.initialize(rng)
        flat = self.network.parameters.flat
        flat += 0.3 * rng.standard_normal(flat.shape)
        self.n_rows = self.plan.n_rows if per_step else self.plan.n_sequences
        self.inputs = Inputs(rng.standard_normal((self.plan.n_rows, n_inputs)))
        self.weights = rng.uniform(0.5, 2.0, self.n_rows)
        if output.weights_per_sequence:
            self.weights = rng.uniform(0.5, 2.0, self.plan.n_sequences)
        self.targets = self._targets(output, rng)
        self.bound = self.network.bind(BACKEND, training=True, input_gradient=True)

    def _targets(self, output, rng):
        k = output.width
        if isinstance(output, CTC):
            labels = np.empty(self.plan.n_sequences, dtype=object)
            labels[:] = [np.array([b % (k - 1)]) for b in range(self.plan.n_sequences)]
            return labels
        if isinstance(output, (SoftmaxCrossEntropy, CRF)):
            return rng.randint(k, size=self.n_rows)
        if isinstance(output, (PoissonLoss, Bernoulli)):
            return rng.randint(2, size=(self.n_rows, k)).astype(float)
        return rng.standard_normal((self.n_rows, k))

    def loss(self):
        scores = self.bound.forward(self.plan, self.inputs, philox())
        return self.bound.loss(self.plan, scores, self.targets, self.weights)[0]

    def gradients(self):
        """Return the gradient by every parameter, and by x."""
        self.bound.flat_gradient.fill(0)
        scores = self.bound.forward(self.plan, self.inputs, philox())
        _, dscores = self.bound.loss(self.plan, scores, self.targets, self.weights)
        dx = self.bound.backward(dscores.copy())
        return {name: array.copy() for name, array in self.bound.gradients.items()}, dx

    def check(self, check_input=True):
        gradients, dx = self.gradients()
        frozen = {name for layer in self.network.layers for name in layer.frozen}
        learnt = {n: array for n, array in self.network.parameters.items() if n not in frozen}
        assert_gradients({name: gradients[name] for name in learnt}, self.loss, learnt)
        if check_input:
            assert_gradient(dx, self.loss, self.inputs.numeric, "x")


OUTPUTS = {
    "softmax": SoftmaxCrossEntropy(3),
    "smoothed": SoftmaxCrossEntropy(3, label_smoothing=0.2),
    "squared": SquaredError(2),
    "absolute": AbsoluteError(2),
    "huber": HuberLoss(2, delta=0.4),
    "quantile": QuantileLoss(2, quantile=0.8),
    "poisson": PoissonLoss(2),
    "bernoulli": Bernoulli(3),
}


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("name", OUTPUTS)
def test_gradient_of_every_loss(name, per_step):
    Problem(OUTPUTS[name], per_step).check()


@pytest.mark.parametrize("output", [CRF(3), CTC(2)], ids=["crf", "ctc"])
def test_gradient_of_losses_of_whole_sequences(output):
    Problem(output, per_step=True).check()


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_gradient_of_every_pooling(pooling, bidirectional):
    Problem(SoftmaxCrossEntropy(2), False, pooling=pooling, bidirectional=bidirectional).check()


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_gradient_of_pooling_without_a_recurrent_layer(pooling):
    Problem(SoftmaxCrossEntropy(2), False, pooling=pooling, hidden_size=()).check()


STACKS = {
    "widths": {"hidden_size": (3, 2), "bidirectional": True},
    "two layers": {"n_layers": 2},
    "three layers, both directions": {"n_layers": 3, "bidirectional": True, "hidden_size": 2},
    "dropout": {"n_layers": 2, "dropout": 0.3},
    "input dropout and noise": {"input_dropout": 0.3, "input_noise": 0.2},
    "recurrent dropout": {"recurrent_dropout": 0.4, "bidirectional": True},
    "zoneout": {"zoneout": 0.4, "n_layers": 2},
    "layer norm": {"layer_norm": True},
    "peephole": {"peephole": True, "bidirectional": True},
    "full gate recurrence": {
        "full_gate_recurrence": True,
        "n_layers": 2,
        "bidirectional": True,
        "peephole": True,
    },
    "everything": {
        "n_layers": 2,
        "bidirectional": True,
        "dropout": 0.2,
        "input_dropout": 0.2,
        "input_noise": 0.1,
        "recurrent_dropout": 0.2,
        "zoneout": 0.2,
        "peephole": True,
        "layer_norm": True,
        "pooling": "attention",
    },
}


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("name", STACKS)
def test_gradient_of_stacks_and_noise(name, per_step):
    Problem(SquaredError(1), per_step, **STACKS[name]).check()


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_gradient_of_the_other_cells(cell):
    options = {"n_layers": 2, "bidirectional": True, "dropout": 0.2, "zoneout": 0.2}
    Problem(SoftmaxCrossEntropy(2), False, cell=cell, **options).check()


def token_problem(n_numeric, **options):
    """A tagger with two table columns, characters and numeric features beside them."""
    rate = options.pop("unknown_rate", 0.0)
    parts = [
        Embedding((5, 4), (3, 2), unknown_rates=[np.full(5, rate), np.full(4, rate / 2)]),
        CharacterEncoder(6, 2, 2, columns=(2, 6)),
    ]
    problem = Problem(SoftmaxCrossEntropy(3), True, n_inputs=n_numeric, tokens=parts, **options)
    rng = np.random.RandomState(3)
    n = problem.plan.n_rows
    tokens = np.zeros((n, 6), np.intp)
    tokens[:, 0] = rng.randint(5, size=n)
    tokens[:, 1] = rng.randint(4, size=n)
    for row in range(n):
        word = rng.randint(1, 6, size=1 + row % 4)
        tokens[row, 2 : 2 + len(word)] = word
    tokens[-1] = tokens[0]  # a word that stands twice
    problem.inputs = Inputs(problem.inputs.numeric if n_numeric else None, tokens)
    problem.bound = problem.network.bind(BACKEND, training=True)
    return problem


@pytest.mark.parametrize("n_numeric", [0, 2])
def test_gradient_of_token_features(n_numeric):
    noise = 0.1 if n_numeric else 0.0  # which is refused where there are no numbers
    problem = token_problem(n_numeric, unknown_rate=0.2, input_dropout=0.2, input_noise=noise)
    problem.check(check_input=False)


def test_unknown_tokens_are_read_as_id_zero_in_training_only():
    problem = token_problem(0, unknown_rate=0.99)
    tokens = problem.inputs.tokens
    predict = problem.network.bind(BACKEND)
    expected = predict.forward(problem.plan, problem.inputs).copy()
    np.testing.assert_array_equal(predict.forward(problem.plan, problem.inputs, philox()), expected)
    noisy = problem.bound.forward(problem.plan, problem.inputs, philox()).copy()
    # Drawn in the order (P, columns), float32, before anything else.
    unknown = philox().random((len(tokens), 2), dtype=np.float32) < [0.99, 0.495]
    read = tokens.copy()
    read[:, :2][unknown] = 0
    np.testing.assert_array_equal(predict.forward(problem.plan, Inputs(tokens=read)), noisy)


def test_a_word_has_the_same_features_wherever_it_stands():
    problem = token_problem(0)
    bound = problem.network.bind(BACKEND)
    tokens = problem.inputs.tokens
    encoder = bound._chain.operations[0]._parts[1][0]
    bound.forward(problem.plan, problem.inputs)
    features = encoder._output.rows(len(tokens)).copy()
    bound.forward(pack(np.array([1])), Inputs(tokens=tokens[2:3]))
    assert_close(encoder._output.rows(1)[0], features[2], np.float64, 4)
    np.testing.assert_array_equal(features[0], features[-1])


CARRIED = {
    "last": {"pooling": "last"},
    "mean": {"pooling": "mean"},
    "max": {"pooling": "max"},
    "attention": {"pooling": "attention"},
    "gru": {"cell": "gru", "n_layers": 2},
    "widths": {"hidden_size": (3, 2)},
    "no layer": {"hidden_size": (), "pooling": "last"},
}


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("name", CARRIED)
def test_states_carried_over_cuts_end_in_the_same_scores(name, per_step):
    problem = Problem(SquaredError(1), per_step, lengths=np.array([4, 4, 4]), **CARRIED[name])
    bound = problem.network.bind(BACKEND)
    whole = bound.forward(problem.plan, problem.inputs).copy()
    states, pieces = None, []
    for plan, first, last, _ in windows(problem.plan, 1):
        pieces.append(
            bound.forward(plan, problem.inputs.take(np.arange(first, last)), states=states).copy()
        )
        states = bound.states
    ended = np.concatenate(pieces) if per_step else pieces[-1]
    # One row per product here and three there: the reference's products may round differently.
    assert_close(ended, whole, np.float64, 16)


def test_states_are_refused_in_both_directions():
    problem = Problem(SquaredError(1), True, bidirectional=True)
    with pytest.raises(ValueError, match="bidirectional"):
        problem.bound.forward(problem.plan, problem.inputs, states=[])


def test_without_noise_training_and_prediction_agree():
    problem = Problem(SquaredError(1), True, **{**STACKS["everything"], "pooling": "last"})
    predicted = problem.network.bind(BACKEND).forward(problem.plan, problem.inputs)
    assert_close(problem.bound.forward(problem.plan, problem.inputs), predicted, np.float64, 16)


@pytest.mark.parametrize(
    "option", ["dropout", "input_dropout", "recurrent_dropout", "input_noise", "zoneout"]
)
def test_noise_is_used_in_training_only_and_follows_its_seed(option):
    problem = Problem(SquaredError(1), True, **{option: 0.5})
    quiet = problem.bound.forward(problem.plan, problem.inputs).copy()
    noisy = problem.bound.forward(problem.plan, problem.inputs, philox()).copy()
    again = problem.bound.forward(problem.plan, problem.inputs, philox()).copy()
    predict = problem.network.bind(BACKEND)
    assert not np.array_equal(noisy, quiet)
    np.testing.assert_array_equal(noisy, again)
    np.testing.assert_array_equal(
        predict.forward(problem.plan, problem.inputs, philox()),
        predict.forward(problem.plan, problem.inputs),
    )


def test_hidden_states_and_gates_of_a_layer():
    problem = Problem(SoftmaxCrossEntropy(2), False, n_layers=2, bidirectional=True)
    bound = problem.network.bind(BACKEND)
    hidden = bound.hidden_states(problem.plan, problem.inputs)
    assert hidden.shape == (problem.plan.n_rows, 6)
    last = np.concatenate(
        [hidden[problem.plan.last_rows(), :3], hidden[: problem.plan.n_sequences, 3:]], axis=1
    )
    scores = bound.forward(problem.plan, problem.inputs)
    p = problem.network.parameters
    assert_close(last @ p["head.weight"].T + p["head.bias"], scores, np.float64, 6)

    gates = bound.gate_activations(problem.plan, problem.inputs, layer=0)
    assert list(gates) == ["i", "f", "g", "o"]
    assert all(gate.shape == (problem.plan.n_rows, 6) for gate in gates.values())
    first = slice(0, problem.plan.n_sequences)  # forward direction, c_0 = 0: c_1 = i g
    states = bound.hidden_states(problem.plan, problem.inputs, layer=0)[first, :3]
    parts = {name: gate[first, :3] for name, gate in gates.items()}
    assert_close(parts["o"] * np.tanh(parts["i"] * parts["g"]), states, np.float64, 4)
    with pytest.raises(ValueError, match="layer must lie between -2 and 1"):
        bound.hidden_states(problem.plan, problem.inputs, layer=2)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", ["reference", "cpu"])
def test_pooled_states_are_those_of_the_steps_pooled(name, bidirectional):
    options = {"n_layers": 2, "bidirectional": bidirectional, "pooling": "attention"}
    problem = Problem(SquaredError(1), False, **options)
    bound = problem.network.bind(get_backend(name))
    plan, inputs = problem.plan, problem.inputs
    sequence = plan.sequence_of_row()
    for layer in (0, 1, -1):
        hidden = bound.hidden_states(plan, inputs, layer).copy()
        last = hidden[plan.last_rows()]
        last[:, 3:] = hidden[: plan.n_sequences, 3:]
        np.testing.assert_array_equal(bound.pooled_states(plan, inputs, layer), last)
        each = [hidden[sequence == b] for b in range(plan.n_sequences)]
        means = np.stack([sum(rows[1:], rows[0]) / len(rows) for rows in each])
        largest = np.stack([rows.max(axis=0) for rows in each])
        np.testing.assert_array_equal(bound.pooled_states(plan, inputs, layer, "mean"), means)
        np.testing.assert_array_equal(bound.pooled_states(plan, inputs, layer, "max"), largest)
    with pytest.raises(ValueError, match="layer must lie between -2 and 1"):
        bound.pooled_states(plan, inputs, 2)
    with pytest.raises(ValueError, match=r"pooling kind must be .* got 'sum'"):
        bound.pooled_states(plan, inputs, kind="sum")


def test_attention_weights_sum_to_one_in_each_sequence():
    problem = Problem(SquaredError(1), False, pooling="attention")
    problem.bound.forward(problem.plan, problem.inputs)
    weights = problem.bound.attention_weights
    sums = np.bincount(problem.plan.sequence_of_row(), weights)
    assert_close(sums, np.ones(problem.plan.n_sequences), np.float64, 4)


def test_the_same_numbers_are_drawn_for_both_dtypes():
    drawn = []
    for dtype in ("float32", "float64"):
        network = build_network("gru", 2, SquaredError(1), per_step=False, dtype=dtype)
        network.initialize(np.random.RandomState(5))
        assert network.parameters.dtype == dtype
        drawn.append(network.parameters.flat)
    np.testing.assert_array_equal(drawn[1].astype(np.float32), drawn[0])


@pytest.mark.parametrize(
    "copied", [lambda n: pickle.loads(pickle.dumps(n)), copy.deepcopy], ids=["pickle", "deepcopy"]
)
def test_copies_give_the_same_scores_and_share_nothing(copied):
    problem = token_problem(2)
    twin = copied(problem.network)
    scores = problem.network.bind(BACKEND).forward(problem.plan, problem.inputs).copy()
    problem.network.parameters.flat[:] = 0
    np.testing.assert_array_equal(twin.bind(BACKEND).forward(problem.plan, problem.inputs), scores)
    twin.parameters["head.bias"][0] = 17.0
    assert 17.0 in twin.parameters.flat


def test_two_layers_of_the_same_name_are_refused():
    layer = Problem(SquaredError(1), True).network.layers[-1]
    with pytest.raises(ValueError, match=r"same parameter 'head\.weight'"):
        Network([layer, layer], SquaredError(1))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"pooling": "median"}, "pooling must be .* got 'median'"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        ({"recurrent_dropout": -0.1}, r"recurrent_dropout must lie in \[0, 1\), got -0.1"),
        ({"input_noise": float("nan")}, "input_noise must be .* got nan"),
        ({"zoneout": 1.0}, r"zoneout must lie in \[0, 1\), got 1.0"),
        ({"n_layers": 0}, "n_layers must be at least 1, got 0"),
        ({"n_inputs": 0}, "n_inputs must be at least 1 without tokens, got 0"),
        ({"gate_bias": "slow"}, "gate_bias must be .* got 'slow'"),
        ({"gate_bias": {"z": 1.0}}, "names the gate 'z'; the lstm cell has i, f, g, o"),
        ({"gate_bias": "chrono"}, "needs longest"),
        ({"cell": "rnn", "gate_bias": "chrono", "longest": 5}, "got 'rnn'"),
    ],
)
def test_wrong_options_are_named(options, message):
    options = {"cell": "lstm", "n_inputs": 2, **options}
    with pytest.raises(ValueError, match=message):
        build_network(output=SquaredError(1), per_step=False, **options)


def test_cell_options_reach_every_layer_by_name():
    options = {"activation": "relu", "coupled_gates": True, "cell_clip": 2.0, "zoneout": 0.1}
    network = build_network("lstm", 2, SquaredError(1), per_step=True, n_layers=2, **options)
    for layer, width in zip(network.recurrent_layers, (2, 64), strict=True):
        assert layer.specs == (make_spec("lstm", width, 64, **options),)
    with pytest.raises(TypeError, match="unknown cell option 'peepholes'; allowed are activation"):
        build_network("lstm", 2, SquaredError(1), per_step=True, peepholes=True)

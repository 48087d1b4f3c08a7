"""Encoder-decoders: gradients by differences, backends by value, PyTorch, exhaustive search."""

import itertools

import numpy as np
import pytest
from gradcheck import assert_gradients_along_a_direction
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.network import EncoderDecoder, Inputs, WrittenLabels, WrittenNumbers
from rnnkit.network.composing import build_encoder_decoder
from rnnkit.network.search import Search, length_factor
from rnnkit.sequences import pack

K = 3
LENGTHS = [4, 3, 2, 1]  # in packed order
WRITTEN = [2, 0, 3, 1]


def build(cell="gru", output=None, dtype="float64", seed=0, **options):
    output = WrittenLabels(K) if output is None else output
    settings = {"per_step": True, "hidden_size": 4, "target_embedding_dim": 2, **options}
    layers = build_encoder_decoder(cell, 2, output, **settings)
    network = EncoderDecoder(layers, output, dtype)
    rng = np.random.RandomState(seed)
    network.initialize(rng)
    network.parameters.flat[:] += 0.6 * rng.normal(size=network.parameters.flat.size)
    return network


def problem(network, seed=0):
    """A plan, its rows, targets and weights."""
    rng = np.random.RandomState(seed)
    plan = pack(np.array(LENGTHS))
    x = rng.normal(size=(plan.n_rows, 2)).astype(network.dtype)
    targets = np.empty(len(LENGTHS), dtype=object)
    for b, n in enumerate(WRITTEN):
        if isinstance(network.output, WrittenNumbers):
            targets[b] = rng.normal(size=(n + 1, network.output.width)).astype(network.dtype)
        else:
            targets[b] = rng.randint(0, K, n)
    weights = np.array([1.0, 0.5, 2.0, 0.0]).astype(network.dtype)
    return plan, x, targets, weights


def loss_and_gradients(network, plan, x, targets, weights, backend="reference"):
    bound = network.bind(get_backend(backend), training=True)
    scores = bound.forward(plan, Inputs(x))
    loss, dscores = bound.loss(plan, scores, targets, weights)
    bound.backward(dscores)
    return loss, {name: array.copy() for name, array in bound.gradients.items()}


@pytest.mark.parametrize("numbers", [False, True])
@pytest.mark.parametrize("attention", [None, "dot", "additive"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_gradients_are_those_of_differences(cell, bidirectional, attention, numbers):
    network = build(
        cell,
        WrittenNumbers(2) if numbers else None,
        n_layers=1 + bidirectional,
        bidirectional=bidirectional,
        attention=attention,
    )
    data = problem(network)
    loss, gradients = loss_and_gradients(network, *data)

    def again():
        bound = network.bind(get_backend("reference"), training=True)
        return bound.loss(data[0], bound.forward(data[0], Inputs(data[1])), *data[2:])[0]

    assert_gradients_along_a_direction(gradients, again, dict(network.parameters))
    compiled, found = loss_and_gradients(network, *data, "cpu")
    assert_close(compiled, loss, np.float64, 1000)
    for name, gradient in gradients.items():
        assert_close(found[name], gradient, np.float64, 1000)


def test_a_sequence_of_weight_0_changes_nothing():
    network = build(attention="dot", bidirectional=True)
    plan, x, targets, weights = problem(network)
    _, gradients = loss_and_gradients(network, plan, x, targets, weights)
    targets[3] = np.array([2, 2, 2, 2])
    _, others = loss_and_gradients(network, plan, x, targets, weights)
    for name, gradient in gradients.items():
        assert_close(others[name], gradient, np.float64, 100)


def log_probabilities(network, plan, x, targets, backend="cpu"):
    bound = network.bind(get_backend(backend))
    return bound.log_probabilities(plan, bound.forward(plan, Inputs(x)), targets)


def test_the_loss_is_that_of_the_log_probabilities():
    network = build("lstm", attention="additive", bidirectional=True)
    plan, x, targets, weights = problem(network)
    loss, _ = loss_and_gradients(network, plan, x, targets, weights)
    found = -log_probabilities(network, plan, x, targets) @ weights
    assert_close(found, loss, np.float64, 100)


def every_sequence(most):
    return [s for n in range(most + 1) for s in itertools.product(range(K), repeat=n)]


@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("attention", [None, "dot"])
def test_a_beam_that_is_never_full_finds_the_best_of_all(attention, penalty):
    most = 3
    network = build(attention=attention, seed=3)
    plan, x, _, _ = problem(network)
    bound = network.bind(get_backend("cpu"))
    search = Search(most, K**most + 2, penalty)
    written = bound.write(plan, bound.forward(plan, Inputs(x)), search)
    candidates = every_sequence(most)
    values = []
    for candidate in candidates:
        targets = np.empty(len(LENGTHS), dtype=object)
        targets[:] = [np.array(candidate, np.intp)] * len(LENGTHS)
        log = log_probabilities(network, plan, x, targets)
        values.append(log / length_factor(len(candidate) + 1, penalty))
    best = np.argmax(values, axis=0)
    assert [tuple(w) for w in written] == [candidates[i] for i in best]


def test_greedy_takes_the_likeliest_label_of_every_step(monkeypatch):
    network = build("lstm", attention="dot", bidirectional=True, seed=5)
    network.parameters["head.bias"][K] += 1.0
    plan, x, _, _ = problem(network)
    bound = network.bind(get_backend("cpu"))
    scores = bound.forward(plan, Inputs(x))
    written = bound.write(plan, scores, Search(5))
    chosen = []

    def look(self, scores, targets, weights, context):
        chosen.append((scores.argmax(axis=1), targets))
        return 0.0, scores

    monkeypatch.setattr(WrittenLabels, "loss", look)
    bound.loss(plan, scores, written, None)  # whose inputs are what was written
    likeliest, targets = chosen[0]
    ended = np.array([len(labels) < 5 for labels in written])
    assert ended.any()
    cut = (targets == K).sum() - ended.sum()  # those that were stopped have no end
    assert (likeliest != targets).sum() <= cut


@pytest.mark.parametrize("attention", ["dot", "additive"])
def test_what_is_written_does_not_depend_on_the_sequences_beside_it(attention):
    network = build("lstm", dtype="float32", attention=attention, bidirectional=True)
    plan, x, _, _ = problem(network)
    bound = network.bind(get_backend("cpu"))
    for search in (Search(6), Search(6, 3)):
        scores = bound.forward(plan, Inputs(x))
        written = bound.write(plan, scores, search)
        weights = bound.attention_to(plan, scores, written)
        for b, length in enumerate(LENGTHS):
            rows = plan.step_offsets[:length] + b
            alone = pack(np.array([length]))
            states = bound.forward(alone, Inputs(x[rows]))
            own = bound.write(alone, states, search)
            assert np.array_equal(own[0], written[b])
            assert np.array_equal(bound.attention_to(alone, states, own)[0], weights[b])


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_gradients_from_its_own_labels_are_those_of_differences(share):
    """What is read is drawn anew with the same seed, so that small changes do not change it."""
    network = build("lstm", attention="dot", teacher_forcing=share)
    plan, x, targets, weights = problem(network)

    def run():
        bound = network.bind(get_backend("cpu"), training=True)
        scores = bound.forward(plan, Inputs(x), np.random.default_rng(0))
        loss, dscores = bound.loss(plan, scores, targets, weights)
        return bound, loss, dscores

    bound, loss, dscores = run()
    bound.backward(dscores)
    assert loss != loss_and_gradients(network, plan, x, targets, weights)[0]  # which draws nothing
    gradients = {name: array.copy() for name, array in bound.gradients.items()}
    assert_gradients_along_a_direction(gradients, lambda: run()[1], dict(network.parameters))


def test_the_share_of_the_truth_falls_over_the_updates():
    writer = build(teacher_forcing=(0.9, 0.1, 8)).writer
    shares = [writer.share_of_truth(n) for n in (0, 4, 8, 100)]
    np.testing.assert_allclose(shares, [0.9, 0.5, 0.1, 0.1])
    assert build().writer.share_of_truth(3) == 1.0


@pytest.mark.parametrize("value", [-0.1, 1.1, (1.0, 0.5), (1.0, 0.5, 0), (2.0, 0.5, 3), "half"])
def test_a_share_that_is_none_is_refused(value):
    with pytest.raises(ValueError, match="teacher_forcing must be"):
        build(teacher_forcing=value)


def test_of_its_own_it_reads_what_it_would_have_written():
    network = build(teacher_forcing=0.0, seed=2)
    plan, x, targets, _ = problem(network)
    bound = network.bind(get_backend("cpu"), training=True)
    scores = bound.forward(plan, Inputs(x), np.random.default_rng(0))
    rows = []
    write = bound._writer.write

    def look(plan, source, before, begun, noise=None):
        rows.append((before.copy(), write(plan, source, before, begun, noise).copy()))
        return rows[-1][1]

    bound._writer.write = look
    bound.loss(plan, scores, targets, None)
    (truth, told), (mixed, _) = rows
    steps = pack(np.array(WRITTEN) + 1)
    for d in range(steps.n_sequences):
        own = steps.step_offsets[: steps.lengths[d]] + d
        assert mixed[own[0]] == truth[own[0]] == 0
        assert np.array_equal(mixed[own[1:]], told[own[:-1], :K].argmax(axis=1) + 1)


def test_numbers_are_written_as_many_as_asked_for():
    network = build("gru", WrittenNumbers(2), attention="dot", bidirectional=True)
    plan, x, _, _ = problem(network)
    bound = network.bind(get_backend("cpu"))
    written = bound.write(plan, bound.forward(plan, Inputs(x)), Search(4))
    assert [w.shape for w in written] == [(4, 2)] * len(LENGTHS)
    # teacher forcing with what was written gives the same numbers: the loss is 0
    bound = network.bind(get_backend("cpu"), training=True)
    loss, _ = bound.loss(plan, bound.forward(plan, Inputs(x)), written, None)
    assert loss < 1e-25


@pytest.mark.parametrize("attention", ["dot", "additive"])
def test_scores_are_those_of_pytorch(attention):
    """The same weights in an encoder and a decoder of torch.nn.LSTM with attention by hand."""
    torch = pytest.importorskip("torch")
    network = build("lstm", attention=attention, bidirectional=True)
    p = {name: torch.tensor(array) for name, array in network.parameters.items()}
    h = 4

    def lstm(prefix, n_inputs, both):
        layer = torch.nn.LSTM(
            n_inputs, h, bidirectional=both, batch_first=True, dtype=torch.float64
        )
        for suffix in ("", "_reverse")[: 1 + both]:
            weights = [p[f"{prefix}.{n}_l0{suffix}"] for n in ("weight_ih", "weight_hh", "bias")]
            for name, value in zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"), weights):
                getattr(layer, name + suffix).data = value
            getattr(layer, "bias_hh_l0" + suffix).data.zero_()
        return layer

    encoder, decoder = lstm("rnn", 2, True), lstm("decoder", 2, False)
    plan, x, targets, _ = problem(network)
    found = log_probabilities(network, plan, x, targets)
    for b, length in enumerate(LENGTHS):
        rows = plan.step_offsets[:length] + b
        states, (h_n, c_n) = encoder(torch.tensor(x[rows])[None])
        begun = torch.cat([h_n.reshape(-1), c_n.reshape(-1)]).reshape(2, 2 * h)
        made = [p["bridge.weight"][i * h : (i + 1) * h] @ begun[i] for i in range(2)]
        made = [m + p["bridge.bias"][i * h : (i + 1) * h] for i, m in enumerate(made)]
        ids = np.concatenate([[0], targets[b] + 1]).astype(int)
        y, _ = decoder(
            p["decoder.embedding.weight_0"][ids][None],
            (torch.tanh(made[0])[None, None], made[1][None, None]),
        )
        y, s = y[0], states[0]
        keys = s @ p["attention.key.weight"].T
        if attention == "dot":
            e = y @ keys.T
        else:
            q = y @ p["attention.query.weight"].T
            inner = torch.tanh(q[:, None] + keys + p["attention.key.bias"])
            e = inner @ p["attention.scorer"]
        context = torch.softmax(e, dim=1) @ s
        both = torch.cat([context, y], dim=1) @ p["attention.combine.weight"].T
        both = torch.tanh(both + p["attention.combine.bias"])
        log = torch.log_softmax(both @ p["head.weight"].T + p["head.bias"], dim=1)
        after = np.concatenate([targets[b], [K]]).astype(int)
        expected = log[np.arange(len(after)), after].sum()
        assert_close(found[b], expected.detach().numpy(), np.float64, 100)

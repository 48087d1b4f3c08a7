"""The short way of a text through a network: the bits of the long one, and when there is one."""

import numpy as np
import pytest
from tolerances import assert_close

from rnnkit.backends import get_backend
from rnnkit.backends.cpu import isa_available, using_isa
from rnnkit.backends.streaming import drawn_from
from rnnkit.network import Embedding, Inputs, NetworkStream, NextToken, build_network
from rnnkit.sequences import pack

CPU, REFERENCE = get_backend("cpu"), get_backend("reference")
IDS = np.random.RandomState(1).randint(0, 7, 20)


def network_of(cell, dtype="float32", n_numeric=0, **options):
    options = {"hidden_size": 9, "n_layers": 2, "dropout": 0.3, **options}
    network = build_network(
        cell, n_numeric, NextToken(7), per_step=True, tokens=[Embedding((7,), (5,))],
        static=tuple(range(5, 5 + n_numeric)), dtype=dtype, **options,
    )  # fmt: skip
    rng = np.random.RandomState(0)
    network.initialize(rng)
    network.parameters.flat[:] += 0.3 * rng.standard_normal(network.parameters.flat.shape)
    return network


OPTIONS = [
    {},
    {"tied_embeddings": True},
    {"tied_embeddings": True, "hidden_size": 5},
    {"n_numeric": 3},
    {"layer_norm": True, "input_dropout": 0.2},
    {"hidden_size": 40, "n_layers": 1},
]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", OPTIONS)
def test_the_short_way_has_the_bits_of_the_whole(cell, dtype, options):
    network = network_of(cell, dtype, **options)
    n_numeric = options.get("n_numeric", 0)
    row = np.linspace(-1, 1, n_numeric, dtype=dtype)[None] if n_numeric else None
    numeric = None if row is None else np.repeat(row, len(IDS), axis=0)
    for isa in isa_available():
        with using_isa(isa):
            bound = network.bind(CPU)
            whole = bound.forward(pack(np.array([len(IDS)])), Inputs(numeric, IDS[:, None])).copy()
            stream = NetworkStream(network, CPU)
            assert stream._short_way is not None
            for _ in range(2):
                found = [stream.feed(i, row).copy() for i in IDS.tolist()]
                np.testing.assert_array_equal(np.concatenate(found), whole)
                stream.reset()
            for i in IDS[:9].tolist():
                stream.feed(i, row)
            state = stream.state
            stream.reset()
            stream.state = state
            found = [stream.feed(i, row).copy() for i in IDS[9:].tolist()]
            np.testing.assert_array_equal(np.concatenate(found), whole[9:])


def test_the_short_way_and_the_long_one_in_turn():
    stream, other = (NetworkStream(network_of("gru"), CPU) for _ in range(2))
    for n, i in enumerate(IDS.tolist()):
        long_way = other.step(Inputs(None, np.array([[i]]))).copy()
        found = stream.feed(i) if n % 2 else stream.step(Inputs(None, np.array([[i]])))
        np.testing.assert_array_equal(found, long_way)


def test_elsewhere_there_is_the_long_way_alone():
    stream = NetworkStream(network_of("gru"), REFERENCE)
    assert stream._short_way is None
    whole = network_of("gru").bind(REFERENCE)
    whole = whole.forward(pack(np.array([len(IDS)])), Inputs(None, IDS[:, None])).copy()
    found = [stream.feed(i).copy() for i in IDS.tolist()]
    assert_close(np.concatenate(found), whole, "float32", 100)
    numbers = build_network("gru", 3, NextToken(2), per_step=True)
    assert NetworkStream(numbers, CPU)._short_way is None


@pytest.mark.parametrize("token", [-1, 7, 2**40])
def test_an_id_beyond_the_table_is_refused(token):
    with pytest.raises(ValueError, match=r"token must lie in 0 \.\. 6"):
        NetworkStream(network_of("gru"), CPU).feed(token)


def test_parts_that_do_not_fit_are_refused():
    network = network_of("gru", n_layers=1)
    stream = NetworkStream(network, CPU)._chain.operations[1].stream
    weights = network.parameters
    head = (weights["head.weight"], weights["head.bias"])
    for table, heads in (
        (np.zeros((7, 4), "f4"), [head]),
        (np.zeros((7, 5)), [head]),
        (np.zeros((7, 5), "f4"), [(np.zeros((7, 8), "f4"), None)]),
    ):
        with pytest.raises(ValueError, match="is given"):
            CPU.token_stream(table, [stream], heads)
    with pytest.raises((TypeError, ValueError)):
        CPU.token_stream(np.zeros((7, 5), "f4"), [None], [head])
    with pytest.raises((TypeError, ValueError)):
        CPU.token_stream(np.zeros((7, 5), "f4"), [stream], [(head[0], np.zeros(3, "f4"))])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("temperature", [1e-300, 0.3, 1.0, 1e300])
def test_draws_are_those_of_the_definition(dtype, temperature):
    rng = np.random.RandomState(0)
    scores = (5 * rng.standard_normal((500, 30))).astype(dtype)
    scores[:, ::3] = -np.inf
    at = np.append(rng.random_sample(498), [0.0, np.nextafter(1, 0)])
    found = CPU.draw(scores, temperature, at)
    np.testing.assert_array_equal(found, drawn_from(scores, temperature, at))
    assert (found % 3 != 0).all()
    np.testing.assert_array_equal(found[:1], CPU.draw(scores[:1], temperature, at[:1]))


def test_what_cannot_be_drawn_from_is_refused():
    for scores, at in ((np.zeros((2, 3)), np.zeros(3)), (np.zeros((2, 0)), np.zeros(2))):
        with pytest.raises(ValueError, match="a die for each row"):
            CPU.draw(scores, 1.0, at)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("temperature", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("end", [-1, 6])
def test_writing_is_drawing_and_feeding_in_turn(dtype, temperature, end):
    network = network_of("lstm", dtype)
    at = np.random.RandomState(3).random_sample(40)
    stream, other = NetworkStream(network, CPU), NetworkStream(network, CPU)
    scores = first = other.feed(2).copy()
    expected = []
    for die in at:
        known = scores[:, 1:]
        drawn = CPU.draw(known, temperature, np.array([die])) if temperature else known.argmax(1)
        expected.append(int(drawn[0]) + 1)
        if expected[-1] == end:
            break
        scores = other.feed(expected[-1]).copy()
    stream.feed(2)
    ids, after = stream.short_way.write(first, temperature, at, end)
    assert ids.tolist() == expected
    np.testing.assert_array_equal(after, scores)
    assert 0 not in expected


def test_scores_of_something_else_are_refused():
    short_way = NetworkStream(network_of("gru"), CPU).short_way
    for scores in (np.zeros((1, 6), "f4"), np.zeros((1, 7)), np.zeros(7, "f4")):
        with pytest.raises((TypeError, ValueError), match="scores"):
            short_way.write(scores, 1.0, np.zeros(3), -1)
    narrow = build_network(
        "gru", 0, NextToken(9), per_step=True, tokens=[Embedding((7,), (5,))], dtype="float32"
    )
    short_way = NetworkStream(narrow, CPU).short_way
    with pytest.raises(ValueError, match="a score for each of 7 ids, got 9"):
        short_way.write(np.zeros((1, 9), "f4"), 1.0, np.zeros(3), -1)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_table_too_large_for_its_products_has_the_same_bits(cell):
    """Up to some megabytes a stream has the input product of every row; beyond, it multiplies."""
    network = build_network(
        cell, 0, NextToken(5), per_step=True, tokens=[Embedding((90_000,), (3,))],
        dtype="float32", hidden_size=9,
    )  # fmt: skip
    network.initialize(np.random.RandomState(0))
    ids = np.array([0, 89_999, 3, 3, 50_000])
    whole = network.bind(CPU).forward(pack(np.array([5])), Inputs(None, ids[:, None])).copy()
    stream = NetworkStream(network, CPU)
    found = [stream.feed(i).copy() for i in ids.tolist()]
    np.testing.assert_array_equal(np.concatenate(found), whole)


def test_two_short_ways_of_one_layer_keep_their_tables():
    network = network_of("gru", n_layers=1)
    weights, stream = network.parameters, NetworkStream(network, CPU)
    layer = stream._chain.operations[1].stream
    heads = [(weights["head.weight"], weights["head.bias"])]
    expected = stream.feed(2).copy()
    other = CPU.token_stream(weights["embedding.weight_0"][::-1].copy(), [layer], heads)
    for _ in range(2):  # the other has the rows in reverse
        stream.reset()
        np.testing.assert_array_equal(other.feed(7 - 1 - 2), expected)
        stream.reset()
        np.testing.assert_array_equal(stream.feed(2), expected)

"""Activation memory, as minibatches are cut by it."""

from training.toy import toy_network

from rnnkit.network.memory import bytes_per_row


def test_activation_memory_grows_with_the_network():
    small = bytes_per_row(toy_network(hidden_size=4))
    assert bytes_per_row(toy_network(hidden_size=8)) > 1.5 * small
    assert bytes_per_row(toy_network(hidden_size=4, n_layers=2)) > 1.8 * small
    assert 2 * bytes_per_row(toy_network(hidden_size=4, dtype="float32")) == small

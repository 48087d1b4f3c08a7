"""How much memory a network's activations take, by which minibatches and batches are cut."""

from __future__ import annotations

from rnnkit.network.network import Network

__all__ = ["bytes_per_row"]


def bytes_per_row(network: Network) -> int:
    """Estimate the bytes of activations that training keeps per packed row."""
    entries = 0
    for layer in network.recurrent_layers:
        spec = layer.specs[0]
        saved = len(spec.gates) + 3  # gates, state, cell state and the gradient on its way
        entries += spec.n_inputs + len(layer.specs) * saved * spec.hidden_size
    return entries * network.dtype.itemsize

"""PyTorch's recurrent layers, over the same minibatch and the same weights as ours."""

import numpy as np
import torch

LAYERS = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


class TorchLayer:
    """One layer, batch first; `packed` hands the batch over as PyTorch asks for ragged input."""

    def __init__(self, cell, x, weights, lengths, packed=False):
        hidden_size = weights["weight_hh"].shape[1]
        self.layer = LAYERS[cell](x.shape[2], hidden_size, batch_first=True)
        load(self.layer, weights)
        self.x = torch.from_numpy(np.array(x))
        self.lengths = torch.from_numpy(np.array(lengths)) if packed else None
        # Steps beyond a length have no gradient; (T, B) in the order of packed rows.
        self.real = torch.arange(x.shape[1])[:, None] < torch.from_numpy(np.array(lengths))
        dy = self.real.T[:, :, None].expand(-1, -1, hidden_size).float().contiguous()
        self.dy = dy if not packed else torch.ones(int(np.sum(lengths)), hidden_size)

    def _input(self):
        if self.lengths is None:
            return self.x
        return torch.nn.utils.rnn.pack_padded_sequence(
            self.x, self.lengths, batch_first=True, enforce_sorted=True
        )

    def forward(self):
        """Run without a graph."""
        with torch.inference_mode():
            return self.layer(self._input())[0]

    def train(self):
        """Run forward and backward to the gradients of all weights."""
        self.layer.zero_grad(set_to_none=True)
        y = self.layer(self._input())[0]
        y = y if self.lengths is None else y.data
        y.backward(self.dy)

    def rows(self):
        """Return the outputs as packed rows (P, H)."""
        y = self.forward()
        return (y.transpose(0, 1)[self.real] if self.lengths is None else y.data).numpy()

    def weight_gradients(self):
        """Return the gradients of `train` by our names."""
        self.train()
        names = ("weight_ih", "weight_hh")
        return {name: getattr(self.layer, f"{name}_l0").grad.numpy() for name in names}


def load(layer, weights):
    """Copy our weights into a layer; its second bias is zero but for the GRU's candidate."""
    hidden_size = weights["weight_hh"].shape[1]
    with torch.no_grad():
        for name, ours in (
            ("weight_ih", "weight_ih"),
            ("weight_hh", "weight_hh"),
            ("bias_ih", "bias"),
        ):
            getattr(layer, f"{name}_l0").copy_(torch.from_numpy(weights[ours]))
        layer.bias_hh_l0.zero_()
        if "bias_hn" in weights:
            layer.bias_hh_l0[2 * hidden_size :] = torch.from_numpy(weights["bias_hn"])

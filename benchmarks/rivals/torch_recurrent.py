"""PyTorch's recurrent layers, over the same minibatch and the same weights as ours."""

import numpy as np
import torch

LAYERS = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


class TorchLayer:
    """One layer, batch first; `lengths` packs the batch as PyTorch asks for ragged input."""

    def __init__(self, cell, x, hidden_size, lengths=None):
        self.layer = LAYERS[cell](x.shape[2], hidden_size, batch_first=True)
        self.x = torch.from_numpy(np.array(x))
        self.lengths = None if lengths is None else torch.from_numpy(np.array(lengths))
        n_rows = x.shape[0] * x.shape[1] if lengths is None else int(np.sum(lengths))
        self.dy = torch.ones(n_rows, hidden_size).reshape(-1, hidden_size)

    def _input(self):
        if self.lengths is None:
            return self.x
        return torch.nn.utils.rnn.pack_padded_sequence(
            self.x, self.lengths, batch_first=True, enforce_sorted=True
        )

    def forward(self):
        """Run without a graph."""
        with torch.no_grad():
            return self.layer(self._input())[0]

    def train(self):
        """Run forward and backward to the gradients of all weights."""
        self.layer.zero_grad(set_to_none=True)
        y = self.layer(self._input())[0]
        y = y.reshape(-1, y.shape[-1]) if self.lengths is None else y.data
        y.backward(self.dy)

"""PyTorch's recurrent cells, one step at a time."""

import torch

CELLS = {"rnn": torch.nn.RNNCell, "lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}


class TorchStep:
    """One sequence, its state kept between the steps."""

    def __init__(self, cell, weights):
        hidden_size, n_inputs = weights["weight_hh"].shape[1], weights["weight_ih"].shape[1]
        self.cell = CELLS[cell](n_inputs, hidden_size)
        self.state = None

    def step(self, x):
        """Take one step from x (I,)."""
        with torch.inference_mode():
            self.state = self.cell(torch.from_numpy(x)[None], self.state)

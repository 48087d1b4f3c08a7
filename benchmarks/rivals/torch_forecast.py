"""PyTorch training a network that says the next steps of a series at each step of its windows."""

from __future__ import annotations

import torch


class Net(torch.nn.Module):
    """One recurrent layer and a head."""

    def __init__(self, cell, n_features, hidden_size, n_ahead):
        super().__init__()
        kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
        self.layer = kind(n_features, hidden_size, batch_first=True)
        self.head = torch.nn.Linear(hidden_size, n_ahead)

    def forward(self, x):
        """Return the steps (B, W, S) that follow each step."""
        return self.head(self.layer(x)[0])


def loss_of(net, x, y, known):
    """Return the mean squared error of the answers that are known."""
    return (((net(x) - y) ** 2) * known).sum() / known.sum()


def train(net, windows, targets, held, batch_size, n_epochs):
    """Train on windows (N, W, F), whose targets (N, W, S) are NaN where there is none.

    After every epoch the loss of the targets `held` decides which weights are kept.
    """
    x, y, kept = (torch.from_numpy(array) for array in (windows, targets, held))
    known, known_held = ~torch.isnan(y), ~torch.isnan(kept)
    y, kept = torch.nan_to_num(y), torch.nan_to_num(kept)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    best, weights = float("inf"), None
    for _ in range(n_epochs):
        for rows in torch.randperm(len(x)).split(batch_size):
            loss = loss_of(net, x[rows], y[rows], known[rows])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
        with torch.inference_mode():
            loss = float(loss_of(net, x, kept, known_held))
        if loss < best:
            best = loss
            weights = {name: value.clone() for name, value in net.state_dict().items()}
    net.load_state_dict(weights)

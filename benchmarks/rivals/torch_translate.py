"""PyTorch training an encoder-decoder with dot attention, as its users write it."""

from __future__ import annotations

import torch


class Net(torch.nn.Module):
    """A bidirectional encoder, a bridge, a decoder fed with the true sequence, attention, head."""

    def __init__(self, cell, n_labels, embedding, hidden_size):
        super().__init__()
        kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
        self.read = torch.nn.Embedding(n_labels, embedding)
        self.written = torch.nn.Embedding(n_labels + 1, embedding)
        self.encoder = kind(embedding, hidden_size, batch_first=True, bidirectional=True)
        self.decoder = kind(embedding, hidden_size, batch_first=True)
        self.bridge = torch.nn.Linear(2 * hidden_size, hidden_size)
        self.bridge_cell = torch.nn.Linear(2 * hidden_size, hidden_size)
        self.key = torch.nn.Linear(2 * hidden_size, hidden_size, bias=False)
        self.combine = torch.nn.Linear(3 * hidden_size, hidden_size)
        self.head = torch.nn.Linear(hidden_size, n_labels + 1)

    def forward(self, x, before):
        """Return scores (B, U, K + 1)."""
        states, last = self.encoder(self.read(x))
        if isinstance(last, tuple):
            h, c = (torch.cat([part[0], part[1]], dim=1) for part in last)
            begun = torch.tanh(self.bridge(h))[None], self.bridge_cell(c)[None]
        else:
            begun = torch.tanh(self.bridge(torch.cat([last[0], last[1]], dim=1)))[None]
        y, _ = self.decoder(self.written(before), begun)
        weights = torch.softmax(y @ self.key(states).transpose(1, 2), dim=2)
        combined = torch.tanh(self.combine(torch.cat([weights @ states, y], dim=2)))
        return self.head(combined)


def train(net, X, y, batch_size):
    """Train for an epoch."""
    torch.set_num_threads(1)
    X, y = torch.from_numpy(X.copy()), torch.from_numpy(y.copy())
    end = net.head.out_features - 1
    ended = torch.cat([y, torch.full((len(y), 1), end)], dim=1)
    before = torch.cat([torch.zeros(len(y), 1, dtype=torch.long), y + 1], dim=1)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for rows in torch.randperm(len(X)).split(batch_size):
        scores = net(X[rows], before[rows])
        loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), ended[rows].flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()

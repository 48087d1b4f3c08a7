"""PyTorch training and sampling a character model, as its users write both."""

from __future__ import annotations

import torch


class Net(torch.nn.Module):
    """Embedding, one recurrent layer, head."""

    def __init__(self, cell, n_kinds, embedding, hidden_size):
        super().__init__()
        kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
        self.embedding = torch.nn.Embedding(n_kinds, embedding)
        self.layer = kind(embedding, hidden_size, batch_first=True)
        self.head = torch.nn.Linear(hidden_size, n_kinds)

    def forward(self, ids, state=None):
        """Return scores (B, T, K) and the state."""
        y, state = self.layer(self.embedding(ids), state)
        return self.head(y), state


def train(net, ids, n_streams, window):
    """Train for an epoch: streams side by side, windows of steps, the state carried."""
    ids = torch.from_numpy(ids)
    length = (len(ids) - 1) // n_streams
    read = ids[: n_streams * length].reshape(n_streams, length)
    following = ids[1 : n_streams * length + 1].reshape(n_streams, length)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    state = None
    for start in range(0, length, window):
        scores, state = net(read[:, start : start + window], state)
        state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        targets = following[:, start : start + window]
        loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()


def write(net, n, n_texts):
    """Draw n characters of texts side by side, one after the other."""
    net.eval()
    written = []
    with torch.inference_mode():
        ids, state = torch.zeros(n_texts, 1, dtype=torch.long), None
        for _ in range(n):
            scores, state = net(ids, state)
            ids = torch.multinomial(torch.softmax(scores[:, -1], dim=-1), 1)
            written.append(ids[:, 0].tolist())
    return written

"""The same autoencoder in PyTorch, packed where lengths differ, and a variational one."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence


def packed(x, lengths):
    """Return padded sequences packed, or as they are where none is shorter."""
    if bool((lengths == x.shape[1]).all()):
        return x
    return pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)


class Net(nn.Module):
    """What `rnnkit.network.building.build_autoencoder` builds with one layer one way.

    With a `spread` the code is drawn around its mean, by a deviation that the encoder learns, and
    the divergence from the standard normal distribution, times `spread`, is in the loss (Kingma &
    Welling 2014).
    """

    def __init__(self, cell, n_inputs, code_size=16, hidden_size=64, spread=0.0):
        super().__init__()
        kind = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.spread = spread
        self.encoder = kind(n_inputs, hidden_size, batch_first=True)
        self.code = nn.Linear(hidden_size, code_size)
        self.deviation = nn.Linear(hidden_size, code_size) if spread else None
        self.decoder = kind(code_size + 1, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, n_inputs)

    def encode(self, x, lengths):
        """Return the last state (B, H) of padded sequences (B, T, I)."""
        last = self.encoder(packed(x, lengths))[1]
        return (last[0] if isinstance(last, tuple) else last)[0]

    def decode(self, code, lengths, n_steps):
        """Return the steps (B, T, I) of codes (B, C)."""
        steps = torch.arange(n_steps, dtype=code.dtype)
        places = (2 * steps + 1)[None] / lengths[:, None] - 1
        inputs = torch.cat([code[:, None].expand(-1, n_steps, -1), places[:, :, None]], dim=2)
        states = self.decoder(packed(inputs, lengths))[0]
        if not isinstance(states, torch.Tensor):
            states, _ = pad_packed_sequence(states, batch_first=True)
        return self.head(states)

    def loss(self, x, lengths):
        """Return half the mean squared error of real steps, and the divergence beside it."""
        state = self.encode(x, lengths)
        code, divergence = self.code(state), 0.0
        if self.deviation is not None:
            log_variance = self.deviation(state)
            divergence = 0.5 * (code**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
            code = code + torch.exp(0.5 * log_variance) * torch.randn_like(code)
        real = torch.arange(x.shape[1])[None] < lengths[:, None]
        errors = self.decode(code, lengths, x.shape[1]) - x
        return 0.5 * (errors[real] ** 2).mean() + self.spread * divergence


def batches(X, size, order):
    """Yield padded sequences and their lengths."""
    for start in range(0, len(X), size):
        part = [torch.from_numpy(X[i]) for i in order[start : start + size]]
        yield pad_sequence(part, batch_first=True), torch.tensor([len(x) for x in part])


class Trained:
    """A net with its solver, trained epoch by epoch."""

    def __init__(self, net, seed=0, learning_rate=3e-3, batch_size=64):
        torch.manual_seed(seed)
        self.net = net
        self.size = batch_size
        self.rng = np.random.RandomState(seed)
        self.solver = torch.optim.Adam(net.parameters(), lr=learning_rate)

    def epoch(self, X):
        """Train for one epoch on a list of arrays (T_i, I)."""
        for x, lengths in batches(X, self.size, self.rng.permutation(len(X))):
            self.solver.zero_grad()
            self.net.loss(x, lengths).backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
            self.solver.step()

    def codes_and_errors(self, X):
        """Return codes (N, C) and the mean squared error (N,) of each sequence."""
        codes, errors = [], []
        with torch.no_grad():
            for x, lengths in batches(X, 256, range(len(X))):
                code = self.net.code(self.net.encode(x, lengths))
                squares = ((self.net.decode(code, lengths, x.shape[1]) - x) ** 2).mean(2)
                real = torch.arange(x.shape[1])[None] < lengths[:, None]
                errors.append(((squares * real).sum(1) / lengths).numpy())
                codes.append(code.numpy())
        return np.concatenate(codes), np.concatenate(errors)

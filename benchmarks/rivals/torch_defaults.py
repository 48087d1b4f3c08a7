"""A plain PyTorch loop of an estimator's size, minibatches, learning rate and epochs."""

import numpy as np
import torch
from sklearn.metrics import accuracy_score, r2_score

BATCH_SIZE = 64


class Model(torch.nn.Module):
    """One LSTM over packed sequences, its last state into a linear head."""

    def __init__(self, n_inputs, n_tokens, hidden_size, n_outputs):
        super().__init__()
        self.table = torch.nn.Embedding(n_tokens, n_inputs) if n_tokens else None
        self.rnn = torch.nn.LSTM(n_inputs, hidden_size, batch_first=True)
        self.head = torch.nn.Linear(hidden_size, n_outputs)

    def forward(self, sequences):
        """Score a list of sequences."""
        lengths = [len(x) for x in sequences]
        x = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True)
        if self.table is not None:
            x = self.table(x)
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            x, lengths, batch_first=True, enforce_sorted=False
        )
        return self.head(self.rnn(packed)[1][0][-1])


def torch_score(X, y, X_test, y_test, estimator, n_epochs, seed):
    """Train as the estimator did, in float32; return the test score."""
    torch.manual_seed(seed)
    regression = y.dtype.kind == "f"
    dtype = torch.long if X[0].ndim == 1 else torch.float32
    train, test = ([torch.tensor(np.asarray(x), dtype=dtype) for x in part] for part in (X, X_test))
    n_tokens = int(max(x.max(initial=0) for x in X)) + 1 if X[0].ndim == 1 else 0
    if n_tokens:
        test = [x.clamp(max=n_tokens - 1) for x in test]
    classes = None if regression else np.unique(y)
    center, scale = (y.mean(), y.std()) if regression else (0, 1)
    targets = (
        torch.tensor((y - center) / scale, dtype=torch.float32)[:, None]
        if regression
        else torch.tensor(np.searchsorted(classes, y))
    )
    model = Model(
        estimator.embedding_dim if n_tokens else X[0].shape[1],
        n_tokens,
        estimator.hidden_size,
        1 if regression else len(classes),
    )
    loss_of = torch.nn.MSELoss() if regression else torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=estimator.learning_rate_init)
    for _ in range(n_epochs):
        for batch in torch.randperm(len(train)).split(BATCH_SIZE):
            optimizer.zero_grad()
            loss_of(model([train[i] for i in batch]), targets[batch]).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    with torch.no_grad():
        scores = torch.cat([model(test[i : i + 256]) for i in range(0, len(test), 256)]).numpy()
    if regression:
        return r2_score(y_test, scores[:, 0] * scale + center)
    return accuracy_score(y_test, classes[scores.argmax(1)])

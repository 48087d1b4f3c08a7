"""A sequence classifier in PyTorch, trained by a plain loop and by skorch."""

import skorch
import torch

CELLS = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


class Classifier(torch.nn.Module):
    """One recurrent layer, the last step into a linear head of 5 classes."""

    def __init__(self, cell="lstm", hidden_size=64):
        super().__init__()
        self.rnn = CELLS[cell](1, hidden_size, batch_first=True)
        self.head = torch.nn.Linear(hidden_size, 5)

    def forward(self, x):
        """Score sequences (B, T, 1)."""
        return self.head(self.rnn(x)[0][:, -1])


def plain_loop(cell, X, y, n_epochs, batch_size=32):
    """Train as a tutorial would, without a DataLoader's overhead."""
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    model, loss_of = Classifier(cell), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(n_epochs):
        for batch in torch.randperm(len(X)).split(batch_size):
            optimizer.zero_grad()
            loss_of(model(X[batch]), y[batch]).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return model


def skorch_classifier(cell, n_epochs):
    """Return the same as a scikit-learn estimator."""
    return skorch.NeuralNetClassifier(
        Classifier,
        module__cell=cell,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=32,
        max_epochs=n_epochs,
        iterator_train__shuffle=True,
        train_split=None,
        callbacks=[skorch.callbacks.GradientNormClipping(1.0)],
        verbose=0,
    )

"""A tagger (softmax or CRF) and a CTC labeller in PyTorch, as a user who knows it writes them.

Sequences are padded for each minibatch and packed for the recurrent layer. The CRF is that of
pytorch-crf, the CTC loss PyTorch's own.
"""

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torchcrf import CRF


def packed(rnn, x, lengths):
    """Run a recurrent layer over padded x (B, T, I)."""
    y, _ = rnn(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
    return pad_packed_sequence(y, batch_first=True)[0]


class Tagger(torch.nn.Module):
    """Embedding, bidirectional GRU, a label for each word."""

    def __init__(self, n_words, n_labels, size, crf):
        super().__init__()
        self.embedding = torch.nn.Embedding(n_words, size)
        self.rnn = torch.nn.GRU(size, size, batch_first=True, bidirectional=True)
        self.head = torch.nn.Linear(2 * size, n_labels)
        self.crf = CRF(n_labels, batch_first=True) if crf else None

    def scores(self, ids, lengths):
        """Score padded ids (B, T)."""
        return self.head(packed(self.rnn, self.embedding(ids), lengths))

    def loss(self, ids, lengths, labels, mask):
        """Return the mean loss of labels (B, T) where the mask is true."""
        scores = self.scores(ids, lengths)
        if self.crf is None:
            return torch.nn.functional.cross_entropy(scores[mask], labels[mask])
        return -self.crf(scores, labels, mask=mask, reduction="mean")


class Labeller(torch.nn.Module):
    """Bidirectional LSTM over frames, labels by CTC."""

    def __init__(self, n_features, n_labels, size):
        super().__init__()
        self.rnn = torch.nn.LSTM(n_features, size, batch_first=True, bidirectional=True)
        self.head = torch.nn.Linear(2 * size, n_labels + 1)
        self.criterion = torch.nn.CTCLoss(blank=n_labels)

    def log_probabilities(self, x, lengths):
        """Return them as (T, B, K + 1)."""
        return self.head(packed(self.rnn, x, lengths)).log_softmax(2).transpose(0, 1)


def batches(n, size, shuffle=True):
    """Return the indices of each minibatch."""
    return (torch.randperm(n) if shuffle else torch.arange(n)).split(size)


def padded(sequences, members):
    """Return sequences padded to (B, T, ...) and their lengths."""
    taken = [sequences[i] for i in members]
    return pad_sequence(taken, batch_first=True), torch.tensor([len(one) for one in taken])


def step(model, optimizer, loss):
    """Take one step, clipped to norm 1."""
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def train_tagger(sentences, tags, n_words, n_labels, size, crf, batch_size=32):
    """Build a tagger and train it for an epoch."""
    model = Tagger(n_words, n_labels, size, crf)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for members in batches(len(sentences), batch_size):
        ids, lengths = padded(sentences, members)
        labels, _ = padded(tags, members)
        mask = torch.arange(ids.shape[1])[None] < lengths[:, None]
        step(model, optimizer, model.loss(ids, lengths, labels, mask))
    return model


@torch.inference_mode()
def tag(model, sentences, batch_size=256):
    """Return the labels of each sentence, in minibatches of about equal lengths."""
    order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
    found = [None] * len(sentences)
    for members in torch.tensor(order).split(batch_size):
        ids, lengths = padded(sentences, members)
        scores = model.scores(ids, lengths)
        if model.crf is None:
            best = scores.argmax(2).numpy()
            answers = [row[:n] for row, n in zip(best, lengths.tolist())]
        else:
            mask = torch.arange(ids.shape[1])[None] < lengths[:, None]
            answers = model.crf.decode(scores, mask=mask)
        for i, answer in zip(members.tolist(), answers):
            found[i] = answer
    return found


def train_labeller(sequences, targets, n_labels, size, batch_size=32):
    """Build a labeller and train it for an epoch."""
    model = Labeller(sequences[0].shape[1], n_labels, size)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for members in batches(len(sequences), batch_size):
        x, lengths = padded(sequences, members)
        labels = [targets[i] for i in members]
        n_labels_each = torch.tensor([len(one) for one in labels])
        log_probabilities = model.log_probabilities(x, lengths)
        loss = model.criterion(log_probabilities, torch.cat(labels), lengths, n_labels_each)
        step(model, optimizer, loss)
    return model


@torch.inference_mode()
def label(model, sequences, batch_size=256):
    """Return the labels of the best path of each sequence."""
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
    found = [None] * len(sequences)
    blank = model.criterion.blank
    for members in torch.tensor(order).split(batch_size):
        x, lengths = padded(sequences, members)
        best = model.log_probabilities(x, lengths).argmax(2).T
        for i, path, n in zip(members.tolist(), best, lengths.tolist()):
            merged = path[:n].unique_consecutive()
            found[i] = merged[merged != blank].numpy()
    return found

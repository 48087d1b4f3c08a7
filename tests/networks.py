"""Networks, and lengths of sequences for them, that tests on several backends share."""

import numpy as np

from rnnkit import Convolution

LENGTHS = np.array([7, 3, 12, 12, 1, 5, 9, 4])
NOISY = {
    "dropout": 0.2,
    "input_dropout": 0.2,
    "recurrent_dropout": 0.2,
    "input_noise": 0.1,
    "zoneout": 0.1,
}
NETWORKS = {
    "plain": {},
    "stacked": {"n_layers": 3, **NOISY},
    "both directions": {"bidirectional": True, "n_layers": 2, **NOISY},
    "mean": {"pooling": "mean"},
    "max": {"pooling": "max"},
    "attention": {"pooling": "attention", "bidirectional": True},
    "convolutions": {
        "convolutions": [Convolution(5, 4), Convolution(3, 2, causal=True, layer_norm=True)],
        "dropout": 0.2,
    },
    "batch norm": {
        "convolutions": [Convolution(5, 4, batch_norm=True), Convolution(3, 2, batch_norm=True)],
        "convolution_join": "parallel",
    },
    "convolutions beside": {
        "convolutions": [Convolution(4, 3, causal=True, activation="tanh"), Convolution(3, 2)],
        "convolution_join": "parallel",
        "bidirectional": True,
        **NOISY,
    },
}

"""Networks, and lengths of sequences for them, that tests on several backends share."""

import numpy as np

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
}

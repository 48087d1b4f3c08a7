"""Names by nationality: a model that writes them, and classifies them by Bayes' rule.

``python benchmarks/bench_names.py`` prints held-out nats per character of `LSTMLanguageModel` and
`GRULanguageModel` with every parameter at its default, with and without the nationality as the
context, beside a unigram and an interpolated trigram of all names; the accuracy of the likeliest
nationality by Bayes' rule, beside the most frequent one; and names written for some nationalities.
The names are in RNNKIT_DATA/names; a fifth, by a hash of the spelling, is held out.
"""

from __future__ import annotations

import os
import sys
import time
import zlib
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.papers.tinyshakespeare import n_gram
from rnnkit import GRULanguageModel, LSTMLanguageModel

DATA = Path(os.environ.get("RNNKIT_DATA", "../shared/data"))


def names():
    """Return the names and nationalities to train on, and those held out."""
    parts = ([], []), ([], [])
    for file in sorted((DATA / "names").glob("[A-Z]*.txt")):
        for name in dict.fromkeys(file.read_text(encoding="utf-8").split("\n")):
            if name.strip():
                part = parts[zlib.crc32(name.strip().encode()) % 5 == 0]
                part[0].append(name.strip())
                part[1].append(file.stem)
    return parts


def by_bayes(model, texts, labels):
    """Return the likeliest label of each text."""
    kinds, counts = np.unique(labels, return_counts=True)
    log_prior = np.log(counts / counts.sum())
    likelihoods = [model.score_samples(texts, context=kind) for kind in kinds]
    return kinds[(np.array(likelihoods) + log_prior[:, None]).argmax(axis=0)]


def main():
    """Print a line for each model."""
    (train, labels), (held_out, truth) = names()
    truth = np.array(truth)
    print(f"{len(train)} names to train on, {len(held_out)} held out")
    ended, tail = "\n".join(train), "\n".join(held_out)
    for order in (1, 3):
        print(f"{order}-gram: {n_gram(ended, tail, order):.3f} nats a character")
    kinds, counts = np.unique(labels, return_counts=True)
    majority = kinds[counts.argmax()]
    print(f"most frequent nationality: {np.mean(truth == majority):.3f} accuracy")
    for kind in (LSTMLanguageModel, GRULanguageModel):
        begin = time.perf_counter()
        plain = kind(random_state=0).fit(train)
        middle = time.perf_counter()
        model = kind(random_state=0).fit(train, context=labels)
        end = time.perf_counter()
        accuracy = np.mean(by_bayes(model, held_out, labels) == truth)
        print(
            f"{kind.__name__}: {-plain.score(held_out):.3f} nats a character ({middle - begin:.0f} "
            f"s), {-model.score(held_out, context=truth):.3f} given the nationality "
            f"({end - middle:.0f} s), {accuracy:.3f} accuracy by Bayes",
            flush=True,
        )
        for nationality in ("Russian", "Italian", "Japanese"):
            written = model.sample(20, n_samples=6, context=nationality, random_state=0)
            print(f"  {nationality}: {', '.join(written)}")


if __name__ == "__main__":
    main()

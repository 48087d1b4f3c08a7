"""Sequences to sequences at default parameters: digits, dates and spoken numbers, over seeds.

``python benchmarks/bench_translate.py [--tasks reverse,sort,dates,numbers] [--seeds 0,1,2]
[--models GRU,LSTM]`` prints, for each task, model and seed, the share of held-out sequences that
are right as a whole, one minus the edit distance per true label, and the seconds of `fit`. Goals:
0.99 of reversed and sorted digits and of dates. ``--speed`` prints the milliseconds of an epoch
beside PyTorch's of the same model, one thread each.

The tasks: 3 to 10 digits reversed, or sorted; dates of 1900 to 2099 in nine formats to ISO 8601;
whole numbers below a million from words to digits. 8000 pairs to train on (4000 of digits), 1000
held out, none of which is among those trained on.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import rnnkit
from rnnkit.metrics import edit_distance

HELD_OUT = 1000
FORMATS = (
    "{d} {month} {y}", "{month} {d}, {y}", "{weekday}, {d} {month} {y}", "{d}/{m:02}/{y}",
    "{d:02}.{m:02}.{y}", "{mon} {d} {y}", "{d:02}-{mon}-{y}", "{weekday} {month} {d} {y}",
    "{y}{m:02}{d:02}",
)  # fmt: skip
ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
]  # fmt: skip
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def spoken(n):
    """Return a whole number below a million in words."""
    if n < 20:
        return [ONES[n]]
    if n < 100:
        return [TENS[n // 10 - 2]] + ([ONES[n % 10]] if n % 10 else [])
    if n < 1000:
        rest = ["and", *spoken(n % 100)] if n % 100 else []
        return [ONES[n // 100], "hundred", *rest]
    return [*spoken(n // 1000), "thousand", *(spoken(n % 1000) if n % 1000 else [])]


def digits(rng, n, change):
    """Return sequences of 3 to 10 digits, all different, and what `change` makes of them."""
    found = {}
    while len(found) < n:
        x = rng.integers(0, 10, rng.integers(3, 11))
        found[tuple(x.tolist())] = change(x)
    return [np.array(x) for x in found], list(found.values())


def dates(rng, n):
    """Return dates in words or numbers, all different, and their ISO form."""
    found = {}
    first = date(1900, 1, 1)
    while len(found) < n:
        day = first + timedelta(days=int(rng.integers(0, 73049)))
        text = FORMATS[rng.integers(len(FORMATS))].format(
            d=day.day, m=day.month, y=day.year, month=f"{day:%B}", mon=f"{day:%b}",
            weekday=f"{day:%A}",
        )  # fmt: skip
        found[text] = day.isoformat()
    return list(found), list(found.values())


def numbers(rng, n):
    """Return numbers in words, and in digits, as likely short as long ones."""
    found = {}
    while len(found) < n:
        number = int(rng.integers(0, 10 ** rng.integers(3, 7)))
        found[number] = spoken(number)
    return list(found.values()), [list(str(number)) for number in found]


TASKS = {
    "reverse": lambda rng: digits(rng, 4000 + HELD_OUT, lambda x: x[::-1]),
    "sort": lambda rng: digits(rng, 4000 + HELD_OUT, np.sort),
    "dates": lambda rng: dates(rng, 8000 + HELD_OUT),
    "numbers": lambda rng: numbers(rng, 8000 + HELD_OUT),
}


def likeness(y, found):
    """Return one minus the edit distance per true label."""
    distance = sum(edit_distance(list(a), list(b)) for a, b in zip(y, found))
    return 1 - distance / sum(map(len, y))


def scores(task, model, seed):
    """Print a line of one task, model and seed."""
    X, y = TASKS[task](np.random.default_rng(seed))
    estimator = getattr(rnnkit, f"{model}EncoderDecoder")(random_state=seed)
    begin = time.perf_counter()
    estimator.fit(X[:-HELD_OUT], y[:-HELD_OUT])
    seconds = time.perf_counter() - begin
    found = estimator.predict(X[-HELD_OUT:])
    share = estimator.score(X[-HELD_OUT:], y[-HELD_OUT:])
    print(
        f"{task:8} {model:5} seed {seed}: {share:.4f} right, {likeness(y[-HELD_OUT:], found):.4f} "
        f"alike, {estimator.n_iter_} epochs, {seconds:.0f} s",
        flush=True,
    )


def speed(hidden_size=64, n=1024, n_epochs=3):
    """Print the time of an epoch beside PyTorch's, reversing 20 digits."""
    from benchmarks.rivals import torch_translate

    rng = np.random.default_rng(0)
    X = rng.integers(0, 10, (n, 20))
    y = X[:, ::-1]
    for model in ("GRU", "LSTM"):
        kind = getattr(rnnkit, f"{model}EncoderDecoder")
        estimator = kind(hidden_size, max_iter=1, random_state=0, learning_rate="linear")
        estimator.fit(X, y)
        own, theirs = [], []
        net = torch_translate.Net(model.lower(), 10, 64, hidden_size)
        torch_translate.train(net, X, y, 64)
        for _ in range(n_epochs):
            begin = time.perf_counter()
            estimator.fit(X, y)
            middle = time.perf_counter()
            torch_translate.train(net, X, y, 64)
            own.append(middle - begin)
            theirs.append(time.perf_counter() - middle)
        mine, their = 1e3 * min(own), 1e3 * min(theirs)
        print(
            f"{model} H={hidden_size}, dot attention, {n} sequences of 20, an epoch of fit: "
            f"{mine:.0f} ms, PyTorch {their:.0f} ms, {their / mine:.2f} times as fast",
            flush=True,
        )


def main():
    """Print a line for each task, model and seed, or of speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--models", default="GRU,LSTM")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--speed", action="store_true")
    chosen = parser.parse_args()
    if chosen.speed:
        speed()
        return
    for task in chosen.tasks.split(","):
        for model in chosen.models.split(","):
            for seed in chosen.seeds.split(","):
                scores(task, model, int(seed))


if __name__ == "__main__":
    main()

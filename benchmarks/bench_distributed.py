"""What several workers bring: measured with two on this machine, and a model of more of them.

    python benchmarks/bench_distributed.py [--hidden 128 256] [--batch 256] [--epochs 15]

First the all-reduce of two processes. Then fits by one and by two workers of one thread each, on
minibatches of the same size: the efficiency is half of how much faster two are. Goal: 0.8 from
128 hidden units on. Then the time of a step as a sum of three parts,

    step(W) = max share of a minibatch * seconds of a sequence     (computing)
              + 2 (W - 1) / W * bytes of the weights / bandwidth   (a ring's traffic)
              + 2 (W - 1) * latency + overhead,                    (its turns)

fitted to what was measured, for 2 to 1,000 workers on 1, 10 and 100 Gbit a second, and the smallest
minibatch for which W workers are half as good as W times one. A minibatch is cut from all
sequences, so that the largest share of W workers is that of a multinomial draw.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from dask import delayed
from distributed import Client, LocalCluster
from harness import Results

from rnnkit import LSTMClassifier, Sequences, distributed

STEPS, FEATURES = 50, 16
GOAL, SMALLEST = 0.8, 128
LATENCY = 50e-6  # of a turn of the ring between machines, in seconds; measured here on one
GBITS = (1, 10, 100)
WORKERS = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)


def all_reduces(sizes):
    """Return the median seconds of an all-reduce of so many float32 by two processes."""
    import multiprocessing

    from xgboost.tracker import RabitTracker

    tracker = RabitTracker(n_workers=2, host_ip="127.0.0.1", sortby="task")
    tracker.start()
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    ranks = [
        context.Process(target=_all_reduce, args=(tracker.worker_args(), rank, sizes, queue))
        for rank in range(2)
    ]
    [rank.start() for rank in ranks]
    found = queue.get(timeout=100)
    [rank.join() for rank in ranks]
    return found


def _all_reduce(arguments, rank, sizes, queue):
    from xgboost import collective

    seconds = []
    with collective.CommunicatorContext(**arguments, dmlc_task_id=str(rank)):
        for size in sizes:
            numbers = np.ones(size, np.float32)
            times = []
            for _ in range(30 if size < 10**7 else 8):
                collective.allreduce(np.zeros(1), collective.Op.SUM)
                begin = time.perf_counter()
                collective.allreduce(numbers, collective.Op.SUM)
                times.append(time.perf_counter() - begin)
            seconds.append(float(np.median(times)))
    if not rank:
        queue.put(seconds)


def part(number, n):
    """Draw a partition of n sequences."""
    rng = np.random.RandomState(number)
    values = rng.standard_normal((n * STEPS, FEATURES)).astype(np.float32)
    return Sequences(values, np.arange(n + 1) * STEPS)


def seconds_of_an_epoch(n_workers, hidden, batch, n_epochs):
    """Return the seconds of an epoch, and its number of steps: of many epochs less one."""
    n = 8 * batch
    X = [delayed(part)(number, n // n_workers) for number in range(n_workers)]
    y = np.arange(n) % 4
    with (
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        X = client.persist(X)
        times = {}
        for epochs in (1, 1, 1 + n_epochs):  # the first warms up
            model = LSTMClassifier(hidden, batch_size=batch, max_iter=epochs, random_state=0)
            model.set_params(tol=0, n_iter_no_change=1000)
            begin = time.perf_counter()
            distributed.fit(model, X, y, client=client)
            times[epochs] = time.perf_counter() - begin
    weights = model.network_.parameters.flat.size
    return (times[1 + n_epochs] - times[1]) / n_epochs, n // batch, weights


def largest_share(batch, n_workers):
    """Return the sequences of a minibatch that the busiest of W workers has, about."""
    mean = batch / n_workers
    return mean + np.sqrt(2 * mean * np.log(n_workers))


def step(batch, n_workers, weights, per_sequence, bandwidth, latency, overhead):
    """Return the modelled seconds of a step."""
    if n_workers == 1:
        return batch * per_sequence
    traffic = 2 * (n_workers - 1) / n_workers * 4 * weights / bandwidth
    return (
        largest_share(batch, n_workers) * per_sequence
        + traffic
        + 2 * (n_workers - 1) * latency
        + overhead
    )


def smallest_batch(n_workers, *model):
    """Return the smallest minibatch for which W workers are half as good as W times one."""
    batch = n_workers
    while batch < 2**40:
        alone = step(batch, 1, *model)
        if alone / step(batch, n_workers, *model) >= n_workers / 2:
            return batch
        batch = int(batch * 1.1) + 1
    return None


def main():
    """Measure, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hidden", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=15)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    results = Results("distributed")
    sizes = (10**5, 10**6, 10**7)
    reduces = all_reduces(sizes)
    for size, seconds in zip(sizes, reduces):
        print(f"all-reduce of {size:>9,} float32 by two processes  {1e3 * seconds:8.3f} ms")
    turn = reduces[0] / 2
    for hidden in options.hidden:
        one, n_steps, weights = seconds_of_an_epoch(1, hidden, options.batch, options.epochs)
        two, _, _ = seconds_of_an_epoch(2, hidden, options.batch, options.epochs)
        efficiency = one / two / 2
        goal = "" if hidden < SMALLEST else f"  goal {GOAL}"
        print(
            f"\nH={hidden}, {weights:,} weights, minibatches of {options.batch} x {STEPS} steps: "
            f"a step {1e3 * one / n_steps:.1f} ms by one worker, "
            f"{1e3 * two / n_steps:.1f} ms by two, efficiency {efficiency:.2f}{goal}"
        )
        results.write(
            kind="distributed", hidden=hidden, batch=options.batch, one=one, two=two,
            efficiency=efficiency, reduces=dict(zip(map(str, sizes), reduces)),
        )  # fmt: skip
        per_sequence = one / n_steps / options.batch
        here = largest_share(options.batch, 2) * per_sequence + np.interp(weights, sizes, reduces)
        overhead = max(0.0, two / n_steps - here)
        print(
            f"fitted: {1e6 * per_sequence:.0f} us a sequence, {1e6 * turn:.0f} us a turn on this "
            f"machine ({1e6 * LATENCY:.0f} us taken between machines), {1e3 * overhead:.2f} ms else"
        )
        print(f"{'workers':>8}" + "".join(f"{f'{g} Gbit/s':>34}" for g in GBITS))
        print(f"{'':>8}" + "".join(f"{'step at 64 each':>17}{'pays from':>17}" for _ in GBITS))
        for n_workers in WORKERS:
            line = f"{n_workers:>8}"
            for gbits in GBITS:
                model = (weights, per_sequence, gbits * 1e9 / 8, LATENCY, overhead)
                seconds = step(64 * n_workers, n_workers, *model)
                batch = smallest_batch(n_workers, *model)
                line += f"{1e3 * seconds:>14.1f} ms{batch if batch else 'never':>17,}"
            print(line)


if __name__ == "__main__":
    main()

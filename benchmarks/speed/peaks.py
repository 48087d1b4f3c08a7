"""The limits of the machine that measures: the rate of a large matrix product, GFLOP/s.

A product of two 2048 x 2048 matrices in float32 by NumPy's BLAS and by PyTorch's, the faster of
them, and in bfloat16 by PyTorch's, on one thread and on two. A ratio against a rival is asked for
only as far as the machine has room for it: a rival at 80 % of the peak cannot be beaten by half.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from harness import use_threads

N, CALLS = 2048, 8
ENOUGH = 2.0  # seconds of calls after which there are no more
THREADS = (1, 2)
SHARE = 0.85  # of the peak that a large layer is asked for, and that limits a ratio
AMX = 958 / 167  # bfloat16 over float32 where the ratio to our own float32 was set


@dataclass
class Peaks:
    """GFLOP/s by number of threads; bfloat16 is empty without PyTorch."""

    float32: dict = field(default_factory=dict)
    bfloat16: dict = field(default_factory=dict)

    def limited(self, ratio, rival, ours, flops, n_threads, kind="float32"):
        """Return a ratio to a rival, or what SHARE of the peak would be of its rate, if less.

        The rival and we need so many milliseconds for `flops` operations. What we reached is
        possible, whatever the peak was taken for while others ran.
        """
        peak = getattr(self, kind).get(n_threads)
        if peak is None:
            return ratio
        return min(ratio, SHARE * max(peak, flops / ours / 1e6) * rival * 1e6 / flops)

    def of_threads(self, share):
        """Return a share of what two threads give in the product over one, 1 at least."""
        return max(1.0, share * self.float32[2] / self.float32[1])

    def of_bfloat16(self, ratio):
        """Return a ratio of bfloat16 to float32 asked for with AMX, in this machine's measure.

        None: the rate of bfloat16 is not known. Where it is below float32's there is no instruction
        for it, and rounded factors can be multiplied as float32.
        """
        if not self.bfloat16:
            return None
        return ratio / AMX * max(1.0, self.bfloat16[1] / self.float32[1])

    def __str__(self):
        shown = [
            f"{kind} {' / '.join(f'{rate:.0f}' for rate in rates.values())}"
            for kind, rates in (("float32", self.float32), ("bfloat16", self.bfloat16))
            if rates
        ]
        return f"peaks on 1 / 2 threads, GFLOP/s: {', '.join(shown)}"


def measured_peaks(run):
    """Time the products."""
    peaks = Peaks()
    for n_threads in THREADS:
        use_threads(n_threads)
        for kind, products in contenders().items():
            times = {library: fastest(product) for library, product in products.items()}
            getattr(peaks, kind)[n_threads] = 2 * N**3 / min(times.values()) / 1e6
            run.results.write(kind="peak", dtype=kind, threads=n_threads, milliseconds=times)
    return peaks


def fastest(product):
    """Return the milliseconds of the fastest of some calls: a peak is what nothing disturbs.

    Of a product that takes seconds, as one in bfloat16 without any instruction for it, one call.
    """
    times = []
    while len(times) < CALLS and sum(times) < ENOUGH:
        begin = time.perf_counter()
        product()
        times.append(time.perf_counter() - begin)
    return 1e3 * min(times)


def contenders():
    """Return {dtype: {library: product}} of what is installed."""
    a, b = np.random.default_rng(0).random((2, N, N), np.float32)
    out = np.empty_like(a)
    found = {"float32": {"numpy": lambda: np.matmul(a, b, out=out)}}
    try:
        import torch
    except ImportError:
        return found
    for kind in ("float32", "bfloat16"):
        left, right = (torch.from_numpy(x).to(getattr(torch, kind)) for x in (a, b))
        product = torch.empty_like(left)
        found.setdefault(kind, {})["torch"] = lambda left=left, right=right, product=product: (
            torch.mm(left, right, out=product)
        )
    return found

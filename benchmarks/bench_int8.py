"""What products of 8-bit integers would bring a fitted model: held-out figures, file, time.

    python benchmarks/bench_int8.py accuracy [task ...] [--hidden-size 256] [--seeds 3]
    python benchmarks/bench_int8.py speed [--hidden-sizes 128 256 512]

rnnkit has no such products: "accuracy" fits estimators with default parameters in float32 and
predicts again with rounded weights and inputs in NumPy (int8/emulation.py); "speed" compiles one
LSTM layer for processors with AVX512-VNNI (int8/layer.c, by the C compiler CC), checks it against
the emulation, and times it beside rnnkit's own float32 and bfloat16 and PyTorch's dynamically
quantised layer, on one thread. The data folder is taken from RNNKIT_DATA.
"""

import argparse
import functools
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from bench_recurrent import OurLayer
from harness import Results, interleaved, use_threads
from int8.emulation import bytes_of_file, products_of_8_bits, quantised
from sklearn.exceptions import ConvergenceWarning

import rnnkit
from rnnkit.backends import get_backend
from rnnkit.sequences import pack

STEPS, CHECKED_STEPS = 100, 5
OF_ONE_LEVEL = 1e-3


def accuracy(options, results):
    """Print a line for each task and estimator: float32, 8 bits, difference, share of the file."""
    from int8.tasks import TASKS

    warnings.simplefilter("ignore", ConvergenceWarning)
    given = {} if options.hidden_size is None else {"hidden_size": options.hidden_size}
    for name in options.tasks or TASKS:
        fit, classes, unit = TASKS[name]
        for cls in classes:
            pairs, shares = [], []
            for seed in range(options.seeds):
                model, score = fit(functools.partial(cls, random_state=seed, **given))
                exact = score(model)
                with products_of_8_bits():
                    pairs.append((exact, score(quantised(model))))
                shares.append(share_of_file(model))
            before, after = np.mean(pairs, axis=0)
            differences = np.diff(pairs, axis=1)[:, 0]
            factor, of = (1, "nats") if unit == "nats" else (100, "points")
            worst = factor * differences[np.argmax(np.abs(differences))]
            print(
                f"{name:16} {cls.__name__:22} {unit:8} float32 {before:.4f}  8 bits {after:.4f}  "
                f"mean {factor * differences.mean():+.3f}, largest {worst:+.3f} {of} "
                f"({options.seeds} seeds)  file {np.mean(shares):.2f}",
                flush=True,
            )
            results.write(kind="accuracy", task=name, cls=cls.__name__, unit=unit, pairs=pairs)


def share_of_file(model):
    """Return the bytes of a file with 8-bit matrices over those of the float32 file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        rnnkit.save(model, path)
        size = path.stat().st_size
    return bytes_of_file(model, size) / size


def speed(options, results):
    """Print the peak, then a line for each shape: milliseconds, float32's time over each."""
    from int8.layer import LayerOf8Bits, compiled, processor_has_it, torch_layer

    if not processor_has_it():
        raise SystemExit("this processor has no AVX512-VNNI, which int8/layer.c is written for")
    if any(size % 16 for size in options.hidden_sizes):
        raise SystemExit(f"--hidden-sizes must be multiples of 16, got {options.hidden_sizes}")
    use_threads(1)
    print(f"products of 8-bit integers alone: {peak(compiled().products_alone):.0f} G a second")
    for hidden_size in options.hidden_sizes:
        for n_sequences in options.batches:
            x = np.random.default_rng(1).standard_normal((n_sequences, STEPS, options.inputs))
            x = x.astype(np.float32)
            lengths = np.full(n_sequences, STEPS, np.intp)
            single, bf16 = (
                OurLayer("lstm", x, hidden_size, lengths, "cpu", precision)
                for precision in ("full", "bf16")
            )
            by_step = single.x.reshape(STEPS, n_sequences, -1)
            of_8_bits = LayerOf8Bits(by_step, single.weights)
            difference = check(of_8_bits, single, lengths)
            runs = {"float32": single.forward, "bf16": bf16.forward, "8 bits": of_8_bits.forward}
            runs["without gates"] = functools.partial(of_8_bits.forward, 0)
            if rival := torch_layer(by_step, single.weights):
                runs["torch 8 bits"] = rival
            times = interleaved(runs, options.repeats, options.seconds)
            products = n_sequences * STEPS * 4 * hidden_size * (options.inputs + hidden_size)
            shown = "  ".join(
                f"{name} {t:.3f} ({times['float32'] / t:.2f}x)" for name, t in times.items()
            )
            print(
                f"H={hidden_size} B={n_sequences} I={options.inputs}  {shown}  "
                f"{products / times['8 bits'] / 1e6:.0f} G products/s  differs {difference:.4f}",
                flush=True,
            )
            shape = (n_sequences, STEPS, options.inputs, hidden_size)
            results.write(kind="speed", shape=shape, milliseconds=times)


def peak(products_alone, n=5_000_000):
    """Return the billions of products a second, the best of three calls."""
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        products_alone(n)
        seconds.append(time.perf_counter() - begin)
    return n * 16 * 64 / min(seconds) / 1e9


def check(of_8_bits, layer, lengths):
    """Compare with the emulation over some steps; return the largest difference to float32."""
    y = of_8_bits.forward()
    few = np.minimum(lengths, CHECKED_STEPS)
    n_rows = int(few.sum())
    with products_of_8_bits():
        operation = get_backend("reference").recurrent(layer.spec, np.dtype(np.float64))
        weights = {name: w.astype(np.float64) for name, w in layer.weights.items()}
        expected, _, _ = operation.forward(pack(few), layer.x[:n_rows].astype(float), weights)
    # A row at half way between two integers may go either way: one level of one input.
    if not np.allclose(y[:n_rows], expected, rtol=0, atol=OF_ONE_LEVEL):
        raise SystemExit(f"the layer differs by {np.abs(y[:n_rows] - expected).max():.2g}")
    return float(np.abs(y - layer.rows()).max())


def main():
    """Run one of the two tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    of_accuracy = kinds.add_parser("accuracy")
    of_accuracy.add_argument("tasks", nargs="*", metavar="task")
    of_accuracy.add_argument("--hidden-size", type=int)
    of_accuracy.add_argument("--seeds", type=int, default=3)
    of_accuracy.set_defaults(run=accuracy)
    of_speed = kinds.add_parser("speed")
    of_speed.add_argument("--hidden-sizes", nargs="+", type=int, default=[128, 256, 512])
    of_speed.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32, 128])
    of_speed.add_argument("--inputs", type=int, default=64)
    of_speed.add_argument("--repeats", type=int, default=9)
    of_speed.add_argument("--seconds", type=float, default=6.0, help="at most, a shape")
    of_speed.set_defaults(run=speed)
    options = parser.parse_args()
    options.run(options, Results("int8"))


if __name__ == "__main__":
    main()

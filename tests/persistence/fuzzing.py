"""Mutated files: the loader answers each with a model or with one sentence.

    python tests/persistence/fuzzing.py --files 1000000 --processes 2

starts from the golden files, changes bytes, lengths, headers and models, loads the result and asks
what was loaded for predictions. It counts what must not be: crashes, hangs, large allocations (the
address space is limited) and exceptions that are no `FormatError`.
"""

import argparse
import collections
import copy
import json
import multiprocessing
import os
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from rnnkit.exceptions import FormatError
from rnnkit.persistence.files import load_bytes

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from persistence.golden_files import FOLDER

MEMORY = 256 * 2**20  # bytes beyond what the process has when it begins
SECONDS = 2.0  # of the processor's time, for one file
PATIENCE = 30  # times as long by the clock: other processes may be busy

FILES = [path.read_bytes() for path in sorted(FOLDER.glob("*/*.safetensors"))]

NASTY: list[Any] = [
    None, True, False, 0, -1, 1, 2, 3, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, 10**9, 10**30,
    -(10**9), 0.5, -1.0, 1e-320, 1e308, "", "a", "nan", "inf", "-inf", "..", "/etc/passwd",
    "os.system", "__class__",
    "rnnkit.load", "rnnkit.LSTMClassifier", "rnnkit.GRUSequenceTagger", "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing.StandardScaler", "<U999999999", "<f8", ">f4", "|O", "head.weight",
    "auto", "cuda", "x" * 1000, [], {}, [[]], [1], [1, 2], [2**40], [-1], ["a"], {"tuple": []},
    {"ref": 0}, {"ref": 1}, {"float": "nan"}, {"float": "inf"}, {"dict": {}}, {"dict": [[], []]},
    {"array": {"data": "head.weight"}}, {"array": {"dtype": "|O", "shape": [1], "items": [None]}},
    {"array": {"dtype": "<U9", "shape": [0], "items": []}}, {"scalar": ["float64", 1.0]},
    {"slice": [0, None, None]}, {"range": [0, 10**18, 1]}, {"texts": ["a", "b"]}, {"set": [1]},
    {"type": "float64"}, {"dtype": "<f8"}, {"bytes": "\u00ff"}, {"no_rows": ["pandas", ["a"]]},
    {"object": {"class": "rnnkit.GRUClassifier", "parameters": {}}},
    {"object": {"class": "rnnkit.training.Adam", "parameters": {}}},
]  # fmt: skip


# Mutations of bytes.


def flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 1, 2, 5, 50))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def put(data: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(data))
    data[place : place + rng.choice((1, 1, 2, 8))] = rng.choice(
        (b"\0", b"\xff" * 8, b"{", b"[", b'"', b",", b"9", b"-", b"\\", b"1e999", b"NaN", b"null")
    )


def cut(data: bytearray, rng: random.Random) -> None:
    begin, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    del data[begin : rng.choice((end, begin + 1, begin + 8, len(data)))]


def repeat(data: bytearray, rng: random.Random) -> None:
    begin = rng.randrange(len(data))
    piece = data[begin : begin + rng.choice((1, 8, 64, 512))]
    data[begin:begin] = piece * rng.choice((1, 2, 100))


def swap(data: bytearray, rng: random.Random) -> None:
    size = rng.choice((1, 4, 8, 64))
    a, b = (rng.randrange(max(len(data) - size, 1)) for _ in range(2))
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]


def length(data: bytearray, rng: random.Random) -> None:
    true = int.from_bytes(data[:8], "little")
    near = true + rng.choice((-64, -8, -1, 1, 8, 64))
    others = (0, 1, 2**31, 2**32, 2**63, 2**64 - 1, near, len(data), len(data) - 8)
    data[:8] = (rng.choice(others) % 2**64).to_bytes(8, "little")


BYTES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip, flip, put, put, cut, repeat, swap, length,
)  # fmt: skip


# Mutations of what the header, or the model in it, says, which leave the rest as it is.


def places_of(node: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Return (container, key) of everything in JSON."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(items):
        found.append((node, key))
        if isinstance(value, (dict, list)):
            places_of(value, found)
    return found


def nasty(rng: random.Random) -> Any:
    return copy.deepcopy(rng.choice(NASTY))


def change(node: Any, rng: random.Random) -> None:
    """Change one entry of some JSON."""
    places = places_of(node, [])
    if not places:
        return
    container, key = rng.choice(places)
    value = container[key]
    kind = rng.randrange(8)
    if kind == 0:
        del container[key]
    elif kind == 1:
        other, other_key = rng.choice(places)
        container[key] = json.loads(json.dumps(other[other_key]))
    elif kind == 2 and isinstance(container, dict):
        container[rng.choice(("a", "_a", "__class__", "n_", "ref", "array", key + "_"))] = (
            copy.deepcopy(value)
        )
    elif kind == 3 and isinstance(value, int):
        container[key] = value + rng.choice((-1, 1, 8, 2**31, -value))
    elif kind == 4 and isinstance(value, list):
        more = [*value, nasty(rng)]
        container[key] = rng.choice((value * 2, value[:-1], value[::-1], more))
    else:
        container[key] = nasty(rng)


def said(data: bytes, rng: random.Random) -> bytes:
    """Return a file whose header, or model, says something else."""
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    texts = header["__metadata__"]
    model = json.loads(texts["model"])
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        change(model if rng.random() < 0.8 else header, rng)
    if header.get("__metadata__") is texts:
        texts["model"] = json.dumps(model)
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    body = data[start:]
    if rng.random() < 0.2:
        body = bytearray(body)
        values = (b"\0" * 8, b"\xff" * 8, np.float64("nan").tobytes(), b"\1" + b"\0" * 7)
        place = rng.randrange(0, max(len(body), 8), 8)
        body[place : place + 8] = rng.choice(values)[: len(body[place : place + 8])]
    return len(text).to_bytes(8, "little") + text + bytes(body)


def mutant(seed: int) -> bytes:
    """Return a mutated file, always the same one for a seed."""
    rng = random.Random(seed)
    data = rng.choice(FILES)
    if rng.random() < 0.6:
        return said(data, rng)
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        if changed:
            rng.choice(BYTES)(changed, rng)
    return bytes(changed)


# What an estimator that was loaded all the same is asked.

QUESTIONS: tuple[Any, ...] = (
    [np.zeros((3, 2)), np.ones((2, 2))],
    np.ones((2, 5)),
    np.ones((2, 3, 3), dtype=int),
    [["the", "cat"], ["dog"]],
)


def ask(model: Any) -> None:
    """Ask for predictions; Python's own exceptions are answers too.

    So is a MemoryError: a parameter such as `beam_width` may be any number.
    """
    for X in QUESTIONS:
        for method in ("predict_proba", "predict", "transform"):
            try:
                getattr(model, method)(X)
            except TimeoutError:
                raise
            except Exception:
                continue


def outcome(data: bytes) -> str:
    """Return what became of a file, "refused" and "loaded" being as it should be."""

    def hang(*_: Any) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, hang)
    signal.signal(signal.SIGPROF, hang)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, SECONDS * PATIENCE)
    try:
        model = load_bytes(data)
        with joblib.parallel_config("sequential"):  # n_jobs may be any number
            ask(model)
        return "loaded"
    except FormatError as error:
        return "refused" if "\n" not in str(error) and len(str(error)) < 1500 else f"text: {error}"
    except MemoryError:
        return "large allocation"
    except TimeoutError:
        return "hang"
    except BaseException:
        return f"exception: {traceback.format_exc(limit=-3)}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def limit_memory(extra: int) -> None:
    """Limit the address space to what there is and some more."""
    with open("/proc/self/statm") as statistics:
        present = int(statistics.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (present + extra, resource.RLIM_INFINITY))


def run(seeds: range, latest: Any) -> dict[str, list[int]]:
    """Return the seeds of each outcome; `latest` tells where a process ended that crashed."""
    warnings.simplefilter("ignore")
    found: dict[str, list[int]] = collections.defaultdict(list)
    for seed in seeds:
        latest.value = seed
        found[outcome(mutant(seed))].append(seed)
    return dict(found)


def in_a_process(seeds: range, answers: Any, latest: Any) -> None:
    for data in FILES:  # what is imported on the way is not counted
        ask(load_bytes(data))
    limit_memory(MEMORY)
    answers.put(run(seeds, latest))


def fuzz(
    n: int, first: int = 0, chunk: int = 5000, processes: int = 1, report: Any = None
) -> dict[str, list[int]]:
    """Load n mutated files in processes of their own; return the seeds of each outcome.

    `report` is called with the seeds of a process that ended and what was found so far.
    """
    context = multiprocessing.get_context("fork")
    waiting = [range(a, min(a + chunk, first + n)) for a in range(first, first + n, chunk)][::-1]
    found: dict[str, list[int]] = collections.defaultdict(list)
    running: list[tuple[Any, range, Any, Any]] = []
    while waiting or running:
        while waiting and len(running) < processes:
            seeds, answers = waiting.pop(), context.SimpleQueue()
            latest = context.Value("q", seeds.start)
            child = context.Process(target=in_a_process, args=(seeds, answers, latest))
            child.start()
            running.append((child, seeds, answers, latest))
        child, seeds, answers, latest = running.pop(0)
        while child.is_alive() and answers.empty():
            time.sleep(0.01)
        for what, where in ({} if answers.empty() else answers.get()).items():
            found[what] += where
        child.join()
        if child.exitcode:
            found[f"crash, exit code {child.exitcode}"].append(latest.value)
            if latest.value + 1 < seeds.stop:
                waiting.append(range(latest.value + 1, seeds.stop))
        if report is not None:
            report(seeds, found)
    return dict(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=10_000, help="how many, 10^6 for the figures")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    begin = time.perf_counter()
    told: set[str] = set()

    def report(seeds: range, found: dict[str, list[int]]) -> None:
        """Say at once what is new and wrong."""
        for what in found.keys() - told - {"refused", "loaded"}:
            print(f"seed {found[what][0]}: {what}", flush=True)
            told.add(what)

    found = fuzz(arguments.files, arguments.first, processes=arguments.processes, report=report)
    seconds = time.perf_counter() - begin
    for what, seeds in sorted(found.items(), key=lambda item: -len(item[1])):
        print(f"{len(seeds):9} {what} (first seed {seeds[0]})")
    wrong = sum(len(seeds) for what, seeds in found.items() if what not in ("refused", "loaded"))
    print(f"{arguments.files} files in {seconds:.0f} s, {wrong} of them wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()

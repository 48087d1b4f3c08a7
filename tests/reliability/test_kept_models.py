"""Faults 85 to 92: copies, pickles and files."""

import copy
import io
import os
import pickle
import pickletools
import re
import time
import tracemalloc

import joblib
import numpy as np
import pytest
from persistence.written import MODEL, content_of, edited, split
from reliability.faults import LABELS, Faults, X, refused, same_bits, small
from sklearn.base import clone

import rnnkit
from rnnkit.exceptions import FormatError
from rnnkit.persistence.files import load_bytes

fault = Faults()


@fault(85, "a model is cloned, copied, pickled or mapped into memory")
def _(tmp_path):
    model = small("GRUClassifier", bidirectional=True).fit(X, LABELS)
    expected = model.predict_proba(X)
    joblib.dump(model, tmp_path / "model")
    rnnkit.save(model, tmp_path / "file")
    for other in (
        copy.deepcopy(model),
        copy.copy(model),
        clone(model).fit(X, LABELS),
        joblib.load(tmp_path / "model"),
        joblib.load(tmp_path / "model", mmap_mode="r"),
        rnnkit.load(tmp_path / "file"),
        rnnkit.load(tmp_path / "file", mmap=True),
        *(pickle.loads(pickle.dumps(model, protocol)) for protocol in range(2, 6)),
    ):
        same_bits(other.predict_proba(X), expected)


@fault(86, "a pickle or a file is of another version")
def _(monkeypatch):
    model = small().fit(X, LABELS)
    with monkeypatch.context() as patch:
        patch.setattr("rnnkit.estimators.fitted._installed_version", lambda: "0.0.1")
        pickled = pickle.dumps(model)
    with pytest.warns(UserWarning, match=r"pickled with rnnkit 0\.0\.1.*rnnkit\.save"):
        same_bits(pickle.loads(pickled).predict_proba(X), model.predict_proba(X))
    old = edited(lambda model: None, {"rnnkit": "0.0.1"})
    same_bits(load_bytes(old).weights_["head.bias"], MODEL.weights_["head.bias"])
    later = edited(lambda model: None, {"rnnkit": "9.1", "schema": "7"})
    refused(FormatError, r"schema is '7'.*written by rnnkit 9\.1", load_bytes, later)


@fault(87, "a file is cut off at any byte")
def _():
    content = content_of()
    tracemalloc.start()
    begin = time.perf_counter()
    for length in range(len(content)):
        with pytest.raises(FormatError):
            load_bytes(content[:length])
    seconds = time.perf_counter() - begin
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()
    assert seconds / len(content) < 0.01


@fault(88, "any bit of the beginning of a file is another")
def _():
    content = content_of()
    loaded = 0
    for place in range(min(4096, len(content))):
        for bit in range(8):
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            try:
                load_bytes(bytes(changed))
                loaded += 1
            except FormatError:
                continue
    assert loaded < 0.5 * 8 * 4096


@fault(89, "a header is too long, no text, too deep, or names a thing twice")
def _():
    def header(text, length=None):
        return (len(text) if length is None else length).to_bytes(8, "little") + text

    for wrong in (
        header(b"{}", 2**63),
        header(b"{}", 2**64 - 1),
        header(b"{}", 200 * 2**20),
        header(b'{"\xff\xfe": 1}'),
        header(b'{"a":' * 10**5 + b"1" + b"}" * 10**5),
        header(b"[" * 10**5),
        header(b'{"a": 1, "a": 1}'),
        header(b""),
    ):
        begin = time.perf_counter()
        refused(FormatError, "header", load_bytes, wrong)
        assert time.perf_counter() - begin < 2


def with_entry(**changes):
    """A file whose last array's entry in the header was changed."""
    import json

    content = content_of()
    header, start = split(content)
    header["head.bias"].update(changes)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[start:]


@fault(90, "shapes, offsets, dtypes or weights cannot be")
def _():
    offsets = split(content_of())[0]["head.bias"]["data_offsets"]
    for match, wrong in {
        "needs 295147905179352825856": with_entry(shape=[2**62, 8]),
        "impossible shape": with_entry(shape=[-2]),
        "overlaps": with_entry(data_offsets=[0, 16]),
        "cut off|hole": with_entry(data_offsets=[o + 10**6 for o in offsets]),
        "hole": with_entry(data_offsets=[offsets[0] + 8, offsets[1] + 8]),
        "unknown dtype": with_entry(dtype="BF16"),
        "needs": with_entry(dtype="F32"),
        "schema": edited(lambda model: None, {"schema": "99"}),
    }.items():
        refused(FormatError, match, load_bytes, wrong)
    model = copy.deepcopy(MODEL)
    model.weights_["head.bias"][0] = np.nan
    refused(ValueError, "head.bias: a weight is NaN", rnnkit.save, model, os.devnull)


@fault(91, "a path is missing, a folder, closed, or its disk is full")
def _(tmp_path, monkeypatch):
    from rnnkit.persistence import atomic

    refused(FileNotFoundError, "missing", rnnkit.load, tmp_path / "missing")
    refused(IsADirectoryError, "", rnnkit.load, tmp_path)
    refused(IsADirectoryError, "", rnnkit.save, MODEL, tmp_path)
    refused(FileNotFoundError, "", rnnkit.save, MODEL, tmp_path / "missing" / "model")
    path = tmp_path / "model"
    rnnkit.save(MODEL, path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "write", full)
        refused(OSError, "No space left", rnnkit.save, small(), path)
    if os.geteuid():
        path.chmod(0)
        refused(PermissionError, "", rnnkit.load, path)
        path.chmod(0o600)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model"]


class Evil:
    """What runs when a careless loader meets it."""

    def __reduce__(self):
        return os.mkdir, ("/tmp/rnnkit-was-here",)


@fault(92, "a file is a pickle, an archive, or names paths outside")
def _(tmp_path):
    import zipfile

    for protocol in range(6):
        refused(FormatError, "header|cut off", load_bytes, pickle.dumps(Evil(), protocol))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("../../outside", bytes(10**7))
    np.savez(tmp_path / "arrays.npz", a=np.array([Evil()], object))
    refused(FormatError, "header|cut off", load_bytes, archive.getvalue())
    refused(FormatError, "header|cut off", rnnkit.load, tmp_path / "arrays.npz")
    for name in ("../../etc/passwd", "/etc/passwd", "os.system", "builtins.eval", "__reduce__"):

        def edit(model, name=name):
            model["object"]["class"] = name

        refused(FormatError, re.escape(name), load_bytes, edited(edit))

        def edit(model, name=name):
            model["object"]["fit"]["weights"]["head.bias"] = name

        refused(FormatError, re.escape(name), load_bytes, edited(edit))
    opcodes = {opcode.name for opcode, _, _ in pickletools.genops(pickle.dumps(Evil()))}
    assert "REDUCE" in opcodes
    assert not os.path.exists("/tmp/rnnkit-was-here")
    assert os.listdir(tmp_path) == ["arrays.npz"]
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    refused(FileNotFoundError, "", rnnkit.load, link)


test_fault = fault.test()

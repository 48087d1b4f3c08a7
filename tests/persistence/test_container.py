"""Files that are not what they should be: one sentence each, before memory is asked for."""

import json
import os
import resource
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy
from persistence.written import MODEL, content_of, edited, split

import rnnkit
from rnnkit.exceptions import FormatError
from rnnkit.persistence.container import Bytes, Container, layout, parse_json
from rnnkit.persistence.files import load_bytes


def container(header, data=b""):
    """A file of a header, given as JSON or as text, and data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return Container(Bytes(len(text).to_bytes(8, "little") + text + data))


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_what_is_written_is_read_here_and_by_the_library(tmp_path):
    arrays = {
        "bytes": np.arange(3, dtype=np.uint8),
        "numbers": np.arange(6.0).reshape(2, 3),
        "big-endian": np.arange(4, dtype=">i4"),
        "flags": np.array([True, False]),
        "halves": np.arange(5, dtype=np.float16),
        "nothing": np.empty((0, 3)),
        "one": np.array(7.0, np.float32),
    }
    content = b"".join(map(bytes, layout(arrays, {"a": "b"})))
    read = Container(Bytes(content))
    assert read.metadata == {"a": "b"}
    by_library = safetensors.numpy.load(content)
    for name, array in arrays.items():
        for got in (read.read(name), by_library[name]):
            assert (got.shape, got.dtype.newbyteorder("=")) == (
                array.shape,
                array.dtype.newbyteorder("="),
            )
            np.testing.assert_array_equal(got, array)
    read.require_all_read()


HEADERS = {
    "no table": ([], "no table"),
    "no JSON": (b"{", "no JSON"),
    "no UTF-8": (b'{"a\xff": 1}', "UTF-8"),
    "twice": (b'{"a": 1, "a": 2}', "key twice"),
    "NaN": (b'{"a": NaN}', "NaN"),
    "infinity": (b'{"a": -Infinity}', "Infinity"),
    "large number": (b'{"a": 1e999}', "not finite"),
    "long integer": (b'{"a": ' + b"9" * 5000 + b"}", "integer of 5000 digits"),
    "deep": (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested more than"),
    "deep tables": (b'{"a":' * 100_000, "nested more than"),
    "many": (b'{"a": [' + b"0," * 600_000 + b"0]}", "more than 500000 values"),
    "metadata": ({"__metadata__": {"a": 1}}, "no table of texts"),
    "metadata, list": ({"__metadata__": []}, "no table of texts"),
    "no entry": ({"a": []}, "no dtype, shape and data_offsets"),
    "more in it": ({"a": {**entry(), "b": 1}}, "no dtype, shape and data_offsets"),
    "dtype": ({"a": entry("C64")}, "unknown dtype 'C64'"),
    "dtype, list": ({"a": entry(["F32"])}, "unknown dtype"),
    "negative": ({"a": entry(shape=[-2])}, "impossible shape"),
    "boolean": ({"a": entry(shape=[True, 2])}, "impossible shape"),
    "fraction": ({"a": entry(shape=[2.0])}, "impossible shape"),
    "text": ({"a": entry(shape="2")}, "impossible shape"),
    "dimensions": ({"a": entry(shape=[1] * 40)}, "impossible shape"),
    "2^63": ({"a": entry(shape=[2**63])}, "impossible shape"),
    "overflow": ({"a": entry(shape=[2**62, 8])}, "needs 147573952589676412928 bytes"),
    "overflow to the right size": ({"a": entry(shape=[2**62 + 2, 4])}, "needs"),
    "offsets": ({"a": entry(offsets=[0, 8, 9])}, "impossible offsets"),
    "offsets, reversed": ({"a": entry(offsets=[8, 0])}, "needs 8 bytes"),
    "offsets, negative": ({"a": entry(offsets=[-8, 0])}, "impossible offsets"),
    "beyond": ({"a": entry(shape=[3], offsets=[0, 12])}, "cut off"),
    "hole": ({"a": entry(shape=[1], offsets=[4, 8])}, "hole before"),
    "overlap": ({"a": entry(), "b": entry(shape=[1], offsets=[4, 8])}, "overlaps"),
    "same place": ({"a": entry(), "b": entry()}, "overlaps"),
    "rest": ({"a": entry(shape=[1], offsets=[0, 4])}, "4 bytes after"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_headers_that_describe_no_file(case):
    header, text = HEADERS[case]
    with pytest.raises(FormatError, match=text):
        container(header, bytes(8))


@pytest.mark.parametrize(
    "content, text",
    [
        (b"", "0 bytes, too few"),
        (b"1234567", "7 bytes, too few"),
        ((2**63).to_bytes(8, "little") + b"{}", "9223372036854775808 bytes, more than"),
        ((2**64 - 1).to_bytes(8, "little"), "more than"),
        ((33 * 2**20).to_bytes(8, "little"), "more than 33554432"),
        ((3).to_bytes(8, "little") + b"{}", "cut off"),
        (b"\x80\x04\x95" + bytes(100), "cut off|more than"),
        (b"PK\x03\x04" + bytes(100), "cut off|more than"),
    ],
)
def test_contents_without_a_header(content, text):
    with pytest.raises(FormatError, match=text):
        load_bytes(content)


def test_flags_are_0_or_1():
    with pytest.raises(FormatError, match="neither 0 nor 1"):
        container({"a": entry("BOOL", [2], [0, 2])}, b"\x01\x02").read("a")


def test_an_array_is_read_once():
    read = container({"a": entry()}, bytes(8))
    read.read("a")
    with pytest.raises(FormatError, match="used twice"):
        read.read("a")


@pytest.mark.parametrize("text", ["[1, 2", '{"a": 01}', "", "nul", "[" * 300 + "]" * 300])
def test_texts_that_are_no_json(text):
    with pytest.raises(FormatError, match="it"):
        parse_json(text, "it")


def test_brackets_in_texts_are_no_levels():
    text = json.dumps({"a": "[" * 1000 + '\\"' + "{" * 1000, 'b"': ["]"]})
    assert parse_json(text, "it") == json.loads(text)


# The model's own table.

NODE = {"object": {"class": "rnnkit.LSTMClassifier", "parameters": {}}}


def test_the_model_as_it_is_loads():
    assert load_bytes(content_of()).get_params() == MODEL.get_params()


def change(part, value):
    def edit(model):
        table = model["object"]
        for key in part[:-1]:
            table = table[key]
        table[part[-1]] = value

    return edit


FIT = ("fit",)
PARTS = {
    "unknown class": (("class",), "os.system", "'os.system', which no file carries"),
    "private class": (("class",), "rnnkit.estimators.base.RecurrentEstimator", "no file carries"),
    "class of a type": (("class",), ["rnnkit.LSTMClassifier"], "no file carries"),
    "function of rnnkit": (("class",), "rnnkit.load", "no file carries"),
    "unknown parameter": (("parameters", "colour"), 1, "has no parameter 'colour'"),
    "parameters": (("parameters",), [], "no table"),
    "folder": (("parameters", "memory"), "/tmp/x", "no parameter 'memory'"),
    "unknown part": (("state",), {}, "unknown part 'state'"),
    "unknown kind": (("parameters", "alpha"), {"pickle": "gASV"}, "unknown kind 'pickle'"),
    "two kinds": (("parameters", "alpha"), {"tuple": [], "set": []}, "has the keys"),
    "method": (("learnt", "predict"), 1, "learns no 'predict'"),
    "dunder": (("learnt", "__class__"), 1, "learns no '__class__'"),
    "private": (("learnt", "_reader"), 1, "learns no '_reader'"),
    "parameter as learnt": (("learnt", "hidden_size"), 1, "learns no 'hidden_size'"),
    "property": (("learnt", "n_features_in_"), 1, "do not fit together"),
    "dot": (("learnt", "a.b_"), 1, "learns no"),
    "large network": (("parameters", "hidden_size"), 10**9, "weight_ih_l0 has the shape"),
    "many layers": (("parameters", "n_layers"), 10**9, "needs more than 5 weights"),
    "text for a number": (("parameters", "hidden_size"), "8", "hidden_size"),
    "negative size": (("parameters", "hidden_size"), -1, "hidden_size"),
    "other cell": (("class",), "rnnkit.GRUClassifier", "no parameter|weight"),
    "other dtype": ((*FIT, "reader", "dict", "dtype"), "float32", "weights are float64"),
    "no dtype": ((*FIT, "reader", "dict", "dtype"), "int8", "computes in 'int8'"),
    "reader, text": ((*FIT, "reader", "dict", "n_features"), "3", "n_features of its reader"),
    "reader, features": ((*FIT, "reader", "dict", "n_step_features"), 4, "has the shape"),
    "reader, negative": ((*FIT, "reader", "dict", "n_spelling"), -(10**9), "n_spelling of its"),
    "reader, columns": ((*FIT, "reader", "dict", "token_columns"), {"tuple": [0]}, "do not fit"),
    "reader": ((*FIT, "reader"), [], "reader is no table"),
    "codec, kind": ((*FIT, "codec", "dict", "kind"), "eval", "do not fit together"),
    "codec, fewer": ((*FIT, "codec", "dict", "classes"), ["down"], r"head\.weight has the shape"),
    "codec, dtype": ((*FIT, "codec", "dict", "dtype"), "<U99999999", "far longer than its text"),
    "codec, comma": ((*FIT, "codec", "dict", "dtype"), ",", "have the dtype"),
    "codec, date": ((*FIT, "codec", "dict", "dtype"), "<M8[s]", "have the dtype"),
    "codec, order": ((*FIT, "codec", "dict", "classes"), ["up", "down"], "not sorted"),
    "weights": ((*FIT, "weights"), {}, "no table"),
    "weight elsewhere": ((*FIT, "weights", "head.bias"), "nowhere", "no array 'nowhere'"),
    "weight missing": ((*FIT, "weights", "head.bias"), "head.weight", r"head\.bias has the shape"),
    "weights named otherwise": ((*FIT, "weights", "extra"), "head.bias", "weights must be"),
    "output": ((*FIT, "output"), {"dict": {"colour": 1}}, "unknown entry 'colour'"),
    "reader, later": ((*FIT, "reader", "dict", "colour"), 1, "unknown entry 'colour'"),
    "facts, later": ((*FIT, "facts", "dict", "colour"), 1, "unknown entry 'colour'"),
    "fit": (FIT, {}, "must have reader, codec"),
    "fit, more": ((*FIT, "pickle"), {}, "must have reader, codec"),
    "reference ahead": (("parameters", "solver"), {"ref": 99}, "reference to object 99"),
    "reference back": (("parameters", "solver"), {"ref": -1}, "reference to object -1"),
    "array twice": (("parameters", "alpha"), {"array": {"data": "head.bias"}}, "do not fit|twice"),
    "array beyond": (("parameters", "alpha"), {"array": {"data": "../x"}}, r"no array '\.\./x'"),
    "array of texts": (
        ("parameters", "alpha"),
        {"array": {"dtype": "<U99999999", "shape": [2], "items": ["a", "b"]}},
        "far longer than its text",
    ),
    "array of void": (
        ("parameters", "alpha"),
        {"array": {"dtype": "|V99", "shape": [1], "items": [1]}},
        "no dtype",
    ),
    "array of more": (
        ("parameters", "alpha"),
        {"array": {"dtype": "|O", "shape": [2**40], "items": [1]}},
        "has 1 entries",
    ),
    "table twice": (("parameters", "gate_bias"), {"dict": [[1, 1], [2, 3]]}, "key twice"),
    "number": (("parameters", "alpha"), {"float": "1e5"}, "no number is called"),
    "type": (("parameters", "alpha"), {"type": "os.system"}, "no type"),
    "dtype": (("parameters", "alpha"), {"dtype": "f8,f8"}, "no dtype"),
    "generator": (
        ("parameters", "random_state"),
        {"random_state": {"dict": {"class": "RandomState", "bit_generator": "os"}}},
        "names none of NumPy's",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PARTS)
def test_models_that_do_not_fit_together(case):
    part, value, text = PARTS[case]
    with pytest.raises(FormatError, match=text) as caught:
        load_bytes(edited(change(part, value)))
    assert "\n" not in str(caught.value)
    assert "written by rnnkit" in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_are_finite(value):
    content = bytearray(content_of())
    content[-8:] = np.float64(value).tobytes()
    header, start = split(content)
    name = max(header.keys() - {"__metadata__"}, key=lambda n: header[n]["data_offsets"])
    if not name.startswith(("rnn", "head")):
        end = start + header["head.bias"]["data_offsets"][1]
        content = bytearray(content_of())
        content[end - 8 : end] = np.float64(value).tobytes()
    with pytest.raises(FormatError, match="a weight is NaN or infinite"):
        load_bytes(content)


def test_an_array_that_nothing_uses_is_refused():
    def edit(model):
        del model["object"]["learnt"], model["object"]["fit"]

    with pytest.raises(FormatError, match="no part of the model uses"):
        load_bytes(edited(edit))


@pytest.mark.parametrize(
    "metadata, text",
    [
        ({"schema": "2", "rnnkit": "9.1"}, r"schema is '2'.*reads 1 \(written by rnnkit 9\.1\)"),
        ({"format": "pt"}, "of another program, whose format is 'pt'"),
        ({"model": "[]"}, "holds no estimator"),
        ({"model": '"text"'}, "holds no estimator"),
        ({"model": '{"float": "nan"}'}, "holds no estimator|uses"),
    ],
)
def test_files_of_other_programs_and_versions(metadata, text):
    with pytest.raises(FormatError, match=text):
        load_bytes(edited(lambda model: None, metadata, keep_arrays="model" not in metadata))


def test_a_file_cut_off_anywhere_is_refused_without_large_memory():
    content = content_of()
    tracemalloc.start()
    for length in range(0, len(content), 7):
        with pytest.raises(FormatError):
            load_bytes(content[:length])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6


def test_files_that_are_no_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        rnnkit.load(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        rnnkit.load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FormatError, match=r"pipe' is no model.*no regular file"):
        rnnkit.load(tmp_path / "pipe")
    with pytest.raises(FormatError, match="no regular file"):
        rnnkit.load("/dev/zero")
    (tmp_path / "empty").touch()
    for mmap in (False, True):
        with pytest.raises(FormatError, match="0 bytes"):
            rnnkit.load(tmp_path / "empty", mmap=mmap)
    with pytest.raises(TypeError):
        rnnkit.load(None)


def test_no_descriptor_stays_open(tmp_path):
    rnnkit.save(MODEL, tmp_path / "model")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        rnnkit.load(tmp_path / "model")
        rnnkit.save(MODEL, tmp_path / "model")
    assert len(os.listdir("/proc/self/fd")) == before
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 0

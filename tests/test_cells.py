"""Cells as data: options as users write them become a spec."""

import dataclasses

import pytest

from rnnkit.cells import CELL_OPTIONS, TANH, LayerSpec, make_activation, make_spec


def test_no_options_give_the_usual_cell():
    for cell in ("rnn", "lstm", "gru"):
        assert make_spec(cell, 3, 4, reverse=True) == LayerSpec(cell, 3, 4, reverse=True)


def test_every_field_that_is_no_size_is_an_option():
    spec = LayerSpec("lstm", 3, 4)
    defaults = {name: getattr(spec, name) for name in CELL_OPTIONS}
    assert make_spec("lstm", 3, 4, **defaults) == spec
    sizes = {"cell", "n_inputs", "hidden_size", "reverse"}
    assert {*CELL_OPTIONS, *sizes} == {field.name for field in dataclasses.fields(LayerSpec)}


def test_activations_are_made_from_names():
    relu, hard = make_activation("relu"), make_activation("hard_sigmoid", 0.3, 0.4)
    spec = make_spec("lstm", 3, 4, activation="relu", gate_activation=hard)
    assert (spec.activation, spec.gate_activation, spec.output_activation) == (relu, hard, relu)
    spec = make_spec("lstm", 3, 4, activation="relu", output_activation="tanh")
    assert (spec.activation, spec.output_activation) == (relu, TANH)
    spec = make_spec("lstm", 3, 4, activation="relu", output_activation=None)
    assert spec.output_activation == relu


def test_unknown_options_are_named():
    with pytest.raises(TypeError, match="unknown cell option 'clip'; allowed are activation, gate"):
        make_spec("lstm", 3, 4, clip=1.0)
    with pytest.raises(ValueError, match="reset must be 'after' or 'before', got 'never'"):
        make_spec("gru", 3, 4, reset="never")

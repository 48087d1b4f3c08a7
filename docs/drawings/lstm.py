"""One step of an LSTM without peepholes."""

from lstm_cell import draw

draw(peephole=False)

"""Progress printing."""

from rnnkit.training import PrintProgress


def test_prints_a_line_every_so_many_epochs(capsys):
    printer = PrintProgress(every=2)
    logs = {"loss": 0.5, "learning_rate": 0.001, "seconds": 0.25}
    for epoch in (1, 2, 3):
        printer.on_epoch_end(epoch, logs)
    expected = "Iteration 2, loss = 0.50000000, learning rate = 0.001, 0.25 s\n"
    assert capsys.readouterr().out == expected


def test_prints_the_validation_score_if_there_is_one(capsys):
    logs = {"loss": 0.5, "validation_score": 0.75, "learning_rate": 0.001, "seconds": 0.25}
    PrintProgress().on_epoch_end(1, logs)
    assert "validation score = 0.750000" in capsys.readouterr().out

"""Learning-rate schedules: the rates they give."""

import math

import pytest
from sklearn.base import clone

from rnnkit.training import Adaptive, Constant, Cosine, InvScaling, Linear, make_schedule
from rnnkit.training.schedules import SCHEDULES


def rates(schedule, n_steps=4):
    return [schedule.rate(step, n_steps, 0.1) for step in range(n_steps)]


def test_constant():
    assert rates(Constant()) == [0.1] * 4
    assert Constant().plateau(0.1)


def test_linear_falls_at_every_step_and_stays_at_its_end():
    assert rates(Linear()) == pytest.approx([0.1, 0.075, 0.05, 0.025])
    assert rates(Linear(final=0.5)) == pytest.approx([0.1, 0.0875, 0.075, 0.0625])
    assert Linear().rate(9, 4, 0.1) == 0


def test_cosine_falls_at_every_step_and_stays_at_its_end():
    half = 0.05 * (1 + math.cos(math.pi / 4))
    assert rates(Cosine()) == pytest.approx([0.1, half, 0.05, 0.1 - half])
    assert Cosine(final=0.2).rate(4, 4, 0.1) == pytest.approx(0.02)
    assert Cosine().rate(9, 4, 0.1) == 0


def test_invscaling_changes_with_the_sequences_seen():
    schedule = InvScaling(power_t=0.25)
    assert schedule.rate(0, 4, 0.1) == 0.1
    schedule.epoch_end(15)
    assert schedule.rate(1, 4, 0.1) == pytest.approx(0.1 / 2)
    schedule.epoch_end(80)
    assert schedule.rate(2, 4, 0.1) == pytest.approx(0.1 / 3)


def test_adaptive_divides_until_the_rate_is_too_small():
    schedule = Adaptive(factor=10, minimum=5e-4)
    assert not schedule.plateau(0.1)
    assert schedule.rate(0, 4, 0.1) == pytest.approx(0.01)
    assert not schedule.plateau(0.1)
    assert not schedule.plateau(0.1)
    assert schedule.rate(0, 4, 0.1) == pytest.approx(1e-4)
    assert schedule.plateau(0.1)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_values(name):
    schedule = make_schedule(name)
    schedule.plateau(0.1)
    schedule.epoch_end(10)
    assert make_schedule(schedule) is schedule
    assert clone(schedule) == schedule
    assert clone(schedule).rate(0, 4, 0.1) == 0.1


@pytest.mark.parametrize(
    "schedule",
    [
        InvScaling(-1.0),
        Adaptive(factor=1.0),
        Adaptive(minimum=-1.0),
        Linear(final=1.5),
        Cosine(final=float("nan")),
    ],
    ids=repr,
)
def test_parameters_out_of_range_are_named(schedule):
    with pytest.raises(ValueError, match=f"of {type(schedule).__name__} must .*, got"):
        schedule.check()


def test_unknown_schedules_are_named():
    with pytest.raises(ValueError, match="unknown schedule 'steps'; allowed are constant"):
        make_schedule("steps")
    with pytest.raises(TypeError, match="learning_rate must be a name or a schedule object"):
        make_schedule(0.1)

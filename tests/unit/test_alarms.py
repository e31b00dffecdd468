"""Alarms: things that are done later, unless they are stopped before."""

import threading
import time

from imaginem.pipeline.alarms import ThreadAlarms

_SOON = 0.05
_LONG = 60.0
_PATIENCE = 5.0


def test_an_alarm_goes_off_after_its_time_and_not_before() -> None:
    done = threading.Event()
    begun = time.monotonic()
    ThreadAlarms().after(_SOON, done.set)
    assert done.wait(_PATIENCE)
    assert time.monotonic() - begun >= _SOON


def test_an_alarm_that_was_stopped_never_goes_off() -> None:
    alarms, done, later = ThreadAlarms(), threading.Event(), threading.Event()
    alarms.after(_SOON, done.set).stop()
    alarms.after(2 * _SOON, later.set)
    assert later.wait(_PATIENCE)
    assert not done.is_set()


def test_an_alarm_that_is_due_sooner_does_not_wait_for_one_that_was_set_before() -> None:
    alarms, done = ThreadAlarms(), threading.Event()
    late = alarms.after(_LONG, lambda: None)
    time.sleep(_SOON)  # so that the thread already waits for the late one
    alarms.after(_SOON, done.set)
    assert done.wait(_PATIENCE)
    late.stop()


def test_an_alarm_that_takes_long_keeps_no_other_waiting() -> None:
    alarms, done, free = ThreadAlarms(), threading.Event(), threading.Event()
    slow = alarms.after(0, lambda: _wait_for(free))
    alarms.after(_SOON, done.set)
    assert done.wait(_PATIENCE)
    free.set()
    slow.stop()


def test_stopping_an_alarm_that_has_gone_off_waits_until_it_is_done() -> None:
    begun, ended = threading.Event(), threading.Event()

    def act() -> None:
        begun.set()
        time.sleep(_SOON)
        ended.set()

    alarm = ThreadAlarms().after(0, act)
    assert begun.wait(_PATIENCE)
    alarm.stop()
    assert ended.is_set()


def test_many_alarms_need_one_thread_while_they_wait() -> None:
    alarms, before = ThreadAlarms(), threading.active_count()
    waiting = [alarms.after(_LONG, lambda: None) for _ in range(100)]
    assert threading.active_count() <= before + 1
    for alarm in waiting:
        alarm.stop()


def _wait_for(event: threading.Event) -> None:
    event.wait(_LONG)

"""The breaker and the throttle, on a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import (
    AttemptError,
    MirrorDenied,
    MirrorFailed,
    MirrorLied,
    MirrorNotFound,
    MirrorSilent,
    MirrorThrottled,
    MirrorUnreachable,
)
from entrepot.upstream.health import LONGEST_COOL_DOWN_S, TRIAL_S, Health, Transition

pytestmark = pytest.mark.rule("P29")

DEAD = MirrorUnreachable("refused")


@pytest.mark.parametrize("error", [MirrorSilent("nothing"), DEAD])
def test_silence_and_refusal_open_it_at_once(error: AttemptError) -> None:
    health = Health()
    assert health.available(0)
    health.record_failure(error, 0)
    assert not health.available(9.9)
    assert health.available(10)
    assert repr(health) == "<Health open until 10.0>"


def test_lies_open_it_at_the_second_in_a_row() -> None:
    health = Health()
    health.record_failure(MirrorLied("html"), 0)
    assert health.available(0)
    health.record_success(0)
    health.record_failure(MirrorLied("html"), 0)
    assert health.available(0)
    health.record_failure(MirrorLied("html"), 0)
    assert not health.available(0)


def test_server_errors_open_it_at_the_third_in_a_row() -> None:
    health = Health()
    for _ in range(2):
        health.record_failure(MirrorFailed("busy", status=503), 0)
        assert health.available(0)
    health.record_failure(MirrorFailed("busy", status=503), 0)
    assert not health.available(0)


@pytest.mark.rule("P15")
@pytest.mark.parametrize(
    "error",
    [
        MirrorNotFound("no", status=404),
        MirrorDenied("no", status=401),
        MirrorDenied("no", status=403),
        MirrorFailed("odd", status=400),
        MirrorFailed("ignores ranges", status=200),
    ],
)
def test_an_answer_of_any_kind_shows_it_alive(error: AttemptError) -> None:
    health = Health()
    for _ in range(20):
        health.record_failure(error, 0)
    assert health.available(0)
    health.record_failure(DEAD, 0)
    health.record_failure(error, 11)
    assert health.available(11)


def test_one_trial_at_a_time_after_the_cool_down() -> None:
    health = Health()
    health.record_failure(DEAD, 0)
    assert health.available(10)
    health.begin_trial(10)
    assert not health.available(10)
    assert "on trial" in repr(health)
    health.record_success(11)
    assert health.available(11)
    assert repr(health) == "<Health closed>"


def test_a_trial_nobody_reports_on_does_not_keep_it_shut() -> None:
    health = Health()
    health.record_failure(DEAD, 0)
    health.begin_trial(10)
    assert not health.available(10 + TRIAL_S - 1)
    assert health.available(10 + TRIAL_S)
    health.begin_trial(10 + TRIAL_S)
    health.abandon_trial(10 + TRIAL_S)
    assert health.available(10 + TRIAL_S)


def test_a_trial_while_closed_limits_nothing() -> None:
    health = Health()
    health.begin_trial(0)
    assert health.available(0)


def test_each_failed_trial_doubles_the_cool_down_up_to_a_limit() -> None:
    health, now, waits = Health(), 0.0, []
    health.record_failure(DEAD, now)
    for _ in range(8):
        reopened = now
        while not health.available(now):
            now += 1
        waits.append(now - reopened)
        health.begin_trial(now)
        health.record_failure(DEAD, now)
    assert waits == [10, 20, 40, 80, 160, 300, 300, LONGEST_COOL_DOWN_S]
    health.record_success(now)
    health.record_failure(DEAD, now)
    assert health.available(now + 10)


def test_late_failures_of_requests_sent_before_do_not_lengthen_it() -> None:
    health = Health()
    for second in range(5):
        health.record_failure(DEAD, second)
    assert health.available(10)
    health.begin_trial(10)
    health.record_failure(DEAD, 10)
    assert health.available(30)


def test_a_throttled_mirror_is_left_alone_for_as_long_as_it_says() -> None:
    health = Health()
    health.record_failure(MirrorThrottled("slow down", retry_after_s=7), 100)
    assert not health.available(106)
    assert health.available(107)
    health.record_failure(MirrorThrottled("slow down"), 200)
    health.record_failure(MirrorThrottled("slow down", retry_after_s=1), 200)
    assert health.throttled_until == 230
    assert repr(health) == "<Health closed, throttled until 230.0>"


def test_success_elsewhere_does_not_lift_a_throttle() -> None:
    health = Health()
    health.record_failure(MirrorThrottled("slow down", retry_after_s=7), 0)
    health.record_success(1)
    assert not health.available(2)


def test_latency_follows_slowly() -> None:
    health = Health()
    health.record_latency(1.0)
    assert health.latency == 1.0
    health.record_latency(2.0)
    assert health.latency == pytest.approx(1.3)


def test_what_was_never_sent_says_nothing() -> None:
    health = Health()
    health.record_failure(DEAD, 0)
    health.begin_trial(10)
    own = MirrorThrottled("our own limit", retry_after_s=60)
    own.asked = False
    health.record_failure(own, 10)
    assert health.throttled_until == 0
    assert health.available(10)
    assert "open" in repr(health)


def test_a_failure_elsewhere_shows_that_the_mirror_itself_answered() -> None:
    health = Health()
    health.record_failure(DEAD, 0)
    error = MirrorUnreachable("cdn refused")
    error.elsewhere = "cdn.example"
    health.record_failure(error, 10)
    assert repr(health) == "<Health closed>"


def test_every_transition_is_told_with_its_reason() -> None:
    told: list[Transition] = []
    health = Health(told.append)
    health.record_success(0)
    health.record_failure(DEAD, 0)
    health.record_failure(DEAD, 1)  # of a question sent before
    health.record_failure(DEAD, 10)
    health.record_success(30)
    health.record_success(31)
    assert told == [
        Transition(opened=True, reason="refused", cool_down_s=10),
        Transition(opened=True, reason="refused", cool_down_s=20),
        Transition(opened=False),
    ]


def test_how_long_it_will_not_be_asked() -> None:
    health = Health()
    assert health.ready_in(5) == 0
    health.record_failure(DEAD, 5)
    assert health.ready_in(7) == 8
    health.record_failure(MirrorThrottled("slow", status=429, retry_after_s=60), 7)
    assert health.ready_in(8) == 59


def test_latencies_are_ranked_by_kind_once_there_are_five() -> None:
    health = Health()
    for tenth in range(1, 5):
        health.record_latency(tenth / 10, "blob")
    assert health.latency_percentile("blob", 0.9) is None
    health.record_latency(0.5, "blob")
    assert health.latency_percentile("blob", 0.9) == 0.5
    assert health.latency_percentile("blob", 0.5) == 0.3
    assert health.latency_percentile("blob", 0.0) == 0.1
    assert health.latency_percentile("manifest", 0.9) is None


def test_only_the_latest_latencies_count() -> None:
    health = Health()
    health.record_latency(100.0)
    for _ in range(64):
        health.record_latency(1.0)
    assert health.latency_percentile("manifest", 1.0) == 1.0


def test_throughput_follows_slowly() -> None:
    health = Health()
    assert health.throughput is None
    health.record_throughput(100.0)
    health.record_throughput(200.0)
    assert health.throughput == pytest.approx(130.0)


STEPS = st.sampled_from(["wait", "success", "dead", "lie", "trial", "abandon", "throttle"])


@given(st.lists(STEPS, max_size=40))
def test_whatever_happens_it_comes_back_in_bounded_time(steps: list[str]) -> None:
    health, now = Health(), 0.0
    for step in steps:
        now += 1
        match step:
            case "success":
                health.record_success(now)
            case "dead":
                health.record_failure(DEAD, now)
            case "lie":
                health.record_failure(MirrorLied("html"), now)
            case "trial":
                health.begin_trial(now)
            case "abandon":
                health.abandon_trial(now)
            case "throttle":
                health.record_failure(MirrorThrottled("slow"), now)
            case _:
                now += 10
    assert health.available(now + LONGEST_COOL_DOWN_S + TRIAL_S)


def test_the_state_has_a_name() -> None:
    health = Health()
    assert health.state(0) == "closed"
    health.record_failure(DEAD, 0)
    assert (health.state(9.9), health.state(10)) == ("open", "half_open")

"""Faults to plant, each the removal of one mechanism that a promise rests on, with the tests that must notice.

``make mutants`` plants them one at a time. A fault that no test notices says that the promise is only
a wish (promises.md 5).
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One planted fault.

    Args:
        promise: the line of docs/promises.md it breaks.
        removes: the mechanism that is gone.
        file: where, from the project's root.
        old, new: what stands there, exactly once, and what stands there instead.
        tests: node ids, of which one at least must fail.
    """

    promise: str
    removes: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


OUTBOX = "tests/outbox/test_outbox.py::"
RECHECK = "tests/outbox/test_recheck.py::"
TASKS = "tests/outbox/test_tasks.py::"
JUMPS = "tests/outbox/test_clock_jumps.py::"
YEAR = (
    "tests/sim/test_trading_year.py"
    "::test_after_every_day_each_step_was_taken_once_nobody_was_asked_who_had_paid_and_the_books_agree"
)

MUTANTS = (
    Mutant(
        promise="A1",
        removes="the sweep that takes over what a dead worker claimed",
        file="engine/outbox.py",
        old='.where(Action.state.in_(("claimed", "sending")), Action.lease_until_at <= now_at)',
        new='.where(Action.state.in_(("sending",)), Action.lease_until_at <= now_at)',
        tests=(OUTBOX + "test_a_claim_whose_lease_is_over_is_due_again",),
    ),
    Mutant(
        promise="A1",
        removes="asking the receiver whether it has the message of a dead worker already",
        file="engine/outbox.py",
        old='receipt = door.find(action.key) if action.state == "claimed" else None',
        new="receipt = None",
        tests=(OUTBOX + "test_a_claim_that_was_delivered_is_settled_as_sent",),
    ),
    Mutant(
        promise="A1",
        removes="the order of one customer's messages",
        file="engine/claims.py",
        old="            ~fn.EXISTS(_earlier()),\n",
        new="",
        tests=(OUTBOX + "test_level_two_waits_for_level_one",),
    ),
    Mutant(
        promise="A2",
        removes="doubt about a message whose worker died while it handed it over",
        file="engine/outbox.py",
        old='        state, why = "uncertain", "the worker died after it began to hand the message over"',
        new='        state, why = "due", "the worker died after it began to hand the message over"',
        tests=(OUTBOX + "test_a_sending_whose_lease_is_over_is_uncertain",),
    ),
    Mutant(
        promise="A2",
        removes="committing `sending` before the content of a mail",
        file="notifiers/smtp.py",
        old="about_to_send()",
        new="pass",
        tests=("tests/outbox/test_smtp.py::test_nothing_is_handed_over_when_the_lease_is_lost",),
    ),
    Mutant(
        promise="A2",
        removes="doubt where the mail server gave no answer to the content",
        file="engine/outbox.py",
        old="        return Doubtful(why) if handed_over else Unreachable(type(error).__name__)",
        new="        return Unreachable(type(error).__name__)",
        tests=(OUTBOX + "test_doubt_waits_for_a_person",),
    ),
    Mutant(
        promise="A2",
        removes="settling a mail before the content of the next leaves",
        file="engine/outbox.py",
        old="            states = before.written()\n",
        new="            states = []\n",
        tests=(OUTBOX + "test_a_mail_is_settled_before_the_content_of_the_next_leaves",),
    ),
    Mutant(
        promise="A3",
        removes="the pause that doubles after each failed try",
        file="engine/settlements.py",
        old="BACKOFF_US << min(attempt - 1, 20)",
        new="BACKOFF_US",
        tests=(OUTBOX + "test_the_pause_grows_with_jitter_and_is_the_same_each_time",),
    ),
    Mutant(
        promise="A3",
        removes="giving up after so many tries",
        file="engine/settlements.py",
        old="    if claimed.attempt >= ATTEMPTS_MAX:\n",
        new="    if claimed.attempt >= 10 * ATTEMPTS_MAX:\n",
        tests=(OUTBOX + "test_after_so_many_tries_a_person_sees_it",),
    ),
    Mutant(
        promise="A3",
        removes="giving back the messages that a receiver out of reach would not take either",
        file="engine/outbox.py",
        old="            release(runtime, claims[start + len(states) :])\n"
        '            return "unreachable" not in states\n',
        new="            continue\n",
        tests=(OUTBOX + "test_a_receiver_that_is_down_is_not_asked_for_every_message",),
    ),
    Mutant(
        promise="A4",
        removes="cancelling a message whose reason is gone at its claim",
        file="engine/recheck.py",
        old="    if cancelled is not None:\n",
        new="    if cancelled is None and cancelled:\n",
        tests=(RECHECK + "test_what_happened_before_the_claim_decides",),
    ),
    Mutant(
        promise="A4",
        removes="waiting while a customer is paused",
        file="engine/recheck.py",
        old='    if row.get("dunning_block") or decided.waiting == Wait.PAUSE.value:\n',
        new="    if decided.waiting == Wait.PAUSE.value and not row:\n",
        tests=(RECHECK + "test_what_happened_before_the_claim_decides",),
    ),
    Mutant(
        promise="A5",
        removes="the generation in the fence of a settlement",
        file="engine/settlements.py",
        old='    return {"id": claimed.action_id, "generation": claimed.generation}',
        new='    return {"id": claimed.action_id}',
        tests=(OUTBOX + "test_a_worker_that_wakes_after_its_lease_settles_nothing",),
    ),
    Mutant(
        promise="A5",
        removes="the look at the lease before the content",
        file="engine/outbox.py",
        old="            ours = change(runtime, claimed, changes, lease_after=now_at)",
        new="            ours = change(runtime, claimed, changes)",
        tests=(OUTBOX + "test_the_lease_is_checked_before_the_content",),
    ),
    Mutant(
        promise="A7",
        removes="the sweep that finds what a lost ring missed",
        file="engine/tasks.py",
        old='    _decide(runtime, "the day", lambda: runs.run_due_days(runtime))\n    _drain(runtime)\n',
        new='    _decide(runtime, "the day", lambda: runs.run_due_days(runtime))\n',
        tests=(TASKS + "test_losing_the_queue_loses_nothing",),
    ),
    Mutant(
        promise="A8",
        removes="the minimum days between two contacts, asked again at the claim",
        file="engine/recheck.py",
        old="        if since < minimum:\n",
        new="        if since < 0:\n",
        tests=(RECHECK + "test_nobody_is_contacted_twice_within_the_minimum_days",),
    ),
    Mutant(
        promise="A3",
        removes="giving a broken mail server's channel a rest without holding back another's",
        file="engine/outbox.py",
        old="            if not reached:\n                ways.remove(way)\n",
        new="            if not reached:\n                return tally\n",
        tests=("tests/outbox/test_letters.py::test_a_broken_mail_server_holds_back_no_letter",),
    ),
    Mutant(
        promise="A6",
        removes="that only the last of several missed days acts",
        file="engine/runs.py",
        old="acts=day == days[-1], sent_until_day=acted)",
        new="acts=True, sent_until_day=acted)",
        tests=("tests/engine/test_runs.py::test_missed_days_are_decided_in_order_and_only_the_last_creates_actions",),
    ),
    Mutant(
        promise="A7",
        removes="that the bell rings after the commit",
        file="engine/commands.py",
        old="        runtime.database.after_commit(runtime.ring)\n",
        new="        runtime.ring()\n",
        tests=(TASKS + "test_the_bell_rings_after_the_commit_and_only_then",),
    ),
    Mutant(
        promise="A8",
        removes="the contact cap over all policies and channels",
        file="engine/contact_times.py",
        old="    if len(latest) < most or latest[most - 1] + days <= day:\n",
        new="    if len(latest) < 10 * most or latest[most - 1] + days <= day:\n",
        tests=(RECHECK + "test_the_contact_cap_counts_every_policy_and_channel",),
    ),
    Mutant(
        promise="A1",
        removes="naming the file of a message by its key",
        file="notifiers/mailbox.py",
        old="    return sha256(key.encode()).hexdigest()\n",
        new="    return sha256(os.urandom(9)).hexdigest()\n",
        tests=("tests/notifiers/test_mailbox.py::test_a_repeat_changes_nothing",),
    ),
    Mutant(
        promise="A8",
        removes="that of several due steps the most severe carries the others",
        file="engine/covering.py",
        old="key=lambda one: (one.generation == 0, -one.level, one.line_id != 0, one.id))",
        new="key=lambda one: (one.generation == 0, one.level, one.line_id != 0, one.id))",
        tests=(
            "tests/outbox/test_covering.py::test_due_steps_of_a_customer_leave_in_one_message_at_the_most_severe_step",
        ),
    ),
    Mutant(
        promise="A4",
        removes="that no step begins before an entity is live",
        file="engine/pipeline.py",
        old="    if not entity.sending or entity.live_from_day is None or as_of_day < entity.live_from_day:\n",
        new="    if not entity:\n",
        tests=("tests/engine/test_going_live.py::test_without_go_live_no_run_creates_an_action",),
    ),
    Mutant(
        promise="A4",
        removes="that an entity whose sending was stopped claims nothing",
        file="engine/claims.py",
        old="Entity.select().where(Entity.sending & Entity.live_from_day.is_null(False))",
        new="Entity.select().where(Entity.live_from_day.is_null(False))",
        tests=(OUTBOX + "test_an_entity_that_does_not_send_keeps_its_messages",),
    ),
    Mutant(
        promise="A8",
        removes="that a customer has one message a day by a channel, whatever policies have steps due",
        file="engine/covering.py",
        old="        return tomorrow if at > self._now_at or sending.day_at(other, at) == today else 0\n",
        new="        return 0\n",
        tests=("tests/outbox/test_covering.py::test_a_step_that_comes_later_in_the_day_leaves_on_the_next",),
    ),
    Mutant(
        promise="H1",
        removes="that nobody but the runtime reads a clock",
        file="engine/contact_times.py",
        old="    day = contact_day(entity.zone, action.created_at, action.due_day, now_at)\n",
        new="    import time\n\n    now_at = time.time_ns() // 1_000\n"
        "    day = contact_day(entity.zone, action.created_at, action.due_day, now_at)\n",
        tests=("tests/test_rooms.py::test_only_the_runtime_reads_a_clock",),
    ),
    Mutant(
        promise="H2",
        removes="both instants of an hour that the clock shows twice",
        file="rules/contact_hours.py",
        old="    return None if all(start <= local.hour < end for local in locals_) else HOURS\n",
        new="    return None if all(start <= (local - (local.dst() or timedelta())).hour < end"
        " for local in locals_) else HOURS\n",
        tests=(
            "tests/rules/test_contact_hours.py"
            "::test_every_change_of_the_clock_leaves_each_day_its_window_and_no_instant_outside",
        ),
    ),
    Mutant(
        promise="H4",
        removes="that December is followed by another year",
        file="ledger/days.py",
        old="    following = date(on.year + on.month // 12, on.month % 12 + 1, 1)\n",
        new="    following = date(on.year, on.month % 12 + 1, 1)\n",
        tests=("tests/rules/test_steps.py::test_month_ends_are_those_of_the_calendar",),
    ),
    Mutant(
        promise="A2",
        removes="that a doubtful message waits for a person, and is not tried again",
        file="engine/settlements.py",
        old='{"state": "uncertain", "receipt": why, "waiting_for": None}',
        new='{"state": "due", "receipt": why, "waiting_for": None}',
        tests=(OUTBOX + "test_doubt_waits_for_a_person",),
    ),
    Mutant(
        promise="A4",
        removes="the order of what was paid and promised on one day",
        file="ledger/promises.py",
        old='((came == nw.col("booked_day")) & is_newer)',
        new='(came == nw.col("booked_day"))',
        tests=("tests/ledger/test_laws.py::test_a_second_computation_agrees_on_promises",),
    ),
    Mutant(
        promise="H3",
        removes="shortening the lease of a worker whose clock was ahead",
        file="engine/clocks.py",
        old="    _shorten_leases(now_at)\n    if seen_at is None:\n",
        new="    if seen_at is None:\n",
        tests=(JUMPS + "test_a_worker_that_dies_while_its_clock_is_wrong_costs_one_lease",),
    ),
    Mutant(
        promise="H3",
        removes="looking again at what a clock that was ahead put off",
        file="engine/clocks.py",
        old="    _shorten(now_at)\n    back_us",
        new="    back_us",
        tests=(JUMPS + "test_what_was_put_off_by_a_clock_that_was_ahead_is_looked_at_again",),
    ),
    Mutant(
        promise="H3",
        removes="that a try cut short by a clock that was set back does not count",
        file="engine/clocks.py",
        old="attempts=max(0, action.attempts - 1)",
        new="attempts=action.attempts",
        tests=(JUMPS + "test_two_machines_an_hour_apart_use_up_no_tries",),
    ),
    Mutant(
        promise="H3",
        removes="that a message counts at the instant of its claim when the clock was set back meanwhile",
        file="engine/settlements.py",
        old="    at = max(at, claimed.at)  #",
        new="    at = at + 0  #",
        tests=(JUMPS + "test_what_is_settled_after_the_clock_was_set_back_counts_on_the_day_it_left",),
    ),
    Mutant(
        promise="H3",
        removes="that a day before the last decided one is decided no more",
        file="engine/runs.py",
        old="        if not begun and (behind <= 0 or not night):\n",
        new="        if not begun and (behind == 0 or not night):\n",
        tests=("tests/engine/test_server_off.py::test_a_clock_that_was_days_ahead_decides_no_day_twice",),
    ),
    Mutant(
        promise="H3",
        removes="telling by the order of entries, not by the clock, what came after a run",
        file="engine/verify/books.py",
        old="(id > {until.get(name, 0):d} or recorded_at > {since:d})",
        new="recorded_at > {since:d}",
        tests=("tests/engine/test_verify.py::test_a_clock_that_was_set_back_after_the_run_makes_no_finding",),
    ),
    Mutant(
        promise="J1",
        removes="doubt, seen by the trading year alone",
        file="engine/settlements.py",
        old='{"state": "uncertain", "receipt": why, "waiting_for": None}',
        new='{"state": "due", "receipt": why, "waiting_for": None}',
        tests=(YEAR + "[10]",),
    ),
    Mutant(
        promise="J1",
        removes="the order of what was paid and promised on one day, seen by the trading year alone",
        file="ledger/promises.py",
        old='((came == nw.col("booked_day")) & is_newer)',
        new='(came == nw.col("booked_day"))',
        tests=(YEAR + "[4]",),
    ),
)

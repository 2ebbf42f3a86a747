"""What one day that is looked at ahead hands to the next: outcomes, standings, contacts, limits.

The same as ``engine.decisions`` and ``engine.after_run`` write and ``engine.queries`` reads on the day
after, as columns and in memory: nothing of it is ever written. Every call and task of a step counts as
done on the day it came, and so does every message, unless that is a quiet day or a holiday where the
customer is: then it leaves, and counts, on the first day that is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw

from engine.after_run import BAND
from engine.claims import CONTACT_CHANNELS
from engine.decisions import KEPT
from engine.differences import AWAY
from engine.editions import Edition
from engine.frames import collected, from_rows
from engine.queries import MADE, OVERRIDDEN, PREVIOUS, STANDING, STEP_PENDING
from ledger.days import days_since_month_end
from ledger.expressions import in_force, lit
from rules.escalation import Plan, stood_columns
from rules.stages import POINT_OUTCOMES
from rules.standing_columns import fold_columns

Frame = nw.LazyFrame[Any]
STANDING_NAMES = tuple(f"at_{name}" for name in STANDING)
WAS_NAMES = tuple(f"was_{name}" for name in PREVIOUS)
# What of a decided row the next day, or a count of this one, depends on.
READ = frozenset(
    {
        *("customer_id", "known", "changed", "moved", "points_changed", "changed_credit_limit"),
        *("waiting", "enters_step", "episode_move", "level_by_rules", "previous_level", "previous_step"),
        *("leader_line_id", "leader_due_day", "leader_open_minor", "overdue_net_minor"),
        *(name for name in PREVIOUS if name != "as_of_day"),
        *WAS_NAMES,
        *STANDING_NAMES,
    }
)
# Of each customer the message begun last, and the day it leaves.
LEAVING: Mapping[str, Any] = {"customer_id": nw.Int64, "leaving_step": nw.String, "leaves_day": nw.Int64}
# A step that begins. What it is about: the leader before its due date, afterwards all that is overdue.
BEGUN: Mapping[str, Any] = {
    "customer_id": nw.Int64,
    "day": nw.Int64,
    "step": nw.String,
    "channel": nw.String,
    "level": nw.Int64,
    "collector": nw.Int64,
    "about_minor": nw.Int64,
    "overdue_minor": nw.Int64,
    "leader_minor": nw.Int64,
}


@dataclass(frozen=True)
class Carried:
    """The state between two days.

    Args:
        policy_key: of the escalation policy whose standings are ``at_*`` in ``previous``.
        previous: per customer what was decided, ``was_*``, and the standing, ``at_*``.
        shelved: standings under other policies, by key.
        contacts: customer_id, day: whom a message or call reached.
        leaving: ``LEAVING``: a step whose message has not left yet holds back the next.
        limits: entries of credit limits.
        made: actions of the episodes that last, which come only once.
    """

    policy_key: str
    previous: Frame
    shelved: Mapping[str, Frame]
    contacts: Frame
    leaving: Frame
    limits: Frame
    made: Frame


def carried(
    frames: Mapping[str, Frame], policy_key: str, further: Mapping[str, Frame], day: int, later: Mapping[str, int]
) -> Carried:
    """The state after a day, from what was read of the database.

    Args:
        frames: of ``engine.queries.questions`` and ``questions_ahead``.
        policy_key: of the standings in ``previous``.
        further: what stands under other policies, by key.
        day: the last decided one; what is open now counts as done on it.
        later: countries in which nothing leaves on it, with the first day on which it does.
    """
    undone = collected(frames["undone"].rename({"step_key": "step"}))
    leaving = leaving_of(undone, frames["owner"], later, day)
    return Carried(
        policy_key=policy_key,
        previous=frames["previous"].select("customer_id", "known", *WAS_NAMES, *STANDING_NAMES),
        shelved={key: frame.select("customer_id", *STANDING_NAMES) for key, frame in further.items()},
        contacts=collected(
            nw.concat(
                [
                    frames["contact_made"].select("customer_id", "day"),
                    leaving.filter(nw.col("leaves_day") == lit(day)).select("customer_id", lit(day).alias("day")),
                    called(undone, day),
                ]
            )
        ),
        leaving=leaving.unique("customer_id", keep="any"),
        limits=frames["credit_limit"],
        made=frames["made"],
    )


def under(state: Carried, policy_key: str) -> Carried:
    """The state as the policy of a day reads it: with its own standings."""
    if policy_key == state.policy_key:
        return state
    shelved = dict(state.shelved)
    shelved[state.policy_key] = state.previous.select("customer_id", *STANDING_NAMES)
    theirs = shelved.pop(policy_key, None)
    if theirs is None:
        types = {f"at_{name}": dtype for name, dtype in STANDING.items()}
        theirs = from_rows([], {"customer_id": nw.Int64, **types})
    previous = state.previous.drop(*STANDING_NAMES).join(theirs, on="customer_id", how="left")
    return replace(state, policy_key=policy_key, previous=collected(previous), shelved=shelved)


def frames_of(state: Carried, ledger: Mapping[str, Frame], overrides: Frame, day: int) -> dict[str, Frame]:
    """The frames a day is decided from.

    Args:
        day: that is decided.
        ledger: as read; what the state carries on takes its place.
        overrides: in force on the day, of the customers that ever had any.
    """
    by_hand = [f"override_{outcome}" for outcome, _dtype in OVERRIDDEN.values()]
    stands = ~nw.col("at_step_key").is_null()
    own = (nw.col("leaving_step") == nw.col("at_step_key")).fill_null(False)
    done = nw.when(own).then(nw.col("leaves_day")).otherwise(nw.col("at_since_day"))
    waits = own & (nw.col("leaves_day") >= lit(day))
    previous = state.previous.join(state.leaving, on="customer_id", how="left").with_columns(
        nw.when(stands & waits)
        .then(lit(STEP_PENDING))
        .otherwise(nw.when(stands).then(lit(day) - done))
        .alias("step_state"),
        lit(days_since_month_end(day)).alias("since_month_end"),
    )
    previous = previous.drop("leaving_step", "leaves_day").join(
        overrides.select("customer_id", *by_hand), on="customer_id", how="left"
    )
    return {**ledger, "previous": previous, "contact_made": state.contacts, "credit_limit": state.limits}


def after(
    state: Carried, decided: Frame, begun: Frame, keys: Frame, proposed: Frame, leaving: Frame, day: int
) -> Carried:
    """The state once a day is decided and its steps are carried out.

    Args:
        decided: every row, with differences and events (``with_events``).
        begun: the steps that began, ``BEGUN``.
        keys: their actions' keys.
        proposed: limits that came into force, as entries.
        leaving: of the messages among the steps that began, ``LEAVING``.
    """
    written = nw.col("changed") | nw.col("moved")
    was = {}
    for name in PREVIOUS:
        if name in ("as_of_day", *POINT_OUTCOMES):
            continue
        value = nw.col(name)
        if name in ("hold", "level"):
            value = value.fill_null(False) if name == "hold" else value.fill_null(0)
        was[name] = nw.when(written).then(value).otherwise(nw.col(f"was_{name}"))
    for name in POINT_OUTCOMES:
        was[name] = nw.when(written | nw.col("points_changed")).then(nw.col(name)).otherwise(nw.col(f"was_{name}"))
    was["as_of_day"] = nw.when(written).then(lit(day)).otherwise(nw.col("was_as_of_day"))
    folded = decided.with_columns(
        (written | nw.col("known").fill_null(False)).alias("known"),
        *(value.alias(f"was_{name}") for name, value in was.items()),
    )
    if "event_move" in decided.collect_schema().names():
        folded = fold_columns(folded, day)
    previous = collected(folded.select("customer_id", "known", *WAS_NAMES, *STANDING_NAMES))
    others = state.leaving.join(leaving.select("customer_id"), on="customer_id", how="anti")
    waiting = collected(nw.concat([others, leaving]))
    # Before it leaves it is decided again: a step that has lapsed meanwhile sends nothing.
    today = waiting.filter(nw.col("leaves_day") == lit(day)).join(
        previous.select("customer_id", nw.col("at_step_key").alias("leaving_step")),
        on=["customer_id", "leaving_step"],
        how="semi",
    )
    left = today.select("customer_id", lit(day).alias("day"))
    return replace(
        state,
        previous=previous,
        contacts=collected(nw.concat([state.contacts, left, called(begun, day)])),
        leaving=waiting,
        limits=collected(nw.concat([state.limits, proposed])),
        made=collected(nw.concat([state.made, keys.select(*MADE)])),
    )


def leaving_of(messages: Frame, owners: Frame, later: Mapping[str, int], day: int) -> Frame:
    """When messages leave: ``LEAVING``.

    Args:
        messages: customer_id, step, channel; others than messages to customers are left out.
        owners: customer_id, country.
        later: countries in which nothing leaves on the day, with the first day on which it does.
        day: they come.
    """
    leaves = lit(day)
    for country, first in later.items():
        leaves = nw.when(nw.col("country") == nw.lit(country)).then(lit(first)).otherwise(leaves)
    sent = messages.filter(nw.col("channel").is_in(CONTACT_CHANNELS)).join(
        owners.select("customer_id", "country"), on="customer_id", how="left"
    )
    return collected(sent.select("customer_id", nw.col("step").alias("leaving_step"), leaves.alias("leaves_day")))


def called(steps: Frame, day: int) -> Frame:
    """Whom a call reaches on a day: customer_id, day."""
    return steps.filter(nw.col("channel") == nw.lit("call")).select("customer_id", lit(day).alias("day"))


def with_events(decided: Frame, plan: Plan) -> Frame:
    """Add what each decision does to its standing, as ``engine.decisions.event_for`` says of a row."""
    written = nw.col("changed") | nw.col("moved")
    away = nw.col("waiting").is_in(sorted(AWAY)).fill_null(False)
    level = nw.col("level").fill_null(0)
    by_hand = nw.lit(False)
    if "level_by_rules" in decided.collect_schema().names():
        by_hand = level != nw.col("level_by_rules").fill_null(0)
    stood_level, stood_step = stood_columns(plan)
    settled = ~nw.col("waiting").is_in(KEPT).fill_null(False)
    nothing = nw.lit(None, dtype=nw.Int64)
    decided = decided.with_columns(stood_level.alias("event_mapped_level"), stood_step.alias("event_mapped_step"))
    other_step = ~(nw.col("event_mapped_step") == nw.col("previous_step")).fill_null(
        nw.col("event_mapped_step").is_null() & nw.col("previous_step").is_null()
    )
    renamed = settled & ((nw.col("event_mapped_level") != nw.col("previous_level").fill_null(0)) | other_step)
    stood_at = nw.when(renamed).then(nw.col("event_mapped_step")).otherwise(nw.col("at_step_key"))
    return decided.with_columns(
        nw.when(written).then(nw.col("episode_move")).alias("event_move"),
        level.alias("event_level"),
        nw.when(by_hand).then(stood_at).otherwise(nw.col("step")).alias("event_step"),
        (nw.col("enters_step") & ~by_hand & written).alias("event_enters"),
        renamed.alias("event_mapped"),
        *(nw.when(away).then(nothing).otherwise(nw.col(n)).alias(f"event_{n}") for n in ANCHORS),
    )


ANCHORS = ("leader_line_id", "leader_due_day")


def begun_steps(
    state: Carried, decided: Frame, channels: Mapping[str, str], owners: Frame, day: int
) -> tuple[Frame, Frame]:
    """The steps that begin on a day: those an action is made of, once.

    Args:
        decided: with events.
        channels: of the policy's steps, by key.
        owners: customer_id, collector.

    Returns:
        ``BEGUN``, and the keys of their actions (``MADE``).
    """
    entering = fold_columns(decided.filter(nw.col("event_enters")), day)
    named = entering.filter(nw.col("at_step_key").is_in(sorted(channels)))
    keys = named.with_columns(
        nw.lit(state.policy_key).alias("policy_key"),
        nw.col("at_step_key").alias("step_key"),
        nw.col("at_episode").alias("episode"),
        nw.col("at_repeat_no").alias("repeat_no"),
        nw.col("at_level").alias("event_level"),
        _channel(channels).alias("channel"),
    ).join(state.made.select(*MADE), on=list(MADE), how="anti")
    keys = collected(keys.join(owners, on="customer_id", how="left"))
    begun = keys.select(
        "customer_id",
        lit(day).alias("day"),
        nw.col("step_key").alias("step"),
        "channel",
        nw.col("event_level").alias("level"),
        "collector",
        nw.when(nw.col("event_level") == lit(0))
        .then(nw.col("leader_open_minor"))
        .otherwise(nw.col("overdue_net_minor"))
        .alias("about_minor"),
        nw.col("overdue_net_minor").alias("overdue_minor"),
        nw.col("leader_open_minor").alias("leader_minor"),
    )
    return begun, keys


def _channel(channels: Mapping[str, str]) -> nw.Expr:
    value = nw.lit(None, dtype=nw.String)
    for key, channel in channels.items():
        value = nw.when(nw.col("at_step_key") == nw.lit(key)).then(nw.lit(channel)).otherwise(value)
    return value


def limits_taken(state: Carried, ledger: Mapping[str, Frame], decided: Frame, edition: Edition, day: int) -> Frame:
    """The entries of the limits proposed within the automatic band, as ``PutLimitsInForce`` appends them."""
    band = edition.book.parameters.get(BAND)
    proposing = edition.book.stages.get("credit_limit")
    if band is None or not isinstance(band.value, int) or (proposing is not None and proposing.stopped):
        return collected(state.limits.head(0))
    undone = ledger["reversal"].filter(nw.col("target") == nw.lit("credit_limit")).select("target_id")
    held = state.limits.filter(in_force(day + 1)).join(undone, left_on="id", right_on="target_id", how="anti")
    newest = held.group_by("customer_id").agg(nw.col("id").max().cast(nw.Int64).alias("id"))
    held = held.join(newest.select("id"), on="id", how="inner").select("customer_id", nw.col("amount_minor"))
    amount, now = nw.col("proposed_limit_minor"), nw.col("amount_minor")
    taken = (
        decided.filter((nw.col("changed") | nw.col("moved")) & (amount <= lit(band.value)).fill_null(False))
        .select("customer_id", "proposed_limit_minor")
        .join(held, on="customer_id", how="left")
        .filter((now != amount).fill_null(True) & (now.fill_null(0) <= lit(band.value)))
    )
    last = state.limits.select(nw.col("id").max().alias("last"))
    rows = collected(taken.sort("customer_id")).with_row_index("number", order_by="customer_id")
    return collected(
        rows.join(last, how="cross")
        .select(
            (nw.col("last").fill_null(0) + nw.col("number").cast(nw.Int64) + lit(1)).alias("id"),
            "customer_id",
            lit(day).alias("booked_day"),
            lit(day).alias("recorded_day"),
            amount.alias("amount_minor"),
            lit(day + 1).alias("from_day"),
            nw.lit(None, dtype=nw.Int64).alias("until_day"),
        )
        .select(*state.limits.collect_schema().names())
    )


def no_steps() -> tuple[Frame, Frame]:
    """Of a day on which no step may begin."""
    return from_rows([], BEGUN), from_rows([], MADE)

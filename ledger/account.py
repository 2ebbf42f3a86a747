"""Facts of the account as a whole: exposure against the limit, group, blocks, terms.

Expressions over one row per customer, after state.customer_facts joined the parts.
"""

import narwhals as nw

from ledger.balances import live
from ledger.basis import Basis, Frame, Frames
from ledger.columns import COUNT_BOUND, MONEY_BOUND
from ledger.cover import running_blocks
from ledger.declare import Fact, code, days, flag, money, ratio
from ledger.expressions import DAY_PACK, at_most, floor_div, in_force, lit, n, no_number, not_below_zero

UTILISATION_STEPS = 2  # two steps of hundredths make basis points


def limits_in_force(frames: Frames, day: int) -> Frame:
    """Per customer the limit in force: customer_id, credit_limit_minor.

    Of several in force the one recorded last wins, then the highest id; when it ends, an
    earlier one that still runs is in force again. A null amount says: no limit.
    """
    limits = live(frames, "credit_limit", day).filter(nw.col("counts_now") & in_force(day))
    latest = limits.group_by("customer_id").agg(
        (nw.col("recorded_day") * lit(DAY_PACK) + nw.col("id")).max().cast(nw.Int64).alias("packed")
    )
    chosen = latest.select((nw.col("packed") % lit(DAY_PACK)).alias("id"))
    return limits.join(chosen, on="id", how="inner").select(
        "customer_id", nw.col("amount_minor").alias("credit_limit_minor")
    )


def customer_blocks(frames: Frames, day: int) -> Frame:
    """Per customer with a block of its own: blocked, bankrupt and given_away, counts of blocks in force.

    A pause of the customer (not of one line) stops reminders like a dunning block.
    """
    whole = nw.col("due_line_id").is_null()
    stops = (nw.col("kind") == nw.lit("dunning_block")) | (nw.col("kind") == nw.lit("pause"))
    return (
        running_blocks(frames, day)
        .group_by("customer_id")
        .agg(
            n(whole & stops).cast(nw.Int64).alias("blocked"),
            n(nw.col("kind") == nw.lit("insolvent")).cast(nw.Int64).alias("bankrupt"),
            n(nw.col("kind") == nw.lit("handed_over")).cast(nw.Int64).alias("given_away"),
        )
    )


def charges_open(frames: Frames, basis: Basis) -> Frame:
    """Per customer with a claim account: charges_minor, what is open of it in the base currency, null without a rate.

    What was charged (interest, fixed sums, costs) less what was paid or waived of it. It is beside the ledger: no open
    amount holds it.
    """
    amount = nw.col("amount_minor")
    takes = (nw.col("kind") == nw.lit("payment")) | (nw.col("kind") == nw.lit("waiver"))
    entries = (
        live(frames, "claim_entry", basis.as_of_day)
        .filter(nw.col("counts_now"))
        .select("customer_id", "currency", nw.when(takes).then(lit(0) - amount).otherwise(amount).alias("signed"))
    )
    unknown = n(nw.col("base").is_null())
    return (
        basis.with_base(entries, base=nw.col("signed"))
        .group_by("customer_id")
        .agg(
            nw.when(unknown == lit(0))
            .then(nw.col("base").sum())
            .otherwise(no_number())
            .cast(nw.Int64)
            .alias("charges"),
            nw.len().cast(nw.Int64).alias("claim_entries"),
        )
    )


def contacts_made(frames: Frames, day: int) -> Frame:
    """Per customer the day of the last contact that reached it."""
    return (
        frames["contact_made"]
        .filter(nw.col("day") <= lit(day))
        .group_by("customer_id")
        .agg(nw.col("day").max().cast(nw.Int64).alias("contact_day"))
    )


def group_exposures(members: Frame, frames: Frames) -> Frame:
    """Per group the exposure of its members here and in the other entities; null when one is unknown.

    Args:
        members: group_id, exposure_minor of every customer of the group in this entity.
        frames: with group_other.
    """
    here = members.filter(~nw.col("group_id").is_null()).select("group_id", "exposure_minor")
    elsewhere = frames["group_other"].select(nw.col("customer_group_id").alias("group_id"), "exposure_minor")
    unknown = n(nw.col("exposure_minor").is_null())
    total = nw.col("exposure_minor").sum().cast(nw.Int64)
    # An other entity's row without a member here is of no use; the join below drops it.
    return (
        nw.concat([here, elsewhere])
        .group_by("group_id")
        .agg(nw.when(unknown == lit(0)).then(total).otherwise(no_number()).cast(nw.Int64).alias("group_exposure_minor"))
    )


def _exposure(basis: Basis) -> nw.Expr:
    exposure = nw.col("open_minor")
    if basis.exposure_less_credits:
        exposure = exposure - nw.col("credits_minor")
    if basis.exposure_less_unapplied:
        exposure = exposure - nw.col("unapplied_minor")
    return not_below_zero(exposure)


def with_utilisation(rows: Frame) -> Frame:
    """Add utilisation_bp: floor(10,000 x exposure / limit), by long division in hundredths.

    No product leaves 64 bits, and each step is a column of its own, because a division
    repeats its operands.
    """
    limit, rest = nw.col("credit_limit_minor"), nw.col("_rest")
    divisor = nw.when(limit > lit(0)).then(limit).otherwise(no_number())
    result = nw.col("utilisation_bp")
    rows = rows.with_columns(_divisor=divisor, utilisation_bp=floor_div(nw.col("exposure_minor"), divisor))
    rows = rows.with_columns(
        utilisation_bp=at_most(result, lit(COUNT_BOUND)), _rest=nw.col("exposure_minor") - result * nw.col("_divisor")
    )
    for _step in range(UTILISATION_STEPS):
        rows = rows.with_columns(_digit=floor_div(rest * lit(100), nw.col("_divisor")))
        rows = rows.with_columns(
            utilisation_bp=result * lit(100) + nw.col("_digit"),
            _rest=rest * lit(100) - nw.col("_digit") * nw.col("_divisor"),
        )
    return rows.with_columns(utilisation_bp=at_most(result, lit(COUNT_BOUND))).drop("_divisor", "_rest", "_digit")


def _credits(unallocated: nw.Expr) -> nw.Expr:
    """A sum over credits; null when a credit or an overpaid line has no rate, 0 without credits."""
    unknown = nw.coalesce("credits_unknown", lit(0)) + nw.coalesce("lines_unknown", lit(0))
    return nw.when(unknown == lit(0)).then(unallocated).otherwise(no_number())


CREDIT_FACTS = (
    # a credit note of 300, 100 of it allocated: 200; a line of 50 paid with 60: 10
    Fact(
        money("credits_minor", "Open credit notes", "Credit notes not set against an invoice, and what was overpaid."),
        lambda _: _credits(nw.coalesce("credit_notes_minor", lit(0)) + nw.coalesce("overpaid_minor", lit(0))),
    ),
    # a payment of 300, 100 of it allocated: 200
    Fact(
        money("unapplied_minor", "Unapplied cash", "Payments not yet matched to an invoice."),
        lambda _: _credits(nw.coalesce("cash_minor", lit(0))),
    ),
)

EXPOSURE_FACTS = (
    # open 1,000, credits 200, unapplied 100: 700; open 100, credits 200: 0, never below
    Fact(
        money("exposure_minor", "Exposure", "Open lines less open credit notes and unapplied cash; never below 0."),
        _exposure,
    ),
)

ACCOUNT_FACTS = (
    # limits 5,000 from 1 January without end and 8,000 for March: in March 8,000, in April 5,000
    Fact(
        money("credit_limit_minor", "Credit limit", "The limit in force; unknown when there is none."),
        lambda _: nw.col("credit_limit_minor"),
    ),
    # limit 1,000, exposure 1,200: -200
    Fact(
        money("headroom_minor", "Headroom", "Credit limit less exposure; negative when exceeded.", low=-MONEY_BOUND),
        lambda _: nw.col("credit_limit_minor") - nw.col("exposure_minor"),
    ),
    # exposure 1,200 of a limit of 1,000: 12,000; of a limit of 0: unknown
    Fact(
        ratio(
            "utilisation_bp",
            "Utilisation",
            "Exposure as a share of the credit limit, rounded down; unknown without a limit or with one of 0.",
            high=COUNT_BOUND,
        ),
        lambda _: nw.col("utilisation_bp"),
    ),
    # interest 30 and a fixed sum of 40 charged, 50 of them paid: 20; never charged: 0
    Fact(
        money(
            "claim_charged_minor",
            "Interest and costs charged",
            "Late interest, fixed sums and costs charged and not paid or waived; beside the open amount, never in it.",
        ),
        lambda _: nw.when(nw.col("claim_entries").is_null()).then(lit(0)).otherwise(not_below_zero(nw.col("charges"))),
    ),
    # opened 400 days ago: 400; without an opening day, first invoice 30 days ago: 30
    Fact(
        days("tenure_days", "Tenure", "Days since the account was opened, or since the first invoice when not known."),
        lambda basis: not_below_zero(lit(basis.as_of_day) - nw.coalesce("opened_day", "first_invoice_day")),
    ),
    # a reminder sent 4 days ago and one today: 0
    Fact(
        days("days_since_contact", "Days since the last contact", "Days since a message or call reached the customer."),
        lambda basis: lit(basis.as_of_day) - nw.col("contact_day"),
    ),
    # agreed 30 days net: 30
    Fact(
        days("terms_days", "Payment terms", "Agreed days from invoice to due date."),
        lambda _: nw.col("terms_days"),
    ),
    # a customer in Austria: AT
    Fact(
        code("country", "Country", "Country of the customer, ISO 3166 alpha-2.", nullable=True),
        lambda _: nw.col("country"),
    ),
    # DE01 for every row of that entity's run
    Fact(
        code("entity", "Entity", "Our legal entity that the customer owes.", nullable=False),
        lambda basis: nw.lit(basis.entity),
    ),
    # members here owe 700 and 300, another entity's last run says 200: 1,200 for both
    Fact(
        money(
            "group_exposure_minor",
            "Group exposure",
            "Exposure of all customers of the group, other entities as of their last run; unknown without a group.",
        ),
        lambda _: nw.col("group_exposure_minor"),
    ),
    # a block from 1 to 10 March (half-open): on 9 March yes, on 10 March no
    Fact(
        flag("dunning_block", "Dunning block", "The customer is blocked or paused: no reminder may go out."),
        lambda _: nw.coalesce("blocked", lit(0)) > lit(0),
    ),
    # known insolvent since yesterday: yes
    Fact(
        flag("insolvent", "Insolvent", "The customer's insolvency is known."),
        lambda _: nw.coalesce("bankrupt", lit(0)) > lit(0),
    ),
    # handed to an agency since yesterday: yes; on the day it gives the debt back: no
    Fact(
        flag("handed_over", "Handed over", "An agency, an insurer or a court has the customer's debt."),
        lambda _: nw.coalesce("given_away", lit(0)) > lit(0),
    ),
)

# Over the row with leader_due_day and the leader's eligible_minor in the base currency.
LEADER_FACTS = (
    # the leader fell due 5 days ago: 5; falls due in 3 days: -3
    Fact(
        days(
            "leader_days_past_due",
            "Days past due of the leader",
            "Days past due of the oldest line to be dunned; negative before its due date; unknown when there is none.",
            low=-40_000,
        ),
        lambda basis: lit(basis.as_of_day) - nw.col("leader_due_day"),
    ),
    # a leader of 1,500, credits cover 500 of it: 1,000
    Fact(
        money("leader_open_minor", "Open amount of the leader", "What is left of the leader to be dunned."),
        lambda _: nw.col("leader_base"),
    ),
)

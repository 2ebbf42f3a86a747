"""The state of a customer on a day: every fact of the ledger, one row per customer."""

from ledger.basis import FRAMES, QUARTER_DAYS, YEAR_DAYS, Basis, Frames
from ledger.columns import Column
from ledger.declare import code, count, days, flag, money, ratio

__all__ = ["CUSTOMER_COLUMNS", "FRAMES", "QUARTER_DAYS", "TECHNICAL", "YEAR_DAYS", "Basis", "Frames"]

TECHNICAL = ("customer_id", "group_id", "leader_line_id", "leader_due_day")

CUSTOMER_COLUMNS: tuple[Column, ...] = (
    money("exposure_minor", "Exposure", "What would be lost if the customer failed today."),
    money("open_minor", "Open amount", "Open due lines, whether due or not."),
    money("credits_minor", "Open credit notes", "Credit notes not yet set against an invoice."),
    money("unapplied_minor", "Unapplied cash", "Payments not yet matched to an invoice."),
    money("not_due_minor", "Not due", "Open lines due today or later."),
    money("overdue_minor", "Overdue", "Open lines past their due date."),
    money("overdue_net_minor", "Net overdue", "Overdue lines not covered by credits or unapplied cash."),
    money("d1_30_minor", "1 to 30 days", "Open lines 1 to 30 days past due."),
    money("d31_60_minor", "31 to 60 days", "Open lines 31 to 60 days past due."),
    money("d61_90_minor", "61 to 90 days", "Open lines 61 to 90 days past due."),
    money("d90_over_minor", "Over 90 days", "Open lines more than 90 days past due."),
    money("no_due_date_minor", "Without due date", "Open lines without a due date."),
    money("disputed_minor", "Disputed", "Open amounts under an open dispute."),
    money("promised_minor", "Promised", "Open amounts under an open promise to pay."),
    days("leader_days_past_due", "Days past due of the leader", "Age of the oldest line to be dunned.", low=-40_000),
    money("leader_open_minor", "Open amount of the leader", "What is left to pay on the leader."),
    count("open_count", "Open lines", "Number of open due lines."),
    count("overdue_count", "Overdue lines", "Number of open lines past due."),
    money("credit_limit_minor", "Credit limit", "The limit in force; unknown when there is none."),
    money("headroom_minor", "Headroom", "Credit limit less exposure.", low=-(10**15)),
    ratio("utilisation_bp", "Utilisation", "Exposure as a share of the credit limit.", high=10**9),
    days("tenure_days", "Tenure", "Days since the account was opened."),
    days("days_since_payment", "Days since the last payment", "Days since the last payment."),
    count("paid_count_12m", "Lines paid in 12 months", "Due lines fully paid in the last 365 days."),
    days("mean_days_late_12m", "Mean days late", "Mean days late of lines paid in 365 days.", low=-40_000),
    ratio("late_share_3m_bp", "Late share, 3 months", "Share of lines paid late in the last 91 days."),
    ratio("late_share_12m_bp", "Late share, 12 months", "Share of lines paid late in the last 365 days."),
    days("max_days_late_12m", "Most days late", "Most days late of lines paid in 365 days.", low=-40_000),
    money("turnover_3m_minor", "Turnover, 3 months", "Invoiced in the last 91 days."),
    money("turnover_12m_minor", "Turnover, 12 months", "Invoiced in the last 365 days."),
    count("promises_open", "Open promises", "Promises to pay still running."),
    count("promises_broken_12m", "Broken promises", "Promises broken in the last 365 days."),
    count("disputes_open", "Open disputes", "Disputes not yet closed."),
    days("days_since_contact", "Days since the last contact", "Days since a reminder or call reached the customer."),
    days("terms_days", "Payment terms", "Agreed days from invoice to due date."),
    code("country", "Country", "Country of the customer, ISO 3166.", nullable=True),
    code("entity", "Entity", "Our legal entity.", nullable=False),
    money("group_exposure_minor", "Group exposure", "Exposure of the customer's whole group."),
    flag("dunning_block", "Dunning block", "No reminder may go out."),
    flag("insolvent", "Insolvent", "Insolvency is known."),
)

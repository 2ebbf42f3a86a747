"""Facts of one open due line: the subject `invoice`."""

from ledger.columns import Column
from ledger.declare import code, count, days, flag, money

LINE_TECHNICAL = ("line_id", "customer_id", "invoice_day", "due_day")

LINE_COLUMNS: tuple[Column, ...] = (
    code("number", "Invoice number", "Number of the invoice.", nullable=False),
    count("ordinal", "Instalment", "Which due line of the invoice, from 1."),
    money("line_amount_minor", "Line amount", "The amount invoiced on this line."),
    money("line_open_minor", "Line open amount", "What is still to be paid on this line."),
    days("line_days_past_due", "Line days past due", "Days since the line fell due; negative before.", low=-40_000),
    money("line_disputed_minor", "Line disputed", "The part of the open amount under dispute."),
    flag("line_promised", "Line promised", "Whether an open promise covers any of it."),
    money("line_covered_minor", "Line covered", "The part that credits and unapplied cash cover."),
)

"""What a letter may name: each field with what it says, and an example; and the labels of the layout."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LetterField:
    """A value that a text may name as ``{name}``.

    Args:
        label, meaning: for whoever writes a letter.
        example: as an English letter shows it.
        optional: it may have no value; only then can a text ask ``{if name}``.
    """

    name: str
    label: str
    meaning: str
    example: str
    optional: bool = False


FIELDS: Mapping[str, LetterField] = {
    field.name: field
    for field in (
        LetterField("creditor", "Our company", "Name of our legal entity.", "Seller Ltd"),
        LetterField("customer", "Customer", "Name of the customer.", "Hollow Oak Trading"),
        LetterField("customer_number", "Customer number", "The number the customer has with us.", "10042"),
        LetterField("contact", "Contact", "The person we write to; none where only a company is known.",
                    "Accounts Payable", optional=True),
        LetterField("payable", "Amount to pay", "What we ask for, credits deducted; one amount per currency.",
                    "4,234.50 EUR"),
        LetterField("pay_by", "Pay by", "The day by which we ask to be paid.", "17 April 2026"),
        LetterField("as_of", "As of", "The day the statement is true for.", "7 April 2026"),
        LetterField("oldest_due", "Oldest due date", "Due date of the oldest line asked for.", "3 March 2026"),
        LetterField("latest_due", "Latest due date", "Due date of the latest line asked for.", "28 March 2026"),
        LetterField("days_late", "Days overdue", "Days the oldest line is past its due date.", "35", optional=True),
        LetterField("invoices", "Number of lines", "How many lines are asked for.", "3"),
        LetterField("reference", "Payment reference", "What the payer is asked to quote.", "10042 / R-1001"),
        LetterField("credits", "Credits", "Open credits in the customer's favour, one amount per currency.",
                    "200.00 EUR", optional=True),
        LetterField("held", "Disputed or promised", "What is open but not asked for, one amount per currency.",
                    "1,500.00 EUR", optional=True),
        LetterField("interest", "Interest and costs", "Late interest and costs asked for beside the lines.",
                    "44.85 EUR", optional=True),
    )
}  # fmt: skip
OPTIONAL = frozenset(name for name, field in FIELDS.items() if field.optional)

# The words of the layout, with what each of them must name.
LABELS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            *("and", "greeting", "regards", "department", "customer_number", "as_of", "reference", "to_pay", "pay_by"),
            *("invoice", "invoice_date", "due_date", "days", "original", "open", "credit", "booked", "credit_note"),
            *("payment", "credits", "less_credits", "held", "later", "sum", "interest", "date", "our_reference"),
            *("carried", "ageing", "not_due", "no_due_date", "age_credits", "balance", "account_holder", "amount"),
            *("scan", "contact", "code_alt", "payment_details", "footer"),
        ),
        (),
    ),
    "statement": (),
    "enclosed": ("files",),
    "not_enclosed": ("numbers",),
    "greeting_named": ("contact",),
    "further": ("count",),
    "mail_subject": ("subject", "customer_number"),
    "page": ("page", "pages"),
    "amounts_in": ("currency",),
    "days_range": ("range",),
    "over": ("days",),
    "by_day": ("to_pay", "pay_by"),
}
# Words of tables that only some letters have; a house that has not written its own gets the shipped ones.
ADDED_LABELS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("charge", "charge_from", "charge_until", "charge_principal", "charge_cost", "charge_settled"), ()),
    "charge_interest": ("number", "rate"),
    "charge_fixed_sum": ("number",),
    "charge_law": ("law",),
    "instalments": (),
    "instalment": ("number", "count"),
}
ALL_LABELS: Mapping[str, tuple[str, ...]] = {**LABELS, **ADDED_LABELS}

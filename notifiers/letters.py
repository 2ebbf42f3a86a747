"""What a dunning letter says, as frozen plain values: no database row reaches a template."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterLine:
    """One open due line as the letter lists it.

    Args:
        number: of the invoice, with the instalment where there are several.
        original_minor, open_minor: of the line, in minor units of `currency`; the open
            amount is what is still to pay of the part this section is about.
        days_past_due: counted from the due day; negative before it, None without one.
    """

    number: str
    invoice_day: int
    due_day: int | None
    days_past_due: int | None
    original_minor: int
    open_minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterCredit:
    """What we owe the customer and have not set against an invoice yet.

    Args:
        kind: credit_note or payment.
        open_minor: what is left of it, positive.
    """

    kind: str
    number: str
    booked_day: int
    open_minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterCharge:
    """Interest, a fixed sum or costs asked for beside the lines.

    Args:
        kind: interest, fixed_sum, cost, or settled: what was paid or waived of them, negative.
        number: of the invoice; empty: of the account.
        after_day, until_day: of interest: the days after the first, up to and with the second.
        principal_minor, rate_bp: of interest: on what, at how many hundredths of a percent a year.
        open_minor: what is asked for.
    """

    kind: str
    open_minor: int
    currency: str
    number: str = ""
    after_day: int | None = None
    until_day: int | None = None
    principal_minor: int | None = None
    rate_bp: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterInstalment:
    """So much of a payment plan by a day."""

    due_day: int
    open_minor: int
    currency: str


Item = LetterLine | LetterCredit | LetterCharge | LetterInstalment  # a row of one of a letter's tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterhead:
    """What a printed letter says of its sender, beside the name.

    Args:
        address: lines of our postal address, without the name.
        country: ISO 3166 code; it says on which side the window of our envelopes is.
        email: where an answer arrives; may be empty.
        account_holder: of the bank account; empty: the creditor's name.
        iban, bic: plain, may be empty: then the payment details are printed as they are.
    """

    address: tuple[str, ...] = ()
    country: str = "DE"
    email: str = ""
    account_holder: str = ""
    iban: str = ""
    bic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """All values of one dunning letter.

    Args:
        creditor: name of our legal entity.
        payment_details: bank account as printed, may hold several lines, may be empty.
        contact: whom we write to, by name; empty when only a role is known.
        reference: what the payer is asked to quote.
        as_of_day: the day the statement is true for.
        pay_by_day: by when we ask to be paid.
        demanded: what the letter asks for: overdue lines, or before the due date those
            that fall due soon.
        held: lines or parts of lines that are disputed or promised; listed, not asked for.
        later: other open lines, not due yet.
        credits: every open credit.
        charges: late interest, fixed sums and costs asked for beside the lines.
        instalments: of a payment plan, in their order; how what is demanded is paid.
        law: by which law they are; then the blocks that say so are left out.
        penalties: the step asks for interest and costs; the blocks that say by which law are written.
        head: what only a printed letter says of its sender.
        recipient: lines of the postal address, for a printed letter.
        mark: our own reference, by which an answer is found again.
        enclosed: names of the files that go along.
        not_enclosed: numbers of invoices whose documents are too large to go along.
    """

    creditor: str
    payment_details: str
    customer: str
    customer_number: str
    contact: str
    reference: str
    as_of_day: int
    pay_by_day: int
    demanded: tuple[LetterLine, ...]
    held: tuple[LetterLine, ...] = ()
    later: tuple[LetterLine, ...] = ()
    credits: tuple[LetterCredit, ...] = ()
    charges: tuple[LetterCharge, ...] = ()
    instalments: tuple[LetterInstalment, ...] = ()
    law: str = ""
    penalties: bool = False
    head: Letterhead = Letterhead()
    recipient: tuple[str, ...] = ()
    mark: str = ""
    enclosed: tuple[str, ...] = ()
    not_enclosed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What a letter comes to in one currency, minor units.

    `payable_minor` is what is demanded and its interest, less open credits, never below 0.
    """

    currency: str
    demanded_minor: int
    credits_minor: int
    held_minor: int
    later_minor: int
    interest_minor: int = 0

    @property
    def payable_minor(self) -> int:
        """What we ask the customer to transfer."""
        return max(0, self.demanded_minor + self.interest_minor - self.credits_minor)

    @property
    def balance_minor(self) -> int:
        """All that is open, whether asked for or not; negative when we owe the customer."""
        return self.demanded_minor + self.held_minor + self.later_minor - self.credits_minor


def totals(letter: Letter) -> tuple[Total, ...]:
    """Add a letter up, one total per currency, by code.

    Amounts of different currencies are never added: the payer must transfer each by itself.
    """
    sections: tuple[Iterable[LetterLine | LetterCredit], ...] = (
        letter.demanded,
        letter.credits,
        letter.held,
        letter.later,
    )
    currencies = sorted(
        {item.currency for section in sections for item in section} | {charge.currency for charge in letter.charges}
    )

    def added(items: Iterable[LetterLine | LetterCredit], currency: str) -> int:
        return sum(item.open_minor for item in items if item.currency == currency)

    return tuple(
        Total(
            currency=currency,
            demanded_minor=added(letter.demanded, currency),
            credits_minor=added(letter.credits, currency),
            held_minor=added(letter.held, currency),
            later_minor=added(letter.later, currency),
            interest_minor=sum(one.open_minor for one in letter.charges if one.currency == currency),
        )
        for currency in currencies
    )

"""What is claimed beside the lines, as a letter lists it: interest by rate and days, fixed sums, costs."""

from engine.claim_account import ClaimAccount
from ledger.claims import LineClaim
from notifiers.letters import LetterCharge


def charges_of(account: ClaimAccount) -> tuple[LetterCharge, ...]:
    """What a letter asks for beside the lines: charged by law, with rate and days, less what was paid or waived."""
    rows = [row for claim in account.claims if claim.charged_minor for row in _interest_rows(account, claim)]
    for row in account.rows:
        if row.kind in ("fixed_sum", "cost"):
            number = "" if row.due_line_id is None else str(row.due_line.number)
            rows.append(LetterCharge(kind=row.kind, open_minor=row.amount_minor, currency=row.currency, number=number))
    for balance in account.balances:
        less = sum(part.waived_minor + part.paid_minor for part in balance.parts.values()) + balance.overpaid_minor
        if less:
            rows.append(LetterCharge(kind="settled", open_minor=-less, currency=balance.currency))
    return tuple(rows) if any(balance.open_minor > 0 for balance in account.balances) else ()


def _interest_rows(account: ClaimAccount, claim: LineClaim) -> list[LetterCharge]:
    """Interest of a line by principal and rate; in one row where less or more was charged than the law says today."""
    line = claim.line
    if claim.accrued_minor:
        return [
            LetterCharge(kind="interest", open_minor=claim.charged_minor, currency=line.currency, number=line.number)
        ]
    return [
        LetterCharge(
            kind="interest",
            open_minor=one.amount_minor,
            currency=line.currency,
            number=line.number,
            after_day=one.after_day,
            until_day=one.until_day,
            principal_minor=one.principal_minor,
            rate_bp=one.rate_bp,
        )
        for one in claim.interest.segments
    ]

"""Events: what a webhook says, as JSON by a published schema (docs/webhook.schema.json)."""

import json
from collections.abc import Mapping
from typing import Any

from ledger.days import date_of
from ledger.money import exponent

from .letters import Letter, LetterLine, totals

VERSION = 1
LINES_MAX = 200  # further lines are in the totals only


def event_text(about: Mapping[str, str | int], letter: Letter) -> str:
    """Write the event of one step: the step, the customer's number, and what is asked for.

    No person is named in it: the receiver knows its customers by number.

    Args:
        about: what it says of the step: key, entity, policy, step, level, episode, repeat, template.
    """
    content: dict[str, Any] = {
        "version": VERSION,
        "event": "step_due",
        **about,
        "customer": letter.customer_number,
        "as_of": _day(letter.as_of_day),
        "pay_by": _day(letter.pay_by_day),
        "totals": [
            {
                "currency": total.currency,
                "exponent": exponent(total.currency),
                "demanded_minor": total.demanded_minor,
                "credits_minor": total.credits_minor,
                "held_minor": total.held_minor,
                "interest_minor": total.interest_minor,
                "payable_minor": total.payable_minor,
            }
            for total in totals(letter)
        ],
        "lines": [_line(line) for line in letter.demanded[:LINES_MAX]],
        "further_lines": max(0, len(letter.demanded) - LINES_MAX),
    }
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _line(line: LetterLine) -> dict[str, Any]:
    return {
        "number": line.number,
        "invoiced_on": _day(line.invoice_day),
        "due_on": _day(line.due_day),
        "days_past_due": line.days_past_due,
        "open_minor": line.open_minor,
        "currency": line.currency,
    }


def _day(day: int | None) -> str | None:
    return None if day is None else date_of(day).isoformat()

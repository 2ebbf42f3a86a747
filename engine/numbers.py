"""Telephone numbers: as people write them, and as networks take them (E.164)."""

from collections.abc import Mapping

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

TAKES_SMS = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
NUMBER_FIELDS = ("phone", "mobile")


def e164_of(text: str, country: str) -> str | None:
    """A number as networks take it; None where it is no number of any country.

    Args:
        country: ISO 3166 code, for a number written without its country.

    >>> e164_of("0151 123 456 78", "DE"), e164_of("+33 6 12 34 56 78", "DE"), e164_of("12", "DE")
    ('+4915112345678', '+33612345678', None)
    """
    number = _parsed(text, country)
    return None if number is None else str(phonenumbers.format_number(number, PhoneNumberFormat.E164))


def mobile_of(known: Mapping[str, object], country: str) -> str | None:
    """The number by which a contact gets an SMS: the mobile one, or the other where it is a mobile one too.

    >>> mobile_of({"phone": "0911 1234567"}, "DE"), mobile_of({"phone": "0151 123 456 78"}, "DE")
    (None, '+4915112345678')
    """
    for field in reversed(NUMBER_FIELDS):
        number = _parsed(str(known.get(field) or ""), country)
        if number is not None and phonenumbers.number_type(number) in TAKES_SMS:
            return str(phonenumbers.format_number(number, PhoneNumberFormat.E164))
    return None


def _parsed(text: str, country: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, country)
    except NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None

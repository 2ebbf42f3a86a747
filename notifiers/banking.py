"""What a payer's bank reads: IBAN, BIC, the creditor reference of ISO 11649, and the EPC QR code."""

import re
from decimal import Decimal

from segno.helpers import make_epc_qr

NAME_LENGTH_MAX = 70  # of the account holder, EPC069-12
REFERENCE_LENGTH_MAX = 21  # of what follows RF and its check digits, ISO 11649
TEXT_LENGTH_MAX = 140
EPC_MINOR_MAX = 99_999_999_999  # 999,999,999.99 EUR, EPC069-12
LENGTHS = {  # of an IBAN by country, as SWIFT's registry gives them; others have 15 to 34 characters
    **{"AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24, "FI": 18},
    **{"FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26, "IT": 27, "LI": 21, "LT": 20, "LU": 20},
    **{"LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SE": 24, "SI": 19, "SK": 24},
    **{"SM": 27, "VA": 22, "AD": 24, "AL": 28, "MD": 24, "ME": 22, "MK": 19, "RS": 22},
}
SEPA = frozenset(LENGTHS)  # all of them take part; an EPC code makes sense for no other
IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")


def plain_iban(text: str) -> str:
    """An IBAN without the spaces people write, in capitals.

    >>> plain_iban("de02 1203 0000 0000 2020 51")
    'DE02120300000000202051'
    """
    return "".join(text.split()).upper()


def is_iban(text: str) -> bool:
    """Whether a plain IBAN has its country's length and right check digits (ISO 13616).

    >>> is_iban("DE02120300000000202051"), is_iban("DE02120300000000202015"), is_iban("DE0212030000000020205")
    (True, False, False)
    """
    if IBAN.fullmatch(text) is None or len(text) != LENGTHS.get(text[:2], len(text)):
        return False
    return _remainder(text[4:] + text[:4]) == 1


def is_bic(text: str) -> bool:
    """Whether the text has the form of a BIC (ISO 9362).

    >>> is_bic("BYLADEM1001"), is_bic("BYLADEM1"), is_bic("BYLADEM")
    (True, True, False)
    """
    return BIC.fullmatch(text) is not None


def in_fours(text: str) -> str:
    """In groups of four, as an IBAN or a creditor reference is printed.

    >>> in_fours("RF18539007547034")
    'RF18 5390 0754 7034'
    """
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def creditor_reference(number: str) -> str | None:
    """A number with RF and check digits before it, so that the payer's bank finds a slip of the pen.

    Only letters and digits count. None where nothing is left of the number, or too much.

    >>> creditor_reference("539007547034"), creditor_reference("0379-nevhp"), creditor_reference("-")
    ('RF18539007547034', 'RF190379NEVHP', None)

    Source: ISO 11649.
    """
    kept = "".join(c for c in number.upper() if c.isascii() and c.isalnum())
    if not 0 < len(kept) <= REFERENCE_LENGTH_MAX:
        return None
    return f"RF{98 - _remainder(f'{kept}RF00'):02d}{kept}"


def payment_code(name: str, iban: str, bic: str, amount_minor: int, reference: str | None, text: str) -> str | None:
    """The EPC QR code of a transfer in EUR, as SVG of one path; None where the standard knows none.

    Args:
        name: of the account holder.
        iban: plain; one that is not valid, or not of a SEPA country, gets no code.
        bic: or an empty text.
        amount_minor: cents.
        reference: a creditor reference; without one the text goes along instead.
        text: for a transfer without such a reference.

    Source: EPC069-12, version 002, UTF-8, error correction M.
    """
    if not is_iban(iban) or iban[:2] not in SEPA or not 0 < amount_minor <= EPC_MINOR_MAX or not name.strip():
        return None
    try:
        code = make_epc_qr(
            name=name.strip()[:NAME_LENGTH_MAX],
            iban=iban,
            amount=Decimal(amount_minor).scaleb(-2),
            reference=reference,
            text=None if reference else text[:TEXT_LENGTH_MAX],
            bic=bic or None,
            encoding="utf-8",
        )
    except ValueError:  # more than the 331 bytes the standard allows, or nothing to quote
        return None
    return str(code.svg_inline(border=0, dark="#000"))  # the layout leaves the white around it


def _remainder(text: str) -> int:
    """Remainder by 97, letters counted from A = 10 (ISO 7064)."""
    return int("".join(str(int(c, 36)) for c in text)) % 97

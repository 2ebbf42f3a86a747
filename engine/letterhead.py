"""What the letters of an entity say of their sender: address, bank account, where answers arrive."""

from dataclasses import dataclass

from engine.commands import Change, Command, Context, Invalid, expect_version, register, update_version
from engine.tables import Alarm
from ledger.problems import Problem
from notifiers.banking import NAME_LENGTH_MAX, is_bic, is_iban, plain_iban
from notifiers.mime import is_address

LINES_MAX, LINE_LENGTH_MAX = 5, 60
PRINTED = ("address", "mail_from", "account_holder", "iban", "bic", "payment_details")
ACCOUNT = ("account_holder", "iban", "bic", "payment_details")


@dataclass(frozen=True, kw_only=True)
class SetLetterhead(Command):
    """Say what the letters of an entity print of their sender.

    Args:
        entity: its code.
        address: postal, without the name, a line each.
        mail_from: e-mail address it writes from, and at which answers arrive.
        account_holder: of the bank account; empty: the entity's name.
        iban: with or without spaces; empty: letters print `payment_details` only.
        bic: may be empty within the EEA.
        payment_details: further ways to pay, as they are printed.
        version: of the row the actor saw; None: whatever it is now.
    """

    entity: str
    address: str = ""
    mail_from: str = ""
    account_holder: str = ""
    iban: str = ""
    bic: str = ""
    payment_details: str = ""
    version: int | None = None


@register(SetLetterhead, permission="golive.propose")
def set_letterhead(context: Context, command: SetLetterhead) -> Change:
    """Change it; another bank account raises an alarm, because it is where customers' money goes."""
    entity = context.entity(command.entity)
    expect_version(entity, command.version)
    wanted = {
        "address": _lines(command.address),
        "mail_from": command.mail_from.strip(),
        "account_holder": command.account_holder.strip(),
        "iban": plain_iban(command.iban),
        "bic": plain_iban(command.bic),
        "payment_details": _lines(command.payment_details),
    }
    problems = _problems(wanted)
    if problems:
        raise Invalid(problems)
    before = {name: getattr(entity, name) for name in PRINTED}
    update_version(entity, **wanted)
    if before["iban"] and any(before[name] != wanted[name] for name in ACCOUNT):
        text = f"letters of {entity.code} name another bank account from now on; ask whoever changed it, by telephone"
        Alarm.create(entity_id=entity.id, kind="account_changed", text=text, raised_at=context.at)
    return Change(
        subject_kind="entity",
        subject_id=entity.id,
        before=before,
        after=wanted,
        answer={"entity": entity.id, "version": entity.version},
        entity_id=entity.id,
    )


def _lines(text: str) -> str:
    return "\n".join(line for line in (" ".join(part.split()) for part in text.splitlines()) if line)


def _problems(wanted: dict[str, str]) -> list[Problem]:
    problems = []

    def complain(place: str, what: str, cure: str) -> None:
        problems.append(Problem(place=place, what=what, cure=cure))

    for name in ("address", "payment_details"):
        lines = wanted[name].splitlines()
        if len(lines) > LINES_MAX or any(len(line) > LINE_LENGTH_MAX for line in lines):
            complain(name, "does not fit the letter", f"give at most {LINES_MAX} lines of {LINE_LENGTH_MAX} characters")
    if wanted["mail_from"] and not is_address(wanted["mail_from"]):
        complain("mail_from", "is not an address", "write it as name@company.example")
    if len(wanted["account_holder"]) > NAME_LENGTH_MAX:
        complain(
            "account_holder", f"has more than {NAME_LENGTH_MAX} characters", "write it as the bank does, shortened"
        )
    if wanted["iban"] and not is_iban(wanted["iban"]):
        complain("iban", "is not an IBAN: its length or check digits are wrong", "copy it from the bank's papers")
    if wanted["bic"] and not is_bic(wanted["bic"]):
        complain("bic", "is not a BIC", "give 8 or 11 letters and digits")
    if wanted["bic"] and not wanted["iban"]:
        complain("iban", "is missing beside the BIC", "give both, or none")
    return problems

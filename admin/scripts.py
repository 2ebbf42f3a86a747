"""Scripts: what whoever does a call or a task is told."""

from flask_babel import get_locale

from admin import gate
from engine.statements import letter_now
from engine.tables import Action
from engine.wordings import wording_for
from notifiers.composing import Paragraphs, script


def script_of(action: Action) -> Paragraphs:
    """What whoever does a call or task is told, in their own language; nothing where no script is in force."""
    runtime, entity = gate.runtime(), action.customer.entity
    wording = wording_for(runtime, entity, str(action.template), runtime.today(entity))
    if wording is None or wording.template.use != "script" or action.state != "open":
        return ()
    now = letter_now(runtime, action.customer, wording.template)
    return script(wording, now.letter, str(get_locale()), now.country)

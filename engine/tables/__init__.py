"""The tables. Ledger tables are append-only; days are integers since 1970-01-01.

Suffixes: ``_minor`` integer minor units, ``_bp`` basis points, ``_day`` integer days since
1970-01-01, ``_at`` integer microseconds since 1970-01-01 UTC, ``_id`` a key.
"""

from engine.tables.actions import Action, ActionWait, Alarm, AuditEntry, CommandRecord, Message, Verification
from engine.tables.base import Table, database
from engine.tables.claims import HandOver, HandOverNote, Waiver
from engine.tables.decisions import Alert, DayReplay, Decision, DirtyCustomer, Outcome, Run, Standing
from engine.tables.desk import Absence, EditedText, Mention, Note, SavedView
from engine.tables.doors import BatchLetter, ClockMark, Door, GatewayAddress, LetterBatch
from engine.tables.entries import (
    Allocation,
    AnswerLink,
    Block,
    ClaimEntry,
    Credit,
    CreditLimit,
    Dispute,
    DisputeClosing,
    DisputeStep,
    DocumentContent,
    DueLine,
    Entry,
    ExchangeRate,
    Import,
    InvoiceDocument,
    Promise,
    Reversal,
)
from engine.tables.governing import (
    Document,
    DocumentComment,
    Edition,
    GoLive,
    Override,
    PolicyStop,
    ScoreModel,
    TermsProposal,
)
from engine.tables.mail import Mailbox, ReceivedMail
from engine.tables.parties import (
    Contact,
    Customer,
    CustomerGroup,
    CustomerWord,
    Entity,
    Person,
    RoleProposal,
    User,
    UserRole,
    UserScope,
)

__all__ = [
    "APPEND_ONLY",
    "ENTRY_TABLES",
    "TABLES",
    "Absence",
    "Action",
    "ActionWait",
    "Alarm",
    "Alert",
    "Allocation",
    "AnswerLink",
    "AuditEntry",
    "BatchLetter",
    "Block",
    "ClaimEntry",
    "ClockMark",
    "CommandRecord",
    "Contact",
    "Credit",
    "CreditLimit",
    "Customer",
    "CustomerGroup",
    "CustomerWord",
    "DayReplay",
    "Decision",
    "DirtyCustomer",
    "Dispute",
    "DisputeClosing",
    "DisputeStep",
    "Document",
    "DocumentComment",
    "DocumentContent",
    "Door",
    "DueLine",
    "EditedText",
    "Edition",
    "Entity",
    "Entry",
    "ExchangeRate",
    "GatewayAddress",
    "GoLive",
    "HandOver",
    "HandOverNote",
    "Import",
    "InvoiceDocument",
    "LetterBatch",
    "Mailbox",
    "Mention",
    "Message",
    "Note",
    "Outcome",
    "Override",
    "Person",
    "PolicyStop",
    "Promise",
    "ReceivedMail",
    "Reversal",
    "RoleProposal",
    "Run",
    "SavedView",
    "ScoreModel",
    "Standing",
    "Table",
    "TermsProposal",
    "User",
    "UserRole",
    "UserScope",
    "Verification",
    "Waiver",
    "database",
]

ENTRY_TABLES = (
    *(DueLine, Credit, Allocation, Reversal),
    *(Dispute, DisputeClosing, DisputeStep, Promise, CreditLimit, Block),
    ClaimEntry,
)
APPEND_ONLY = (*ENTRY_TABLES, HandOverNote, Import, Decision, Edition, DocumentComment, AuditEntry, Note)
TABLES = tuple(t for t in Table.__subclasses__() if t is not Entry) + tuple(Entry.__subclasses__())

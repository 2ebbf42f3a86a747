"""Bounces and answers: each mail of a mailbox has its effects once, whatever dies; nothing in the mailbox changes."""

import dataclasses
import re
import socketserver
import threading
from contextlib import suppress

import pytest

from engine import inbox, outbox, received
from engine.commands import Conflict, Invalid, NotFound
from engine.diary import FIND_CONTACT
from engine.inbox import EACH_US, FAILURES_TOLD, read_inbox
from engine.received import ANSWER, AssignMail, SetMailAside
from engine.runtime import Runtime
from engine.settings import Settings
from engine.tables import Action, Alarm, AuditEntry, Contact, Mailbox, Message, ReceivedMail, Standing
from notifiers.inbox import ImapServer, InboxUnreadable, open_inbox, parse_imap_url

PASSWORD = "only-for-tests"
SINCE = re.compile(r"SINCE (\S+)")


class ImapHost(socketserver.ThreadingTCPServer):
    """A mailbox on loopback that speaks what is asked of it, and notes every command.

    Args:
        mails: content by UID.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, mails=None):
        self.mails, self.uid_validity = mails or {}, 7
        self.commands, self.broken_at, self.literal = [], None, None
        super().__init__(("127.0.0.1", 0), Conversation)

    @property
    def url(self):
        return f"imap://answers:{PASSWORD}@127.0.0.1:{self.server_address[1]}/INBOX"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Conversation(socketserver.StreamRequestHandler):
    """One visit."""

    disable_nagle_algorithm = True

    def handle(self):
        self.say("* OK ready")
        while line := self.rfile.readline().decode().strip():
            tag, _, said = line.partition(" ")
            verb = said.split()[1 if said.startswith("UID") else 0].upper()
            self.server.commands.append(said.replace(PASSWORD, "***"))
            if self.server.broken_at == verb:
                return
            if verb == "LOGIN" and f'"{PASSWORD}"' not in said:
                self.say(f"{tag} NO {said}")
                continue
            self.answer(verb, said)
            self.say(f"{tag} OK done")
            if verb == "LOGOUT":
                return

    def answer(self, verb, said):
        mails = self.server.mails
        if verb == "CAPABILITY":
            self.say("* CAPABILITY IMAP4rev1")
        elif verb == "EXAMINE":
            self.say(f"* {len(mails)} EXISTS", f"* OK [UIDVALIDITY {self.server.uid_validity}] ours")
        elif verb == "SEARCH":
            first = int(re.search(r"UID (\d+):", said)[1])
            found = [uid for uid in sorted(mails) if uid >= first] or sorted(mails)[-1:]
            self.say(f"* SEARCH {' '.join(map(str, found))}".rstrip())
        elif verb == "FETCH":
            uid = int(said.split()[2])
            size = self.server.literal or len(mails[uid])
            self.say(f"* 1 FETCH (UID {uid} BODY[]<0> {{{size}}}")
            self.wfile.write(mails[uid])
            self.say(")")

    def say(self, *lines):
        for line in lines:
            self.wfile.write(line.encode() + b"\r\n")


@pytest.fixture
def host():
    """A mailbox that is empty."""
    with ImapHost() as server:
        yield server


@pytest.fixture
def reading(runtime: Runtime, host):
    """The runtime, told of the mailbox."""
    runtime.settings = dataclasses.replace(runtime.settings, imap=host.url)
    return runtime


@pytest.fixture
def sent(runtime, make_customer, make_action, counting, prepare):
    """Make a message and send it: ``sent("1001")``; gives the action and what names it in an answer."""

    def make(number="1001", step="p4", **changes):
        customer = make_customer(number)
        action = make_action(customer, step, **changes)
        Standing.create(customer=customer, entity_id=customer.entity_id, policy_key="escalation", episode=1, open=True)
        outbox.deliver(runtime, gateway=counting, prepare=prepare)
        return Action.get_by_id(action.id), Message.get(Message.action == action.id).message_id

    return make


def answer(message_id, text="We pay on Friday.", head=""):
    return (
        f"From: payables@customer.example\r\nMessage-ID: <{abs(hash((message_id, text, head)))}@customer.example>\r\n"
        f"In-Reply-To: {message_id}\r\n{head}Subject: Re: Reminder\r\n\r\n{text}\r\n"
    ).encode()


def bounce(message_id, status="5.1.1", to="payables@customer.example"):
    return (
        "From: MAILER-DAEMON@mx.example\r\nSubject: Undelivered\r\nContent-Type: multipart/report; "
        'report-type=delivery-status; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--b\r\n'
        f"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; {to}\r\n"
        f"Action: {'failed' if status[0] == '5' else 'delayed'}\r\nStatus: {status}\r\n\r\n--b\r\n"
        f"Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: {message_id}\r\n\r\n--b--\r\n"
    ).encode()


def test_an_answer_is_work_for_the_collector_and_nothing_in_the_mailbox_changes(reading, host, sent, users, caplog):
    """The words are sealed with the person's key; neither log nor audit nor the server hears more than it must."""
    action, message_id = sent()
    action.customer.collector = users.collector.id
    action.customer.save()
    host.mails[3] = answer(message_id, "We pay on Friday.\r\n\r\nAm 3.3. schrieb Main Ltd:\r\n> Reminder")
    with caplog.at_level("INFO"):
        assert read_inbox(reading) == 1
    row, task = ReceivedMail.get(), Action.get(Action.template == ANSWER)
    assert (row.kind, row.state, row.action_id, row.task_id) == ("reply", "diary", action.id, task.id)
    assert (task.state, task.owner_id, task.customer_id) == ("open", users.collector.id, action.customer_id)
    kept = reading.vault.open(row.person, row.sealed)
    assert kept["said"] == "We pay on Friday."
    assert "> Reminder" in kept["text"]
    assert row.person_id == Message.get(Message.action == action.id).person_id
    assert "Friday" not in caplog.text + "".join(f"{one.after}{one.reason}" for one in AuditEntry.select())
    assert PASSWORD not in caplog.text
    asked = [said.split()[0] for said in host.commands if not said.startswith("UID")]
    assert set(asked) <= {"CAPABILITY", "LOGIN", "EXAMINE", "LOGOUT"}
    assert all("PEEK" in said for said in host.commands if "FETCH" in said)
    assert "SINCE 01-Mar-2026" in next(said for said in host.commands if "SEARCH" in said)


def test_a_crash_anywhere_loses_and_doubles_nothing(reading, host, sent, clock, monkeypatch):
    """A worker dies before, in and after the commit of each mail; the mailbox is read again, also renumbered."""
    mails = [sent(str(number))[1] for number in (1001, 1002, 1003)]
    host.mails = {place: answer(one) for place, one in enumerate(mails, 1)}
    taken = received.take_in

    class Died(BaseException):
        """Nothing catches it."""

    def dying(where):
        def take(*args):
            if where == "before":
                raise Died
            if where == "in":
                with reading.database.atomic():
                    taken(*args)
                    raise Died
            taken(*args)
            raise Died

        return take

    for where in ("before", "in", "after", "before", "in", "after", "after"):
        monkeypatch.setattr(inbox, "take_in", dying(where))
        clock.advance(seconds=EACH_US // 1_000_000)
        with suppress(Died):
            read_inbox(reading)
    monkeypatch.setattr(inbox, "take_in", taken)
    for renumbered in (0, 1):
        host.uid_validity += renumbered
        clock.advance(seconds=EACH_US // 1_000_000)
        read_inbox(reading)
        assert ReceivedMail.select().count() == Action.select().where(Action.template == ANSWER).count() == 3
    assert Mailbox.get().last_uid == 3
    assert Mailbox.get().uid_validity == 8


def test_two_workers_with_one_mail_take_it_in_once(reading, host, sent):
    """Whoever comes second finds the mailbox further on."""
    host.mails[1] = answer(sent()[1])
    box = Mailbox.create(name="x", uid_validity=7)
    fetched = received.Fetched(7, 1, host.mails[1])
    mail = inbox.read_mail(fetched.content)
    assert received.take_in(reading, box, fetched, mail) is not None
    assert received.take_in(reading, box, fetched, mail) is None
    assert received.take_in(reading, box, received.Fetched(7, 2, host.mails[1]), mail) is None
    assert ReceivedMail.select().count() == 1


def test_a_letter_that_came_back_goes_by_the_next_channel(reading, host, sent):
    """It was no contact, the address is used no more, and the step is unfinished until the other has gone."""
    action, message_id = sent(otherwise="letter")
    contact = Contact.get(Contact.customer == action.customer_id)
    known = reading.vault.open_person(contact.person)
    place = {"address": "Weg 1", "postcode": "90402", "city": "Nürnberg"}
    reading.vault.reseal_person(contact.person, {**known, **place})
    assert Standing.get().last_contact_day is not None
    host.mails[1] = bounce(message_id)
    assert read_inbox(reading) == 1
    again = Action.get(Action.key == f"{action.key}/again/2")
    assert (again.state, again.way, again.level, again.step_key) == ("due", "letter", action.level, action.step_key)
    assert Action.get_by_id(action.id).state == "cancelled"
    assert not Contact.get_by_id(contact.id).usable
    assert Standing.get().last_contact_day is None
    assert ReceivedMail.get().state == "goes_again"


def test_without_another_address_it_waits_and_a_person_is_asked(reading, host, sent, clock, counting, prepare):
    """Once a contact is entered it goes by itself; the one that came back keeps what it said."""
    action, message_id = sent()
    host.mails[1] = bounce(message_id)
    read_inbox(reading)
    again = Action.get(Action.key == f"{action.key}/again/2")
    assert (again.state, again.waiting_for) == ("waiting", "no_address")
    assert Action.get(Action.template == FIND_CONTACT).state == "open"
    person = reading.vault.create_person({"email": "right@customer.example"})
    Contact.create(customer=action.customer_id, person=person)
    outbox.sweep(reading, gateway=counting)
    outbox.deliver(reading, gateway=counting, prepare=prepare)
    assert Action.get_by_id(again.id).state == "sent"
    assert Action.get(Action.template == FIND_CONTACT).state == "cancelled"
    assert Message.select().where(Message.action.in_([action.id, again.id])).count() == 2


@pytest.mark.parametrize(
    ("changes", "state", "mail"),
    [
        ({"status": "4.4.1"}, "sent", "noted"),
        ({"status": "5.7.1"}, "failed", "diary"),
        ({"to": "somebody@else.example"}, "sent", "diary"),
    ],
)
def test_other_bounces_leave_the_address_alone(reading, host, sent, changes, state, mail):
    """A delay is noted; a refused letter fails and blocks what follows; one about a stranger is looked at."""
    action, message_id = sent()
    host.mails[1] = bounce(message_id, **changes)
    read_inbox(reading)
    assert (Action.get_by_id(action.id).state, ReceivedMail.get().state) == (state, mail)
    assert Contact.get(Contact.customer == action.customer_id).usable
    assert Action.select().where(Action.template == ANSWER).count() == (mail == "diary")
    assert Alarm.select().where(Alarm.kind == "message_failed").count() == (state == "failed")


def test_an_automatic_answer_is_noted_without_work(reading, host, sent):
    """It stands at the message."""
    action, message_id = sent()
    host.mails[1] = answer(message_id, "Ich bin nicht im Büro.", "Auto-Submitted: auto-replied\r\n")
    read_inbox(reading)
    row = ReceivedMail.get()
    assert (row.kind, row.state, row.action_id, row.task_id) == ("automatic", "noted", action.id, None)


def test_what_names_no_letter_is_assigned_by_a_person_who_may(reading, host, make_customer, users):
    """It is work of the customer's collector from then on, or its words are destroyed."""
    customer = make_customer("1001")
    host.mails = {1: b"From: a@b.example\r\nSubject: Hello\r\n\r\nInvoice 7?", 2: b"From: spam\r\n\r\nBuy"}
    assert read_inbox(reading) == 2
    first, second = ReceivedMail.select().order_by(ReceivedMail.uid)
    by = {"actor": users.manager.id, "reason": "it is theirs", "version": 1}
    code = customer.entity.code
    with pytest.raises(Invalid):
        reading.execute(AssignMail(**by, mail=first.id, entity=code, number="none"))
    with pytest.raises(NotFound):
        reading.execute(AssignMail(**{**by, "actor": users.collector.id}, mail=99, entity=code, number="1001"))
    reading.execute(AssignMail(**by, mail=first.id, entity=code, number="1001"))
    assert Action.get(Action.template == ANSWER).customer_id == customer.id
    row = ReceivedMail.get_by_id(first.id)
    assert reading.vault.open(row.person, row.sealed)["text"] == "Invoice 7?"
    assert row.person_id == Contact.get(Contact.customer == customer).person_id
    reading.execute(SetMailAside(**by, mail=second.id))
    assert ReceivedMail.get_by_id(second.id).person.key_sealed is None
    with pytest.raises(Conflict):
        reading.execute(SetMailAside(**{**by, "version": None}, mail=second.id))


def test_a_mailbox_that_cannot_be_read_is_tried_less_often_and_told_once(reading, host, clock):
    """The words of the server are not repeated; a login that works ends it."""
    reading.settings = dataclasses.replace(reading.settings, imap=host.url.replace(PASSWORD, "wrong"))
    for _ in range(FAILURES_TOLD + 1):
        clock.advance(hours=1)
        assert read_inbox(reading) == 0
    box = Mailbox.get()
    assert (box.failures, Alarm.select().count()) == (FAILURES_TOLD + 1, 1)
    assert box.last_error == "the login did not go through: the mail server said no"
    visits = len(host.commands)
    read_inbox(reading)
    assert len(host.commands) == visits
    reading.settings = dataclasses.replace(reading.settings, imap=host.url)
    clock.advance(hours=1)
    read_inbox(reading)
    assert (Mailbox.get().failures, Mailbox.get().last_error) == (0, None)


@pytest.mark.sqlite
def test_a_server_that_breaks_off_floods_or_hangs_is_left(host):
    """In a bounded time, in words of ours."""
    server, _ = parse_imap_url(host.url)
    host.mails[1] = b"x"
    for verb in ("LOGIN", "EXAMINE", "SEARCH", "FETCH"):
        host.broken_at = verb
        with pytest.raises(InboxUnreadable), open_inbox(server) as opened:
            opened.content_of(opened.uids_after(0)[0])
    host.broken_at, host.literal = None, 2_000_000_000
    with pytest.raises(InboxUnreadable), open_inbox(server) as opened:
        opened.content_of(1)
    host.literal = 500
    with pytest.raises(InboxUnreadable), open_inbox(server, seconds=0.2) as opened:
        opened.content_of(1)


@pytest.mark.sqlite
def test_the_url_of_a_mailbox_says_what_is_wrong_and_never_its_password():
    """Encrypted unless it stays on this machine."""
    server, problems = parse_imap_url("imaps://credit%40seller.example:p%3A1@imap.seller.example/Answers")
    assert problems == []
    assert server == ImapServer(
        host="imap.seller.example", port=993, tls="ssl", user="credit@seller.example", password="p:1", folder="Answers"
    )
    assert "p:1" not in repr(server) + server.name
    for url in (
        "http://u:pass-word@h.example",
        "imap://u:pass-word@h.example?tls=none",
        "imaps://u:pass-word@h.example:x",
        "imaps://h",
        "imaps://u:s@h.example?x=1",
    ):
        found, problems = parse_imap_url(url)
        assert found is None
        assert problems
        assert "pass-word" not in str(problems)
    settings, problems = Settings.from_environment({"DUNWELL_IMAP": "imap://u:pass-word@h.example?tls=none"})
    assert "DUNWELL_IMAP" in [problem.place for problem in problems]
    assert "pass-word" not in str(problems) + repr(settings)

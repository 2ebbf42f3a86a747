"""Pages: what they show of a decided portfolio, to whom, and that names stay names."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from admin import figures
from admin.messages_view import letter_for_frame
from engine import outbox
from engine.runtime import Runtime
from engine.tables import Action, Alarm, Customer, Decision, Entity, Outcome, Run, Verification
from engine.verify import verify

PAYLOAD = "<script>window.__hit=1</script>\"'><img src=x onerror=window.__hit=1>"


def test_the_dashboard_sums_are_those_of_the_facts(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity, runtime: Runtime
) -> None:
    """Buckets add up to what is open, and the shown sum is that of the customers' own pages."""
    found = figures.portfolio(runtime, decided, people.manager.id)
    assert found is not None
    buckets = ("not_due", "d1_30", "d31_60", "d61_90", "d90_over", "no_due_date")
    assert found.sums["open_minor"] == sum(found.sums[f"{name}_minor"] for name in buckets)
    assert found.customers == 30
    text = signed_in(people.manager).get("/").text
    assert f"{(found.sums['overdue_minor'] + 50) // 100:,}" in text


def test_the_dashboard_says_when_all_was_verified_and_with_what_result(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity, runtime: Runtime
) -> None:
    """Never; well; well but more than 26 hours ago; problems, whatever their age. One under way says nothing."""
    hour = 3_600_000_000

    def said(hours: int | None, problems: int = 0) -> tuple[bool, ...]:
        Verification.delete().execute()
        if hours is not None:
            ended = runtime.now_at() - hours * hour - 60_000_000
            Verification.create(started_at=ended, finished_at=ended, problems=problems)
        Verification.create(started_at=runtime.now_at())
        text = signed_in(people.manager).get("/").text
        signs = (">never<", ">All well<", "The last verification is too old", "Verification found")
        return tuple(sign in text for sign in signs)

    assert said(None) == (True, False, False, False)
    assert said(3) == said(25) == (False, True, False, False)
    assert said(26) == (False, False, True, False)
    assert said(1, problems=1) == said(100, problems=7) == (False, False, False, True)
    assert "Verification found 7 problems" in signed_in(people.manager).get("/").text
    Verification.delete().execute()
    assert verify(runtime).sound
    assert ">All well<" in signed_in(people.manager).get("/").text


def test_the_customer_page_tells_everything(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """Open items, payments, decisions, every stage with its rules, contacts, standing."""
    outcome = Outcome.select().where(Outcome.level > 0).first()
    browser, page = signed_in(people.manager), f"/customers/{outcome.customer_id}"
    text = browser.get(page).text
    for heading in ("Open items", "Payments and credits", "Decisions", "Standing", "Score", "Contacts", "Overrides"):
        assert f"<h2>{heading}" in text, heading
    assert "payables@" in text
    assert "vendor/htmx" in text  # which brings the pieces when they are looked at
    for piece in ("rules", "facts", "audit"):
        assert f'hx-get="{page}/pieces/{piece}"' in text
    assert f'href="{page}/explanation"' in text  # and without a script
    rules = browser.get(f"{page}/pieces/rules").text
    for stage in ("Scorecard", "Segmentation", "Credit limit", "Escalation"):
        assert f"<h3>{stage}" in rules, stage
    assert "it would have to be" in rules
    assert "Days past due" in browser.get(f"{page}/pieces/facts").text
    assert "Nobody has changed anything here" in browser.get(f"{page}/pieces/audit").text


def test_who_may_not_see_people_sees_no_address(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """A risk analyst reads figures, not contacts."""
    text = signed_in(people.analyst).get(f"/customers/{Customer.get().id}").text
    assert "payables@" not in text
    assert "<h2>Contacts" not in text


def test_a_decision_is_explained_from_what_was_stored(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """Before and after, the rules with the values they saw, the edition."""
    decision = Decision.select().where(Decision.changes.contains("escalation")).order_by(Decision.id.desc()).first()
    text = signed_in(people.auditor).get(f"/decisions/{decision.id}").text
    assert decision.edition in text
    assert "Highest that holds" in text or "Otherwise" in text
    assert "Facts read" in text


def test_a_letter_shows_in_a_closed_frame(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity, runtime: Runtime
) -> None:
    """The mailbox of the console: subject, address, text and HTML of what was sent."""
    outbox.deliver(runtime)
    sent = Action.get(Action.state == "sent")
    browser = signed_in(people.collector)
    assert "payables@" in browser.get("/messages/?view=sent").text
    text = browser.get(f"/messages/{sent.id}").text
    assert '<iframe class="letter" sandbox srcdoc="' in text
    assert "the mailbox folder" in text


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ('<b style="color:red">x</b>', '<style nonce="N">.s0{color:red}</style><b class="s0">x</b>'),
        ("<script>alert(1)</script>", '<style nonce="N"></style>alert(1)'),
        ('<p onclick="x()">&amp;</p>', '<style nonce="N"></style><p>&amp;</p>'),
    ],
)
def test_a_letter_for_the_frame_keeps_its_looks_and_loses_its_scripts(html: str, shown: str) -> None:
    """Inline styles move into a sheet with the answer's nonce."""
    assert letter_for_frame(html, "N") == shown


def test_a_gated_run_is_shown_and_let_go_on_by_a_form(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """The dashboard says that it waits; its page has the way to approve it; the command lets it go on."""
    run = Run.create(
        entity=decided, as_of_day=30_000, kind="nightly", state="gated", customers=30, changed=20, started_at=1
    )
    browser = signed_in(people.manager)
    assert "A run waits for you" in browser.get("/").text
    assert f"/commands/ApproveRun?run={run.id}" in browser.get(f"/runs/{run.id}").text
    assert "/commands/ApproveRun" not in signed_in(people.auditor).get(f"/runs/{run.id}").text
    assert browser.post("/commands/ApproveRun", {"run": run.id, "reason": "expected"}).status_code == 303
    assert Run.get_by_id(run.id).state == "confirming"


def test_the_audit_trail_says_that_its_chain_is_whole(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """And names the entry that is not."""
    browser = signed_in(people.auditor)
    assert "The chain is whole" in browser.get("/audit/?check=1").text


def test_a_hostile_name_is_shown_as_it_is_written(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """Escaped on every page that shows it."""
    one = Customer.select().join(Outcome, on=(Outcome.customer == Customer.id)).where(Outcome.level > 0).first()
    Customer.update(name=PAYLOAD).where(Customer.id == one.id).execute()
    Alarm.create(entity_id=decided.id, customer=one, kind="disagreement", text=PAYLOAD, raised_at=1)
    browser = signed_in(people.manager)
    decision = Decision.get(Decision.customer == one)
    pages = ["/", "/customers/", f"/customers/{one.id}", f"/decisions/{decision.id}", "/decisions/", "/diary/"]
    pages += ["/messages/", "/alarms/", f"/commands/RecordPromise?customer={one.id}"]
    found = 0
    for page in pages:
        text = browser.get(page).text
        assert "<script>window" not in text, page
        assert "<img src=x" not in text, page
        found += "&lt;script&gt;window.__hit=1" in text
    assert found >= 5

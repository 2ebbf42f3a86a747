"""The worklist and the alerts in the console: ranked, explained, settled, each reader within their scope."""

import csv
import io
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from engine.tables import Alert, Customer, Entity, Outcome


def points_shown(page: str) -> list[int]:
    """The points of each row, in order."""
    return [int(n) for n in re.findall(r'<span class="num strong">(\d+)</span>', page)]


def test_the_worklist_is_ranked_and_every_point_has_its_rule(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """Most points first; the parts of a row add up to its points; only customers with points are in it."""
    page = signed_in(people.collector).get("/worklist/").text
    shown = points_shown(page)
    stored = sorted((o.worklist_points for o in Outcome if (o.worklist_points or 0) > 0), reverse=True)
    assert shown == stored[:25]
    rows = re.findall(r"<tr>.*?</tr>", page.split("<tbody>")[1], re.DOTALL)
    for points, row in zip(shown, rows, strict=True):
        parts = [int(n.replace("−", "-")) for n in re.findall(r'<span class="num">([+−]\d+)</span>', row)]
        assert sum(parts) == points, row
    assert "A very large sum overdue" in page or "A large sum overdue" in page


def test_pages_of_the_worklist_meet_without_gap_or_repeat(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """Equal points are ordered by customer: forward and back give the same rows."""
    Outcome.update(worklist_points=40).where(Outcome.customer % 3 == 0).execute()
    Outcome.update(worklist_points=7).where(Outcome.customer % 3 != 0).execute()
    browser = signed_in(people.collector)
    first = browser.get("/worklist/").text
    second = browser.get(re.search(r'href="([^"]+)" rel="next"', first)[1].replace("&amp;", "&")).text  # type: ignore[index]
    again = browser.get(re.search(r'href="([^"]+)" rel="prev"', second)[1].replace("&amp;", "&")).text  # type: ignore[index]
    links = [re.findall(r'class="strong" href="/customers/(\d+)"', page) for page in (first, second, again)]
    assert links[0] == links[2]
    assert not set(links[0]) & set(links[1])
    assert len(links[0]) + len(links[1]) == Outcome.select().count()
    assert points_shown(first + second) == sorted(points_shown(first + second), reverse=True)


def test_the_worklist_is_narrowed_by_collector_and_segment(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """Mine, a colleague's, nobody's; one segment."""
    chosen = Outcome.select().where(Outcome.worklist_points > 0).first()
    Customer.update(collector=people.collector).where(Customer.id == chosen.customer_id).execute()
    browser = signed_in(people.collector)
    for address in ("/worklist/?view=mine", f"/worklist/?collector={people.collector.id}"):
        assert re.findall(r'class="strong" href="/customers/(\d+)"', browser.get(address).text) == [
            str(chosen.customer_id)
        ]
    assert f'href="/customers/{chosen.customer_id}"' not in browser.get("/worklist/?view=unassigned").text
    assert f'href="/customers/{chosen.customer_id}"' in browser.get(f"/worklist/?segment={chosen.segment}").text


def test_the_worklist_as_a_file_has_its_points_and_amounts(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """The same rows, plain numbers."""
    text = signed_in(people.collector).get("/worklist/export/csv/").text
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))
    points = [int(row["Points"]) for row in rows]
    assert points == sorted(points, reverse=True)
    assert len(rows) == Outcome.select().where(Outcome.worklist_points > 0).count()
    assert all(float(row["Overdue"]) >= 0 for row in rows)


def alert_of(entity: Entity) -> Alert:
    """An alert of this trade; raised by its own rules."""
    found: Alert = Alert.select().where(Alert.over_day.is_null()).order_by(Alert.id).first()
    assert found is not None
    return found


def test_an_alert_is_acknowledged_from_its_row(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """From the open list to the acknowledged one, with who and why; the customer's page says so too."""
    alert = alert_of(decided)
    browser = signed_in(people.collector)
    listed = browser.get("/alerts/").text
    link = re.search(rf'href="(/commands/AcknowledgeAlert\?alert={alert.id}[^"]+)"', listed)
    assert link is not None
    form = browser.get(link[1].replace("&amp;", "&")).text
    values = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    answer = browser.post("/commands/AcknowledgeAlert", {**values, "reason": "spoke to them"})
    assert answer.status_code == 303
    assert f"alert={alert.id}&" not in browser.get("/alerts/").text
    assert "spoke to them" in browser.get("/alerts/?view=acknowledged").text
    assert "spoke to them" in browser.get(f"/customers/{alert.customer_id}").text


def test_a_snoozed_alert_leaves_the_list_until_its_day(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity, clock: Any
) -> None:
    """The form offers a week; the day before it is not back, on the day it is."""
    alert = alert_of(decided)
    browser = signed_in(people.manager)
    form = browser.get(f"/commands/SnoozeAlert?alert={alert.id}&version={alert.version}").text
    values = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    until = re.search(r'name="until_day"[^>]*value="([^"]+)"', form)
    assert until is not None
    assert (
        browser.post("/commands/SnoozeAlert", {**values, "until_day": until[1], "reason": "on Monday"}).status_code
        == 303
    )
    shown = []
    for _ in range(8):
        shown.append(f"AcknowledgeAlert?alert={alert.id}&" in browser.get("/alerts/").text)
        clock.advance(days=1)
        browser = signed_in(people.manager)
    assert shown == [False] * 7 + [True]


def test_two_people_at_one_alert_see_both_values(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """The second form carries a version that is gone: 409, nothing overwritten."""
    alert = alert_of(decided)
    values = {"alert": str(alert.id), "version": str(alert.version), "reason": "seen"}
    assert signed_in(people.manager).post("/commands/AcknowledgeAlert", {**values, "key": "one"}).status_code == 303
    assert signed_in(people.second).post("/commands/AcknowledgeAlert", {**values, "key": "two"}).status_code == 409
    assert Alert.get_by_id(alert.id).acknowledged_by_id == people.manager.id


def test_another_portfolio_sees_neither(
    signed_in: Callable[..., Any],
    make_user: Callable[..., Any],
    people: SimpleNamespace,
    decided: Entity,
    password_hash: str,
) -> None:
    """A collector of one portfolio finds no alert, no worklist row and no form of the others."""
    stranger = make_user("north@dunwell.example", "collector", decided, portfolio="north")
    type(stranger).update(password=password_hash).where(type(stranger).id == stranger.id).execute()
    browser = signed_in(stranger)
    assert "/customers/" not in browser.get("/worklist/").text.split("<main")[1]
    assert "AcknowledgeAlert" not in browser.get("/alerts/").text
    assert browser.get(f"/commands/AcknowledgeAlert?alert={alert_of(decided).id}").status_code == 404


def test_sales_reads_alerts_and_settles_none(
    signed_in: Callable[..., Any], people: SimpleNamespace, decided: Entity
) -> None:
    """The list is open to them, the buttons are not there; the dashboard counts the open ones."""
    browser = signed_in(people.sales)
    page = browser.get("/alerts/").text
    assert "What the rule saw" in page
    assert "AcknowledgeAlert" not in page
    assert "Open alerts" in browser.get("/").text

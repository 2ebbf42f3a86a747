"""Models trained by the workers, once each month or when somebody asks, and put in force by what was measured."""

import json
from datetime import date

import numpy as np
import pytest

from engine import promotion, refitting, trainings
from engine.commands import Conflict, Invalid, Refused
from engine.editions import edition_for
from engine.kept_frames import scan_frame
from engine.promotion import KeepMeasured, PromoteModel, ProposeModel, conditions_of
from engine.runs import run_entity
from engine.tables import Alarm, AuditEntry, Entity, ScoreModel, Training
from engine.training import RegisterModel
from engine.trainings import BROKEN, StartTraining, open_of, work_off
from ledger.canonical import canonical, sha256_of
from ledger.days import day_of
from scoring.labels import TASK
from scoring.model import MICRO
from scoring.shadow import in_shadow

from .conftest import DAY, model_body


def registered(runtime, actor, body):
    """Keep a model as a challenger; its row."""
    name = sha256_of(body)
    runtime.execute(RegisterModel(actor=actor, reason="new year", body=canonical(body), sha256=name))
    return ScoreModel.get(ScoreModel.sha256 == name)


def promote(runtime, actor, row, **more):
    """Approve a model."""
    runtime.execute(PromoteModel(actor=actor, reason="read its card", model=row.id, sha256=row.sha256, **more))


def measured(runtime, row, champion, better, day=None):
    """Keep what a comparison found: the challenger ranks better, or the champion does."""
    generator = np.random.default_rng(4)
    logits = generator.normal(0, 1.5, 600)
    labels = (generator.random(600) < 1 / (1 + np.exp(-logits))).astype(np.int64)
    good, poor = (1 / (1 + np.exp(-(logits + generator.normal(0, noise, 600)))) for noise in (0.01, 3))
    part = in_shadow(labels, np.arange(600) // 6, *((good, poor) if better else (poor, good)), 1)
    found = {
        "champion": champion.sha256,
        "day": runtime.today() if day is None else day,
        "by": "auc",
        "way": "since",
        "from_day": DAY - 100,
        "until_day": DAY - 90,
        "questions": {"score": part},
    }
    runtime.execute(KeepMeasured(actor=None, reason="measured", model=row.id, measured=canonical(found)))


@pytest.fixture
def champion(runtime, users):
    """A first champion: its card shows it above the naive rival."""
    row = registered(runtime, users.analyst.id, model_body(-MICRO))
    promote(runtime, users.manager.id, row)
    return ScoreModel.get_by_id(row.id)


# --- who may take the champion's place -------------------------------------------------


def test_the_first_champion_must_not_rank_below_its_rival(runtime, users):
    """Below for sure it is refused with what was measured; a written reason stands in the audit trail and with it."""
    row = registered(runtime, users.analyst.id, model_body(-MICRO, lead=(-0.06, -0.01)))
    with pytest.raises(Invalid, match="below the naive rival"):
        promote(runtime, users.manager.id, row)
    promote(runtime, users.manager.id, row, override="better than nothing until spring")
    kept = json.loads(ScoreModel.get_by_id(row.id).promoted)
    assert (kept["kind"], kept["failings"]) == ("first", [["", "rival"]])
    assert kept["override"] == "better than nothing until spring"
    entry = AuditEntry.select().order_by(AuditEntry.id.desc()).first()
    assert json.loads(entry.after)["override"] == "better than nothing until spring"


def test_a_challenger_must_be_measured_beside_the_champion_of_today(runtime, users, champion):
    """Not measured, measured beside another or two days ago: refused. Better: promoted, and what was found is kept."""
    row = registered(runtime, users.analyst.id, model_body(MICRO))
    with pytest.raises(Invalid, match="not measured"):
        promote(runtime, users.manager.id, row)
    measured(runtime, row, row, better=True)
    with pytest.raises(Invalid, match="not measured"):
        promote(runtime, users.manager.id, row)
    measured(runtime, row, champion, better=True, day=runtime.today() - 2)
    with pytest.raises(Invalid, match="not measured"):
        promote(runtime, users.manager.id, row)
    measured(runtime, row, champion, better=True, day=runtime.today() - 1)
    promote(runtime, users.manager.id, row, override="not needed, and so not kept")
    kept = json.loads(ScoreModel.get_by_id(row.id).promoted)
    assert (kept["failings"], kept["override"]) == ([], "")
    assert kept["measured"]["questions"]["score"]["auc"]["interval"][0] > 0


def test_one_that_is_no_better_needs_a_written_reason(runtime, users, champion):
    """The refusal says by how much, on how many, and what would help; blanks are no reason."""
    row = registered(runtime, users.analyst.id, model_body(MICRO))
    measured(runtime, row, champion, better=False)
    with pytest.raises(Invalid) as refused:
        promote(runtime, users.manager.id, row, override="  ")
    assert "AUC" in str(refused.value)
    assert "n 600" in str(refused.value)
    assert "more history" in str(refused.value)
    promote(runtime, users.manager.id, row, override="learned from a history three times as long")
    kept = json.loads(ScoreModel.get_by_id(row.id).promoted)
    assert ["score", "auc"] in kept["failings"]
    assert kept["override"] == "learned from a history three times as long"


def test_nobody_enters_a_comparison_by_hand(runtime, users, champion):
    """Not even who may approve."""
    with pytest.raises(Refused):
        runtime.execute(KeepMeasured(actor=users.manager.id, reason="trust me", model=champion.id, measured="{}"))


def test_who_proposes_makes_the_workers_measure(runtime, users, champion):
    """Once a day and model; on an empty ledger too little is found, and that is what stands against it."""
    row = registered(runtime, users.analyst.id, model_body(MICRO))
    for _ in range(2):
        runtime.execute(ProposeModel(actor=users.analyst.id, reason="better", model=row.id, sha256=row.sha256))
        promotion.ask_measures(runtime)
    assert [(one.what, one.model_id) for one in Training] == [("measure", row.id)]
    assert work_off(runtime) == 1
    found = conditions_of(ScoreModel.get_by_id(row.id), runtime.today())
    assert [code for _, code in found.failings] == ["few"]
    assert conditions_of(ScoreModel.get_by_id(row.id), runtime.today() + 2).failings == (("", "unmeasured"),)


@pytest.mark.both
def test_the_next_run_scores_with_the_new_champion_and_the_way_back_is_the_same(
    runtime, users, entity, books, policies
):
    """The model stands in the run's edition and its scores in the facts; gone back to, the old one scores again."""
    books.invoice(books.customer("1"), 50_000, DAY - 60, DAY - 10)

    def scored(day):
        run = run_entity(runtime, Entity.get_by_id(entity.id), day)
        assert run.state == "done"
        assert edition_for(runtime, entity, day).sha256 == run.edition
        facts = scan_frame(runtime, run.facts_file).select("score_bp").collect().to_dict(as_series=False)
        return edition_for(runtime, entity, day).body["model"], facts["score_bp"]

    first = registered(runtime, users.analyst.id, model_body(-MICRO))
    promote(runtime, users.manager.id, first)
    assert scored(DAY) == (first.sha256, [2_689])
    second = registered(runtime, users.analyst.id, model_body(MICRO))
    runtime.execute(ProposeModel(actor=users.analyst.id, reason="better", model=second.id, sha256=second.sha256))
    measured(runtime, second, first, better=True)
    assert scored(DAY + 1) == (first.sha256, [2_689])  # a proposal alone changes nothing
    promote(runtime, users.manager.id, second)
    assert scored(DAY + 2) == (second.sha256, [7_311])
    runtime.execute(ProposeModel(actor=users.analyst.id, reason="back", model=first.id, sha256=first.sha256))
    promote(runtime, users.second.id, first)  # an earlier champion needs no measuring
    assert scored(DAY + 3) == (first.sha256, [2_689])


# --- what the workers do ---------------------------------------------------------------


def ask(runtime, user, task=TASK, **more):
    """Ask for a training."""
    return runtime.execute(StartTraining(actor=user.id, reason="a new year", task=task, **more))


def test_a_training_is_asked_for_once_and_says_why_it_failed(runtime, users):
    """A second click is a conflict while it waits; what came of it is kept, and then it can be asked for again."""
    ask(runtime, users.analyst)
    with pytest.raises(Conflict):
        ask(runtime, users.manager)
    ask(runtime, users.analyst, "invoice_payment")  # another question
    assert work_off(runtime) == 2
    rows = {row.task: row for row in Training}
    assert rows[TASK].finished_at is not None
    assert "import a longer history" in rows[TASK].failed
    assert "no invoices" in rows["invoice_payment"].failed
    assert work_off(runtime) == 0
    ask(runtime, users.analyst)


@pytest.mark.parametrize("wrong", [{"task": "weather"}, {"grace_days": -1}, {"grace_days": 31}])
def test_a_training_of_nothing_is_refused(runtime, users, wrong):
    """A question that is none, or days of grace out of range."""
    with pytest.raises(Invalid):
        ask(runtime, users.analyst, **wrong)


@pytest.mark.both
def test_a_killed_training_is_broken_off_and_can_be_asked_for_again(runtime, users, monkeypatch):
    """The next worker finds it begun and nobody at it."""
    ask(runtime, users.analyst)

    def killed(*_, **more):
        more["tell"]("features", 3, 52)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainings, "train", killed)
        with pytest.raises(KeyboardInterrupt):
            work_off(runtime)
    row = Training.get()
    assert (row.step, row.done, row.parts, row.finished_at) == ("features", 3, 52, None)
    assert open_of(TASK) is not None
    work_off(runtime)
    row = Training.get()
    assert (row.failed, row.tries) == (BROKEN, 1)
    ask(runtime, users.analyst)


# --- each month ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "begins"),
    [
        (date(2026, 5, 20), date(2026, 5, 4)),  # the first is a holiday, then comes a weekend
        (date(2026, 4, 1), date(2026, 4, 1)),
        (date(2026, 2, 28), date(2026, 2, 2)),
    ],
)
def test_a_month_begins_with_its_first_business_day(entity, day, begins):
    """Where the entity is."""
    assert refitting.first_business_day(day_of(day), entity) == day_of(begins)


def test_each_month_the_champion_is_fitted_again_and_challenged_once(runtime, users, champion):
    """From the first business day on, each question once; killed twice it is done once, told once, promoted never."""
    ScoreModel.update(approved_at=0).where(ScoreModel.id == champion.id).execute()
    may = day_of(date(2026, 5, 4))
    assert refitting.ask_month(runtime, may - 1) == 0
    assert [refitting.ask_month(runtime, day) for day in (may, may, may + 7)] == [2, 0, 0]
    assert {row.key for row in Training} == {f"2026-05/{TASK}/refit", f"2026-05/{TASK}/train"}
    for tries in (1, 2):  # its worker dies in the middle of it
        Training.update(started_at=1, tries=tries).where(Training.what == "refit").execute()
        trainings._take_up(runtime)
    assert work_off(runtime) == 2
    assert [row.tries for row in Training.select().order_by(Training.id)] == [3, 1]
    (note,) = Alarm.select().where(Alarm.kind == "models")
    assert "none was promoted" in note.text
    assert work_off(runtime) == refitting.ask_month(runtime, may + 9) == 0
    assert ScoreModel.get(ScoreModel.status == "champion").id == champion.id
    assert refitting.ask_month(runtime, day_of(date(2026, 6, 1))) == 2


def test_a_champion_of_this_month_has_nothing_new_to_learn(runtime, champion):
    """It took its place on the day the clock shows; the month after it is fitted again."""
    assert refitting.ask_month(runtime, DAY) == 0
    assert refitting.ask_month(runtime, day_of(date(2026, 4, 1))) == 2


def test_what_the_workers_asked_for_is_given_up_after_some_tries(runtime, champion):
    """It says so, instead of killing one worker after the other."""
    refitting.ask_month(runtime, day_of(date(2026, 4, 1)))
    Training.update(started_at=1, tries=trainings.TRIES_MAX).where(Training.what == "refit").execute()
    work_off(runtime)
    assert Training.get(Training.what == "refit").failed == BROKEN

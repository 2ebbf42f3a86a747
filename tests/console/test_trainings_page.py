"""What the workers do on models, and what the champion said of an invoice, as pages."""

import numpy as np

from engine import frames, kept_frames
from engine.tables import Customer, DueLine, Run, Training
from engine.trainings import BROKEN
from scoring.open_scores import COLUMNS

ADDRESS = "/models/trainings"


def test_the_list_asks_again_while_something_is_under_way(signed_in, entity):
    """Step by step; afterwards it is still, with what came of it. Who may not propose is offered nothing."""
    row = Training.create(key="a", task="invoice_payment", what="train", as_of_day=1, asked_at=1)
    browser = signed_in("analyst@dunwell.example")
    page = browser.get(ADDRESS).text
    assert "waits for a worker" in page
    assert 'hx-trigger="every 2s"' in page
    assert "/commands/StartTraining" in page
    told = (
        ({"started_at": 1}, "begins"),
        ({"step": "features", "done": 3, "parts": 52}, "computes features, 4 of 52"),
        ({"step": "learn", "parts": 0, "rows_read": 812}, "learns from 812 rows"),
    )
    for changes, words in told:
        Training.update(changes).where(Training.id == row.id).execute()
        assert words in browser.get(ADDRESS).text
    Training.update(finished_at=2, failed=BROKEN).execute()
    page = browser.get(ADDRESS).text
    assert "Broken off" in page
    assert "every 2s" not in page
    assert "/commands/StartTraining" not in signed_in("auditor@dunwell.example").get(ADDRESS).text


def test_an_open_item_shows_what_the_last_run_said_of_it(signed_in, decided, runtime):
    """Chance, days and band of the line; a line that has none shows a dash. Without scores there is no column."""
    line = DueLine.select().join(Customer).order_by(DueLine.id.desc()).first()
    browser, address = signed_in("credit.manager@dunwell.example"), f"/customers/{line.customer_id}"
    assert "as the champion said" not in browser.get(address).text
    values = (line.id, line.customer_id, 6_250, 1_200, 9, -3, 31, 1)
    columns = {name: np.array([value]) for name, value in zip(COLUMNS, values, strict=True)}
    stored = kept_frames.store_frame(runtime, frames.from_columns(columns), "line_id")
    Run.update(invoice_model="5" * 64, invoices_file=stored.file).execute()
    page = browser.get(address).text
    assert "as the champion said" in page
    assert "62.5" in page
    assert "9 days, -3 to 31" in page
    assert "thin history" in page
    (runtime.settings.var / stored.file).unlink()  # kept no more
    assert "as the champion said" not in browser.get(address).text

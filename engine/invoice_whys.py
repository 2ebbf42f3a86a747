"""Why the champion gave a customer's open invoices the chances that the last run kept; worked out when asked."""

from typing import TYPE_CHECKING

import narwhals as nw

from engine.invoice_scores import OF_USUAL, columns_of, entries_of
from engine.payment_models import payment_model_named
from engine.pipeline import last_portfolio_run
from engine.tables import Entity
from scoring.invoice_training import Ledger
from scoring.open_reasons import Explained, open_reasons
from scoring.past import ENTRIES, usual_on

if TYPE_CHECKING:
    from engine.runtime import Runtime


def whys_of_customer(runtime: "Runtime", entity: Entity, customer_id: int) -> tuple[int, list[Explained]] | None:
    """Explain what the last run kept of a customer's open lines.

    Returns:
        The day of the run and its lines, likeliest late first; None where no run kept chances.

    Raises:
        Unusable: the model is not what was approved.
    """
    run = last_portfolio_run(entity)
    if run is None or run.invoices_file is None:
        return None
    day, model = int(run.as_of_day), payment_model_named(runtime, str(run.invoice_model))
    with entries_of(runtime, entity, day) as read:
        usual = usual_on(columns_of(read["lines"], *OF_USUAL), day)
        theirs = nw.col("customer_id") == nw.lit(customer_id)
        own = {name: columns_of(frame.filter(theirs), *ENTRIES[name]) for name, frame in read.items()}
    return day, open_reasons(Ledger.of(own), usual, model, day)

"""Several people and threads at once: no change is lost, none overwrites another, the chain stays whole."""

from concurrent.futures import ThreadPoolExecutor

from engine import audit
from engine.commands import Conflict, update_version
from engine.corrections import SetBlock
from engine.pipeline import decide_customer
from engine.tables import AuditEntry, Block, Entity

DAY = 20_543


def test_commands_of_four_threads_are_all_carried_out_one_after_the_other(runtime, users, customer):
    """Sixty blocks, sixty entries of one whole chain, nothing locked out."""

    def block(number):
        try:
            return runtime.execute(
                SetBlock(
                    actor=users.collector.id,
                    reason=f"call {number}",
                    customer=customer.id,
                    kind="dunning_block",
                    from_day=DAY,
                    until_day=DAY + 1 + number,
                )
            )["block"]
        finally:
            runtime.database.close()

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(block, range(60)))
    assert len(set(made)) == Block.select().count() == AuditEntry.select().count() == 60
    assert audit.verify_chain().broken == ()


def test_of_two_who_change_the_same_version_one_wins_and_one_is_told(runtime, entity):
    """Forty writers: the version counts exactly those that were told they had won."""

    def rename(name):
        try:
            with runtime.database.atomic():
                update_version(Entity.get_by_id(entity.id), name=name)
            return 1
        except Conflict:
            return 0
        finally:
            runtime.database.close()

    with ThreadPoolExecutor(4) as threads:
        won = sum(threads.map(rename, (f"name {n}" for n in range(40))))
    assert Entity.get_by_id(entity.id).version == 1 + won


def test_customers_are_decided_by_several_threads_at_once(runtime, entity, books, policies):
    """Each thread gets the answer of its own customer."""
    customers = [books.customer(f"{n}") for n in range(12)]
    for number, customer in enumerate(customers):
        books.invoice(customer, 1_000 + number, DAY - 60, DAY - 40)

    def decide(customer):
        try:
            row, _ = decide_customer(runtime, customer.id, DAY)
            return row["customer_id"], row["open_minor"]
        finally:
            runtime.database.close()

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(decide, customers * 3))
    assert found == [(c.id, 1_000 + n) for n, c in enumerate(customers)] * 3

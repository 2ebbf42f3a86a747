"""Letter batches: every letter in one batch, in order, posted once with evidence, and never one from a trial."""

import io

import pytest
from pypdf import PdfReader, PdfWriter

from engine import outbox, posting
from engine.commands import Conflict, Invalid, NotFound
from engine.posting import CloseBatch, PostBatch
from engine.reaching import postal_of
from engine.sending import Go
from engine.tables import BatchLetter, Contact, LetterBatch
from notifiers.print_folder import PrintFolderGateway
from notifiers.printing import Printed


def a_page(width):
    """A PDF of one page that is recognised by its width."""
    writer, content = PdfWriter(), io.BytesIO()
    writer.add_blank_page(width, 100)
    writer.write(content)
    return content.getvalue()


def printed(runtime, action, now_at, gateway):
    """A letter whose page is as wide as its customer's number."""
    reached = postal_of(runtime, action.customer, action.customer.entity)
    return Go(
        person=reached.person,
        to_address=reached.address,
        to_name="",
        from_address="",
        from_name="Main Ltd",
        letter=Printed(subject="", pdf=a_page(int(action.customer.number)), language="de"),
        edition=None,
    )


@pytest.fixture
def letters(runtime, make_customer, make_action, tmp_path):
    """Write letters to customers: ``letters({"101": "90402"})``, by number and postcode."""

    def write(places, trial=False):
        for number, postcode in places.items():
            customer = make_customer(number, email=None)
            known = {"address": "Industrieweg 7", "postcode": postcode, "city": "Nürnberg"}
            Contact.create(customer=customer, person=runtime.vault.create_person(known))
            make_action(customer, channel="letter")
        gateway = PrintFolderGateway(tmp_path / "letters", trial=trial)
        assert outbox.deliver(runtime, gateway=gateway, prepare=printed)["sent"] == len(places)

    return write


@pytest.fixture
def do(runtime, users):
    """Give a command as the collector."""

    def give(command, actor=None, **values):
        return runtime.execute(command(actor=(actor or users.collector).id, reason="because", **values))

    return give


def widths(pdf):
    return [int(page.mediabox.width) for page in PdfReader(io.BytesIO(pdf)).pages]


@pytest.mark.parametrize(("sorted_by", "order"), [("postcode", [103, 101, 102]), ("customer", [101, 102, 103])])
def test_a_batch_is_printed_in_its_order_and_again_just_the_same(runtime, letters, do, sorted_by, order):
    """Each letter once, with the letters that come later in the next batch."""
    letters({"101": "50667", "102": "90402", "103": "10115"})
    made = do(CloseBatch, entity="main", sorted_by=sorted_by)
    batch = LetterBatch.get_by_id(made["batch"])
    assert (made["letters"], batch.trial) == (3, False)
    assert widths(posting.pdf_of(runtime, batch)) == order
    assert widths(posting.pdf_of(runtime, batch)) == order
    assert [int(one.customer.number) for one in posting.letters_of(runtime, batch)] == order
    with pytest.raises(Invalid):
        do(CloseBatch, entity="main")
    letters({"104": "20095"})
    second = LetterBatch.get_by_id(do(CloseBatch, entity="main")["batch"])
    assert widths(posting.pdf_of(runtime, second)) == [104]
    assert BatchLetter.select().count() == 4


def test_it_is_posted_once_and_with_evidence(runtime, letters, do):
    """An older view of it is refused as well."""
    letters({"101": "50667"})
    batch = do(CloseBatch, entity="main")["batch"]
    with pytest.raises(Invalid):
        do(PostBatch, batch=batch, evidence="  ")
    with pytest.raises(Conflict):
        do(PostBatch, batch=batch, evidence="receipt 4711", version=7)
    do(PostBatch, batch=batch, evidence="receipt 4711", version=1)
    with pytest.raises(Conflict):
        do(PostBatch, batch=batch, evidence="receipt 4712")
    assert LetterBatch.get().evidence == "receipt 4711"


def test_what_was_written_on_trial_is_never_posted(letters, do):
    """Nor does it come into one batch with real letters, which go first."""
    letters({"101": "50667"}, trial=True)
    letters({"102": "50667"})
    real, trial = do(CloseBatch, entity="main"), do(CloseBatch, entity="main")
    assert (real["letters"], real["trial"], trial["letters"], trial["trial"]) == (1, False, 1, True)
    with pytest.raises(Invalid):
        do(PostBatch, batch=trial["batch"], evidence="receipt 4711")


def test_a_letter_of_an_erased_person_leaves_a_gap_and_no_fault(runtime, letters, do):
    """The others are printed."""
    letters({"101": "50667", "102": "90402"})
    batch = LetterBatch.get_by_id(do(CloseBatch, entity="main")["batch"])
    runtime.vault.erase(Contact.get(Contact.customer == next(posting.letters_of(runtime, batch)).customer).person, 1)
    assert widths(posting.pdf_of(runtime, batch)) == [102]
    assert [one.pages for one in posting.letters_of(runtime, batch)] == [0, 1]


def test_who_sees_a_part_of_the_entity_closes_and_posts_nothing(letters, do, make_user, live):
    """A batch is of the whole entity."""
    letters({"101": "50667"})
    north = make_user("north@dunwell.example", "collector", live, portfolio="north")
    with pytest.raises(NotFound):
        do(CloseBatch, north, entity="main")
    batch = do(CloseBatch, entity="main")["batch"]
    with pytest.raises(NotFound):
        do(PostBatch, north, batch=batch, evidence="receipt 4711")

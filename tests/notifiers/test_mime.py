"""Headers written by hand are those that the standard library writes, byte for byte."""

from email.policy import SMTP

from hypothesis import given
from hypothesis import strategies as st

from notifiers import mime

POLICY = SMTP.clone(utf8=False)
ODD = st.lists(st.text("Aaz09.,:;/()+-_\"'=?<>@é", max_size=8), max_size=7).map(" ".join).map(mime.one_line)
PLAIN = st.lists(st.text("Aaz09", min_size=1, max_size=16), max_size=6).map(" ".join)
DOTTED = st.lists(st.text("Aaz09+-", min_size=1, max_size=12), min_size=2, max_size=4).map(".".join)
ADDRESSES = st.tuples(DOTTED, DOTTED).map("@".join)


@given(st.one_of(ODD, PLAIN, PLAIN.map(lambda text: f"Invoice {text}: 10.50 (a/b), due 2026-01-02")))
def test_a_subject_is_written_as_by_the_library(text):
    """Plain or not, short or folded."""
    assert mime._line("Subject", text, POLICY) == mime._folded("Subject", text, POLICY)


@given(st.one_of(ODD, PLAIN), ADDRESSES)
def test_a_person_is_named_as_by_the_library(name, address):
    """With a name or without, plain or in need of quotes."""
    by_library = mime._folded("To", mime._address(name, address), POLICY)
    assert mime._mailbox("To", name, address, POLICY) == by_library


@given(ADDRESSES.map("<{}>".format))
def test_an_id_is_written_as_by_the_library(message_id):
    """However long it is."""
    assert mime._line("Message-ID", message_id, POLICY) == mime._folded("Message-ID", message_id, POLICY)

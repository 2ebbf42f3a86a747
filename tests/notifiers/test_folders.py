"""Folders others read from: whole files, one per key, and a marker that comes last."""

import hashlib
import json
import os

import pytest

from notifiers import mailbox
from notifiers.gateways import OutgoingMessage, Rejected, Unreachable
from notifiers.mailbox import name_of
from notifiers.provider_folder import ProviderFolderGateway
from notifiers.trial_folder import TrialFolderGateway

KEY = "7/escalation/1/standard-p4/0/letter"


def a_message(**changes):
    values = {
        "key": KEY,
        "message_id": "<1@main.example>",
        "from_address": "",
        "from_name": "Main Ltd",
        "to_address": "Alderbach Fittings GmbH\nIndustrieweg 7\n90402 Nürnberg",
        "to_name": "",
        "subject": "",
        "text": "5.00 EUR are overdue.",
        "html": "",
        "language": "de",
        "at": 0,
        "pdf": b"%PDF-1.7 a letter",
    }
    return OutgoingMessage(**{**values, **changes})


def never():
    raise AssertionError("an idempotent gateway has no point of no return")


def test_a_provider_finds_letter_manifest_and_marker(tmp_path):
    """The manifest says where the letter goes and proves that it is whole."""
    gateway = ProviderFolderGateway(tmp_path)
    assert gateway.find(KEY) is None
    receipt = gateway.deliver(a_message(), never)
    assert gateway.find(KEY) == receipt
    name = name_of(KEY)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        f"{name}.done",
        f"{name}.json",
        f"{name}.pdf",
    ]
    manifest = json.loads((tmp_path / f"{name}.json").read_text())
    assert manifest["recipient"] == ["Alderbach Fittings GmbH", "Industrieweg 7", "90402 Nürnberg"]
    assert manifest["sha256"] == hashlib.sha256((tmp_path / manifest["file"]).read_bytes()).hexdigest()


def test_what_the_provider_took_away_is_not_handed_over_again(tmp_path):
    """Whoever collects the files leaves no trace of them; our note stays."""
    gateway = ProviderFolderGateway(tmp_path)
    gateway.deliver(a_message(), never)
    for path in tmp_path.iterdir():
        if path.is_file():
            path.unlink()
    gateway.deliver(a_message(), never)
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []
    assert gateway.find(KEY) is not None


@pytest.mark.parametrize("dies_at", [1, 2, 3, 4])
def test_a_marker_stands_only_beside_a_whole_letter(tmp_path, monkeypatch, dies_at):
    """Whichever file the power goes at; the repeat completes what is missing."""
    gateway, written = ProviderFolderGateway(tmp_path), []
    link = os.link

    def dying(draft, target):
        written.append(target)
        if len(written) == dies_at:
            raise OSError(28, "No space left on device")
        link(draft, target)

    monkeypatch.setattr(mailbox.os, "link", dying)
    with pytest.raises(Unreachable):
        gateway.deliver(a_message(), never)
    marked, name = bool(list(tmp_path.glob("*.done"))), name_of(KEY)
    assert marked == (dies_at == 4)
    assert not marked or ((tmp_path / f"{name}.pdf").exists() and (tmp_path / f"{name}.json").exists())
    monkeypatch.setattr(mailbox.os, "link", link)
    gateway.deliver(a_message(), never)
    assert len(list(tmp_path.glob(f"{name}.*"))) == 3


def test_a_message_without_a_letter_is_refused(tmp_path):
    """There is nothing to print."""
    with pytest.raises(Rejected):
        ProviderFolderGateway(tmp_path).deliver(a_message(pdf=b""), never)


def test_a_trial_message_is_a_text_a_person_can_read(tmp_path):
    """Once, however often it is delivered."""
    gateway = TrialFolderGateway("sms", tmp_path)
    for _ in range(2):
        receipt = gateway.deliver(a_message(to_address="+4915112345678"), never)
    assert gateway.find(KEY) == receipt
    (path,) = tmp_path.glob("*.txt")
    assert path.read_text() == "To: +4915112345678\n\n5.00 EUR are overdue.\n"


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path):
    """Nothing was handed over."""
    (tmp_path / "taken").write_text("a file")
    for gateway in (ProviderFolderGateway(tmp_path / "taken"), TrialFolderGateway("sms", tmp_path / "taken")):
        with pytest.raises(Unreachable) as said:
            gateway.deliver(a_message(), never)
        assert said.value.for_all

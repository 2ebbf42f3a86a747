"""A print folder: where letters wait for the printer, each as one PDF."""

from pathlib import Path

from .letter_folder import LetterFolderGateway


class PrintFolderGateway(LetterFolderGateway):
    """Delivers letters to whoever prints here.

    Args:
        folder: created when it is missing.
        trial: no printer looks there; the name it goes by says so.
    """

    def __init__(self, folder: Path, *, trial: bool = False) -> None:
        name = "trial_letters" if trial else "print_folder"
        super().__init__(folder, name=name, called="print folder", files=lambda m: [(".pdf", m.pdf)], last=".pdf")

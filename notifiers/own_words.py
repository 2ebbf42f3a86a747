"""Own words: what somebody wrote in an answer, apart from the letter they quote."""

import re
from html import unescape

HTML_LENGTH_MAX = 200_000
LINE_LENGTH_MAX = 400  # of what is looked at to tell a quote from words
UNREAD = frozenset({"script", "style", "head", "title", "template", "noscript"})
BLOCKS = frozenset({"p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "table", "ul", "ol", "hr", "blockquote"})
TAG = re.compile(r"<(/?)(!--|[!?]|[A-Za-z][A-Za-z0-9]{0,20})")

INTRODUCED = re.compile(
    r"(On .{5,300} wrote|Am .{3,300} schrieb.{0,200}|Le .{5,300} a écrit|.{0,200} schrieb am .{5,200})\s?:$"
)
DIVIDED = re.compile(
    r"-{2,}\s*(Original Message|Original-Nachricht|Originalnachricht|Ursprüngliche Nachricht|Message d.origine"
    r"|Message original|Forwarded message|Weitergeleitete Nachricht|Message transféré)\s*-{2,}",
    re.IGNORECASE,
)
SENDER_LINE = re.compile(r"\*?(From|Von|De)\s?:\*?\s", re.IGNORECASE)
HEADER_LINE = re.compile(
    r"\*?(Sent|To|Date|Subject|Gesendet|An|Datum|Betreff|Envoyé|À|Objet)\s?:\*?(\s|$)", re.IGNORECASE
)


def html_to_text(html: str) -> str:
    """The words of HTML, line by line; nothing of it is followed or shown as markup.

    A scanner of our own, since it must be linear: the standard library's takes minutes for a page of open tags.

    >>> html_to_text("<style>p{}</style><p>Paid &lt;today&gt;<script>alert(1)</script><br>Thanks, 1 < 2")
    'Paid <today>\\nThanks, 1 < 2'
    """
    html = html[:HTML_LENGTH_MAX]
    small = html.lower()  # to find ends by; a letter that grows when made small shifts words, no more
    pieces: list[str] = []
    place = quoted = 0
    while place < len(html):
        start = html.find("<", place)
        if start < 0:
            start = len(html)
        pieces.append(" ".join(f"|{html[place:start]}|".split())[1:-1])
        tag = TAG.match(html, start)
        if tag is None:  # the end, or a sign that opens nothing
            pieces.append(html[start : start + 1])
            place = start + 1
            continue
        closing, name = bool(tag[1]), tag[2].lower()
        end = html.find("-->" if name == "!--" else ">", tag.end())
        if name in UNREAD and not closing:
            end = small.find(f"</{name}", tag.end())
            end = small.find(">", end) if end >= 0 else -1
        if name == "blockquote":
            quoted = max(0, quoted + (-1 if closing else 1))
        if name in BLOCKS:
            pieces.append("\n> " if quoted else "\n")
        if end < 0:
            break
        place = end + (3 if name == "!--" else 1)
    lines = [" ".join(line.split()) for line in unescape("".join(pieces)).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def own_words(text: str) -> str:
    """A text without what it quotes and without its signature; the whole where nothing else is in it.

    >>> own_words("We pay on Friday.\\n\\nAm 03.11.2025 um 10:00 schrieb Main Ltd:\\n> Reminder")
    'We pay on Friday.'
    """
    lines = text.split("\n")
    kept: list[str] = []
    for place, line in enumerate(lines):
        looked = line.strip()[:LINE_LENGTH_MAX]
        if line.startswith("-- ") or line == "--" or _begins_quote(lines, place, looked):
            break
        if not looked.startswith(">"):
            kept.append(line.rstrip())
    return "\n".join(kept).strip() or text.strip()


def _begins_quote(lines: list[str], place: int, line: str) -> bool:
    """Whether the letter that is answered begins here."""
    if DIVIDED.match(line) or INTRODUCED.match(line):
        return True
    following = [other.strip()[:LINE_LENGTH_MAX] for other in lines[place + 1 : place + 5]]
    if following and following[0] and INTRODUCED.match(f"{line} {following[0]}"):  # an introduction over two lines
        return True
    return (
        SENDER_LINE.match(f"{line} ") is not None
        and sum(HEADER_LINE.match(other) is not None for other in following) > 1
    )

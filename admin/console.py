"""Lists of the console: Flask-Admin's model view with everything closed that is not asked for.

A view lists, filters, shows and exports what its reader may see, and nothing else: the routes that
create, edit, delete or act on rows do not exist, and every write is a command (semantics.md 5).
Pages are found by key, not by count and offset, so that the last page costs what the first does.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from flask import abort, g, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_admin.contrib.peewee import ModelView
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from peewee import Field, Model, ModelSelect, Tuple, Value

from admin import gate
from admin.sheet import harmless

PAGE_ROWS = 25
EXPORT_ROWS_MAX = 50_000
SEARCH_LENGTH_MAX = 100


@dataclass(frozen=True)
class Choice:
    """A filter a reader can set.

    Args:
        key: name in the address.
        label: as shown.
        apply: narrows the query by the value given.
        options: (value, label) pairs to choose from; None for free text; a callable is asked at each request.
        kind: of the input, when there are no options: ``text`` or ``date``.
    """

    key: str
    label: Any
    apply: Callable[[ModelSelect, str], ModelSelect]
    options: Callable[[], Sequence[tuple[str, Any]]] | None = None
    kind: str = "text"

    def accepts(self, value: str) -> bool:
        """Whether a value can be meant; others are ignored."""
        if not value or len(value) > SEARCH_LENGTH_MAX:
            return False
        return self.options is None or value in {option for option, _label in self.options()}


@dataclass(frozen=True)
class Tab:
    """A part of the list worth a click of its own."""

    key: str
    label: Any
    apply: Callable[[ModelSelect], ModelSelect]


@dataclass(frozen=True)
class Asked:
    """What an address asks a list for."""

    tab: str = ""
    search: str = ""
    filters: tuple[tuple[str, str], ...] = ()
    sort: str = ""
    desc: bool = False
    after: tuple[Any, Any] | None = None
    before: tuple[Any, Any] | None = None
    end: bool = False  # the last page

    def arguments(self) -> dict[str, str]:
        """The address's arguments, without the position."""
        kept = {"view": self.tab, "search": self.search, "sort": self.sort, "desc": "1" if self.desc else ""}
        return {name: value for name, value in {**kept, **dict(self.filters)}.items() if value}


@dataclass(frozen=True)
class Page:
    """Some rows and where the neighbours begin."""

    rows: list[Any]
    next: str | None = None
    previous: str | None = None


def cursor(value: Any, key: Any) -> str:
    """A position in a list as one word."""
    return base64.urlsafe_b64encode(json.dumps([value, key], default=str).encode()).decode().rstrip("=")


def position(word: str) -> tuple[Any, Any] | None:
    """The position a word names; None when it names none."""
    try:
        value, key = json.loads(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)))
    except (ValueError, TypeError, binascii.Error):
        return None
    if not isinstance(value, str | int | bool | None) or not isinstance(key, str | int):
        return None
    return value, key


class ConsoleView(ModelView):
    """A list that is closed until its class says whom it is open to.

    Set ``permission`` and ``visible``; the rest has defaults.
    """

    permission: ClassVar[str]
    can_create = can_edit = can_delete = False
    can_view_details = can_export = True
    export_max_rows = EXPORT_ROWS_MAX
    column_display_actions = False
    page_size = PAGE_ROWS

    heading: ClassVar[Any] = ""
    lead: ClassVar[Any] = ""
    empty: ClassVar[Any] = _l("Nothing here yet.")
    column_kinds: ClassVar[dict[str, str]] = {}  # money, count, days, day: right-aligned or kept on one line
    shown: ClassVar[dict[str, Callable[[Any], Any]]] = {}  # how a column of a row is shown
    plain: ClassVar[dict[str, Callable[[Any], Any]]] = {}  # and how it stands in a file
    choices: ClassVar[tuple[Choice, ...]] = ()
    tabs: ClassVar[tuple[Tab, ...]] = ()
    sorts: ClassVar[dict[str, Field]] = {}
    never_null: ClassVar[frozenset[str]] = frozenset()  # sorts without unknown values here: an index orders them
    first_sort: ClassVar[tuple[str, bool]] = ("", True)
    searched: ClassVar[bool] = False
    list_template = "console/list.html"
    details_template = "console/details.html"

    # The routes that write, and those that help writing, do not exist.
    create_view = edit_view = delete_view = action_view = ajax_update = ajax_lookup = None

    def _refresh_forms_cache(self) -> None:
        """There are no forms to make."""
        self._create_form_class = self._edit_form_class = self._delete_form_class = self._action_form_class = None
        self.column_editable_list = {}

    def _validate_form_class(self, *_args: Any, **_kwargs: Any) -> None:
        """There are no forms to check."""

    def is_accessible(self) -> bool:
        """Whether the person signed in holds the view's permission."""
        return current_user.is_authenticated and gate.may(self.permission)

    def inaccessible_callback(self, name: str, **_kwargs: Any) -> ResponseReturnValue:
        """Refuse; a redirect would look like success."""
        abort(403 if current_user.is_authenticated else 401)

    def create_model(self, form: Any) -> Any:
        """Never: every write is a command."""
        abort(403)

    update_model = delete_model = create_model

    # --- what is asked ----------------------------------------------------------------

    def visible(self) -> ModelSelect:
        """The rows the person signed in may see. Every view says so itself."""
        raise NotImplementedError

    def search_in(self, query: ModelSelect, words: str) -> ModelSelect:
        """Narrow to rows that match what was typed."""
        return query

    def asked(self) -> Asked:
        """Read the address; what makes no sense is left out."""
        arguments = request.args
        filters = tuple(
            (choice.key, arguments[choice.key])
            for choice in self.choices
            if choice.accepts(arguments.get(choice.key, ""))
        )
        sort, desc = arguments.get("sort", ""), arguments.get("desc") == "1"
        if sort not in self.sorts:
            sort, desc = self.first_sort
        tabs = [tab.key for tab in self.tabs]
        tab = arguments.get("view", "")
        return Asked(
            tab=tab if tab in tabs else (tabs[0] if tabs else ""),
            search=arguments.get("search", "").strip()[:SEARCH_LENGTH_MAX] if self.searched else "",
            filters=filters,
            sort=sort,
            desc=desc,
            after=position(arguments.get("after", "")),
            before=position(arguments.get("before", "")),
            end=arguments.get("end") == "1",
        )

    def narrowed(self, asked: Asked) -> ModelSelect:
        """The visible rows that were asked for, without order."""
        query = self.visible()
        for tab in self.tabs:
            if tab.key == asked.tab:
                query = tab.apply(query)
        values = dict(asked.filters)
        for choice in self.choices:
            if choice.key in values:
                query = choice.apply(query, values[choice.key])
        return self.search_in(query, asked.search) if asked.search else query

    # --- one page ---------------------------------------------------------------------

    def page_of(self, asked: Asked, rows: int = PAGE_ROWS) -> Page:
        """One page of what was asked, by key."""
        field = self.sorts.get(asked.sort, self.model._meta.primary_key)
        back = asked.before is not None or asked.end
        at = asked.before if back else asked.after
        found: list[Any] = []
        for query in self._stretches(asked, field, at, back):
            if len(found) <= rows:
                found += list(query.limit(rows + 1 - len(found)))
        more, found = len(found) > rows, found[:rows]
        if back:
            found.reverse()
        if not found:
            return Page([])
        first, last = (cursor(_value_of(row, field), row.get_id()) for row in (found[0], found[-1]))
        return Page(
            rows=found,
            next=last if (asked.before is not None if back else more) else None,
            previous=first if (more if back else at is not None) else None,
        )

    def _stretches(self, asked: Asked, field: Field, at: tuple[Any, Any] | None, back: bool) -> Iterator[ModelSelect]:
        """The rows from a position on, in the order they are read: known values first, unknown ones last.

        A stretch each, and the position as one comparison of (value, key): so an index finds where a
        page begins and gives its order, however far down it is.
        """
        key = self.model._meta.primary_key
        falling = asked.desc != back
        # A joined table has one row for each of ours: its own key orders as ours does, from its own index.
        tie = key if field.model is self.model else field.model._meta.primary_key
        known = None if field is key else self.narrowed(asked).where(field.is_null(False))
        unknown = self.narrowed(asked)
        if known is not None:
            unknown = unknown.where(field.is_null())
        if at is not None and known is not None and at[0] is not None:
            known = known.where(_past(falling, (field, at[0]), (tie, at[1])))
            unknown = None if back else unknown
        elif at is not None:
            unknown = unknown.where(_past(falling, (key, at[1])))
            known = known if back else None
        if known is not None:
            if tie is not key:
                known = known.where(tie + 0 > 0)  # every id is; said so that an outer join becomes an inner one
            if asked.sort in self.never_null or (field.model is self.model and not field.null):
                unknown = None
            known = known.order_by(*((one.desc() if falling else one) for one in (field, tie)))
        if unknown is not None:
            unknown = unknown.order_by(key.desc() if falling else key)
        return (query for query in ((unknown, known) if back else (known, unknown)) if query is not None)

    def _address(self, asked: Asked, **more: str) -> str:
        return self.get_url(".index_view", **{**asked.arguments(), **more})

    @expose("/")
    def index_view(self) -> str:
        """The list."""
        asked = self.asked()
        page = self.page_of(asked)
        self.prepare(page.rows)
        values = dict(asked.filters)
        active = [
            {
                "label": choice.label,
                "value": dict(choice.options()).get(values[choice.key]) if choice.options else values[choice.key],
                "clear": self._address(replace(asked, filters=tuple(f for f in asked.filters if f[0] != choice.key))),
            }
            for choice in self.choices
            if choice.key in values
        ]
        return self.render(
            self.list_template,
            view=self,
            asked=asked,
            page=page,
            columns=self.head(asked),
            active=active,
            values=values,
            tabs=[
                {"label": tab.label, "url": self.get_url(".index_view", view=tab.key), "on": tab.key == asked.tab}
                for tab in self.tabs
            ],
            get_value=self.get_list_value,
            next=page.next and self._address(asked, after=page.next),
            previous=page.previous and self._address(asked, before=page.previous),
            first=page.previous and self._address(asked),
            last=page.next and self._address(asked, end="1"),
            clear=self.get_url(".index_view", **({"view": asked.tab} if self.tabs else {})),
            export=self.get_url(".export", export_type="csv", **asked.arguments()) if self.can_export else None,
            hidden={name: value for name, value in asked.arguments().items() if name != "search"},
        )

    def prepare(self, rows: list[Any]) -> None:
        """Read at once what the columns of these rows need beside them."""

    def head(self, asked: Asked) -> list[dict[str, Any]]:
        """The columns with what a click on their head asks for."""
        columns = []
        for name, label in self._list_columns:
            sorted_here = asked.sort == name
            columns.append(
                {
                    "name": name,
                    "label": label,
                    "kind": self.column_kinds.get(name, ""),
                    "unit": g.get("one_currency") if self.column_kinds.get(name) == "money" else None,
                    "sorted": ("descending" if asked.desc else "ascending") if sorted_here else None,
                    "url": self._address(
                        replace(asked, sort=name, desc=not asked.desc if sorted_here else self.falls_first(name))
                    )
                    if name in self.sorts
                    else None,
                }
            )
        return columns

    def falls_first(self, name: str) -> bool:
        """Whether the first click on a column's head shows its greatest values."""
        return self.column_kinds.get(name) in {"money", "count", "days", "day", "instant"}

    # --- one row, and export ----------------------------------------------------------

    def get_one(self, key: Any) -> Model | None:
        """One row by key, if the person signed in may see it."""
        field = self.model._meta.primary_key
        try:
            wanted = field.adapt(key)
        except (TypeError, ValueError):
            return None
        found: Model | None = self.visible().where(field == wanted).first()
        return found

    def one_or_404(self, key: Any) -> Any:
        """One row, or the answer that there is none: what one may not see does not exist."""
        row = self.get_one(key)
        if row is None:
            abort(404)
        self.prepare([row])
        return row

    @expose("/details/")
    def details_view(self) -> ResponseReturnValue:
        """All columns of one row."""
        if not self.can_view_details:
            abort(404)
        row = self.one_or_404(request.args.get("id"))
        return self.render(
            self.details_template,
            view=self,
            row=row,
            columns=self._details_columns,
            get_value=self.get_detail_value,
            back=self.get_url(".index_view"),
        )

    def _export_data(self) -> tuple[int, list[Any]]:
        rows = self.page_of(replace(self.asked(), after=None, before=None), rows=self.export_max_rows).rows
        self.prepare(rows)
        return len(rows), rows

    @expose("/export/<export_type>/")
    def export(self, export_type: str) -> ResponseReturnValue:
        """The list as a file, up to a limit, with nothing a spreadsheet would run."""
        if not self.can_export or export_type != "csv":
            abort(404)
        return self._export_csv(self.get_url(".index_view"))

    def _get_list_value(self, context: Any, model: Any, name: Any, *_formatters: Any) -> Any:
        show = self.shown.get(name)
        return show(model) if show else self._get_field_value(model, name)

    def get_export_value(self, model: Any, name: str) -> Any:
        """A cell as plain text or number."""
        return harmless(self.export_cell(model, name))

    def export_cell(self, row: Any, name: str) -> Any:
        """The plain value of a column for a file."""
        plain = self.plain.get(name)
        return plain(row) if plain else self._get_field_value(row, name)

    def get_export_name(self, export_type: str = "csv") -> str:
        """File name: what it is and of which day."""
        day = gate.runtime().now().date().isoformat()
        return f"dunwell-{self.endpoint}-{day}.{export_type}"

    def get_empty_list_message(self) -> str:
        """What an empty list says."""
        return str(self.empty)

    def search_placeholder(self) -> str:
        """What the search field invites to."""
        return str(_("Search"))


def _value_of(row: Any, field: Field) -> Any:
    """A row's value of a field, its own or of a row joined to it; None where nothing was joined."""
    if isinstance(row, field.model):
        return getattr(row, field.name)
    for joined in (*vars(row).values(), *row.__rel__.values()):
        if isinstance(joined, field.model):
            return getattr(joined, field.name)
    return None


def _past(falling: bool, *at: tuple[Field, Any]) -> Any:
    """Rows beyond a position, compared column by column as one value."""
    fields = Tuple(*(field for field, _value in at))
    values = Tuple(*(Value(value, converter=field.db_value) for field, value in at))
    return fields < values if falling else fields > values

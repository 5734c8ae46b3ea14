"""How values travel to PostgreSQL and back, so that every query answers what it answers on SQLite."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

NUL_SHOWN = "\u2400"  # PostgreSQL's text cannot hold NUL, so it becomes the character that pictures it.


def register(raw: "psycopg.Connection[Any]") -> None:
    from psycopg.adapt import Loader
    from psycopg.types.bool import BoolDumper
    from psycopg.types.string import StrDumperUnknown

    class Text(StrDumperUnknown):
        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", NUL_SHOWN) if "\0" in obj else obj)

    class Bool(BoolDumper):
        """No table has a boolean column: they are whole numbers, as on SQLite."""

        oid = raw.adapters.types["int2"].oid

        def dump(self, obj: bool) -> bytes:  # noqa: FBT001
            return b"1" if obj else b"0"

    class Number(Loader):
        """Sums of whole numbers are whole; averages are not."""

        def load(self, data: Any) -> int | float:
            text = bytes(data)
            return int(text) if text.lstrip(b"-").isdigit() else float(text)

    class Truth(Loader):
        def load(self, data: Any) -> int:
            return int(bytes(data) == b"t")

    raw.adapters.register_dumper(str, Text)
    raw.adapters.register_dumper(bool, Bool)
    raw.adapters.register_loader("numeric", Number)
    raw.adapters.register_loader("bool", Truth)

"""Which column of somebody's file is what: `user=customer_id,item=sku,ts=time`."""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from app.errors import DataError

INTERACTION_FIELDS: Final = {
    "user": "user_id",
    "item": "item_id",
    "ts": "ts",
    "type": "type",
    "rating": "rating",
    "quantity": "quantity",
    "basket": "basket_id",
    "place": "place",
}
INTERACTION_REQUIRED: Final = ("user", "item", "ts")
CATALOG_FIELDS: Final = {
    "item": "item_id",
    "title": "title",
    "description": "description",
    "category": "category",
    "brand": "brand",
    "price": "price",
    "kind": "kind",
}
CATALOG_REQUIRED: Final = ("item", "title")
ATTRIBUTE: Final = "attribute:"


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Field -> column. A field that was not named is looked for under its wire name (`user_id`, `ts`, ...).

    Args:
        columns: what the person said.
        defaults: field -> wire name, of every field there is.
        required: fields that must be found.
        option: the command line option, for messages.
    """

    columns: Mapping[str, str]
    defaults: Mapping[str, str]
    required: tuple[str, ...]
    option: str

    def resolve(self, present: Collection[str], source: str) -> dict[str, str]:
        """Field -> column, of every field that the file has.

        Raises:
            DataError: a named or a required column is not in the file.
        """
        found: dict[str, str] = {}
        for field in [*self.defaults, *(name for name in self.columns if name.startswith(ATTRIBUTE))]:
            column = self.columns.get(field, self.defaults.get(field, ""))
            if column in present:
                found[field] = column
            elif field in self.columns or field in self.required:
                close = difflib.get_close_matches(column, list(present), n=1)
                raise DataError(
                    f"{source} has no column {column!r} for {field!r}; it has {', '.join(sorted(present))}.",
                    hint=f"Say {self.option} {field}={close[0] if close else '<column>'}.",
                )
        return found


def interaction_mapping(text: str) -> ColumnMapping:
    """Parse `--map`: user=...,item=...,ts=...[,type=...][,rating=...][,quantity=...][,basket=...][,place=...].

    Raises:
        DataError: it is malformed or names an unknown field.
    """
    return ColumnMapping(
        columns=_parse(text, "--map", INTERACTION_FIELDS, attributes=False),
        defaults=INTERACTION_FIELDS,
        required=INTERACTION_REQUIRED,
        option="--map",
    )


def catalog_mapping(text: str) -> ColumnMapping:
    """Parse `--catalog-map`: item=...,title=...[,category=...][,attribute:colour=...].

    Raises:
        DataError: it is malformed or names an unknown field.
    """
    return ColumnMapping(
        columns=_parse(text, "--catalog-map", CATALOG_FIELDS, attributes=True),
        defaults=CATALOG_FIELDS,
        required=CATALOG_REQUIRED,
        option="--catalog-map",
    )


def _parse(text: str, option: str, fields: Collection[str], *, attributes: bool) -> dict[str, str]:
    columns: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        field, equals, column = (piece.strip() for piece in part.partition("="))
        if not equals or not column:
            raise DataError(f"{option} has {part!r}, wanted field=column.", hint=f"Fields: {', '.join(fields)}.")
        is_attribute = attributes and field.startswith(ATTRIBUTE) and len(field) > len(ATTRIBUTE)
        if field not in fields and not is_attribute:
            hint = f"Fields: {', '.join(fields)}{', attribute:<name>' if attributes else ''}."
            raise DataError(f"{option} names the unknown field {field!r}.", hint=hint)
        if field in columns:
            raise DataError(f"{option} names {field!r} twice.", hint="Keep one of them.")
        columns[field] = column
    return columns

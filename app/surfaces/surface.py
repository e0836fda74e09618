"""What a list is: sources, what it hides, its size. Read from surfaces.yml."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from app.errors import SettingsError

PACKAGED: Final = Path(__file__).with_name("surfaces.yml")


class Source(StrEnum):
    """What fills a list; surfaces.yml says what each one is."""

    FOR_YOU = "for_you"
    AGAIN = "again"
    NEW = "new"
    POPULARITY = "popularity"
    CATALOG = "catalog"


class Hide(StrEnum):
    """What a list does not show again."""

    SEEN = "seen"
    BOUGHT = "bought"
    IN_CART = "in_cart"


class SourceSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """One source of a surface. `slots`: places reserved for it, spread over the list; None: it fills what is free."""

    source: Source
    slots: Annotated[int, Meta(ge=1)] | None = None


class Surface(Struct, frozen=True):
    """One list."""

    name: str
    size: int
    hide: frozenset[Hide]
    sources: tuple[SourceSpec, ...]

    def uses(self, source: Source) -> bool:
        """Whether the list draws from this source."""
        return any(spec.source is source for spec in self.sources)


class Surfaces(Struct, frozen=True):
    """Every list there is, and the shop's rating scale (the most stars)."""

    surfaces: tuple[Surface, ...]
    rating_scale: float

    def without(self, source: Source) -> "Surfaces":
        """The same where there is no such source; a list that draws from nothing else is not made."""
        left = [
            msgspec.structs.replace(
                surface, sources=tuple(spec for spec in surface.sources if spec.source is not source)
            )
            for surface in self.surfaces
        ]
        return Surfaces(tuple(surface for surface in left if surface.sources), self.rating_scale)


class _SurfaceEntry(Struct, frozen=True, forbid_unknown_fields=True):
    size: Annotated[int, Meta(ge=1, le=100)]
    sources: Annotated[list[Source | SourceSpec], Meta(min_length=1)]
    hide: frozenset[Hide] = frozenset()


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    surfaces: Annotated[dict[str, _SurfaceEntry], Meta(min_length=1)]
    rating_scale: Annotated[float, Meta(gt=0, le=10)]


def load_surfaces(file: Path | None = None) -> Surfaces:
    """Read the surfaces from this file, or from the one that riverrun brings.

    Raises:
        SettingsError: the file cannot be read or says something that riverrun does not know; names the place.
    """
    path = file or PACKAGED
    try:
        entries = msgspec.yaml.decode(path.read_bytes(), type=_File)
    except OSError as error:
        raise SettingsError(f"Cannot read {path}: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise SettingsError(f"Wrong surfaces in {path}: {error}.") from error
    surfaces = tuple(_surface(name, entry, path) for name, entry in entries.surfaces.items())
    return Surfaces(surfaces, entries.rating_scale)


def _surface(name: str, entry: _SurfaceEntry, path: Path) -> Surface:
    sources = tuple(each if isinstance(each, SourceSpec) else SourceSpec(each) for each in entry.sources)
    if len({spec.source for spec in sources}) < len(sources):
        raise SettingsError(f"Surface {name} in {path} names a source twice.", hint="Name each one once.")
    reserved = sum(spec.slots or 0 for spec in sources)
    if reserved > entry.size:
        raise SettingsError(
            f"Surface {name} in {path} reserves {reserved} slots of {entry.size}.", hint="Reserve fewer or raise size."
        )
    return Surface(name, entry.size, entry.hide, sources)

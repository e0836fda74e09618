"""Which version is served: `<models_dir>/champion.json`, the truth; Kafka's `model-updates` only says that it changed.

It is replaced whole, under the lock that saving a version takes: whoever is killed leaves the champion before or the
one after, never none. Knows no torch; whether a version can be loaded is asked of a callable.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from app.errors import ModelVersionError
from app.files import exclusive, replace_file
from model_server.registry.folders import LOCK, finished_versions, latest_version

POINTER: Final = "champion.json"
_MOST_KEPT: Final = 20
_NEWEST: Final = "the newest version when there was no champion yet"
_MEND: Final = "Name the champion anew: `riverrun models promote NAME` (`riverrun models list` shows them)."

Loads = Callable[[str], bool]
"""Whether the version of this name can be loaded."""


class Reign(Struct, frozen=True, kw_only=True):
    """A version's time as champion.

    Args:
        version: its name.
        since_ms: when it became champion, ms since 1970.
        reason: why, in words.
        restored: it was champion before, and what came after it was taken back.
    """

    version: str
    since_ms: int
    reason: str
    restored: bool = False


class Withdrawal(Struct, frozen=True, kw_only=True):
    """A champion that was taken back; `at_ms` in ms since 1970."""

    version: str
    at_ms: int
    reason: str


class Succession(Struct, frozen=True, kw_only=True):
    """champion.json.

    Args:
        champion: the version to serve.
        before: whom a rollback goes back to, the newest first; without those taken back.
        withdrawn: who was taken back, the newest first.
    """

    schema_version: int = 1
    champion: Reign
    before: tuple[Reign, ...] = ()
    withdrawn: tuple[Withdrawal, ...] = ()


def read_succession(models_dir: Path) -> Succession | None:
    """What the file says; None where there is none.

    Raises:
        ModelVersionError: it cannot be read.
    """
    path = models_dir / POINTER
    try:
        return msgspec.json.decode(path.read_bytes(), type=Succession)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ModelVersionError(f"{path} cannot be read: {error}.", hint=_MEND) from error


def champion_of(models_dir: Path) -> str | None:
    """The name of the champion; without a pointer that of the newest version; None where there is no version.

    Raises:
        ModelVersionError: the pointer cannot be read.
    """
    succession = read_succession(models_dir)
    if succession is not None:
        return succession.champion.version
    latest = latest_version(models_dir)
    return None if latest is None else latest.name


def promote(models_dir: Path, version: str, reason: str, now_ms: int) -> Succession:
    """Make a version the champion. The champion of now begins a new reign: a server may have gone back from it alone.

    A pointer that cannot be read is written anew: this is the way to mend it.
    """
    with exclusive(models_dir / LOCK):
        try:
            succession = read_succession(models_dir)
        except ModelVersionError:
            succession = None
        return _promoted(models_dir, succession, Reign(version=version, since_ms=now_ms, reason=reason))


def replace_champion(models_dir: Path, champion: str, by: Reign) -> Succession | None:
    """Promote `by` if it has not been promoted yet, and nobody has become champion since `champion` did.

    Doing it again changes nothing: whoever was killed before this was told of does it again.

    Returns:
        What holds now, with `by.version` as champion; None where another one is champion by now, or it was promoted
        and has been taken back since.

    Raises:
        ModelVersionError: the pointer cannot be read.
    """
    with exclusive(models_dir / LOCK):
        succession = read_succession(models_dir)
        now = succession.champion.version if succession is not None else champion_of(models_dir)
        if succession is not None and now == by.version:
            return succession
        if now != champion or (succession and any(each.version == by.version for each in succession.withdrawn)):
            return None
        return _promoted(models_dir, succession, by)


def _promoted(models_dir: Path, succession: Succession | None, by: Reign) -> Succession:
    before: tuple[Reign, ...] = ()
    withdrawn: tuple[Withdrawal, ...] = ()
    if succession is not None:
        before, withdrawn = succession.before, succession.withdrawn
        if succession.champion.version != by.version:
            before = (succession.champion, *before)
    elif others := [folder.name for folder in finished_versions(models_dir) if folder.name != by.version]:
        before = (Reign(version=others[-1], since_ms=by.since_ms, reason=_NEWEST),)
    return _write(models_dir, Succession(champion=by, before=before[:_MOST_KEPT], withdrawn=withdrawn))


def settle(models_dir: Path, now_ms: int) -> None:
    """Write down who is served where no pointer says so: the newest version. A version saved later changes nothing."""
    with exclusive(models_dir / LOCK):
        if read_succession(models_dir) is None and (latest := latest_version(models_dir)) is not None:
            _write(models_dir, Succession(champion=Reign(version=latest.name, since_ms=now_ms, reason=_NEWEST)))


def roll_back(models_dir: Path, reason: str, now_ms: int, loads: Loads) -> Succession:
    """Take the champion back: the newest one before it that can be loaded is champion again.

    Args:
        models_dir: where.
        reason: why.
        now_ms: ms since 1970.
        loads: those that cannot be loaded are passed over and leave the history.

    Raises:
        ModelVersionError: there is nobody to go back to.
    """
    with exclusive(models_dir / LOCK):
        succession = read_succession(models_dir)
        if succession is None:
            raise ModelVersionError(f"{models_dir} has no champion to take back.", hint=_MEND)
        return _write(models_dir, _rolled_back(succession, reason, now_ms, loads))


def take_back(models_dir: Path, reign: Reign, reason: str, now_ms: int, loads: Loads) -> Succession | None:
    """As `roll_back`, of this reign only: where another version is champion by now, this one is no way back any more.

    Returns:
        What holds now; None without a pointer. A version that was promoted anew since stays champion.

    Raises:
        ModelVersionError: there is nobody to go back to.
    """
    with exclusive(models_dir / LOCK):
        succession = read_succession(models_dir)
        if succession is None:
            return None
        if succession.champion == reign:
            return _write(models_dir, _rolled_back(succession, reason, now_ms, loads))
        if succession.champion.version == reign.version or reign not in succession.before:
            return succession
        before = _of_others(succession.before, reign.version)
        withdrawn = (_withdrawn(reign, now_ms, reason), *succession.withdrawn)
        return _write(models_dir, msgspec.structs.replace(succession, before=before, withdrawn=withdrawn))


def _rolled_back(succession: Succession, reason: str, now_ms: int, loads: Loads) -> Succession:
    withdrawn = (_withdrawn(succession.champion, now_ms, reason), *succession.withdrawn)
    # Who was champion twice is no way back from itself.
    earlier = _of_others(succession.before, succession.champion.version)
    for place, reign in enumerate(earlier):
        if loads(reign.version):
            champion = Reign(version=reign.version, since_ms=now_ms, reason=reason, restored=True)
            return Succession(champion=champion, before=earlier[place + 1 :], withdrawn=withdrawn)
        withdrawn = (_withdrawn(reign, now_ms, "it cannot be loaded any more"), *withdrawn)
    raise ModelVersionError(
        f"There is no champion before {succession.champion.version} that can be loaded.",
        hint="Promote another version: `riverrun models promote NAME`.",
    )


def _of_others(reigns: tuple[Reign, ...], version: str) -> tuple[Reign, ...]:
    return tuple(reign for reign in reigns if reign.version != version)


def _withdrawn(reign: Reign, now_ms: int, reason: str) -> Withdrawal:
    return Withdrawal(version=reign.version, at_ms=now_ms, reason=reason)


def _write(models_dir: Path, succession: Succession) -> Succession:
    kept = msgspec.structs.replace(succession, withdrawn=succession.withdrawn[:_MOST_KEPT])
    replace_file(models_dir / POINTER, msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n")
    return kept

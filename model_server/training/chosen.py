"""Training options that a person chose, in a file or on the command line; the others follow the data."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path

import msgspec

from app.errors import DataError
from model_server.training.options import PRIVATE, TrainingOptions

Choices = Mapping[str, bool | int | float | None]


def read_choices(path: Path) -> Choices:
    """The options in a .json or .toml file, as `riverrun tune` writes them.

    Raises:
        DataError: it cannot be read, or holds something else.
    """
    decode = msgspec.toml.decode if path.suffix == ".toml" else msgspec.json.decode
    try:
        choices: Choices = decode(path.read_bytes(), type=dict[str, bool | int | float | None])
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(
            f"The options in {path} cannot be read: {error}.", hint="Give a .json or .toml file."
        ) from error
    unknown = choices.keys() - {field.name for field in fields(TrainingOptions)}
    if unknown:
        known = ", ".join(field.name for field in fields(TrainingOptions))
        raise DataError(f"{path} has options that training does not know: {', '.join(sorted(unknown))}.", hint=known)
    return choices


def chosen(path: Path | None, **said: float | None) -> Choices:
    """What the file holds, if there is one, and what was said on the command line in its place.

    Raises:
        DataError: the file cannot be read.
    """
    read = {} if path is None else read_choices(path)
    return {**read, **{name: value for name, value in said.items() if value is not None}}


def with_choices(options: TrainingOptions, choices: Choices) -> TrainingOptions:
    """The options with what was chosen in their place; with an epsilon those of private training, which suit any data.

    Raises:
        DataError: a value is of the wrong type, or none to train with.
    """
    suited = options if choices.get("epsilon") is None else PRIVATE
    try:
        made = msgspec.convert({**asdict(suited), **choices}, TrainingOptions)
    except msgspec.ValidationError as error:
        raise DataError(f"A training option is wrong: {error}.", hint="See TrainingOptions.") from error
    for wrong in _wrong(made):
        raise DataError(f"A training option is wrong: {wrong}.", hint="See TrainingOptions.")
    return made


def _wrong(options: TrainingOptions) -> Iterator[str]:
    """What no training can be made of."""
    for name in ("epochs", "members", "batch_sequences", "max_length", "patience", "heads", "hidden", "dimension"):
        if getattr(options, name) < 1:
            yield f"{name} must be at least 1"
    for name in ("seed", "negatives", "validation_users"):
        if (getattr(options, name) or 0) < 0:
            yield f"{name} must not be below 0"
    for name in ("dropout", "id_dropout", "kind_dropout", "warm_up"):
        if not 0 <= getattr(options, name) < 1:
            yield f"{name} must be from 0 to below 1"
    if options.dimension % options.heads:
        yield f"{options.heads} heads do not divide {options.dimension} dimensions"
    if not (0 < options.learning_rate <= 1 and options.clip_norm > 0):
        yield "learning_rate must lie between 0 and 1, and clip_norm above 0"

"""The docs say what the code does: tables from the code, links that lead somewhere, commands that exist."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from app.bench.plot import digest_of
from app.bench.recorded import read_recorded, recorded_path
from app.bench.tables import markdown
from app.cli.main import build
from app.files import sha256_of
from app.gateway.metrics import TABLE as GATEWAY_METRICS
from app.kafka.permissions import COMPONENTS, Operation, Permissions
from app.kafka.topics import load_topics
from app.observability import MetricSpec
from app.settings import known_variables
from model_server.learning.metrics import TABLE as LEARNER_METRICS
from model_server.metrics import TABLE as MODEL_SERVER_METRICS
from stream_agents.metrics import METRICS as AGENTS_METRICS

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
README = (REPOSITORY / "README.md").read_text()
OPERATIONS = (REPOSITORY / "docs" / "operations.md").read_text()


def metric_row(spec: MetricSpec) -> str:
    """How a metric stands in the docs."""
    labels = ", ".join(f"`{label}`" for label in spec.labels)
    return f"| `{spec.name}` | {spec.kind} | {labels} | {spec.meaning} |"


@pytest.mark.parametrize(
    "spec", [*AGENTS_METRICS, *MODEL_SERVER_METRICS, *LEARNER_METRICS, *GATEWAY_METRICS], ids=lambda spec: spec.name
)
def test_every_metric_is_documented_as_the_code_declares_it(spec: MetricSpec) -> None:
    assert metric_row(spec) in OPERATIONS, f"put this into docs/operations.md:\n{metric_row(spec)}"


def test_every_setting_is_documented() -> None:
    rows = [f"| `{name}` | {meaning} |" for name, meaning in known_variables().items()]
    missing = [row for row in rows if row not in OPERATIONS]
    assert not missing, "put these into docs/operations.md:\n" + "\n".join(missing)


def permission_row(name: str, permissions: Permissions) -> str:
    """How the permissions of a component stand in the docs."""
    specs = load_topics().by_role()

    def names(operation: Operation) -> str:
        return ", ".join(f"`{specs[role].name}`" for role, given in permissions.topics.items() if operation in given)

    everywhere = [each for each in Operation if all(each in given for given in permissions.topics.values())]
    more = [each for each in everywhere if each not in (Operation.READ, Operation.WRITE)]
    group = f"`{permissions.group}`" if permissions.group else ""
    rest = f"{', '.join(more)}: all topics" if more else ""
    return f"| {name} | {names(Operation.READ)} | {names(Operation.WRITE)} | {group} | {rest} |"


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_permissions_of_every_component_are_documented(name: str) -> None:
    row = permission_row(name, COMPONENTS[name])
    assert row in OPERATIONS, f"put this into docs/operations.md:\n{row}"


def test_the_benchmarks_are_those_that_were_recorded() -> None:
    tables = markdown(read_recorded(recorded_path()))
    shown = re.search(
        r"<!-- `riverrun bench tables` .*? -->\n(.*)\n<!-- end of `riverrun bench tables` -->", README, re.DOTALL
    )
    assert shown, "README.md has no block of `riverrun bench tables`"
    assert shown[1] == tables, f"put this into README.md (`riverrun bench tables`):\n{tables}"


def test_the_picture_is_of_the_recorded_benchmarks() -> None:
    picture = (REPOSITORY / "docs" / "benchmarks.svg").read_text()
    assert digest_of(picture) == sha256_of(recorded_path()), "draw it anew: `riverrun bench plot`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_in_the_docs_exist(page: Path) -> None:
    cli = get_command(build())
    for line in re.findall(r"riverrun ((?:[a-z]+)(?: [^`\n|#]*)?)", "\n".join(_code(page.read_text()))):
        words = line.split()
        command = cli
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]  # type: ignore[attr-defined]  # a group has them
        assert command is not cli, f"no command: riverrun {line}"
        known = {option for parameter in command.params for option in parameter.opts}
        unknown = [word for word in words if word.startswith("--") and word not in known]
        assert not unknown, f"riverrun {line}: no option {unknown}"


def _code(text: str) -> list[str]:
    """What stands in code blocks and between backticks."""
    blocks = re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL)
    return blocks + re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))

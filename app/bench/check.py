"""Whether riverrun has become slower: the ratios of today against the recorded ones.

A ratio that is worse than its limit is measured once more before it counts: on a shared machine one run may be unlucky.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.bench.recorded import Recorded
from app.bench.suite import Bench, Ratio, RunBench
from app.errors import RiverrunError

TOLERANCE: Final = 0.15


class RatioFell(RiverrunError):
    """A ratio is worse than recorded by more than the tolerance, or nothing could be compared."""

    exit_code = 9


class Outcome(StrEnum):
    """What the comparison of one ratio says."""

    HELD = "held"
    WORSE = "worse"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One ratio, recorded and now; None where there is none. `limit`: the worst value that still holds."""

    name: str
    outcome: Outcome
    recorded: float | None = None
    now: float | None = None
    limit: float | None = None
    why: str = ""


def compare(ratio: Ratio, recorded: Mapping[str, float], now: Mapping[str, float]) -> Verdict:
    """One ratio's verdict."""
    before, today = recorded.get(ratio.name), now.get(ratio.name)
    if before is None:
        return Verdict(ratio.name, Outcome.SKIPPED, now=today, why="never recorded")
    if today is None:
        return Verdict(ratio.name, Outcome.SKIPPED, recorded=before, why="its peer cannot run here")
    limit = before * (1 - TOLERANCE if ratio.higher_is_better else 1 + TOLERANCE)
    holds = today >= limit if ratio.higher_is_better else today <= limit
    return Verdict(ratio.name, Outcome.HELD if holds else Outcome.WORSE, before, today, limit)


def check(chosen: Sequence[Bench], recorded: Recorded, run: RunBench, say: Callable[[str], None]) -> list[Verdict]:
    """Run the short forms and compare; what was never recorded is not run.

    Raises:
        RiverrunError: a bench failed.
    """
    verdicts: list[Verdict] = []
    for bench in chosen:
        record = recorded.benches.get(bench.name)
        verdicts += _checked(bench, record.short if record else {}, run, say)
    return verdicts


def _checked(bench: Bench, recorded: Mapping[str, float], run: RunBench, say: Callable[[str], None]) -> list[Verdict]:
    if not any(ratio.name in recorded for ratio in bench.ratios):
        return [compare(ratio, {}, {}) for ratio in bench.ratios]
    say(f"{bench.name}, in short")
    now = bench.ratios_in(run(bench.name, bench.short))
    verdicts = [compare(ratio, recorded, now) for ratio in bench.ratios]
    worse = [each.name for each in verdicts if each.outcome is Outcome.WORSE]
    if not worse:
        return verdicts
    say(f"{bench.name}, once more: {', '.join(worse)} fell")
    again = now | {name: told for name, told in bench.ratios_in(run(bench.name, bench.short)).items() if name in worse}
    return [compare(ratio, recorded, again) for ratio in bench.ratios]


def judge(verdicts: Sequence[Verdict]) -> None:
    """Hold riverrun to what was recorded.

    Raises:
        RatioFell: a ratio was worse, twice; or nothing was compared.
    """
    worse = [each.name for each in verdicts if each.outcome is Outcome.WORSE]
    if worse:
        raise RatioFell(
            f"Worse than recorded by more than {TOLERANCE:.0%}, twice in a row: {', '.join(worse)}.",
            hint="Find out why; where it is meant to be so, `riverrun bench record` and say so in DECISIONS.md.",
        )
    if all(each.outcome is Outcome.SKIPPED for each in verdicts):
        raise RatioFell("Nothing was compared.", hint="Every ratio was skipped; the table says why.")

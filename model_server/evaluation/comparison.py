"""From the runs of all recommenders to their reports, each compared with one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_server.evaluation.asking import AS_IT_IS
from model_server.evaluation.contestants import OWN
from model_server.evaluation.facts import ItemFacts
from model_server.evaluation.predictions import response_metrics
from model_server.evaluation.report import ModelReport
from model_server.evaluation.results import (
    Group,
    Run,
    columns_of,
    intervals_of,
    mean_values,
    popularity_shares,
    slices_of,
    values_of,
)
from model_server.evaluation.robustness import kept_share
from model_server.judging.bootstrap import Interval, bootstrap

NOISE: Final = "noise"
Groups = Mapping[str, NDArray[np.bool_]]
_SEED: Final = 0  # of the resamples: the same for every run, so that intervals can be compared


@dataclass(frozen=True, slots=True)
class Compared:
    """`against`: the model whose values are taken off the others'; None where there is only one."""

    against: str | None
    models: Mapping[str, ModelReport]


def reports_of(
    runs: Mapping[str, Sequence[Run]], facts: ItemFacts, against: str, groups: Groups, *, time_ordered: bool
) -> Compared:
    """The report of each model.

    Args:
        runs: name -> one run for each seed, all of the same plan.
        facts: of the items.
        against: one of the runs, to compare with; empty: of those that are not riverrun's own the one with the best
            NDCG@10.
        groups: cases that are told apart, as in `Plan`.
        time_ordered: whether the cases are, so that responses can be predicted from older ones.
    """
    values = {
        name: {
            run.seed: values_of(run.answers[AS_IT_IS], facts)
            | (response_metrics(run.answers[AS_IT_IS]) if time_ordered else {})
            for run in of_model
        }
        for name, of_model in runs.items()
    }
    means = {name: mean_values(list(by_seed.values())) for name, by_seed in values.items()}
    rival = against or _best_of_others(means)
    models = {
        name: ModelReport(
            values=means[name],
            by_seed=values[name],
            intervals=_intervals(of_model, AS_IT_IS),
            difference=_difference(of_model, runs[rival]) if rival and rival != name else None,
            fit_seconds=float(np.mean([run.cost.fit_seconds for run in of_model])),
            fit_peak_mb=float(np.max([run.cost.fit_peak_mb for run in of_model])),
            ask_seconds=float(np.mean([run.cost.ask_seconds for run in of_model])),
            slices=slices_of(of_model, AS_IT_IS),
            popularity=popularity_shares(of_model, AS_IT_IS, facts).tolist(),
            late={form: _intervals(of_model, form) for form in of_model[0].answers if form not in {AS_IT_IS, NOISE}},
            noisy=_noisy(of_model) if NOISE in of_model[0].answers else None,
            groups={
                group: _group(of_model, runs[rival] if rival and rival != name else None, cases)
                for group, cases in groups.items()
            },
        )
        for name, of_model in runs.items()
    }
    return Compared(against=rival, models=models)


def _best_of_others(means: Mapping[str, Mapping[str, float]]) -> str | None:
    """The strongest opponent: chosen by what is reported, which can only be to our disadvantage."""
    others = {name: values["ndcg10"] for name, values in means.items() if name.partition("@")[0] not in OWN}
    return max(others, key=lambda name: others[name]) if others and len(means) > 1 else None


def _intervals(runs: Sequence[Run], form: str) -> dict[str, Interval]:
    return intervals_of(runs[0].answers[form].users, columns_of(runs, form), _SEED)


def _difference(runs: Sequence[Run], others: Sequence[Run]) -> dict[str, Interval]:
    columns = columns_of(runs, AS_IT_IS) - columns_of(others, AS_IT_IS)
    return intervals_of(runs[0].answers[AS_IT_IS].users, columns, _SEED)


def _group(runs: Sequence[Run], others: Sequence[Run] | None, cases: NDArray[np.bool_]) -> Group:
    users, columns = runs[0].answers[AS_IT_IS].users[cases], columns_of(runs, AS_IT_IS)[cases]
    return Group(
        cases=int(cases.sum()),
        intervals=intervals_of(users, columns, _SEED),
        difference=None
        if others is None
        else intervals_of(users, columns - columns_of(others, AS_IT_IS)[cases], _SEED),
    )


def _noisy(runs: Sequence[Run]) -> dict[str, Interval]:
    """The share of the lists that is left, and how the ranking metrics change."""
    users = runs[0].answers[AS_IT_IS].users
    kept = np.mean([kept_share(run.answers[AS_IT_IS].lists, run.answers[NOISE].lists) for run in runs], axis=0)
    changes = intervals_of(users, columns_of(runs, NOISE) - columns_of(runs, AS_IT_IS), _SEED)
    return {"kept10": bootstrap(users, kept[:, None], _SEED)[0], **changes}

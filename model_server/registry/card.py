"""The model card: what a version is, for people."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from model_server.hybrid.parts import HybridParts
from model_server.registry.private import guarantee, is_private
from model_server.registry.version import TrainedModel, TrainingData
from model_server.training.findings import BY_HISTORY, BY_POPULARITY, slices_of

_FEW: Final = 30  # cases: a hit rate of fewer says little


def model_card(model: TrainedModel) -> str:
    """Markdown: what it is, what it is for, what it saw, how it did, where it is weak, how to make it again."""
    network, metrics = model.network.config, model.metrics
    return f"""# riverrun sequence model

Recommends the next item from a user's newest {network.max_length} interactions: one causal attention layer, then a
residual GRU; items from a learned ID and the text encoder `{model.text_encoder}`. D = {network.dimension}, GRU
{network.hidden}, dropout {network.dropout}.{_members(model)}

## For, and not for

For lists of items of the catalog that it was trained on, to visitors of the same shop, with their newest interactions
at hand. It ranks: a score is no probability of a purchase. Cosine scores are not calibrated across items without an ID:
show new items through their own places in a list. An item id is only a name: ids of another catalog mean nothing to
it. It knows what visitors did and what items are called, not prices, stock, or what a shop may show to whom.

## Trained on

{_data(model)}

{_judged(metrics)}

## How it reads texts

{_texts(model)}

## In the lists

{_blend(model.hybrid)}

{_ranker(model)}

## Where it is weak

{_weaknesses(model)}

## How it was made

{_making(model.data, metrics)}
"""


def _members(model: TrainedModel) -> str:
    """What one of several networks does alone; nothing where there is one."""
    members, metrics = model.network.config.members, model.metrics
    if members == 1:
        return ""
    said = f" {members} such networks, trained from seeds one apart, whose logits are averaged"
    if "member_ndcg10" not in metrics:
        return f"{said}."
    alone = f"HR@10 {metrics['member_hr10']:.4f}, NDCG@10 {metrics['member_ndcg10']:.4f}"
    return f"{said}; one alone has {alone} on validation, on average."


def _data(model: TrainedModel) -> str:
    data = model.data
    kinds = ", ".join(kind.name.lower() for kind in model.network.config.kinds_seen)
    return f"""- {data.name}, sha256 `{data.sha256}`
- {data.events:,} events of {data.users:,} users; {data.items:,} items in the catalog; {_day(data.first_ts_ms)} to \
{_day(data.last_ts_ms)}; the {data.held_out_events:,} events after that were never seen
- kinds of events: {kinds}. Other kinds are read as their average; a kind that turns an item down (dislike, \
remove_from_cart) is left out where training had none"""


def _judged(metrics: Mapping[str, float]) -> str:
    """How good it is on people it did not learn from; of a private version, what it promises to those it did."""
    if is_private(metrics):
        return f"## Privacy\n\n{guarantee(metrics)}"
    return f"""## Validation of the network alone

The last event of {metrics.get("validation_users", 0):.0f} users, ranked among the items that training knows without
what they had had before; who went on to another item is not asked. Intervals by the bootstrap over these users. Early
stopping chose the weights on these numbers, so they are a little too good.

{_validation(metrics)}"""


def _validation(metrics: Mapping[str, float]) -> str:
    rows = []
    for name, label in (("hr10", "HR@10"), ("ndcg10", "NDCG@10"), ("mrr10", "MRR@10")):
        if (value := metrics.get(f"validation_{name}")) is not None:
            low, high = (metrics.get(f"validation_{name}_{end}") for end in ("low", "high"))
            rows.append((label, f"{value:.4f}", "" if low is None else f"{low:.4f} to {high:.4f}"))
    return _table(("metric", "value", "95 % interval"), rows)


def _texts(model: TrainedModel) -> str:
    if model.tuned is None:
        return f"By `{model.text_encoder}`, as it was pretrained."
    found = model.tuned.findings
    said = (
        f"By `{model.tuned.base}`, fine-tuned on {found.data}"
        if model.tuned.weights
        else f"By `{model.tuned.base}`, as it was pretrained: fine-tuning it on {found.data} did not help"
    )
    rows = [
        (
            label,
            f"{part.cases:,}",
            f"{part.pretrained_hr10:.4f}, {part.pretrained_ndcg10:.4f}",
            f"{part.tuned_hr10:.4f}, {part.tuned_ndcg10:.4f}",
            f"{part.low:+.4f} to {part.high:+.4f}",
        )
        for label, part in (("queries made of the catalog", found.queries), ("held-out items", found.cold))
    ]
    head = (
        "found by text alone",
        "cases",
        "pretrained: HR@10, NDCG@10",
        "fine-tuned",
        "95 % interval of NDCG@10's gain",
    )
    return (
        f"{said} (round {found.best_round} of {found.rounds}, {found.seconds:.0f} s). Validation on cases that chose "
        f"nothing:\n\n" + _table(head, rows)
    )


def _blend(hybrid: HybridParts) -> str:
    weights = ", ".join(f"{source.value} {hybrid.weights.of(source):g}" for source in hybrid.weights.asked())
    said = f"Lists blend these sources with these weights: {weights}."
    gain = hybrid.gain
    if not gain.users:
        return said
    rows = [
        ("HR@10", f"{gain.network_hr10:.4f}", f"{gain.blended_hr10:.4f}"),
        ("NDCG@10", f"{gain.network_ndcg10:.4f}", f"{gain.blended_ndcg10:.4f}"),
    ]
    return f"{said} They were chosen on {gain.users:,} validation users:\n\n" + _table(
        ("metric", "the network alone", "blended"), rows
    )


def _ranker(model: TrainedModel) -> str:
    metrics = model.metrics
    if is_private(metrics):
        return "Lists in which things come back are not made: a ranker would be another look at people."
    if "ranker_questions" not in metrics:
        return "Lists in which things come back are not made: nothing here was learned about that."
    said = (
        "Lists in which things come back are ordered by a ranker of their own (LightGBM, lambdarank)."
        if model.ranker is not None
        else "Lists in which things come back are not made: the ranker trained for them did not beat the blend."
    )
    names = (("HR@10", "hr10"), ("NDCG@10", "ndcg10"))
    rows = [
        (label, f"{metrics[f'ranker_blend_{name}']:.4f}", f"{metrics[f'ranker_{name}']:.4f}") for label, name in names
    ]
    return (
        f"{said} On {metrics['ranker_questions']:.0f} baskets of the newest tenth of the training part, which the "
        f"blend's network was trained on and the ranker was not:\n\n" + _table(("metric", "blend", "ranker"), rows)
    )


def _weaknesses(model: TrainedModel) -> str:
    """By numbers of this very model, the network alone."""
    parts = []
    for name, label in ((BY_HISTORY, "events known of the user"), (BY_POPULARITY, "the item that came next")):
        slices = slices_of(model.metrics, name)
        if slices:
            rows = [
                (part, f"{hits:.3f}", f"{cases:,}{' (too few to say)' if cases < _FEW else ''}")
                for part, (hits, cases) in slices.items()
            ]
            parts.append(_table((label, "HR@10", "cases"), rows))
    if is_private(model.metrics):
        return "It has fewer weights than other versions, and noise in all of them. Nobody was asked how good it is."
    cold = model.data.items - len(model.item_ids)
    parts.append(
        f"{cold:,} of {model.data.items:,} items had no event in training: they are recommended by their text alone, "
        "and no validation case asks for one of them."
    )
    return "\n\n".join(parts)


def _making(data: TrainingData, metrics: Mapping[str, float]) -> str:
    lines = []
    if "seconds" in metrics:
        best = metrics.get("best_epoch", metrics["epochs"])
        lines.append(
            f"- epoch {best:.0f} of {metrics['epochs']:.0f}, {metrics['seconds']:.0f} s, peak memory "
            f"{metrics.get('peak_memory_mb', 0):,.0f} MB"
        )
    if data.code:
        lines.append(f"- riverrun {data.code}{f'; the champion then was {data.parent}' if data.parent else ''}")
    if data.options:
        chosen = ", ".join(f"{name} {value}" for name, value in data.options.items())
        lines.append(f"- options: {chosen}")
    return "\n".join(lines)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))


def _day(ts_ms: int) -> str:
    return f"{datetime.fromtimestamp(ts_ms / 1_000, tz=UTC):%Y-%m-%d}"

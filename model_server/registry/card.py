"""The model card: what a version is, for people."""

from datetime import UTC, datetime

from model_server.registry.version import TrainedModel


def model_card(model: TrainedModel) -> str:
    """Markdown: what it is, what it saw, how it did, what it is not."""
    data, network = model.data, model.network.config
    metrics = "\n".join(f"| {name} | {value:.4f} |" for name, value in sorted(model.metrics.items()))
    kinds = ", ".join(kind.name.lower() for kind in network.kinds_seen)
    return f"""# riverrun sequence model

Recommends the next item from a user's newest {network.max_length} interactions: one causal attention layer, then a
residual GRU; items from a learned ID and the text encoder `{model.text_encoder}`. D = {network.dimension}, GRU
{network.hidden}, dropout {network.dropout}.

## Trained on

- {data.name}, sha256 `{data.sha256}`
- {data.events:,} events of {data.users:,} users on {data.items:,} items, {_day(data.first_ts_ms)} to
  {_day(data.last_ts_ms)}; the {data.held_out_events:,} events after that were never seen
- kinds of events: {kinds}. Other kinds are read as their average; a kind that turns an item down
  (dislike, remove_from_cart) is left out where training had none

## Validation

Early stopping chose the weights on these numbers, so they are a little too good.

| metric | value |
|---|---|
{metrics}

## Not for

Cosine scores are not calibrated across items without an ID: show new items through their own places in a list.
An item id is only a name: ids of another catalog mean nothing to this model.
"""


def _day(ts_ms: int) -> str:
    return f"{datetime.fromtimestamp(ts_ms / 1_000, tz=UTC):%Y-%m-%d}"

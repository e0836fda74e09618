"""What a private version's card says of its guarantee."""

from collections.abc import Mapping


def is_private(metrics: Mapping[str, float]) -> bool:
    """Whether a version with these metrics was trained with differential privacy."""
    return "private_epsilon" in metrics


def guarantee(metrics: Mapping[str, float]) -> str:
    """Markdown: what is promised to whom, what it rests on, and what it does not cover."""
    return f"""({metrics["private_epsilon"]:.2f}, {metrics["private_delta"]:.1e})-differential privacy of every one of \
{metrics["private_people"]:.0f} people with everything they ever did: whether one of them is in the data changes the
probability of any weights and any popularity in this folder by a factor of at most e^epsilon, but for delta.
Composed by opacus's PRV accountant from

- the network: {metrics["private_steps"]:.0f} steps of DP-SGD, each person drawn with probability \
{metrics["private_sample_rate"]:.3f}, noise {metrics["private_noise"]:.3f} times the clipping length
- `popularity.json`: one Gaussian mechanism, noise {metrics["private_popularity_noise"]:.3f} times a person's vote

Noise and drawing are of entropy that was not kept; the seed decides only the weights before the first step. Taken as
known to everybody, so not covered: the catalogue and its texts (where no catalogue was given: which items anybody
touched), which kinds of events there are, how many people there are, and what `data.json` and this card say of the data
(number of events, first and last time, the sha256 of the source). Nothing was chosen by validation, and the version
holds no counts, no blend and no ranker: whoever measures it on these people and publishes the result spends more. What
is counted live beside it while it serves is of the people who are there then, and not covered either."""

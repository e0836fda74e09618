"""The baselines by name: what `riverrun evaluate --models` can be given beside riverrun's own."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.data.interactions import Interactions
from model_server.evaluation.baselines import recbole
from model_server.evaluation.baselines.attention import attention
from model_server.evaluation.baselines.bert_pair import bert_pair
from model_server.evaluation.baselines.bilstm import bilstm
from model_server.evaluation.baselines.content import content
from model_server.evaluation.baselines.context import Context, Factory
from model_server.evaluation.baselines.covisitation import CoVisitation
from model_server.evaluation.baselines.factors import als, bpr
from model_server.evaluation.baselines.linear import basket_ease, co_purchase, ease, item_knn
from model_server.evaluation.baselines.matrix_factorization import matrix_factorization
from model_server.evaluation.baselines.mlp import mlp
from model_server.evaluation.baselines.own import OwnFrequency, cart_likeness
from model_server.evaluation.baselines.popularity import DecayedPopularity, Popularity
from model_server.judging.cases import Fit, Recommender


def popularity(context: Context) -> Fit:
    """Counts from the first event on."""
    return lambda part: _observed(Popularity(len(context.catalog)), part)


def decayed_popularity(context: Context) -> Fit:
    """Counts that fade."""
    return lambda part: _observed(DecayedPopularity(len(context.catalog), context.half_life_days), part)


def covisitation(context: Context) -> Fit:
    """What follows closely in others' histories."""
    return lambda part: _observed(CoVisitation(len(context.catalog)), part)


def own_frequency(context: Context) -> Fit:
    """What the user had most, lately."""
    return lambda part: _observed(OwnFrequency(_decayed(context)), part)


def own_baskets(context: Context) -> Fit:
    """What the user had most when the basket was like this cart; without carts the same as `own_frequency`."""
    return lambda part: _observed(OwnFrequency(_decayed(context), cart_likeness), part)


BASELINES: Final[Mapping[str, Factory]] = MappingProxyType(
    {
        "popularity": popularity,
        "decayed-popularity": decayed_popularity,
        "own-frequency": own_frequency,
        "own-baskets": own_baskets,
        "covisitation": covisitation,
        "item-knn": item_knn,
        "ease": ease,
        "co-purchase": co_purchase,
        "basket-ease": basket_ease,
        "content": content,
        "als": als,
        "bpr": bpr,
        "matrix-factorization": matrix_factorization,
        "mlp": mlp,
        "attention": attention,
        "bilstm": bilstm,
        "bert-pair": bert_pair,
        "recbole-sasrec": recbole.sasrec,
        "recbole-gru4rec": recbole.gru4rec,
        "recbole-bert4rec": recbole.bert4rec,
    }
)
"""Name -> how to make it."""


def _decayed(context: Context) -> DecayedPopularity:
    return DecayedPopularity(len(context.catalog), context.half_life_days)


def _observed(recommender: Recommender, part: Interactions) -> Recommender:
    recommender.observe(part)
    return recommender

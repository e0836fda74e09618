"""A ranker with a known answer: candidates come in the order of one feature. Its trees are real ones."""

import lightgbm
import numpy as np

from app.data.interactions import Dataset
from model_server.ranking.candidates import CandidateOptions
from model_server.ranking.facts import facts_of
from model_server.ranking.features import FEATURES
from model_server.ranking.files import StoredRanker
from model_server.ranking.names import names_of
from model_server.ranking.ranker import Ranker, RankingOptions
from model_server.ranking.tables import fit_tables


def ranker_by(feature: str, dataset: Dataset) -> StoredRanker:
    """By this feature, between 0 and 8; tables of all of the data."""
    rng = np.random.default_rng(0)
    rows = rng.uniform(0, 8, size=(2_000, len(FEATURES))).astype(np.float32)
    wanted = rows[:, list(FEATURES).index(feature)].copy()  # LightGBM warns of slices
    options = {"objective": "regression", "num_threads": 1, "verbose": -1, "num_leaves": 63, "learning_rate": 0.3}
    booster = lightgbm.train(options, lightgbm.Dataset(rows, wanted, feature_name=list(FEATURES)), 20)
    log = dataset.interactions
    tables = fit_tables(log, facts_of(dataset.catalog), "UTC", int(log.ts_ms[-1]) + 1)
    return StoredRanker(Ranker([booster], RankingOptions(CandidateOptions())), tables, log, names_of(log))

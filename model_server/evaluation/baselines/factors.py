"""Matrix factorisation of who had what, by the `implicit` library: ALS and BPR.

Hu, Koren and Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008; Rendle et al., "BPR:
Bayesian personalized ranking from implicit feedback", UAI 2009.
"""

from typing import Final

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from app.data.interactions import Interactions
from model_server.counts.matrices import user_items
from model_server.counts.neighbours import Reading, history_matrix
from model_server.evaluation.baselines.context import Context, Frozen
from model_server.judging.cases import Cases, Fit

# What was best on validation (MovieLens-100K).
_ALS: Final = {"factors": 32, "regularization": 0.05, "alpha": 1.0, "iterations": 15}
_ALS_READING: Final = Reading(recency=0.9, length=50)
_BPR: Final = {"factors": 32, "learning_rate": 0.02, "regularization": 0.02, "iterations": 100}


def als(context: Context) -> Fit:
    """ALS; a case's user is folded in: one least-squares step from the history, so that nobody need be known."""

    def fit(part: Interactions) -> Frozen:
        with _one_thread():
            model = AlternatingLeastSquares(**_ALS, num_threads=1, random_state=context.seed)
            model.fit(sparse.csr_matrix(user_items(part)), show_progress=False)

        def score(cases: Cases) -> NDArray[np.floating]:
            histories = [history.items for history in cases.histories]
            rows = sparse.csr_matrix(history_matrix(histories, len(part.item_ids), _ALS_READING))
            rows.sum_duplicates()
            with _one_thread():
                users = model.recalculate_user(np.arange(len(cases)), rows)
            scores: NDArray[np.floating] = users @ model.item_factors.T
            return scores

        return Frozen(score)

    return fit


def bpr(context: Context) -> Fit:
    """BPR; users whom the training part does not have get the items' biases, for there is no folding in."""

    def fit(part: Interactions) -> Frozen:
        rows = user_items(part)
        with _one_thread():
            model = BayesianPersonalizedRanking(**_BPR, num_threads=1, random_state=context.seed)
            model.fit(sparse.csr_matrix(rows), show_progress=False)
        known = np.flatnonzero(np.diff(rows.indptr))
        users = np.zeros((len(part.user_ids), model.user_factors.shape[1]), np.float32)
        users[:, -1] = 1.0  # what the items' biases are multiplied with
        users[known] = model.user_factors[known]

        def score(cases: Cases) -> NDArray[np.floating]:
            scores: NDArray[np.floating] = users[cases.users] @ model.item_factors.T
            return scores

        return Frozen(score)

    return fit


def _one_thread() -> threadpool_limits:
    """The library works in threads of its own, is repeatable with one, and warns when BLAS has several."""
    return threadpool_limits(1, "blas")

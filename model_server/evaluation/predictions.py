"""How well something is predicted about an event whose item is known: its stars, or that it is a like or a purchase.

Stars: MAE and RMSE of recommenders that predict them (`RatingPredictor`).

Like, purchase and click are yes or no of an event that happens anyway: was it rated 4 or better, and was a touch a
purchase, or at least a click, and not a lesser one? Nothing is sampled: the negatives are events too. A recommender
gives scores and no probabilities, so a logistic regression reads how far the item's score stands out among the scores
of its case (or the predicted stars, where there are such). It is fitted on the older half of the cases and measured on
the newer half, so only cases in time order can be used.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.interests.state import Kind
from model_server.evaluation.tally import Answers

LIKED: Final = 4.0
_CLICKS: Final = (Kind.CLICK, Kind.ADD_TO_CART, Kind.PURCHASE)
_TOUCHES: Final = (Kind.VIEW, Kind.CLICK, Kind.ADD_TO_CART, Kind.PURCHASE)


def rating_errors(answers: Answers) -> dict[str, float]:
    """`mae` and `rmse` of the predicted stars; nothing where none were predicted."""
    from sklearn.metrics import mean_absolute_error, root_mean_squared_error  # noqa: PLC0415 - slow to import

    known = ~np.isnan(answers.predicted_ratings) & ~np.isnan(answers.ratings)
    if not known.any():
        return {}
    stars, predicted = answers.ratings[known], answers.predicted_ratings[known]
    return {
        "mae": float(mean_absolute_error(stars, predicted)),
        "rmse": float(root_mean_squared_error(stars, predicted)),
    }


def response_metrics(answers: Answers) -> dict[str, float]:
    """`auc_like`, `log_loss_like` and the same of purchase and click, where the newer half has both answers.

    Args:
        answers: to cases in time order with one relevant item each.
    """
    found: dict[str, float] = {}
    for name, (known, positive) in _responses(answers).items():
        found |= _predicted(answers, np.flatnonzero(known), positive, name)
    return found


def _responses(answers: Answers) -> Mapping[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Name -> which cases can be told, and which of them are a yes."""
    touched = np.isin(answers.kinds, _TOUCHES)
    return {
        "like": (~np.isnan(answers.ratings), answers.ratings >= LIKED),
        "click": (touched, np.isin(answers.kinds, _CLICKS)),
        "purchase": (touched, answers.kinds == Kind.PURCHASE),
    }


def _predicted(answers: Answers, known: NDArray[np.intp], positive: NDArray[np.bool_], name: str) -> dict[str, float]:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - slow to import
    from sklearn.metrics import log_loss, roc_auc_score  # noqa: PLC0415

    evidence = np.where(np.isnan(answers.predicted_ratings), answers.standing, answers.predicted_ratings)
    known = known[~np.isnan(evidence[known])]
    older, newer = np.split(known, [len(known) // 2])
    if len(np.unique(positive[older])) < 2 or len(np.unique(positive[newer])) < 2:  # noqa: PLR2004 - yes and no
        return {}
    model = LogisticRegression().fit(evidence[older, None], positive[older])
    chance = model.predict_proba(evidence[newer, None])[:, 1]
    return {
        f"auc_{name}": float(roc_auc_score(positive[newer], chance)),
        f"log_loss_{name}": float(log_loss(positive[newer], chance)),
    }

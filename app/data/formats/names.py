"""What `--format` may say; on its own, so that `--help` need not import what reads them."""

from enum import StrEnum


class Format(StrEnum):
    """One value a format; `registry` says how each is recognised and opened."""

    AUTO = "auto"
    TABLE = "table"
    SEQUENCES = "sequences"
    PAIRS = "pairs"
    MOVIELENS_1M = "movielens-1m"
    MOVIELENS_CSV = "movielens-csv"
    AMAZON_REVIEWS = "amazon-reviews"
    RETAILROCKET = "retailrocket"
    YOOCHOOSE = "yoochoose"
    OTTO = "otto"
    DIGINETICA = "diginetica"
    RECBOLE = "recbole"
    KEPT = "kept"

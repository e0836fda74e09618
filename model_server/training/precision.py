"""What a training multiplies. Imports no torch, for the command line."""

from enum import StrEnum


class Precision(StrEnum):
    """What is multiplied; sums, norms and weights stay in float32."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"

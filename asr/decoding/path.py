"""What every search returns."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Path:
    """A sequence of units heard in one row of log-probabilities.

    Attributes:
        ids: classes of the units, repeats and blanks removed.
        frames: for each unit, the frame at which it begins in the best alignment; strictly increasing.
        score: natural-log probability; of the best alignment (greedy) or of all that were followed (beam).
        confidences: for each unit, the model's probability of it in its surest frame, from 0 to 1.
    """

    ids: list[int]
    frames: list[int]
    score: float
    confidences: list[float]

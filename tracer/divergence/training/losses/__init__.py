"""Why two losses differ although their predictions agree.

The way through this folder: `meanings` puts a recorded loss into torch's words, `formulas` are losses by the textbook,
`recipes` finds how a number was made of predictions and targets, `targets` whether both sides' targets say the same,
and `explaining` holds both recipes against each other and says it in words (`wording`).
"""

from tracer.divergence.training.losses.explaining import LossCause, LossFinding, explain_loss
from tracer.divergence.training.losses.meanings import LossSide, side_of
from tracer.divergence.training.losses.targets import TargetFinding, same_targets

__all__ = ["LossCause", "LossFinding", "LossSide", "TargetFinding", "explain_loss", "same_targets", "side_of"]

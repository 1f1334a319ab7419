"""A row of a framework's table of losses: what a function that makes a loss is called there, and how it is called.

Losses that are layers (`nn.CrossEntropyLoss`) stand in the table of layers; the rows here are functions and nodes of an
autograd graph, and what a loss of either form is given.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LossRule:
    """All functions in `kinds` (the last word of their name) mean `op`, torch's name of the function.

    `signature` is the argument list as Python text, tensors first: positions become names by it, and settings that were
    not given become their defaults. `renamed` gives torch's word for an argument that is called otherwise; `fixed` are
    settings that no argument says, in torch's words. `called` is how a user writes the call ("ops.cross_entropy"), ""
    for what no user calls. `notes` are sentences on what differs from the other framework.
    """

    kinds: tuple[str, ...]
    op: str
    signature: str
    renamed: tuple[tuple[str, str], ...] = ()
    fixed: tuple[tuple[str, str | bool | float], ...] = ()
    called: str = ""
    notes: tuple[str, ...] = ()


INPUTS = {
    "gaussian_nll_loss": ("input", "target", "var"),
    "margin_ranking_loss": ("input1", "input2", "target"),
    "cosine_embedding_loss": ("input1", "input2", "target"),
    "triplet_margin_loss": ("anchor", "positive", "negative"),
    "triplet_margin_with_distance_loss": ("anchor", "positive", "negative"),
    "ctc_loss": ("log_probs", "targets", "input_lengths", "target_lengths"),
}
"""What a loss is given, in order, where that is not ("input", "target"): predictions and targets."""

PREDICTIONS = frozenset({"self", "logits", "inputs", "predictions", "predict", "pred", "output", "x", "logits_"})
"""Other words for "input"."""

TARGETS = frozenset({"labels", "label", "targets", "y", "truth"})
"""Other words for "target"."""

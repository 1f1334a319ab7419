"""What a row of a framework's table of optimizers says: `torch_optimizer_rules.py`, `mindspore_optimizer_rules.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tracer.trace.schema import Plain


@dataclass(frozen=True)
class OptimizerRule:
    """All classes in `kinds` (qualified names; any base may match, the first row that matches counts) update by `rule`.

    `rule` is a function's name in `divergence/training/update_rules.py`. `settings` gives for each common word (torch's
    name, with betas, etas and step_sizes taken apart: "beta1", "step_size_max") what the class calls it; several
    spellings are parted by "|", and "betas.0" is the first of a pair. `defaults` are those of the constructor, in
    common words; a word that is missing must be given, unless `fixed` has it: numbers that the class has and no
    argument sets. `states` gives for each common word of a state what the class calls it. `quirks` is what the class
    does and no setting says (see `QUIRKS`). `notes` are sentences for a reader, by the common word of the setting or
    quirk that they explain.
    """

    kinds: tuple[str, ...]
    rule: str
    settings: Mapping[str, str]
    defaults: Mapping[str, Plain]
    states: Mapping[str, str] = field(default_factory=dict)
    quirks: Mapping[str, Plain] = field(default_factory=dict)
    fixed: Mapping[str, Plain] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


QUIRKS: Mapping[str, Plain] = {
    "eps_placement": "corrected",
    "eps_placement_centered": "",
    "bias_correction": True,
    "decoupled": False,
    "in_place": True,
    "nesterov_form": "gradient",
    "buffer_holds_lr": False,
    "ignores_amsgrad": False,
    "skips_gamma_beta": False,
    "single_precision": False,
}
"""What holds where a row says nothing.

- `eps_placement`: where eps stands in Adam and its kin: "corrected" beside the root of the corrected second moment
  (torch), "plain" beside the root of the raw one, so that the bias correction does not scale it; in others "outside"
  or "inside" the root, or "mixed" where the kernel does now one, now the other; in Adamax "maximum" (inside the
  running maximum) or "outside".
- `eps_placement_centered`: the same where RMSprop is centered, if it is another one.
- `ignores_amsgrad`: is the setting taken and never used?
- `bias_correction`: are the moments of Adam corrected for their start at zero?
- `decoupled`: is weight decay taken off the parameter, and not added to the gradient?
- `in_place`: does the update reach the parameter at all?
- `nesterov_form`: "gradient" (gradient plus momentum times buffer, as torch does), "ignored" (as if it were off).
- `buffer_holds_lr`: is the learning rate within the momentum buffer, and not beside it?
- `skips_gamma_beta`: is weight decay left out where a parameter's name holds "gamma" or "beta"?
- `single_precision`: are the settings rounded to float32 before they are used?
"""

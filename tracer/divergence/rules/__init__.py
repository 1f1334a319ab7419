"""What recorded layers mean in common words, and where two of them mean other things.

The way through this folder: a framework's table (`tracer/frameworks/<name>_layers.py`) or a user's rule (`user_rules`)
says which op a class is; `conversions` brings its settings to torch's words, with the help of the constructor call in
the source (`calls`); `meanings` puts it together; `comparisons` says whether two settings are one; `edits` writes the
call that mends the candidate; `differences` says it all to a reader; `facts` knows what differs and is no setting.
"""

from tracer.divergence.rules.differences import SettingDifference, setting_differences
from tracer.divergence.rules.edits import cast_line, composite_line, edit_in_words, edit_line, own_call
from tracer.divergence.rules.facts import known_differences
from tracer.divergence.rules.meanings import (
    FRAMEWORK_NAMES,
    TABLES,
    CommonParameter,
    Meaning,
    Setting,
    meaning,
    mode_matters,
    public_name,
    random_now,
    value_of,
)
from tracer.divergence.rules.user_rules import UserRule, load_rules

__all__ = [
    "FRAMEWORK_NAMES",
    "TABLES",
    "CommonParameter",
    "Meaning",
    "Setting",
    "SettingDifference",
    "UserRule",
    "cast_line",
    "composite_line",
    "edit_in_words",
    "edit_line",
    "known_differences",
    "load_rules",
    "meaning",
    "mode_matters",
    "own_call",
    "public_name",
    "random_now",
    "setting_differences",
    "value_of",
]

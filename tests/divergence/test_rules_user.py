"""Rules that a user adds, in Python and in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracer.divergence.rules import UserRule, load_rules, meaning, setting_differences
from tracer.errors import RuleError
from tracer.trace.schema import Layer, Parameter

RMS_NORM = """
# a norm that neither framework's table knows
[[rule]]
kinds = ["my_net.RMSNorm", "my_port.RMSNorm"]
op = "rms_norm"
[rule.settings]
epsilon = "eps"
[rule.parameters]
gamma = "weight"
"""


def rules(tmp_path: Path, text: str) -> tuple[UserRule, ...]:
    """Rules from a file with this text."""
    file = tmp_path / "rules.toml"
    file.write_text(text, encoding="utf-8")
    return load_rules(file)


def norm(module: str, setting: str, eps: float) -> Layer:
    """A user's norm as recorded."""
    own = (Parameter("gamma", (4,), "float32"),)
    return Layer("norm", "RMSNorm", (f"{module}.RMSNorm",), {setting: eps}, parameters=own)


def test_a_file_says_what_a_class_means(tmp_path: Path) -> None:
    """Op, settings and parameters in common words."""
    means = meaning(norm("my_net", "epsilon", 1e-6), "torch", user_rules=rules(tmp_path, RMS_NORM))
    assert (means.op, means.family) == ("rms_norm", "norm")
    assert (means.settings["eps"].value, means.settings["eps"].own_name) == (1e-6, "epsilon")
    assert means.parameters["weight"].own_name == "gamma"


def test_settings_of_a_users_class_are_compared(tmp_path: Path) -> None:
    """A user's rule gives causes and edits too."""
    own = rules(tmp_path, RMS_NORM)
    ours, theirs = norm("my_net", "epsilon", 1e-6), norm("my_port", "epsilon", 1e-5)
    sides = [meaning(layer, name, user_rules=own) for layer, name in ((ours, "torch"), (theirs, "mindspore"))]
    (found,) = setting_differences(*sides, ours, theirs, "torch", "mindspore")
    assert (found.name, found.edit) == ("eps", "RMSNorm(..., epsilon=1e-06)")


def test_a_users_rule_goes_before_the_frameworks() -> None:
    """A class of the framework can be given another meaning."""
    rule = UserRule(("torch.nn.modules.linear.Linear",), "my_linear")
    layer = Layer("fc", "Linear", ("torch.nn.modules.linear.Linear",))
    assert meaning(layer, "torch", user_rules=(rule,)).op == "my_linear"


def test_a_class_may_be_named_without_its_module() -> None:
    """The bare name is enough, also of a base."""
    rule = UserRule(("Block",), "block")
    layer = Layer("b", "Big", ("net.Big", "net.Block"))
    assert meaning(layer, "mindspore", user_rules=(rule,)).op == "block"


def test_a_value_may_be_converted_and_have_a_default() -> None:
    """keep_prob is one minus p."""
    rule = UserRule(
        ("Drop",), "dropout", {"keep": "p"}, convert={"keep": "one_minus"}, defaults={"keep": 0.9}, mode="random"
    )
    given = meaning(Layer("d", "Drop", ("net.Drop",), {"keep": 0.75}), "torch", user_rules=(rule,))
    silent = meaning(Layer("d", "Drop", ("net.Drop",)), "torch", user_rules=(rule,))
    assert (given.settings["p"].value, given.settings["p"].own_value) == (0.25, 0.75)
    assert (silent.settings["p"].value, silent.settings["p"].default) == (0.1, True)


@pytest.mark.parametrize(
    ("text", "what", "then"),
    [
        ('[[rule]]\nkind = ["a"]\nop = "x"', "no key `kind`", "'kinds'"),
        ('[[rules]]\nkinds = ["a"]', "no key `rules`", "'rule'"),
        ('[[rule]]\nkinds = ["a"]', "without `op`", "op = "),
        ('[[rule]]\nkinds = "a"\nop = "x"', "no list of class names", "kinds = ["),
        ('[[rule]]\nkinds = []\nop = "x"', "names no classes", "kinds="),
        ('[[rule]]\nkinds = ["a"]\nop = 3', "says no op", "op="),
        ('[[rule]]\nkinds = ["a"]\nop = "x"\nsettings = 1', "`settings` is no table", "[rule.settings]"),
        ('[[rule]]\nkinds = ["a"]\nop = "x"\n[rule.settings]\na = 1', "names to names", "epsilon"),
        ('[[rule]]\nkinds = ["a"]\nop = "x"\nmode = "randm"', "no mode", "'random'"),
        ('[[rule]]\nkinds = ["a"]\nop = "x"\natomic = 1', "neither true nor false", "atomic = true"),
        ('[[rule]]\nkinds = ["a"]\nop = "x"\n[rule.convert]\na = "one_minus"', "a setting that the rule has not", "none"),
        ('[[rule]]\nkinds = ["a"]\nop = "x"\n[rule.settings]\na = "b"\n[rule.convert]\na = "one_minu"', "no conversion", "'one_minus'"),
        ('[rule]\nkinds = ["a"]', "no list of tables", "[[rule]]"),
        ('[[rule]\nkinds = ["a"]', "no TOML", "line"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_in_three_beats(tmp_path: Path, text: str, what: str, then: str) -> None:
    """What is wrong, in which file, and what to write instead."""
    with pytest.raises(RuleError) as caught:
        rules(tmp_path, text)
    assert what in caught.value.what
    assert "rules.toml" in caught.value.where
    assert then in caught.value.then


def test_the_line_of_the_rule_is_named(tmp_path: Path) -> None:
    """The second rule begins in line 5."""
    with pytest.raises(RuleError) as caught:
        rules(tmp_path, '[[rule]]\nkinds = ["a"]\nop = "x"\n\n[[rule]]\nkinds = ["b"]')
    assert caught.value.where.endswith("rules.toml:5")


def test_a_missing_file_is_named() -> None:
    """No traceback from inside a library."""
    with pytest.raises(RuleError, match="cannot be read"):
        load_rules("no/such/rules.toml")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """Bytes that are no UTF-8."""
    file = tmp_path / "rules.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(RuleError, match="UTF-8"):
        load_rules(file)


def test_an_empty_file_has_no_rules(tmp_path: Path) -> None:
    """Nothing is no error."""
    assert rules(tmp_path, "") == ()

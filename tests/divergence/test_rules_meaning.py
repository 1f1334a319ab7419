"""What a single layer means: op by its bases, parameters by common names, modes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import spaces, trace_of, understood

from tracer.divergence.rules import (
    FRAMEWORK_NAMES,
    TABLES,
    known_differences,
    meaning,
    mode_matters,
    random_now,
    setting_differences,
)
from tracer.trace.schema import ROOT, Layer, Parameter, Source


def parameter_names(framework: str, call: str) -> dict[str, tuple[str, str, tuple[int, ...]]]:
    """Common name -> (path, own name, shape in torch's layout)."""
    _, means = understood(framework, call)
    return {name: (p.path, p.own_name, p.shape) for name, p in means.parameters.items()}


def test_an_own_class_inherits_the_op() -> None:
    """A class derived from a known one means what that one means."""
    nn = spaces()["torch"]["nn"]

    class MyLinear(nn.Linear):
        pass

    layers = trace_of("torch", MyLinear(3, 4))
    means = meaning(layers[ROOT], "torch", layers)
    assert (means.op, means.settings["out_features"].value) == ("linear", 4)


def test_an_edit_of_an_own_class_goes_to_the_class_above() -> None:
    """Its own constructor may not take the argument."""
    layer = Layer("fc", "MyLeaky", ("net.MyLeaky", "mindspore.nn.layer.activation.LeakyReLU"), {"alpha": 0.2})
    layer = replace(layer, made_at=Source("net.py", 7, "self.act = MyLeaky()"))
    other = Layer("fc", "LeakyReLU", ("torch.nn.modules.activation.LeakyReLU",), {"negative_slope": 0.01})
    (found,) = setting_differences(
        meaning(other, "torch"), meaning(layer, "mindspore"), other, layer, "torch", "mindspore"
    )
    assert found.edit == "super().__init__(..., alpha=0.01)  # in MyLeaky"


def test_a_class_nobody_knows_has_no_op_and_common_parameter_names() -> None:
    """gamma and beta are brought to torch's words all the same."""
    layer = Layer("norm", "RMSNorm", ("net.RMSNorm",), {"eps": 1e-6}, parameters=(Parameter("gamma", (4,), "float32"),))
    means = meaning(layer, "mindspore")
    assert (means.op, list(means.parameters)) == ("", ["weight"])


def test_a_class_that_has_gamma_and_weight_keeps_both_names() -> None:
    """A common name is not given twice."""
    own = (Parameter("gamma", (4,), "float32"), Parameter("weight", (4, 4), "float32"))
    means = meaning(Layer("x", "Odd", ("net.Odd",), parameters=own), "mindspore")
    assert {n: p.own_name for n, p in means.parameters.items()} == {"gamma": "gamma", "weight": "weight"}


def test_a_class_named_like_a_known_one_is_not_taken_for_it() -> None:
    """Only the framework's own class counts, not one of the same name."""
    assert meaning(Layer("x", "Linear", ("net.Linear",)), "torch").op == ""


def test_the_extra_axis_of_conv1d_is_dropped() -> None:
    """MindSpore stores a Conv1d's weight with four axes."""
    assert parameter_names("mindspore", "nn.Conv1d(3, 4, 5)")["weight"] == (ROOT, "weight", (4, 3, 5))
    assert parameter_names("mindspore", "nn.Conv1dTranspose(3, 4, 5)")["weight"] == (ROOT, "weight", (3, 4, 5))


def test_batch_norm_3d_is_reached_through_its_inner_layer() -> None:
    """MindSpore's BatchNorm3d keeps everything in `bn2d`."""
    found = parameter_names("mindspore", "nn.BatchNorm3d(4)")
    assert found["weight"] == ("bn2d", "gamma", (4,))
    assert set(found) == {"weight", "bias", "running_mean", "running_var"}


def test_a_wrapper_between_a_layer_and_its_inner_one_is_seen_through() -> None:
    """Mixed precision wraps the inner BatchNorm of a BatchNorm3d."""
    inner = Layer("n.bn2d._backbone", "BatchNorm2d", parameters=(Parameter("gamma", (4,), "float32"),))
    layers = {
        "n": Layer("n", "BatchNorm3d", ("mindspore.nn.layer.normalization.BatchNorm3d",)),
        "n.bn2d": Layer("n.bn2d", "_OutputTo16"),
        "n.bn2d._backbone": inner,
    }
    assert meaning(layers["n"], "mindspore", layers).parameters["weight"].path == "n.bn2d._backbone"


@pytest.mark.parametrize("framework", ["torch", "mindspore"])
def test_attention_has_the_parameters_of_its_output_projection(framework: str) -> None:
    """`out_proj` never fires: its parameters are the attention's."""
    found = parameter_names(framework, "nn.MultiheadAttention(4, 2)")
    assert set(found) == {"in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"}
    assert found["out_proj.weight"][:2] == ("out_proj", "weight")


@pytest.mark.parametrize("call", ["nn.LSTM(3, 4, 2, bidirectional=True)", "nn.GRU(3, 4)", "nn.RNN(3, 4)"])
def test_recurrent_layers_have_the_same_parameters(call: str) -> None:
    """Names, shapes and number are equal in both frameworks."""
    ours, theirs = parameter_names("torch", call), parameter_names("mindspore", call)
    assert {n: p[2] for n, p in ours.items()} == {n: p[2] for n, p in theirs.items()}


def test_the_frameworks_own_name_and_the_owner_do_not_matter() -> None:
    """A tied parameter counts where it lies, whatever its alias says."""
    tied = Parameter("embedding_table", (5, 4), "float32", alias="net.other.weight", owner=("head", "weight"))
    layer = Layer("emb", "Embedding", ("mindspore.nn.layer.embedding.Embedding",), parameters=(tied,))
    found = meaning(layer, "mindspore").parameters["weight"]
    assert (found.path, found.own_name) == ("emb", "embedding_table")


def test_a_setting_that_was_not_recorded_takes_the_default() -> None:
    """The default is the framework's own, in torch's words."""
    layer = Layer("n", "LayerNorm", ("mindspore.nn.layer.normalization.LayerNorm",), {"normalized_shape": [4]})
    found = meaning(layer, "mindspore").settings["eps"]
    assert (found.value, found.own_name, found.default) == (1e-7, "epsilon", True)


def test_a_setting_that_was_not_recorded_is_read_from_the_source() -> None:
    """What the call says goes before the default; an expression is not guessed."""
    layer = Layer("n", "Softmax", ("mindspore.nn.layer.activation.Softmax",))
    said = replace(layer, made_at=Source("net.py", 1, "self.s = nn.Softmax(axis=1)"))
    hidden = replace(layer, made_at=Source("net.py", 1, "self.s = nn.Softmax(axis=axis)"))
    assert meaning(said, "mindspore").settings["dim"].value == 1
    assert "dim" not in meaning(hidden, "mindspore").settings


@pytest.mark.parametrize(
    ("framework", "call", "matters"),
    [
        ("torch", "nn.BatchNorm2d(4)", True),
        ("torch", "nn.BatchNorm2d(4, track_running_stats=False)", False),
        ("mindspore", "nn.BatchNorm2d(4)", True),
        ("mindspore", "nn.BatchNorm2d(4, use_batch_statistics=True)", False),
        ("mindspore", "nn.BatchNorm2d(4, use_batch_statistics=False)", False),
        ("torch", "nn.InstanceNorm2d(4)", False),
        ("torch", "nn.InstanceNorm2d(4, track_running_stats=True)", True),
        ("torch", "nn.Dropout(0.1)", True),
        ("torch", "nn.Dropout(0.0)", False),
        ("mindspore", "nn.Dropout(p=0.0)", False),
        ("mindspore", "nn.Dropout(0.9)", True),
        ("torch", "nn.LSTM(3, 4)", False),
        ("torch", "nn.LSTM(3, 4, 2, dropout=0.1)", True),
        ("torch", "nn.LSTM(3, 4, 1)", False),
        ("torch", "nn.MultiheadAttention(4, 2)", False),
        ("torch", "nn.MultiheadAttention(4, 2, dropout=0.1)", True),
        ("torch", "nn.Linear(3, 4)", False),
        ("torch", "nn.RReLU()", True),
    ],
)
def test_where_the_training_flag_matters(framework: str, call: str, matters: bool) -> None:
    """Only layers that compute something else in training, as they are set."""
    assert mode_matters(understood(framework, call)[1]) is matters


@pytest.mark.parametrize(
    ("framework", "call", "training", "random"),
    [
        ("torch", "nn.Dropout(0.1)", True, True),
        ("torch", "nn.Dropout(0.1)", False, False),
        ("torch", "nn.Dropout(0.1)", None, False),
        ("torch", "nn.Dropout(0.0)", True, False),
        ("torch", "nn.RReLU()", False, False),
        ("torch", "nn.RReLU()", True, True),
        ("mindspore", "nn.RReLU()", False, True),
        ("torch", "nn.BatchNorm2d(4)", True, False),
    ],
)
def test_where_numbers_are_drawn(framework: str, call: str, training: bool | None, random: bool) -> None:
    """Active dropout, and MindSpore's RReLU in evaluation too."""
    assert random_now(understood(framework, call)[1], training) is random


def test_known_differences_are_told_between_frameworks_only() -> None:
    """One framework does not differ from itself."""
    assert any("approximation" in s for s in known_differences("tanh", "torch", "mindspore"))
    assert known_differences("tanh", "torch", "torch") == ()
    assert known_differences("no such op", "torch", "mindspore") == ()
    assert set(FRAMEWORK_NAMES) == {"torch", "mindspore"}


@pytest.mark.parametrize(
    ("op", "options", "word", "told"),
    [
        ("relu", {"not_finite": False}, "NaN", False),
        ("relu", {"not_finite": True}, "NaN", True),
        ("leaky_relu", {"phase": "forward"}, "gradient", False),
        ("leaky_relu", {"phase": "backward"}, "gradient", True),
        ("embedding", {"phase": "forward"}, "drawn from", False),
        ("embedding", {"phase": "start"}, "drawn from", True),
        ("tanh", {"phase": "backward"}, "approximation", True),
    ],
)
def test_a_fact_that_cannot_matter_is_not_told(op: str, options: dict, word: str, told: bool) -> None:
    """The phase and what went through narrow the facts down."""
    assert any(word in s for s in known_differences(op, "torch", "mindspore", **options)) is told


@pytest.mark.parametrize(("mode", "told"), [("bicubic", True), ("nearest", False)])
def test_a_fact_about_a_setting_is_told_where_it_is_set(mode: str, told: bool) -> None:
    """Bicubic kernels differ; the others do not."""
    _, means = understood("torch", f"nn.Upsample(size=4, mode='{mode}')")
    facts = known_differences("upsample", "torch", "mindspore", meanings=(means, means))
    assert any("bicubic" in fact for fact in facts) is told


def test_one_op_put_for_another_is_said() -> None:
    """A ReLU where a GELU should be, with the call to write."""
    (ours, our_meaning), (theirs, their_meaning) = (
        understood("torch", "nn.GELU()"),
        understood("mindspore", "nn.ReLU()"),
    )
    (found,) = setting_differences(our_meaning, their_meaning, ours, theirs, "torch", "mindspore")
    assert (found.name, found.reference, found.candidate) == ("op", "gelu", "relu")
    assert found.edit == "nn.GELU(approximate=False)"
    assert found.sentence == "the layer is GELU in the reference and ReLU in the candidate"


def test_relu6_is_hardtanh_from_zero_to_six() -> None:
    """Two names of one function are no difference."""
    (ours, our_meaning) = understood("torch", "nn.ReLU6()")
    (theirs, their_meaning) = understood("mindspore", "nn.Hardtanh(0.0, 6.0)")
    assert setting_differences(our_meaning, their_meaning, ours, theirs, "torch", "mindspore") == ()


def test_a_parametrised_layer_keeps_its_op() -> None:
    """torch's weight_norm makes a class on the fly, derived from the layer's own."""
    import torch

    layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 4))
    layers = trace_of("torch", layer)
    means = meaning(layers[ROOT], "torch", layers)
    assert (means.op, means.settings["bias"].value) == ("linear", True)


def test_upsampling_by_size_or_factor() -> None:
    """Both give as many elements: no difference, where the input is known."""
    (ours, our_meaning) = understood("torch", "nn.Upsample(scale_factor=2)")
    (theirs, their_meaning) = understood("mindspore", "nn.Upsample(size=(8, 12))")
    sides = our_meaning, their_meaning, ours, theirs, "torch", "mindspore"
    assert setting_differences(*sides, input_shape=(1, 3, 4, 6)) == ()
    assert {d.name for d in setting_differences(*sides, input_shape=(1, 3, 5, 6))} == {"size", "scale_factor"}


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | st.sampled_from(["same", "pad", "valid", "", "x"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("ab"), inner, max_size=1),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_damaged_settings_are_no_error(data: st.DataObject) -> None:
    """A trace may claim anything of a layer: a meaning and a comparison come out all the same."""
    framework = data.draw(st.sampled_from(sorted(TABLES)))
    rule = data.draw(st.sampled_from(TABLES[framework]))
    places = sorted({place for row in rule.settings for place in row.attribute.split("|")} | {"pad_mode", "padding"})
    names = [p.attribute for p in rule.parameters]

    def layer() -> Layer:
        own = [Parameter(n, tuple(data.draw(st.lists(st.integers(0, 3), max_size=4))), "float32") for n in names]
        recorded = {place: data.draw(ODD) for place in places if data.draw(st.booleans())}
        text = data.draw(st.sampled_from(["", f"x = {kind}()", f"x = {kind}(1, [2], padding=None", f"{kind}(*a, **b)"]))
        return Layer("x", kind, (rule.kinds[0],), recorded, parameters=tuple(own), made_at=Source("n.py", 1, text))

    kind = rule.kinds[0].rpartition(".")[2]
    ours, theirs = layer(), layer()
    shape = data.draw(st.none() | st.lists(st.integers(0, 5), max_size=5).map(tuple))
    sides = meaning(ours, framework), meaning(theirs, framework)
    for means in sides:
        mode_matters(means)
        random_now(means, True)
    setting_differences(*sides, ours, theirs, framework, framework, input_shape=shape)

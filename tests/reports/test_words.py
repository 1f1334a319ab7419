"""What the reports say, sentence by sentence, and in what order."""

import dataclasses

import pytest

from tests.reports import builders
from tracer.divergence.alignment import Alone, CallId
from tracer.divergence.diagnosis import Cause
from tracer.divergence.flow import Point
from tracer.reports import wording
from tracer.reports.overview import layer_part
from tracer.reports.report import Report
from tracer.reports.terminal import report_text
from tracer.trace.schema import Call, End, Header, Layer, Skeleton, Step, Value


@pytest.mark.parametrize("show", [report_text, lambda diagnosis: Report(diagnosis).to_html()], ids=["terminal", "html"])
def test_other_dtypes_are_said_before_the_numbers_and_once(show):
    """Whoever reads the numbers knows already that they are of different types."""
    diagnosis = builders.other_dtype()
    text = " ".join(show(diagnosis).split())
    assert text.count("dtype is float32") == 1
    assert text.index("dtype is float32") < text.index("relative L2 4.7e-04")


def test_what_needs_not_be_known_first_comes_last():
    """A flag that differs stands below the numbers."""
    text = report_text(builders.other_dtype())
    assert text.index("TF32") > text.index("judged 9 of 15")


# ---- which tensor --------------------------------------------------------------------------------------------------


def _of(leaf, side="out", place="layer", layer="blocks.2.mlp.act", **more):
    point = Point(CallId(layer, 0), CallId(layer, 0), side)
    found = builders.difference(1.0, leaf=leaf)
    return dataclasses.replace(builders.GELU_ORIGIN, place=place, difference=found, point=point, **more)


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (_of(""), ""),
        (_of("0"), "output[0]"),
        (_of("boxes"), "output['boxes']"),
        (_of("past.1.0"), "output['past'][1][0]"),
        (_of("mask", "in"), "input['mask']"),
        (_of("0", "in", layer="head"), "input[0] of head"),
        (_of("0", "in", layer="head", sentence="what head is given differs"), "input[0]"),
        (_of("0", "grad_out"), "the gradient of output[0]"),
        (_of("weight", "grad_param"), "the gradient of weight"),
        (dataclasses.replace(_of("0", place="input"), point=None), "input[0]"),
    ],
)
def test_a_tensor_of_several_is_named_as_python_picks_it(origin, words):
    """No reader needs to know what a leaf is."""
    assert wording.part_name(origin) == words


# ---- code between layers -------------------------------------------------------------------------------------------


def test_code_between_layers_shows_the_line_that_made_the_container_and_the_calling_line():
    """The one is what the report blames, the other is where to look."""
    text = report_text(builders.wrong_code())
    assert "blocks.1  Block  vit_mindspore.py:66\n" in text
    assert "code around vit_mindspore.py:24  return self.proj(x)\n" in text
    candidate = Report(builders.wrong_code()).to_dict()["origin"]["candidate"]
    assert (candidate["source"], candidate["called_at"]) == ("vit_mindspore.py:66", "vit_mindspore.py:24")


def test_the_road_says_that_code_is_meant_and_not_what_the_container_gives():
    """A container that is called an origin, and below it what comes out of it, are two things."""
    assert "> code of blocks.1 " in report_text(builders.wrong_code())


def test_a_backward_road_is_called_the_road_back():
    """Its steps run from the output to the input."""
    assert "road back    blocks.2 " in report_text(builders.lost_residual())


def test_a_further_origin_has_its_own_road():
    """The second origin is drawn too where there is room, and in the JSON each origin holds its road."""
    diagnosis = builders.wrong_code()
    assert "> blocks.2.mlp.act " in report_text(diagnosis).split("also")[1]
    origins = Report(diagnosis).to_dict()["origins"]
    assert [step["state"] for step in origins[1]["road"]].count("starts here") == 1
    assert origins[0]["road"] == Report(diagnosis).to_dict()["road"]


# ---- causes and edits ----------------------------------------------------------------------------------------------


def _caused(*causes, **more):
    return dataclasses.replace(builders.GELU_ORIGIN, causes=causes, **more)


def test_the_same_cause_is_told_once():
    """A layer that two calls miss is one cause to a reader."""
    twice = Cause("code", "relu", sentence="the reference runs ReLU here")
    assert len(wording.causes_to_tell(_caused(twice, twice))) == 1


def test_parameters_of_which_the_same_is_said_share_a_sentence():
    """Weight and bias that were not loaded are one line."""
    causes = [
        Cause("parameter", name, sentence=f"{name} holds other numbers (relative L2 {n}e+00): load the same weights")
        for name, n in (("weight", 1.1), ("bias", 1.6))
    ]
    told = [cause.sentence for cause in wording.causes_to_tell(_caused(*causes))]
    assert told == ["weight holds other numbers (relative L2 1.1e+00): load the same weights; likewise bias"]


def test_that_none_is_known_is_said_only_where_none_is():
    """A setting that fits is not followed by a sentence that nothing fits."""
    none = Cause("code", "forward", sentence="none that is known fits")
    told = wording.causes_to_tell(_caused(builders.GELU_CAUSE, none, place="between"))
    assert told == [builders.GELU_CAUSE]
    assert wording.causes_to_tell(_caused(none, place="between")) == [none]


def test_a_shape_that_was_measured_is_no_further_cause():
    """The shapes stand with the numbers."""
    found = builders.difference(None, problem="shape", shapes=((2, 3), (3, 2)))
    cause = Cause("shape", "shape", sentence="shape (2, 3) in the reference, (3, 2) in the candidate")
    assert wording.causes_to_tell(_caused(cause, difference=found)) == []


def test_origins_with_one_edit_are_told_in_one_line():
    """Twelve layers that one line made are one finding."""
    more = [dataclasses.replace(builders.GELU_ORIGIN, reference=builders.spot(f"b{n}")) for n in range(12)]
    text = report_text(builders.diagnosis(origins=(builders.GELU_ORIGIN, *more)))
    assert "the same edit at 12 more layers: b0, b1, b2," in text
    assert text.count("->") == 1


def test_origins_whose_edits_stand_on_other_lines_name_them():
    """One finding, but several places to mend."""
    cause = dataclasses.replace(builders.GELU_CAUSE, edit="vit_mindspore.py:99  nn.GELU()  ->  nn.GELU(False)")
    other = dataclasses.replace(
        builders.GELU_ORIGIN,
        reference=builders.spot("b"),
        causes=(cause,),
        candidate=builders.spot("b", source="m/v.py:99"),
    )
    assert "the same at 1 more layer: b (v.py:99)" in report_text(
        builders.diagnosis(origins=(builders.GELU_ORIGIN, other))
    )


def test_an_edit_that_is_long_puts_the_new_code_below_the_old():
    """Old and new begin in the same column."""
    old, new = ("nn.Conv2d(channels, 16, 3, pad_mode='" + mode + "', has_bias=True)" for mode in ("same", "pad"))
    cause = dataclasses.replace(builders.GELU_CAUSE, edit=f"net.py:7  {old}  ->  {new}")
    text = report_text(builders.diagnosis(origins=(_caused(cause),)))
    assert f"  edit       net.py:7\n             {old}\n         ->  {new}\n" in text


# ---- what is alone -------------------------------------------------------------------------------------------------


def test_containers_with_all_inside_paired_are_counted_apart():
    """Where the other net draws its borders is no missing layer."""
    text = report_text(builders.wrong_code())
    assert "1 layer only in the candidate: blocks.0.flat (Flatten)\n" in text
    assert "  1 container without counterpart, all inside paired" in text.splitlines()


def test_containers_are_named_where_nothing_else_is_alone():
    """Then they are all there is to say."""
    found = builders.alignment(*builders.VIT_PATHS, alone_reference=(Alone(CallId("blocks"), "ModuleList"),))
    assert wording.alone(found) == [("1 container without counterpart, all inside paired: ", ["blocks (ModuleList)"])]


def test_a_container_of_a_lone_layer_is_listed_with_it():
    """A block that has a layer too many is not only a border."""
    alone = (Alone(CallId("blocks.0", 0), "Block"), Alone(CallId("blocks.0.more", 0), "Linear"))
    found = builders.alignment(*builders.VIT_PATHS, alone_candidate=alone)
    assert wording.alone(found) == [
        ("2 layers only in the candidate: ", ["blocks.0 (Block)", "blocks.0.more (Linear)"]),
    ]


def test_alone_in_the_json_are_the_containers_too():
    """The contract's list leaves nothing out."""
    alone = Report(builders.wrong_code()).to_dict()["alignment"]["alone"]
    assert [one["path"] for one in alone["reference"] + alone["candidate"]] == ["blocks", "blocks.0.flat"]


def test_what_a_number_behind_a_path_means_is_said_where_there_is_one():
    """Nobody has met "#1" before."""
    assert "path#1 is the second call" in report_text(builders.lost_residual())
    assert "path#1" not in report_text(builders.diagnosis())


# ---- what had no partner, and how much was judged --------------------------------------------------------------------


def test_a_layer_that_never_ran_is_not_said_to_be_missing():
    """The other net has it too; this one never called it."""
    alone = (
        Alone(CallId("isab2"), "SetAttention"),
        Alone(CallId("isab2.q"), "Dense"),
        Alone(CallId("flat", 0), "Flatten"),
    )
    said = wording.alone(builders.alignment("isab1", alone_candidate=alone))
    assert said == [
        ("2 layers never ran in the candidate: ", ["isab2 (SetAttention)", "isab2.q (Dense)"]),
        ("1 layer only in the candidate: ", ["flat (Flatten)"]),
    ]


def test_a_further_call_of_a_paired_layer_is_no_further_layer():
    """A net that ran twice has all of its layers twice."""
    alone = (Alone(CallId("fc1", 1), "Linear"), Alone(CallId("fc2", 1), "Linear"))
    said = wording.alone(builders.alignment("fc1", "fc2", alone_reference=alone))
    assert said == [("2 calls more in the reference: ", ["fc1#1 (Linear)", "fc2#1 (Linear)"])]


def _covered(**more) -> str:
    covered = dataclasses.replace(builders.diagnosis().coverage, **more)
    return report_text(builders.diagnosis(coverage=covered))


def test_every_is_offered_where_it_judges_more():
    """Not where all that can be judged is, and not where nothing was looked for."""
    hint = "all of them: tracer diff --every"
    assert hint in _covered(judged=10, aligned=15, unjudgeable=4)
    assert hint not in _covered(judged=11, aligned=15, unjudgeable=4)
    assert hint not in _covered(judged=0, phases={"forward": "not judged: the inputs differ", "backward": "not judged"})


def test_two_sentences_on_a_line_stand_well_apart():
    """Or below each other."""
    for width in range(60, 130):
        text = report_text(builders.diagnosis(), width=width)
        line = next(line for line in text.splitlines() if "all of them" in line)
        assert line.strip() == "all of them: tracer diff --every" or " " * 8 in line.strip()


def test_statistics_are_not_spoken_of_where_nothing_was_judged():
    """They were compared, but say nothing of nets that have nothing in common."""
    assert "by their statistics" in _covered(judged=2, screened=9)
    assert "by their statistics" not in _covered(judged=0, screened=9)


# ---- lines -----------------------------------------------------------------------------------------------------------


def test_a_calling_line_says_that_it_is_one():
    """Where nobody knows which line made a layer, the caller's stands in; it is not taken for the layer's own."""
    origin = dataclasses.replace(
        builders.GELU_ORIGIN, reference=builders.spot(source="runs/of/mine/record_it.py:9", caller=True)
    )
    diagnosis = builders.diagnosis(origins=(origin,))
    assert "  called at runs/of/mine/record_it.py:9\n" in report_text(diagnosis)
    assert "called at .../" in report_text(diagnosis, width=50, encoding="ascii")
    assert "called at runs/of/mine/record_it.py:9" in Report(diagnosis).to_html()
    assert Report(diagnosis).to_dict()["origin"]["reference"]["source"] == "runs/of/mine/record_it.py:9"


# ---- one trace -------------------------------------------------------------------------------------------------------


def test_gradients_are_shown_in_the_order_of_their_values():
    """They arrive in the order of the backward pass."""
    values = [Value(leaf, "tensor", (2,), "float32") for leaf in ("0", "1", "mask")]
    call = Call(0, 0, "(root)", 0, None, tuple(values[:2]), kwargs=(values[2],), outputs=tuple(values[:2]),
                grad_inputs=(values[2], values[1], values[0]), grad_outputs=(values[1], values[0]))  # fmt: skip
    skeleton = Skeleton(
        Header("torch", "0", "Net"), {"(root)": Layer("(root)", "Net", (), {}, None)}, (Step(0, (call,)),), End()
    )
    labels = [value.label for value in layer_part(skeleton, "(root)").calls[0].values]
    assert labels == [
        "input 0", "input 1", "input mask", "output 0", "output 1", "output gradient 0", "output gradient 1",
        "input gradient 0", "input gradient 1", "input gradient mask",
    ]  # fmt: skip

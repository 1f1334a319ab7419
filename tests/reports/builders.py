"""Diagnoses made by hand, one for each face that a report can have."""

from __future__ import annotations

import dataclasses
import math

from tracer.divergence.alignment import Alignment, Alone, CallId, Group, Pair
from tracer.divergence.diagnosis import (
    Cause,
    Coverage,
    Diagnosis,
    Origin,
    PairRow,
    RoadStep,
    Spot,
    TraceSide,
)
from tracer.divergence.flow import Point
from tracer.divergence.metrics import Difference

TORCH = TraceSide("pt.h5", "torch", "2.13.0", "ViT", complete=True, keep="values")
MINDSPORE = TraceSide("ms.h5", "mindspore", "2.10.0", "ViT", complete=True, keep="values")
BOTH_JUDGED = {"forward": "judged", "backward": "judged"}


def spot(path: str = "blocks.2.mlp.act", kind: str = "GELU", source: str | None = "vit.py:41", **more) -> Spot:
    return Spot(path=path, call=more.pop("call", 0), kind=kind, source=source, **more)


def difference(relative_l2: float | None, tolerance: float = 2e-6, **more) -> Difference:
    return Difference(relative_l2=relative_l2, tolerance=tolerance, **more)


def step(path: str, relative_l2: float | None, state: str = "agrees", kind: str = "Linear", **more) -> RoadStep:
    return RoadStep(spot(path, kind), spot(path, kind), difference(relative_l2, **more), state)


def alignment(*paths: str, **more) -> Alignment:
    pairs = tuple(Pair(CallId(path, 0), CallId(path, 0), "same path, op and shapes", 1.0) for path in paths)
    return Alignment(pairs, **more)


GELU_CAUSE = Cause(
    kind="setting",
    name="approximate",
    reference="none",
    candidate=True,
    edit="vit_mindspore.py:44  nn.GELU()  ->  nn.GELU(approximate=False)",
    sentence="approximate is 'none' in the reference and True in the candidate (MindSpore's default)",
)

GELU_ORIGIN = Origin(
    phase="forward",
    place="layer",
    reference=spot(source="vit_torch.py:41", text="self.act = nn.GELU()"),
    candidate=spot(source="vit_mindspore.py:44", text="self.act = nn.GELU()"),
    difference=difference(
        4.7e-4, max_abs=4.6e-4, max_at=(0, 3, 17), cosine=0.9999998, beyond=0.42, dtypes=("float32", "float32")
    ),
    fed_by=3.1e-7,
    causes=(GELU_CAUSE,),
)

GELU_ROAD = (
    step("blocks.2.norm2", 2.9e-7, kind="LayerNorm"),
    step("blocks.2.mlp.fc1", 3.1e-7),
    step("blocks.2.mlp.act", 4.7e-4, "starts here", kind="GELU"),
    step("blocks.2.mlp.fc2", 5.0e-4, "carried on"),
    step("(root)", 9.2e-3, "carried on", kind="ViT"),
)

VIT_PATHS = tuple(f"blocks.{i}.{name}" for i in range(3) for name in ("norm1", "attn", "norm2", "mlp.fc1", "mlp.act"))


def diagnosis(**more) -> Diagnosis:
    """A port whose GELU is the tanh one; `more` replaces fields."""
    fields = {
        "verdict": "diverged",
        "reason": "blocks.2.mlp.act differs by 4.7e-04 where rounding explains 2.0e-06",
        "reference": TORCH,
        "candidate": MINDSPORE,
        "origins": (GELU_ORIGIN,),
        "road": GELU_ROAD,
        "alignment": alignment(*VIT_PATHS),
        "coverage": Coverage(judged=9, aligned=len(VIT_PATHS), alone=0, unjudgeable=0, phases=BOTH_JUDGED),
    }
    return Diagnosis(**(fields | more))


def agreeing(**more) -> Diagnosis:
    return diagnosis(
        **{
            "verdict": "agree",
            "reason": "every output and every gradient that was judged agrees within its tolerance",
            "origins": (),
            "road": (),
            "coverage": Coverage(len(VIT_PATHS), len(VIT_PATHS), 0, 0, BOTH_JUDGED),
        }
        | more
    )


def unsure(**more) -> Diagnosis:
    return agreeing(
        **{
            "verdict": "unsure",
            "reason": "the two nets have nothing in common: no layer of the one fits a layer of the other",
            "alignment": Alignment(
                (),
                alone_reference=tuple(Alone(CallId(path, 0), "Linear") for path in VIT_PATHS),
                alone_candidate=(Alone(CallId("(root)", 0), "CNN"), Alone(CallId("list"), "CellList")),
            ),
            "coverage": Coverage(0, 0, 17, 0, {"forward": "nothing is aligned", "backward": "nothing is aligned"}),
        }
        | more
    )


def other_inputs() -> Diagnosis:
    return unsure(
        reason="the two nets were not given the same numbers, so nothing after them can be judged",
        origins=(
            Origin(
                phase="start",
                place="input",
                reference=spot("(root)", "ViT", "run.py:9"),
                candidate=spot("(root)", "ViT", "run_ms.py:11"),
                difference=difference(1.2, max_abs=4.1, max_at=(0, 0), leaf="0"),
                fed_by=None,
            ),
        ),
        alignment=alignment(*VIT_PATHS),
        coverage=Coverage(0, 15, 0, 15, {"forward": "the inputs differ", "backward": "the inputs differ"}),
    )


def lost_residual() -> Diagnosis:
    """Code between layers, in a faded divergence, seen on the backward road, with a lone layer and a group."""
    alone = (Alone(CallId("blocks.1.drop_path", 0), "DropPath"),)
    return diagnosis(
        origins=(
            Origin(
                phase="backward",
                place="between",
                reference=spot("blocks.1", "Block", "vit_torch.py:77", text="x = x + self.mlp(self.norm2(x))", call=2),
                candidate=spot("blocks.1", "Block", "vit_mindspore.py:81", text="x = self.mlp(self.norm2(x))", call=2),
                difference=difference(0.71, 6e-5, max_abs=3.0, max_at=(1, 16, 191)),
                fed_by=2.5e-7,
                causes=(
                    Cause("code", "residual", sentence="the candidate's output is the reference's less its input"),
                ),
                faded=True,
            ),
        ),
        road=(step("blocks.2", 1.0e-6), step("blocks.1", 0.71, "starts here"), step("blocks.0", None, "unknown")),
        alignment=alignment(
            *VIT_PATHS,
            alone_reference=alone,
            groups=(Group((CallId("qkv", 0),), (CallId("q", 0), CallId("k", 0)), "together", 0.8),),
        ),
        coverage=Coverage(12, 16, 1, 2, {"forward": "judged", "backward": "judged"}),
        notes=("torch ran with TF32 on",),
    )


def not_a_number() -> Diagnosis:
    return diagnosis(
        origins=(
            dataclasses.replace(
                GELU_ORIGIN,
                difference=difference(
                    math.nan, max_abs=math.inf, nan_candidate=12, mask_differs=True, problem="nan", cosine=math.nan
                ),
                fed_by=math.nan,
                causes=(Cause("nan", "NaN", sentence="12 elements are NaN only in the candidate"),),
            ),
        ),
        road=(
            step("blocks.2.mlp.fc1", 3.1e-7),
            step("blocks.2.mlp.act", None, "starts here", problem="nan"),
            step("(root)", None, "carried on", problem="shape", shapes=((1, 10), (1, 12))),
        ),
    )


def candidate_only() -> Diagnosis:
    return diagnosis(
        origins=(
            Origin("forward", "output", None, spot("(root)", "ViT", None), difference(None, problem="structure"), None),
        ),
        road=(),
    )


def crowded() -> Diagnosis:
    """More of everything than a screen holds, and names longer than a line."""
    deep = "encoder.backbone.stages.3.blocks.17.attention.self.query_projection"
    folder = "/home/somebody/projects/very-long-project-name/models/vision/transformers"
    causes = tuple(
        Cause("setting", f"setting{i}", reference=i, candidate=i + 1, edit=f"{folder}/ms.py:{i}  eps={i}")
        for i in range(7)
    )
    origin = dataclasses.replace(
        GELU_ORIGIN,
        reference=spot(deep, "ScaledDotProductSelfAttention", f"{folder}/pt.py:1041", text="self.query = " + "x" * 90),
        candidate=spot(deep.replace("query", "q"), "SelfAttentionCell", f"{folder}/ms.py:2044"),
        causes=causes,
    )
    road = [step(f"{deep}.{i}", 10.0 ** (i / 3 - 7), "agrees") for i in range(8)]
    road += [step(deep, 2e-2, "starts here")]
    road += [step(f"{deep}.after.{i}", 10.0 ** (i / 6 - 2), "carried on") for i in range(12)]
    others = tuple(dataclasses.replace(origin, reference=spot(f"{deep}.other.{i}")) for i in range(8))
    return diagnosis(
        origins=(origin, *others),
        road=tuple(road),
        alignment=alignment(
            *VIT_PATHS,
            alone_reference=tuple(Alone(CallId(f"{deep}.drop{i}", 0), "Dropout") for i in range(9)),
            alone_candidate=tuple(Alone(CallId(f"{deep}.cast{i}", 1), "Cast") for i in range(2)),
        ),
        coverage=Coverage(9, 15, 11, 3, {"forward": "judged", "backward": "MindSpore has no kernel for its gradient"}),
        notes=tuple(
            f"the flag number {i} differs: it was on in the reference and off in the candidate" for i in range(9)
        ),
    )


def with_rows() -> Diagnosis:
    rows = (
        PairRow(spot("patch", "Conv2d"), spot("patch", "Conv2d"), "conv2d", "forward", difference(2e-7, 5e-6, max_abs=1e-6), 0.0,
                "agrees", "same path, op and shapes", 1.0),
        PairRow(spot("blocks.2.mlp.act"), spot("layers.2.ffn.act"), "gelu", "forward", difference(4.7e-4), 3.1e-7,
                "starts here", "same op, between the same layers", 0.93),
        PairRow(spot("head", "Linear", call=1), None, "linear", "backward", None, None, "not judged", "", 0.5),
    )  # fmt: skip
    return diagnosis(rows=rows)


def odd_names() -> Diagnosis:
    """Names that could break a page or a terminal."""
    name = "bad\x1b[31m<b>&\n路径.слой"
    origin = dataclasses.replace(GELU_ORIGIN, reference=spot(name, "<i>Kind</i>"), candidate=spot(name, "'\""))
    return diagnosis(origins=(origin,), road=(step(name, 1.0, "starts here"),))


def wrong_code() -> Diagnosis:
    """Code between layers whose container was made elsewhere, in nets of which one has a layer and a border more."""
    between = Origin(
        phase="forward",
        place="between",
        reference=spot("blocks.1", "Block", "vit_torch.py:60", text="Block(dim)", called_at="models/vit_torch.py:21",
                       called_text="return self.proj(x)"),
        candidate=spot("blocks.1", "Block", "vit_mindspore.py:66", text="Block(dim)", called_at="vit_mindspore.py:24",
                       called_text="return self.proj(x)"),
        difference=difference(0.7, 6e-5, max_abs=2.0, max_at=(0, 3), leaf="past.0"),
        fed_by=2e-7,
        causes=(Cause("code", "forward", sentence="none that is known fits"),),
        sentence="what blocks.1.proj is given differs",
        point=Point(CallId("blocks.1.proj", 0), CallId("blocks.1.proj", 0), "in"),
    )  # fmt: skip
    return diagnosis(
        origins=(between, GELU_ORIGIN),
        road=(step("blocks.1.v", 2e-7), step("blocks.1", 0.7, "starts here"), step("blocks.1.proj", 0.7, "carried on")),
        other_roads=(GELU_ROAD,),
        alignment=alignment(
            *VIT_PATHS,
            alone_reference=(Alone(CallId("blocks"), "ModuleList"),),
            alone_candidate=(Alone(CallId("blocks.0.flat", 0), "Flatten"),),
        ),
        coverage=Coverage(judged=9, aligned=len(VIT_PATHS), alone=2, unjudgeable=0, phases=BOTH_JUDGED),
    )


def other_dtype() -> Diagnosis:
    """What must be known before the numbers, and what need not."""
    said = "dtype is float32 in the reference and float16 in the candidate at blocks.2.mlp.act"
    return diagnosis(notes=(said, "torch ran with TF32 on"), beforehand=(said,))


def the_same_everywhere() -> Diagnosis:
    """Origins that one sentence tells: nothing was loaded."""
    origins = tuple(
        dataclasses.replace(
            GELU_ORIGIN,
            phase="start",
            reference=spot(f"fc{n}", "Linear", f"mlp.py:{n}"),
            candidate=spot(f"fc{n}", "Dense", f"mlp_ms.py:{n}"),
            causes=tuple(
                Cause("parameter", name, sentence=f"{name} holds other numbers (relative L2 1.{n}e+00): load them")
                for name in ("weight", "bias")
            ),
        )
        for n in range(9)
    )
    return diagnosis(origins=origins, road=())


ALL = {
    "diverged": diagnosis,
    "agree": agreeing,
    "unsure": unsure,
    "other_inputs": other_inputs,
    "lost_residual": lost_residual,
    "not_a_number": not_a_number,
    "candidate_only": candidate_only,
    "crowded": crowded,
    "every": with_rows,
    "odd_names": odd_names,
    "wrong_code": wrong_code,
    "other_dtype": other_dtype,
    "the_same_everywhere": the_same_everywhere,
}

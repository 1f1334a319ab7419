"""A skeleton made by hand: a small net with a silent layer, a shared one, a NaN and an odd name."""

from __future__ import annotations

from tracer.trace.schema import (
    Call,
    End,
    Group,
    Header,
    Layer,
    LossTaken,
    Maker,
    Measures,
    Optimizer,
    Parameter,
    Skeleton,
    Source,
    Statistics,
    Step,
    Value,
)


def statistics(count: int = 2176, **more) -> Statistics:
    return Statistics(count, minimum=-2.1234, maximum=3.2, mean=0.0123, l2=12.3, sample=(1.0, 2.0), **more)


def layer(path: str, kind: str, *children: str, **more) -> Layer:
    return Layer(path, kind, (f"torch.nn.{kind}",), children=children, **more)


def value(leaf: str = "", **more) -> Value:
    return Value(leaf, "tensor", (2, 17, 64), "float32", "cpu", **({"statistics": statistics()} | more))


LAYERS = (
    layer("(root)", "ViT", "patch", "blocks", "head", "unused"),
    layer(
        "patch",
        "Conv2d",
        settings={"kernel_size": [3, 3], "padding": 0},
        training=True,
        made_at=Source("vit.py", 12, "self.patch = nn.Conv2d(3, 64, 3)"),
        parameters=(
            Parameter("weight", (64, 3, 3, 3), "float32", statistics=statistics(1728)),
            Parameter("bias", (64,), "float32", trainable=False, statistics=statistics(64)),
        ),
    ),
    layer("blocks", "ModuleList", "blocks.0"),
    layer("blocks.0", "Block", "blocks.0.output/слой"),
    layer("blocks.0.output/слой", "GELU"),
    layer("head", "Linear", aliases=("tied_head",)),
    layer("unused", "Linear"),
)


def call(order: int, path: str, parent: int | None, index: int = 0, **more) -> Call:
    fields = {
        "inputs": (value("0", maker=Maker(order - 1, "output", "") if order else None), Value("1", "none")),
        "kwargs": (Value("scale", "scalar", literal=0.5),),
        "outputs": (value(),),
        "grad_outputs": (value(),),
        "seconds": 0.00123,
        "source": Source("vit.py", 60, "x = self.patch(x)"),
    }
    return Call(0, order, path, index, parent, **(fields | more))


SPOILED = value(statistics=statistics(nan=3, inf=1))


def skeleton(end: End | None = None, **more) -> Skeleton:
    calls = (
        call(0, "(root)", None, outputs=(value("logits"), value("features"))),
        call(1, "patch", 0),
        call(2, "blocks.0", 0),
        call(3, "blocks.0.output/слой", 2, outputs=(SPOILED,)),
        call(4, "head", 0),
        call(5, "head", 0, index=1, returned=False, failed="ValueError: no"),
    )
    header = Header(
        "torch",
        "2.13.0",
        "ViT",
        created="2026-11-25T08:00:00Z",
        tracer_version="0.1.0",
        environment={"device": "cpu", "tf32": False},
        note="first try",
        **more,
    )
    silent = {"blocks": "a container that is only indexed", "unused": "never called"}
    gradients = {("patch", "weight"): value(statistics=statistics(1728))}
    return Skeleton(
        header,
        {one.path: one for one in LAYERS},
        (Step(0, calls, gradients),),
        end or End(complete=False, stopped="in head: ValueError: no", backward="the net raised", silent=silent),
    )


def trained() -> Skeleton:
    """A training of forty steps: a few whole, one of them skipped and one cut off, the others as numbers."""
    groups = (
        Group({"lr": 0.01, "betas": [0.9, 0.999], "weight_decay": 0.01}, (("patch", "weight"), ("head", "weight"))),
        Group({"lr": 0.001, "betas": [0.9, 0.999], "weight_decay": 0.0}, (("patch", "bias"),), strangers=2),
    )
    optimizer = Optimizer("AdamW", ("torch.optim.adamw.AdamW",), {"maximize": False}, groups, Source("train.py", 9))
    loss = LossTaken(
        0,
        Value("", "tensor", (), "float32", statistics=Statistics(1, mean=1.5915656, l2=1.5915656)),
        Value("", "tensor", (), "float32", statistics=Statistics(1, mean=1024.0, l2=1024.0)),
        "CrossEntropyLoss",
        settings={"reduction": "mean", "label_smoothing": 0.0},
    )
    state = {("patch", "weight", "exp_avg"): value(), ("patch", "weight", "step"): value()}

    def one(number: int) -> Step:
        measures = Measures(1.6 - number / 100, 1.45, 4.8, 0.15, (0.01, 0.001), 1024.0, 0.2)
        if number not in {0, 1, 7, 39}:
            return Step(number, keep="curve", measures=Measures(1.6 - number / 100, 1.45, 4.8, 0.15, (0.01, 0.001)))
        skipped = number == 7
        return Step(
            number,
            (call(0, "(root)", None), call(1, "patch", 0)),
            keep="values",
            losses=(loss,),
            optimizer=None if skipped else optimizer,
            state_before=state if number else {},
            state_after=state,
            measures=Measures(1.53, None, 4.8, 0.0, (), 1024.0) if skipped else measures,
            updates=0 if skipped else 1,
            ended=number != 39,
        )

    sampled = {"keep_steps": [0, 1, 7, 39], "rest": "curve"}
    header = Header("torch", "2.13.0", "ViT", created="2026-11-25T08:00:00Z", tracer_version="0.1.0", sampling=sampled)
    return Skeleton(header, {each.path: each for each in LAYERS}, tuple(map(one, range(40))), End())

"""The forward pass, in the order in which it ran: where a value is not finite though all it was made of is."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from tracer.divergence.births.born import Birth, Phase, Where
from tracer.divergence.births.ledger import Ledger
from tracer.divergence.births.reasons import hints
from tracer.divergence.births.scene import Key, Scene, finite_floats, odd, seen
from tracer.divergence.graph import CallId
from tracer.divergence.stretch import lines_after, lines_before, pending
from tracer.trace.schema import Parameter, Place, Value


def walk_forward(scene: Scene, ledger: Ledger, *, inherited: frozenset[Place] = frozenset()) -> None:
    """Find the births of the start and of the forward pass. `inherited` are parameters that an earlier step left not
    finite."""
    _start(scene, ledger, inherited)
    for id_, side in scene.events():
        if side == "input":
            _came_in(scene, ledger, id_)
        elif scene.graph.nodes[id_].unit:
            _call(scene, ledger, id_)
        else:
            _went_out(scene, ledger, id_)


def _start(scene: Scene, ledger: Ledger, inherited: frozenset[Place]) -> None:
    told: dict[str, int] = {}
    for place, value in scene.held.items():
        if not odd(value) or place in scene.buffers:
            continue
        owner = value.owner if isinstance(value, Parameter) and value.owner else place
        key = ("parameter", *place)
        if owner in inherited:
            ledger.blame[key] = set()
        elif owner != place and ledger.of([("parameter", *owner)]):
            ledger.pass_on([("parameter", *owner)], [key])
        elif place[0] in told:
            ledger.blame[key] = {told[place[0]]}
        else:
            path, name = place
            kind = scene.skeleton.layers[path].kind if path in scene.skeleton.layers else ""
            birth = make_birth(scene, "start", "parameter", path, None, kind, "parameter", [value], leaf=name)
            told[path] = ledger.born(birth, [key])


def _came_in(scene: Scene, ledger: Ledger, id_: CallId) -> None:
    """What code (or whoever called the net) made for a call."""
    node = scene.graph.nodes[id_]
    new = [v for v in node.inputs if scene.spoilt(id_, "input", v) and scene.key(id_, "input", v) not in ledger.blame]
    if not new:
        return
    keys = [scene.key(id_, "input", v) for v in new]
    sources = _sources(scene, node.parent, id_)
    if sources:
        ledger.pass_on(sources, keys)
        return
    if node.parent is None:
        birth = make_birth(scene, "start", "input", id_.path, id_.call, node.layer.kind, "input", new)
        ledger.born(birth, keys)
        return
    earlier = scene.before(node.parent, id_)
    birth = _code_birth(scene, node.parent, "input", new, earlier, after=earlier[-1] if earlier else None, before=id_)
    ledger.born(birth, keys)


def _went_out(scene: Scene, ledger: Ledger, id_: CallId) -> None:
    """What code of a container made last, and whether it swallowed what came before."""
    node = scene.graph.nodes[id_]
    new = [
        v for v in node.outputs if scene.spoilt(id_, "output", v) and scene.key(id_, "output", v) not in ledger.blame
    ]
    if new:
        keys = [scene.key(id_, "output", v) for v in new]
        sources = _sources(scene, id_, None)
        inside = scene.before(id_, None)
        if sources:
            ledger.pass_on(sources, keys)
        else:
            birth = _code_birth(scene, id_, "output", new, inside, after=inside[-1] if inside else None, before=None)
            ledger.born(birth, keys)
    if node.parent is None:
        for number in ledger.of(scene.spoilt_keys(id_, "output")):
            ledger.reached[number]["output"] = None
    if finite_floats(node.outputs):
        for number in ledger.of(_sources(scene, id_, None)):
            by_calls = [x for x in ledger.healed_by[number] if isinstance(x, CallId)]
            if not any(id_ in scene.graph.ancestors(call) for call in by_calls):
                ledger.healed_by[number].setdefault(f"code of {id_}")


def _call(scene: Scene, ledger: Ledger, id_: CallId) -> None:
    node = scene.graph.nodes[id_]
    taken = scene.spoilt_keys(id_, "input")
    sources: list[Hashable] = [*taken, *scene.spoilt_parameters(id_)]
    spoilt = [v for v in node.outputs if scene.spoilt(id_, "output", v)]
    new = [v for v in spoilt if scene.key(id_, "output", v) not in ledger.blame]
    if sources:
        blamed = ledger.pass_on(sources, [scene.key(id_, "output", v) for v in new])
        for number in blamed:
            if spoilt:
                ledger.passed_on[number].setdefault(str(id_))
            elif taken and finite_floats(node.outputs):
                ledger.healed_by[number].setdefault(id_)
    elif new:
        given = (*scene.given(id_), *scene.given_parameters(id_))
        source = node.call.source
        birth = make_birth(
            scene, "forward", "call", id_.path, id_.call, node.layer.kind, "output", new,
            given=given, op=node.meaning.op, source=None if source is None else str(source),
            text=None if source is None else source.text,
        )  # fmt: skip
        ledger.born(birth, [scene.key(id_, "output", v) for v in new])
    if node.parent is None:
        for number in ledger.of(scene.spoilt_keys(id_, "output")):
            ledger.reached[number]["output"] = None


def _sources(scene: Scene, scope: CallId | None, id_: CallId | None) -> list[Hashable]:
    """What was not finite of all that code of `scope` could use before call `id_`."""
    found: list[Hashable] = []
    for call, side, value in scene.at_hand(scope, id_):
        key: Key = scene.key(call, side, value)
        if odd(value) and key not in scene.masks:
            found.append(key)
    if scope is not None:
        found += scene.spoilt_parameters(scope)
    return found


def _code_birth(
    scene: Scene,
    scope: CallId,
    side: str,
    values: Sequence[Value],
    earlier: Sequence[CallId],
    *,
    after: CallId | None,
    before: CallId | None,
) -> Birth:
    """Code of `scope` made it, between two calls inside."""
    near = {scope, *pending(scene.graph, tuple(earlier))}  # what no later call was made of
    given = [
        seen(_what(call, s, v, scope), v, mask=odd(v) and scene.key(call, s, v) in scene.masks)
        for call, s, v in scene.at_hand(scope, before)
        if call in near
    ]
    lines = lines_before(scene.graph, before) if before is not None else lines_after(scene.graph, scope)
    node = scene.graph.nodes[scope]
    return make_birth(
        scene, "forward", "code", scope.path, scope.call, node.layer.kind, side, values,
        given=(*given, *scene.given_parameters(scope)), source=lines,
        after=None if after is None else str(after), before=None if before is None else str(before),
    )  # fmt: skip


def _what(call: CallId, side: str, value: Value, scope: CallId) -> str:
    own = f"{side} {value.leaf}".rstrip()
    return own if call == scope else f"{own} of {call}"


def make_birth(
    scene: Scene,
    phase: Phase,
    where: Where,
    path: str,
    call: int | None,
    kind: str,
    side: str,
    values: Sequence[Value | Parameter],
    *,
    leaf: str | None = None,
    **more: object,
) -> Birth:
    """A birth of one or more values of one call; the first is named, all are counted."""
    first = values[0]
    known = [v.statistics for v in values if v.statistics is not None]
    birth = Birth(
        scene.step.number, phase, where, path, call, kind, side,
        leaf if leaf is not None else getattr(first, "leaf", ""), first.dtype,
        sum(s.count for s in known), sum(s.nan for s in known), sum(s.inf for s in known),
        **more,  # type: ignore[arg-type]
    )  # fmt: skip
    return hints(birth, scene)

"""The backward pass, from its end: where a gradient is not finite though what came back, and the forward pass, were."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from tracer.divergence.births.born import Birth, Seen, Where
from tracer.divergence.births.forward import make_birth
from tracer.divergence.births.ledger import Ledger
from tracer.divergence.births.scene import Key, Scene, odd, seen
from tracer.divergence.graph import CallId
from tracer.divergence.stretch import pending
from tracer.trace.schema import ROOT, Place, Value


class Backward:
    """Finds the births of one step's backward pass and puts them into the ledger."""

    def __init__(self, scene: Scene, ledger: Ledger) -> None:
        self.scene = scene
        self.graph = scene.graph
        self.ledger = ledger

        self.parameters = {
            place: [value, *scene.step.gradient_parts.get(place, ())]
            for place, value in scene.step.parameter_gradients.items()
        }

    def walk(self) -> None:
        """Calls in the reverse of their order; what came from the loss first."""
        found: list[Birth] = []
        for root in reversed(self.graph.roots):
            found += self._from_the_loss(root)
        shown = [id_ for id_, node in self.graph.nodes.items() if not node.hidden]
        for id_ in reversed(shown):
            found += self._call(id_) if self.graph.nodes[id_].unit else self._code(id_)
        any_odd = self._first_odd(shown)
        if not found and any_odd is not None and not self.ledger.births:
            found.append(any_odd)
        reached = self._reached()
        for birth in found:
            number = self.ledger.born(birth, ())
            self.ledger.reached[number].update(reached)
        if not found and reached:
            for number in range(len(self.ledger.births)):
                if "output" in self.ledger.reached[number] or not self.ledger.healed_by[number]:
                    self.ledger.reached[number].update(reached)

    def _reached(self) -> dict[str, None]:
        spoilt = [place for place, values in self.parameters.items() if any(map(odd, values))]
        return {"gradients": None} if spoilt else {}

    # ----------------------------------------------------------------------------------------------------------------
    # The three places where it can be born
    # ----------------------------------------------------------------------------------------------------------------

    def _from_the_loss(self, root: CallId) -> list[Birth]:
        """What code outside the net (the loss) sends back."""
        node = self.graph.nodes[root]
        spoilt = [v for v in node.call.grad_outputs if odd(v)]
        losses = self.scene.step.losses
        if not spoilt or self.scene.spoilt_keys(root, "output") or any(odd(loss.value) for loss in losses):
            return []
        later = self.graph.roots[self.graph.roots.index(root) + 1 :]
        if any(odd(v) for other in later for v in self.graph.nodes[other].call.grad_inputs):
            return []
        back = [seen("incoming gradient", loss.gradient) for loss in losses if loss.gradient is not None]
        if any(one.nan or one.inf for one in back):
            return []  # told as the loss's own
        kind = losses[0].kind if losses else ""
        given = (*back, *self.scene.given(root, "output"))
        path = "(loss)" if losses else ROOT
        where: Where = "loss" if losses else "code"
        source = str(losses[0].source) if losses and losses[0].source else None
        birth = make_birth(
            self.scene, "backward", where, path, None if losses else node.call.index, kind or node.layer.kind,
            "grad_output", spoilt, given=given, passed_on=(str(root),), source=source,
            after=None if losses else str(root),
        )  # fmt: skip
        return [birth]

    def _call(self, id_: CallId) -> list[Birth]:
        """A call that is judged whole: what came back to it was finite, what it sends further is not."""
        call, scene = self.graph.nodes[id_].call, self.scene
        spoilt = [("grad_input", v) for v in call.grad_inputs if odd(v) and not self._of_others(id_, v)]
        spoilt += [("grad_param", v) for v in self._own_gradients(id_)]
        if not spoilt or not call.grad_outputs or any(map(odd, call.grad_outputs)) or not scene.clean(id_):
            return []
        given = (
            *(seen(f"incoming gradient {v.leaf}".rstrip(), v) for v in call.grad_outputs),
            *scene.given(id_), *scene.given(id_, "output"), *scene.given_parameters(id_),
        )  # fmt: skip
        side = spoilt[0][0]
        node, source = self.graph.nodes[id_], call.source
        birth = make_birth(
            scene, "backward", "call", id_.path, id_.call, node.layer.kind, side, [v for s, v in spoilt if s == side],
            given=given, op=node.meaning.op, passed_on=self._felt(id_),
            source=None if source is None else str(source), text=None if source is None else source.text,
        )  # fmt: skip
        return [birth]

    def _code(self, scope: CallId) -> list[Birth]:
        """Code of a container: the gradients that it got were finite, those that it sends further are not."""
        for child in reversed(self.scene.before(scope, None)):
            node = self.graph.nodes[child]
            spoilt = [v for v in node.call.grad_outputs if odd(v) and self._by_code(child, "output", v, scope)]
            if spoilt:
                birth = self._born_in_code(scope, child, "grad_output", spoilt)
                return [birth] if birth is not None else []
        call = self.graph.nodes[scope].call
        spoilt = [v for v in call.grad_inputs if odd(v) and self._by_code(scope, "input", v, scope)]
        side = "grad_input"
        if not spoilt:
            side, spoilt = "grad_param", self._own_gradients(scope)
        birth = self._born_in_code(scope, None, side, spoilt) if spoilt else None
        return [birth] if birth is not None else []

    def _born_in_code(self, scope: CallId, child: CallId | None, side: str, spoilt: Sequence[Value]) -> Birth | None:
        scene, node = self.scene, self.graph.nodes[scope]
        siblings = scene.before(scope, None)
        later = siblings if child is None else siblings[siblings.index(child) + 1 :]
        back = [(f"incoming gradient of {x}", v) for x in later for v in self._to_code(x)]
        back += [("incoming gradient", v) for v in node.call.grad_outputs]
        if not back or any(odd(v) for _, v in back):
            return None
        around = [scope, *later, *([child] if child is not None else [])]
        if any(scene.spoilt_keys(x, s) for x in around for s in ("input", "output")):
            return None
        near = [child] if child is not None else []
        forward: list[Seen] = [seen(f"output of {x}", v) for x in near for v in self.graph.nodes[x].outputs]
        if child is None:
            forward = scene.given(scope)
            last = list(pending(self.graph, tuple(siblings)))
            forward += [seen(f"output of {x}", v) for x in last for v in self.graph.nodes[x].outputs]
        source = self.graph.nodes[child].call.source if child is not None else None
        return make_birth(
            scene, "backward", "code", scope.path, scope.call, node.layer.kind, side, spoilt,
            given=(*(seen(what, v) for what, v in back), *forward),
            after=None if child is None else str(child), before=str(later[0]) if later else None,
            source=None if source is None else f"{source} and after",
            passed_on=() if child is None else (str(child),),
        )  # fmt: skip

    # ----------------------------------------------------------------------------------------------------------------
    # Questions
    # ----------------------------------------------------------------------------------------------------------------

    def _to_code(self, id_: CallId) -> list[Value]:
        """The gradients that a call sends to code, which made these inputs of it."""
        made = {feed.value.leaf for feed in self.graph.feeds(id_) if feed.kind == "code"}
        return [v for v in self.graph.nodes[id_].call.grad_inputs if v.leaf in made]

    def _by_code(self, id_: CallId, side: str, gradient: Value, scope: CallId) -> bool:
        """Can only code of `scope` have made this gradient not finite: no call that took the value sends such a one?"""
        node = self.graph.nodes[id_]
        values = node.inputs if side == "input" else node.outputs
        value = next((v for v in values if v.leaf == gradient.leaf), None)
        if value is None:
            return False
        key = self.scene.key(id_, side, value)
        takers = [t for t in self.scene.takers.get(key, ()) if t != id_ and scope in self.graph.ancestors(t)]
        if any(self._sends(t, key) for t in takers):
            return False
        return not (side == "output" and self._handed_out(scope, key))

    def _handed_out(self, scope: CallId, key: Key) -> bool:
        """Does the container give this very value, so that its gradient is the container's?"""
        return any(self.scene.key(scope, "output", v) == key for v in self.graph.nodes[scope].outputs)

    def _sends(self, id_: CallId, key: Key) -> bool:
        """Does a call send back to this value a gradient that is not finite?"""
        node = self.graph.nodes[id_]
        leaves = {v.leaf for v in node.inputs if self.scene.key(id_, "input", v) == key}
        return any(odd(v) for v in node.call.grad_inputs if v.leaf in leaves)

    def _of_others(self, id_: CallId, gradient: Value) -> bool:
        """Did another call that took the same value get such a gradient and send it? Then this may be theirs: where no
        alias could be made, a framework gives the gradient of the value as a whole."""
        node = self.graph.nodes[id_]
        value = next((v for v in node.inputs if v.leaf == gradient.leaf), None)
        if value is None:
            return False
        key = self.scene.key(id_, "input", value)
        above = set(self.graph.ancestors(id_))
        others = [t for t in self.scene.takers.get(key, ()) if t != id_ and t not in above]
        return any(self._sends(t, key) and any(map(odd, self.graph.nodes[t].call.grad_outputs)) for t in others)

    def _own_gradients(self, id_: CallId) -> list[Value]:
        """Gradients of its own parameters that are not finite, where no other call can have made them so."""
        found = []
        for place, _ in self.scene.parameters(id_):
            values = self.parameters.get(place, [])
            if any(map(odd, values)) and not any(self._got_odd(user) for user in self._users(place) if user != id_):
                found += [v for v in values if odd(v)]
        return found

    def _users(self, place: Place) -> list[CallId]:
        """The calls of the layers that hold a parameter, by its own place or as one that is tied to it."""
        paths = {place[0]}
        for path, layer in self.scene.skeleton.layers.items():
            if any(p.owner == place for p in layer.parameters):
                paths.add(path)
        return [id_ for id_ in self.graph.nodes if id_.path in paths]

    def _got_odd(self, id_: CallId) -> bool:
        call = self.graph.nodes[id_].call
        return any(map(odd, call.grad_outputs)) or not self.scene.clean(id_)

    def _felt(self, id_: CallId) -> tuple[str, ...]:
        """The calls that made what it took, and got such a gradient for it."""
        node = self.graph.nodes[id_]
        found: dict[str, None] = {}
        for gradient in node.call.grad_inputs:
            value = next((v for v in node.inputs if v.leaf == gradient.leaf), None)
            maker = self.scene.node(self.scene.key(id_, "input", value).order) if value is not None else None
            if odd(gradient) and maker is not None and any(map(odd, maker.call.grad_outputs)):
                found[str(maker.id)] = None
        return tuple(found)

    def _first_odd(self, shown: Sequence[CallId]) -> Birth | None:
        """The first gradient that is seen not to be finite, where it is not known of what it was made."""
        for id_ in reversed(shown):
            node = self.graph.nodes[id_]
            for side, values in (("grad_output", node.call.grad_outputs), ("grad_input", node.call.grad_inputs)):
                spoilt = [v for v in values if odd(v)]
                if spoilt:
                    return make_birth(
                        self.scene, "backward", "call", id_.path, id_.call, node.layer.kind, side, spoilt, sure=False
                    )
        for (path, name), value in self.parameters.items():
            if any(map(odd, value)):
                kind = self.scene.skeleton.layers[path].kind if path in self.scene.skeleton.layers else ""
                spoilt = [v for v in value if odd(v)]
                return make_birth(
                    self.scene, "backward", "call", path, None, kind, "grad_param", spoilt, leaf=name, sure=False
                )
        return None


def anything_odd(scene: Scene) -> bool:
    """Is any gradient of the backward pass not finite?"""
    calls = scene.step.calls
    values = chain.from_iterable((*call.grad_inputs, *call.grad_outputs) for call in calls)
    parts = chain.from_iterable(scene.step.gradient_parts.values())
    return any(map(odd, chain(values, scene.step.parameter_gradients.values(), parts)))

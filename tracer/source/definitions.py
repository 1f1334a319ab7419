"""Classes and functions where they are defined, and the walk through a function's body."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from tracer.source.classes import line, torch_bases
from tracer.source.evidence import evidence_of_attributes
from tracer.source.expressions import Expressions, every_argument
from tracer.source.modules import Class, Function, FunctionNode, Module, Scope
from tracer.source.names import meaning, named
from tracer.source.naming import last_name
from tracer.source.parameters import parameters
from tracer.source.values import NOTHING, UNKNOWN, Outside, Several, Torch, Value, joined, one


class Definitions(Expressions):
    """The walk through definitions; bodies of functions wait until what is around them is known."""

    def __init__(self, *rest: Any) -> None:
        """Nothing waits yet."""
        super().__init__(*rest)
        self.waiting: list[tuple[Function, Scope, Class | None]] = []
        self.results: list[Value] = []

    def block(self, body: Sequence[ast.stmt]) -> bool:
        """Walk statements; the walk through statements knows how."""
        raise NotImplementedError

    # -------------------------------------------------------------------------------------------------------- classes

    def class_defined(self, node: ast.ClassDef) -> None:
        """A class: its bases, its body, and which of its methods torch calls."""
        self.values(node.decorator_list)
        module = self.scope.module
        within = f"{self.scope.within}.{node.name}" if self.scope.within else node.name
        found = module.declared.get(node)
        made = found if isinstance(found, Class) else Class(node, module, within)
        module.declared[node] = made
        made.bases = [self.base(base) for base in node.bases]
        for keyword in node.keywords:
            self.value(keyword.value)
        for base in made.bases:
            for thing in base.things:
                if isinstance(thing, Class) and made not in thing.heirs and thing is not made:
                    thing.heirs.append(made)
        made.line = None
        if made.roles is None:
            made.roles = evidence_of_attributes(node, self.program.methods) if self.guessing else {}
        made.before, made.assigned = made.assigned, {}
        self.scope.set(node.name, one(made))
        around, owner = self.scope, self.owner
        self.scope, self.owner = Scope(module, around, "class", within), made
        self.block(node.body)
        made.names = self.scope.names
        self.program.methods |= made.names.keys()
        if self.marks is not None:
            self.called_by_torch(made)
        self.scope, self.owner = around, owner

    def base(self, node: ast.expr) -> Value:
        """What a class is derived from; one of torch's is a use."""
        if isinstance(node, ast.Subscript):
            self.annotation(node.slice)
            return self.base(node.value)
        if isinstance(node, (ast.Name, ast.Attribute)):
            value = named(self.program, self.scope, node)
            names = tuple(dict.fromkeys(thing.name for thing in value.things if isinstance(thing, Torch)))
            name = self.torch.chosen(names, spelled=True) if names else None
            if name is not None and self.torch.sort(name) in ("class", None):
                self.mark(node, name, "base", value.sure and len(value.things) == 1)
                return value
            return self.value(node)
        if isinstance(node, ast.Call):
            self.value(node)
            made_by = named(self.program, self.scope, node.func)
            return made_by if all(isinstance(thing, Outside) for thing in made_by.things) else UNKNOWN
        return self.value(node)

    def called_by_torch(self, made: Class) -> None:
        """Mark the methods that torch calls by their name."""
        bases = torch_bases(made)
        sure = None not in line(made)
        open_ended = not sure and not bases and bool(made.node.bases) and self.guessing
        for statement in made.node.body:
            if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            name = statement.name
            full = self.torch.called_as(bases, name)
            if full is None and open_ended and name == "forward" and len(statement.args.args) > 1:
                full = "torch.nn.Module.forward"
            if full is not None:
                self.mark(statement, full, "definition", sure)

    # ------------------------------------------------------------------------------------------------------ functions

    def function_defined(self, node: FunctionNode) -> None:
        """A function: what stands at its head is worked out here, its body waits."""
        self.values(node.decorator_list)
        arguments = node.args
        ordered = [*arguments.posonlyargs, *arguments.args]
        defaults: dict[str, Value] = {}
        for argument, default in zip(reversed(ordered), reversed(arguments.defaults), strict=False):
            defaults[argument.arg] = self.value(default).handed()
        for argument, other in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if other is not None:
                defaults[argument.arg] = self.value(other).handed()
        every = every_argument(arguments)
        for argument in every:
            self.annotation(argument.annotation)
        self.annotation(node.returns)
        module = self.scope.module
        within = f"{self.scope.within}.{node.name}" if self.scope.within else node.name
        found = module.declared.get(node)
        function = found if isinstance(found, Function) else Function(node, module, within, self.scope)
        module.declared[node] = function
        function.scope = self.scope
        function.owner = self.owner if self.scope.sort == "class" else None
        function.defaults = defaults
        function.annotated = {
            argument.arg: meaning(self.program, self.scope, argument.annotation)
            for argument in every
            if argument.annotation is not None
        }
        told = meaning(self.program, self.scope, node.returns)
        function.returns = told if told.things else None
        decorators = {
            last_name(decorator.func if isinstance(decorator, ast.Call) else decorator)
            for decorator in node.decorator_list
        }
        function.sort = _sort(node, decorators)
        self.waiting.append((function, Scope(module, self.scope, "function", within), self.owner))
        if not decorators & {"setter", "deleter", "getter", "overload", "register"}:
            self.scope.set(node.name, one(function))

    def bodies(self) -> None:
        """Walk the bodies that wait, and those that they define."""
        while self.waiting:
            waiting, self.waiting = self.waiting, []
            for function, scope, owner in waiting:
                self.body(function, scope, owner)

    def body(self, function: Function, scope: Scope, owner: Class | None) -> None:
        """Walk one body: what it gives is known afterwards."""
        self.scope, self.owner, self.results, self.yielded = scope, owner, [], []
        self.function = function
        self.read(function, function.node.body)
        for name, value in parameters(self.torch, function).items():
            scope.names[name] = self.evidence.settled(name, UNKNOWN if value is NOTHING else value)
        gone = self.block(function.node.body)
        given = joined(self.yielded) if self.yielded else NOTHING
        if function.sort == "context":
            function.result = given
        elif self.yielded:
            function.result = one(Several(given))
        elif not self.results:
            stub = gone or all(isinstance(part, (ast.Pass, ast.Expr)) for part in function.node.body[:2])
            function.result = UNKNOWN if stub else NOTHING
        else:
            result = joined([*self.results, *([] if gone else [NOTHING])])
            function.result = result if result.sure else result.without_callables()


def walked(walk: Definitions, module: Module) -> None:
    """Walk a module from its first line, then the bodies of its functions."""
    walk.read(module, module.file.tree.body)
    walk.block(module.file.tree.body)
    walk.bodies()


def _sort(node: FunctionNode, decorators: set[str]) -> Any:
    if "staticmethod" in decorators:
        return "static"
    if "classmethod" in decorators or node.name in ("__new__", "__init_subclass__", "__class_getitem__"):
        return "class"
    if decorators & {"property", "cached_property"}:
        return "property"
    if decorators & {"contextmanager", "asynccontextmanager"}:
        return "context"
    return "plain"

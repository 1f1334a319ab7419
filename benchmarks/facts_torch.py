"""Reads the installed torch: every public name, its other names, its signatures and what it gives.

Signatures come from where they are true: of Python functions from the function, of builtins from torch's own stubs and
schemas. A signature is text as Python writes it between the parentheses, then ` -> ` and the first letters of what
that overload gives where it differs from the name's own.
"""

import ast
import enum
import importlib
import inspect
import pkgutil
import sys
import types
import warnings
from collections import defaultdict
from pathlib import Path

warnings.simplefilter("ignore")

SKIPPED = (
    "torch._inductor", "torch.testing", "torch._export", "torch._higher_order_ops", "torch.utils.tensorboard",
    "torch.utils.benchmark", "torch._numpy", "torch._refs", "torch._decomp", "torch._prims", "torch._functorch",
    "torch._subclasses", "torch._lazy", "torch._vendor", "torch.onnx._", "torch.utils.bottleneck", "torch.utils.hipify",
    "torch.contrib", "torch.distributed.elastic", "torch.fx.experimental", "torch.fx.passes", "torch.ao.pruning",
    "torch.ao.ns", "torch.backends.python_native", "torch.distributed.run", "torch.distributed.launch", "torch._dynamo.",
    "torch.distributed._", "torch.distributed.debug", "torch.distributed.flight_recorder", "torch.ao.quantization.fx", "torch.ao.quantization.pt2e", "torch.ao.quantization.backend_config", "torch.onnx.symbolic", "torch.return_types",
    "torch.jit.frontend", "torch.utils.collect_env", "torch.multiprocessing.", "torch.package.", "torch.mtia",
    "torch.autograd.profiler_util", "torch.cuda.sparse", "torch.fx.annotate", "torch.utils.model_dump",
)  # fmt: skip
"""Machinery that no net's source names; the private half of it has no stable names either."""

PRIVATE_TOO = ("torch.nn.modules", "torch.optim", "torch.nn.utils", "torch.nn.parallel", "torch.utils.checkpoint")
"""Rooms whose private names stand in nets all the same (`_BatchNorm`, `_pair`, `_LRScheduler`)."""

PRIVATE_ROOMS = ("torch._dynamo", "torch.utils._pytree", "torch._utils", "torch.utils._python_dispatch")

LETTERS = {"tensor": "t", "tensors": "s", "layer": "l", "function": "f", "other": "o", "unknown": "u"}


# ---------------------------------------------------------------------------------------------- modules and objects


def torch_modules():
    """Every module of torch that sources name, imported; by name."""
    import torch

    def walk(path, prefix):
        for found in pkgutil.iter_modules(path, prefix):
            if found.name.endswith("__main__") or found.name.startswith(SKIPPED):
                continue
            try:
                module = importlib.import_module(found.name)
            except BaseException:
                continue
            if found.ispkg and hasattr(module, "__path__"):
                walk(module.__path__, found.name + ".")

    walk(torch.__path__, "torch.")
    return {
        name: module
        for name, module in sorted(sys.modules.items())
        if (name == "torch" or name.startswith("torch."))
        and isinstance(module, types.ModuleType)
        and not name.startswith(SKIPPED)
        and (public(name) or name.startswith(PRIVATE_TOO) or name in PRIVATE_ROOMS)
    }


def public(name):
    """Has no part of the name a leading underscore?"""
    return not any(part.startswith("_") for part in name.split("."))


def is_torchs(value):
    """Was the value made by torch (and is worth a name)?"""
    import torch

    if isinstance(value, types.ModuleType):
        return value.__name__.split(".")[0] == "torch"
    if isinstance(value, (torch.dtype, torch.layout, torch.memory_format, torch.qscheme)):
        return True
    if isinstance(value, type) or callable(value):
        home = str(getattr(value, "__module__", None) or "")
        if not home and type(value).__name__ == "builtin_function_or_method":
            owner = getattr(value, "__self__", None)
            return getattr(owner, "__name__", "").split(".")[-1] in {
                "_VariableFunctionsClass",
                "_VariableFunctions",
            } or (isinstance(owner, types.ModuleType) and owner.__name__.startswith("torch"))
        return home.split(".")[0] in {"torch", "_VariableFunctions"} and not home.startswith("torch.typing")
    return False


def collected(modules):
    """All dotted names of each object, by identity; and names of plain values (`torch.pi`)."""
    paths, values, keep = defaultdict(list), {}, []
    for name, module in modules.items():
        exported = set(exports(module))
        inside = public(name) and not name.startswith("torch._")
        for attribute, value in sorted(vars(module).items()):
            if attribute.startswith("__"):
                continue
            private = attribute.startswith("_")
            if private and not (name == "torch" or name.startswith(PRIVATE_TOO) or name in PRIVATE_ROOMS):
                continue
            full = f"{name}.{attribute}"
            if isinstance(value, types.ModuleType):
                if is_torchs(value) and value.__name__ in modules:
                    paths[id(value)].append(full)
                    keep.append(value)
            elif is_torchs(value):
                home = str(getattr(value, "__module__", "") or "")
                if private and home not in {name, ""} and name != "torch":
                    continue
                paths[id(value)].append(full)
                keep.append(value)
            elif (
                inside
                and not private
                and (attribute in exported or (name == "torch" and isinstance(value, (float, bool, int))))
            ):
                values[full] = value
        paths[id(module)].append(name)
        keep.append(module)
    return paths, values, {id(one): one for one in keep}


def exports(module):
    """`__all__` of a module, () without one (`torch.ops` answers to every name)."""
    return vars(module).get("__all__") or ()


def best(names, value, preferred):
    """The public full name of an object out of all its names."""
    if str(value) in names and str(value).count(".") == 1:
        return str(value)  # a dtype says its own
    wanted = [name for name in names if name in preferred]
    if wanted:
        return min(wanted, key=lambda name: (name.count("."), name))
    if isinstance(value, types.ModuleType):
        return value.__name__ if value.__name__ in names else min(names, key=len)
    given = getattr(value, "__name__", None)
    return min(
        names,
        key=lambda name: (
            not public(name),
            given is not None and name.rpartition(".")[2] != given,
            name.count("."),
            len(name),
            name,
        ),
    )


# ---------------------------------------------------------------------------------------------- signatures


def literal_plain(value):
    """A default as source text, of values that any Python knows; `...` where it has none that is short and true."""
    if type(value) in {bool, int, float, str, type(None)} or (type(value) is tuple and not value):
        text = repr(value)
        if text in {"inf", "-inf", "nan"}:
            return f"float('{text}')"
        return text if len(text) < 40 else "..."
    if isinstance(value, (tuple, list)) and all(type(one) in {bool, int, float, str, type(None)} for one in value):
        return repr(value)
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    if type(value).__module__.startswith("mindspore") and type(value).__name__ in {"Float", "Int", "BFloat", "Type"}:
        return f"mindspore.{str(value).lower()}"
    return "..."


def literal(value):
    """The same with torch's own values."""
    import torch

    if isinstance(value, (torch.dtype, torch.layout, torch.memory_format)):
        return repr(value)
    if value is torch.nn.functional.relu:
        return "torch.nn.functional.relu"
    if isinstance(value, type) and value.__module__.startswith("torch.nn.modules"):
        return f"torch.nn.{value.__qualname__}"
    return literal_plain(value)


def text_of(signature, drop_first=False, literal=literal):
    """An `inspect.Signature` as text between parentheses; `literal` writes the defaults."""
    parts, starred, slash = [], False, False
    parameters = list(signature.parameters.values())
    if drop_first and parameters and parameters[0].kind in (0, 1):
        parameters = parameters[1:]
    for one in parameters:
        if slash and one.kind != one.POSITIONAL_ONLY:
            parts.append("/")
            slash = False
        if one.kind == one.POSITIONAL_ONLY:
            slash = True
        if one.kind == one.KEYWORD_ONLY and not starred:
            parts.append("*")
            starred = True
        if one.kind == one.VAR_POSITIONAL:
            parts.append(f"*{one.name}")
            starred = True
        elif one.kind == one.VAR_KEYWORD:
            parts.append(f"**{one.name}")
        else:
            parts.append(one.name if one.default is one.empty else f"{one.name}={literal(one.default)}")
    if slash:
        parts.append("/")
    return ", ".join(parts)


def gives_of(annotation):
    """What a return annotation, as text, promises."""
    text = (
        str(annotation or "")
        .strip("'\" ")
        .replace("torch.", "")
        .replace("typing_extensions.", "")
        .replace("typing.", "")
    )
    text = text.removeprefix("<class '").removesuffix("'>")
    if not text:
        return "unknown"
    if text in {
        "Tensor",
        "Parameter",
        "Self",
        "Tensor | None",
        "Optional[Tensor]",
        "Tensor | Any",
        "Union[Tensor, Number]",
    }:
        return "tensor"
    if text.startswith(("TypeIs", "TypeGuard")):
        return "other"
    if text.startswith("return_types."):
        return "tensors"
    if "Tensor" in text:
        first = text.split("[")[0].strip().lower()
        if first in {"tuple", "list", "sequence", "iterator"} and "dict" not in text.lower():
            return "tensors"
        return "tensor" if first.split("|")[0].strip() in {"tensor"} else "unknown"
    if text in {"Any", "object", "T", "_T", "T_co"} or "TypeVar" in text or "~" in text:
        return "unknown"
    if text.startswith("Callable"):
        return "function"
    return "other"


class Stubs:
    """The functions of torch's stub files: (parameters as text, what it gives) per overload, in the file's order."""

    def __init__(self, path, inside=None):
        self.found = defaultdict(list)
        body = ast.parse(Path(path).read_text(encoding="utf-8")).body
        if inside:
            body = next(one.body for one in body if isinstance(one, ast.ClassDef) and one.name == inside)
        self.attributes = {}
        for one in body:
            if isinstance(one, ast.FunctionDef):
                decorators = [ast.unparse(decorator) for decorator in one.decorator_list]
                returned = gives_of(ast.unparse(one.returns) if one.returns else "")
                if "property" in decorators:
                    self.attributes[one.name] = returned
                    continue
                if any("Dimname" in text or "EllipsisType" in text for text in map(ast.unparse, annotations(one.args))):
                    continue
                self.found[one.name].append(
                    (stub_text(one.args, drop_first=bool(inside) and "staticmethod" not in decorators), returned)
                )
            elif inside and isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                self.attributes[one.target.id] = gives_of(ast.unparse(one.annotation))

    def get(self, name):
        return unique(self.found.get(name, []))


def annotations(arguments):
    return [
        one.annotation for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs) if one.annotation
    ]


def stub_text(arguments, drop_first):
    """The parameters of a stub's function as text, without annotations."""
    for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
        if one is not None:
            one.annotation = None
    if drop_first:
        (arguments.posonlyargs or arguments.args).pop(0)
    return ast.unparse(arguments)


def unique(overloads):
    """Overloads without those that say the same, each once."""
    seen, kept = set(), []
    for text, gives in overloads:
        if text not in seen:
            seen.add(text)
            kept.append((text, gives))
    return kept


def schema_overloads(operator):
    """The overloads of an aten operator, as its Python binding takes them."""
    import torch

    try:
        schemas = torch._C._jit_get_schemas_for_operator(f"aten::{operator}")
    except RuntimeError:
        return []
    kept, out = [], any(one.is_out for schema in schemas for one in schema.arguments)
    for schema in schemas:
        returns = [str(one.type) for one in schema.returns]
        if any("Dimname" in str(one.type) or one.is_out for one in schema.arguments) or schema.overload_name.endswith(
            "out"
        ):
            continue
        parts, starred = [], False
        for one in schema.arguments:
            name = "input" if one.name == "self" else one.name
            if one.kwarg_only and not starred:
                parts.append("*")
                starred = True
            if one.has_default_value():
                default = one.default_value
                if isinstance(default, list):
                    default = default[0] if default and len(set(default)) == 1 else default or None
                if name in {"dtype", "layout", "device"} or default is None:
                    default = None
                parts.append(f"{name}={literal(default)}")
            else:
                parts.append(name)
        tensors = [one for one in returns if "Tensor" in one]
        gives = (
            "other"
            if not tensors
            else "tensor"
            if len(returns) == 1 and returns[0] in {"Tensor", "Optional[Tensor]"}
            else "tensors"
        )
        if out and gives != "other":
            parts += ["out=None"] if starred else ["*", "out=None"]
        kept.append((", ".join(parts), gives))
    return unique(kept)


def docstring_overloads(value, name):
    """The call lines at the head of a builtin's docstring."""
    kept = []
    for line in (value.__doc__ or "").strip().splitlines()[:12]:
        line = line.strip().removeprefix(".. function::").strip()
        head, bracket, rest = line.partition("(")
        if bracket and head.split(".")[-1] == name and ")" in rest:
            inner, _, after = (
                rest.rpartition(")")
                if "->" not in rest
                else (rest[: rest.rindex(")", 0, rest.index("->"))], "", rest[rest.index("->") + 2 :])
            )
            try:
                arguments = ast.parse(f"def f({inner}): 0").body[0].args
            except SyntaxError:
                continue
            kept.append((stub_text(arguments, drop_first=False), gives_of(after.strip())))
    return unique(kept)

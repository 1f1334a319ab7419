"""From torch's objects to the table of its names."""

import ast
import inspect
import types
from pathlib import Path

from facts_torch import (
    LETTERS, Stubs, best, collected, docstring_overloads, exports, gives_of, is_torchs, public, schema_overloads, text_of,
    torch_modules,
)  # fmt: skip

ADDED = {
    "torch.nn.Module": {
        "training": "other", "_parameters": "other", "_buffers": "other", "_modules": "other",
        "_non_persistent_buffers_set": "other", "_forward_hooks": "other", "_forward_pre_hooks": "other",
        "_backward_hooks": "other", "_backward_pre_hooks": "other", "_is_full_backward_hook": "other",
        "_load_state_dict_pre_hooks": "other", "_load_state_dict_post_hooks": "other", "_state_dict_hooks": "other",
    },
    "torch.distributed.ReduceOp": dict.fromkeys(("SUM", "AVG", "PRODUCT", "MIN", "MAX", "BAND", "BOR", "BXOR"), "other"),
    "torch.nn.Linear": {"bias": "tensor"},
    "torch.nn.Bilinear": {"bias": "tensor"},
    "torch.nn.LayerNorm": {"weight": "tensor", "bias": "tensor"},
    "torch.nn.RMSNorm": {"weight": "tensor"},
    "torch.nn.GroupNorm": {"weight": "tensor", "bias": "tensor"},
    "torch.nn.Embedding": {"weight": "tensor"},
    "torch.nn.modules.conv._ConvNd": {"weight": "tensor", "bias": "tensor"},
    "torch.nn.modules.batchnorm._NormBase": {
        "weight": "tensor", "bias": "tensor", "running_mean": "tensor", "running_var": "tensor",
        "num_batches_tracked": "tensor",
    },
    "torch.nn.MultiheadAttention": {
        "in_proj_weight": "tensor", "in_proj_bias": "tensor", "out_proj": "unknown", "embed_dim": "other",
        "kdim": "other", "vdim": "other", "num_heads": "other", "head_dim": "other", "dropout": "other",
        "batch_first": "other",
    },
    "torch.nn.PReLU": {"weight": "tensor"},
    "torch.optim.Optimizer": {"param_groups": "other", "state": "other", "defaults": "other"},
    "torch.device": {"type": "other", "index": "other"},
    "torch.utils.data.DataLoader": {"dataset": "other", "sampler": "other", "batch_sampler": "other"},
    "torch.autograd.function.FunctionCtx": {"saved_tensors": "tensors", "needs_input_grad": "other"},
}  # fmt: skip
"""Attributes that objects only get when they are made."""

PRIVATE = (
    "torch.__version__", "torch.jit.Final", "torch.jit._overload_method", "torch.jit._overload",
    "torch.jit._script_if_tracing", "torch.nn.init._calculate_fan_in_and_fan_out",
    "torch.nn.init._calculate_correct_fan", "torch.nn.init._no_grad_trunc_normal_", "torch.nn.init._no_grad_normal_",
    "torch.nn.init._no_grad_uniform_", "torch.nn.init._no_grad_fill_", "torch.nn.init._no_grad_zero_",
    "torch.nn.common_types._size_1_t", "torch.nn.common_types._size_2_t", "torch.nn.common_types._size_3_t",
    "torch.nn.common_types._size_any_t", "torch.nn.common_types._ratio_2_t", "torch.nn.common_types._ratio_any_t",
    "torch.types._int", "torch.types._float", "torch.types._bool", "torch.types._dtype", "torch.types._device",
    "torch.types._size", "torch.hub._get_torch_home", "torch.distributed.group.WORLD",
    "torch.distributed.GroupMember.WORLD",
    "torch.distributed.tensor.DTensor.from_local", "torch.distributed.tensor.DTensor.to_local",
    "torch.distributed.tensor.DTensor.full_tensor", "torch.backends.cudnn.flags", "torch.backends.cudnn.benchmark",
    "torch.backends.cudnn.deterministic", "torch.backends.cudnn.enabled", "torch.backends.cudnn.allow_tf32",
    "torch.backends.cuda.matmul.allow_tf32", "torch.nn.modules.module._EXTRA_STATE_KEY_SUFFIX",
    "torch.jit.annotations.List", "torch.jit.annotations.BroadcastingList2", "torch.types.Number", "torch.types.Device",
    "torch.nn.attention.flex_attention._DEFAULT_SPARSE_BLOCK_SIZE",
)  # fmt: skip
"""Names that sources use although torch hides them, or makes them in its own way."""

RECURRENT = "input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False"

WITH_MEMBERS = (
    "torch.nn.", "torch.optim.", "torch.utils.data.", "torch.autograd.", "torch.distributions.", "torch.fx.",
    "torch.cuda.amp", "torch.amp", "torch.jit.ScriptModule", "torch.jit.ScriptFunction", "torch.cuda.Event",
    "torch.cuda.Stream", "torch.distributed.device_mesh.DeviceMesh", "torch.profiler.profile", "torch.utils.hooks",
    "torch.export.",
)  # fmt: skip
"""The classes whose methods are listed too."""

BY_HAND = {
    "torch.Tensor": ("*args", None),
    "torch.device": ("type, index=None", None),
    "torch.Generator": ("device='cpu'", None),
    "torch.Size": ("iterable=()", None),
    "torch.einsum": ("equation, *operands", "tensor"),
    "torch.nn.LSTM": (RECURRENT + ", proj_size=0, device=None, dtype=None", None),
    "torch.nn.GRU": (RECURRENT + ", device=None, dtype=None", None),
    "torch.nn.RNN": (
        RECURRENT.replace("bias", "nonlinearity='tanh', bias") + ", device=None, dtype=None",
        None,
    ),
    "torch.nn.LSTM.forward": (None, "tensors"),
    "torch.nn.GRU.forward": (None, "tensors"),
    "torch.nn.RNN.forward": (None, "tensors"),
    "torch.finfo": ("type=None", None),
    "torch.iinfo": ("type", None),
    **{
        f"torch.max_pool{n}d": ("input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False", "tensor")
        for n in (1, 2, 3)
    },
    "torch.norm": (None, "tensor"),
    "torch.block_diag": ("*tensors", "tensor"),
    "torch.broadcast_tensors": ("*tensors", "tensors"),
    "torch.atleast_1d": ("*tensors", "tensor"),
    "torch.atleast_2d": ("*tensors", "tensor"),
    "torch.atleast_3d": ("*tensors", "tensor"),
    "torch.cartesian_prod": ("*tensors", "tensor"),
    "torch.meshgrid": ("*tensors, indexing=None", "tensors"),
    "torch.chain_matmul": ("*matrices, out=None", "tensor"),
    "torch.unique": (None, "tensor"),
    "torch.unique_consecutive": (None, "tensor"),
    "torch.nn.Parameter": ("data=None, requires_grad=True", None),
    "torch.nn.Buffer": ("data=None, *, persistent=True", None),
    "torch.nn.functional.multi_head_attention_forward": (None, "tensors"),
    "torch.nn.functional.gumbel_softmax": (None, "tensor"),
    "torch.utils.checkpoint.checkpoint": (None, "unknown"),
    "torch.load": (None, "unknown"),
}
"""What neither the function nor a stub tells: parameters, what it gives (None: as read)."""


class Table:
    """The names of torch, being collected: by module or class, then by the last part."""

    def __init__(self, preferred):
        import torch

        here = Path(torch.__file__).parent
        self.functions = Stubs(here / "_C" / "_VariableFunctions.pyi")
        self.methods = Stubs(here / "_C" / "__init__.pyi", inside="TensorBase")
        self.functional = Stubs(here / "nn" / "functional.pyi")
        self.inner = Stubs(here / "_C" / "_nn.pyi")
        self.names, self.aliases = {}, {}
        self.paths, values, objects = collected(torch_modules())
        self.canonical = {one: best(paths, objects[one], preferred) for one, paths in self.paths.items()}
        for one, name in self.canonical.items():
            if not name.startswith("torch") or name.startswith("torch._C."):
                continue
            self.put(name, objects[one])
            for other in self.paths[one]:
                if other == name:
                    continue
                if other in preferred:
                    self.put(other, objects[one])
                elif isinstance(objects[one], types.ModuleType) or self.worth(other, objects[one]):
                    self.aliases[other] = name
        for name in values:
            self.names.setdefault(name, ["value", "other", [], []])
        for name, attributes in ADDED.items():
            for attribute, gives in attributes.items():
                self.names[f"{name}.{attribute}"] = ["attribute", gives, [], []]

        for name in PRIVATE:
            self.put_private(name)

    def put_private(self, name):
        import torch

        value = torch
        try:
            for part in name.split(".")[1:]:
                value = getattr(value, part)
        except AttributeError:
            print("left out:", name)
            return
        if name in self.names or name in self.aliases:
            return
        if isinstance(value, (types.FunctionType, types.MethodType)):
            self.names[name] = ["function", *self.function(name, value), []]
        else:
            self.names[name] = ["value", "other", [], []]

    def hidden(self):
        """By module with `__all__`, the public names that `from module import *` does not bind."""
        import sys

        found = {}
        for room in {name.rpartition(".")[0] for name in [*self.names, *self.aliases]}:
            module = sys.modules.get(room)
            if isinstance(module, types.ModuleType) and exports(module):
                inside = {
                    name.rpartition(".")[2] for name in [*self.names, *self.aliases] if name.rpartition(".")[0] == room
                }
                hidden = sorted(one for one in inside - set(exports(module)) if not one.startswith("_"))
                if hidden:
                    found[room] = hidden
        return found

    def worth(self, alias, value):
        """Would a source name the object so: is it defined or exported there, or a package's own?"""
        room = alias.rpartition(".")[0]
        if getattr(value, "__module__", None) == room or not isinstance(value, (type, types.FunctionType)):
            return public(room) and not room.startswith("torch._")
        import sys

        module = sys.modules.get(room)
        return alias.rpartition(".")[2] in exports(module) or (hasattr(module, "__path__") and public(alias))

    def put(self, name, value):
        import torch

        if isinstance(value, types.ModuleType):
            if public(name) or name in {"torch._C", "torch._dynamo", "torch.utils._pytree", "torch._utils"}:
                self.names.setdefault(name, ["module", "other", [], []])  # a function of the same name hides it
        elif isinstance(value, torch.dtype):
            self.names[name] = ["dtype", "other", [], []]
        elif isinstance(value, type):
            self.put_class(name, value)
        elif callable(value):
            built_in = isinstance(value, types.BuiltinFunctionType)
            self.names[name] = ["builtin" if built_in else "function", *self.function(name, value), []]
        else:
            self.names[name] = ["value", "other", [], []]

    # ---- functions

    def function(self, name, value, drop_first=False):
        """(gives, signatures as text) of a function."""
        by_hand, given = BY_HAND.get(name, (None, None))
        overloads = [(by_hand, given or "unknown")] if by_hand else self.overloads(name, value, drop_first)
        kinds = [gives for _, gives in overloads]
        gives = given or ("unknown" if not kinds else "tensor" if "tensor" in kinds else kinds[0])
        if gives == "unknown":
            tensors = self.functional.get(name.rpartition(".")[2]) if name.startswith("torch.nn.functional") else []
            gives = tensors[0][1] if tensors else gives
        overloads = [(text.replace("[-2, -1]", "(-2, -1)"), one) for text, one in overloads]  # as a source has it
        return gives, [
            text if one == gives or one == "unknown" else f"{text} -> {LETTERS[one]}" for text, one in overloads
        ]

    def overloads(self, name, value, drop_first):
        last = name.rpartition(".")[2]
        own = getattr(value, "__name__", last)
        if isinstance(value, (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType)):
            if name.startswith("torch.nn.functional"):
                found = (
                    schema_overloads(own) or self.functions.get(own) or self.functional.get(last) or self.inner.get(own)
                )
            else:
                found = self.functions.get(own) if getattr(value, "__module__", "") == "torch" else []
            return found or schema_overloads(own) or docstring_overloads(value, last)
        if getattr(value, "__qualname__", "").startswith("boolean_dispatch"):
            cells = dict(zip(value.__code__.co_freevars, value.__closure__ or (), strict=False))
            value = cells["if_false"].cell_contents if "if_false" in cells else value
        try:
            signature = inspect.signature(value)
        except (ValueError, TypeError):
            return docstring_overloads(value, last)
        text = sound(text_of(signature, drop_first))
        returned = signature.return_annotation
        gives = "unknown" if returned is signature.empty else gives_of(annotation_text(returned))
        if text in {"*args, **kwargs", "*args"}:
            stub = self.functional.get(last) if name.startswith("torch.nn.functional") else []
            stub = [one for one in stub if "..." not in one[0]] or docstring_overloads(value, last)
            if stub:
                return stub
        return [(text, gives)]

    # ---- classes

    def put_class(self, name, value):
        import torch

        bases = []
        for base in value.__mro__[1:]:
            full = self.canonical.get(id(base))
            if full and full != name and (public(full) or full.startswith(("torch.nn.modules", "torch.optim"))):
                bases.append(full)
        nearest = [one for one in bases]
        by_hand, _ = BY_HAND.get(name, (None, None))
        signatures = [by_hand] if by_hand is not None else self.constructor(value)
        tensor = issubclass(value, torch._C.TensorBase) or str(type(value)) == "<class 'torch.tensortype'>"
        self.names[name] = ["class", "tensor" if tensor else "layer", signatures, nearest]
        if not name.startswith(WITH_MEMBERS) and name.count(".") > 1:
            return
        if name in {"torch.DispatchKey", "torch.Node", "torch.Graph", "torch.Value", "torch.Block"}:
            return
        if name.startswith("torch._C.") or (name != "torch.Tensor" and issubclass(value, torch._C.TensorBase)):
            return
        if isinstance(value, torch._C._TensorMeta) or "torch.tensortype" in str(type(value)):
            self.names[name][3] = self.names[name][3] or ["torch.Tensor"]
            if name != "torch.Tensor":
                return
        known = {id(base) for base in value.__mro__[1:] if self.canonical.get(id(base)) in nearest}
        done = set()
        for base in value.__mro__:
            if base is object or id(base) in known:
                continue
            home = str(base.__module__)
            if not home.startswith("torch") and not (value.__name__ in {"Size"} and base is tuple):
                continue
            for attribute, kind in self.annotated(base).items():
                if attribute not in done and not attribute.startswith("_"):
                    done.add(attribute)
                    self.names[f"{name}.{attribute}"] = ["attribute", kind, [], []]
            for attribute, member in vars(base).items():
                self.put_member(name, value, attribute, member, done)

    def annotated(self, base):
        return {key: gives_of(annotation_text(text)) for key, text in base.__dict__.get("__annotations__", {}).items()}

    def constructor(self, value):
        try:
            text = sound(text_of(inspect.signature(value)))
        except (ValueError, TypeError):
            return []
        return [text]

    def put_member(self, name, owner, attribute, member, done):
        tensor = name == "torch.Tensor"
        operator = attribute.startswith("__") and attribute.endswith("__")
        if operator and not (
            tensor
            or attribute
            in {
                "__call__",
                "__enter__",
                "__exit__",
                "__getitem__",
                "__len__",
                "__iter__",
                "__setattr__",
                "__getattr__",
                "__init_subclass__",
            }
        ):
            return
        if (
            operator
            and tensor
            and (
                attribute in vars(object)
                and attribute
                not in {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__", "__format__"}
                or attribute
                in {
                    "__module__",
                    "__dict__",
                    "__weakref__",
                    "__slots__",
                    "__torch_function__",
                    "__torch_dispatch__",
                    "__setstate__",
                }
            )
        ):
            return
        if attribute.startswith("_") and not operator:
            if not (name == "torch.nn.Module" or (name.startswith(("torch.nn", "torch.optim")) and callable(member))):
                return
        full = f"{name}.{attribute}"
        if attribute in done and self.names.get(full, [""])[0] != "attribute":
            return
        done.add(attribute)
        if isinstance(member, property) or not (callable(member) or isinstance(member, (staticmethod, classmethod))):
            gives = "unknown"
            if tensor:
                gives = self.methods.attributes.get(attribute, "unknown")
            elif isinstance(member, property) and member.fget is not None:
                gives = gives_of(annotation_text(getattr(member.fget, "__annotations__", {}).get("return", "")))
            elif not hasattr(member, "__get__"):
                gives = "other"
            if full not in self.names or self.names[full][1] == "unknown":
                self.names[full] = ["attribute", gives, [], []]
            return
        if isinstance(member, type):
            return
        if tensor:
            found = self.methods.get(attribute)
            inspected = []
            function = getattr(owner, attribute)
            if isinstance(function, types.FunctionType):
                inspected = self.overloads(full, function, drop_first=True)
                if inspected and inspected[0][0] in {"*args, **kwargs", "args, kwargs"}:
                    inspected = []
                inspected = [
                    (text, gives if gives != "unknown" else (found[0][1] if found else "unknown"))
                    for text, gives in inspected
                ]
            found = inspected or found or docstring_overloads(function, attribute)
            kinds = [gives for _, gives in found]
            gives = BY_HAND.get(full, (None, None))[1] or (
                "unknown" if not kinds else "tensor" if "tensor" in kinds else kinds[0]
            )
            texts = [text if one in {gives, "unknown"} else f"{text} -> {LETTERS[one]}" for text, one in found]
            built_in = not isinstance(function, types.FunctionType)
            self.names[full] = ["builtin_method" if built_in else "method", gives, texts, []]
            return
        function = member.__func__ if isinstance(member, (staticmethod, classmethod)) else member
        gives, texts = self.function(full, function, drop_first=not isinstance(member, staticmethod))
        self.names[full] = ["method", gives, texts, []]


def sound(text):
    """The parameters as they are; those after a default that claim to have none get one, where torch's text is wrong."""
    try:
        ast.parse(f"def f({text}): 0")
    except SyntaxError:
        parts, seen = [], False
        for part in text.split(", "):
            seen = seen or "=" in part
            parts.append(f"{part}=..." if seen and "=" not in part and part.isidentifier() else part)
        text = ", ".join(parts)
        ast.parse(f"def f({text}): 0")
    return text


def annotation_text(annotation):
    if isinstance(annotation, str):
        return annotation
    if annotation is None:
        return "None"
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        return annotation.__name__
    return str(annotation)

"""What nets are made of beside layers: modules and what they hold, parameters, devices, modes; a row each."""

from __future__ import annotations

import ast

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.containers import CONTAINERS
from tracer.source.rewriting.rules import ByHand, Rule, Written, to

_WHERE = "MindSpore computes where mindspore.set_device says: the move is left away"
_ON_DEMAND = (
    "MindSpore keeps no graph: gradients are computed of what mindspore.value_and_grad is given; leave the block away "
    "and put mindspore.ops.stop_gradient round what must not be differentiated"
)


_NEVER = "torch's compilers, tracers and exporters never run in MindSpore"


def _itself(bound: Bound) -> Written:
    """A move between devices: the receiver as it is."""
    assert bound.receiver is not None
    return Written(bound.receiver.text, (_WHERE,))


def _moved(bound: Bound) -> Written:
    """`x.to(...)`: the dtype is kept, the device left away."""
    assert bound.receiver is not None
    where, dtype = bound.value("device"), bound.value("dtype")
    if "device" in bound.positional and where is not None and (_is_dtype(where.node) or _is_called_dtype(where.node)):
        where, dtype = None, where
    if dtype is not None and dtype.literal is None:
        dtype = None
    said = (_WHERE,) if where is not None and where.literal is not None else ()
    if dtype is None and where is not None and not _is_device(where):
        raise ByHand(
            f"is {where.source} a device, a dtype or a tensor? A device: leave the call away; else "
            f"{bound.receiver.atom}.to(<dtype>)"
        )
    if dtype is None:
        return Written(bound.receiver.text, said)
    return Written(f"{bound.receiver.atom}.to({dtype.text})", said, status=None if said else "same")


def _is_dtype(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and (
        node.attr == "dtype" or (isinstance(node.value, ast.Name) and node.value.id == "mindspore")
    )


def _is_called_dtype(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return "dtype" in name.lower()


def _is_device(value: object) -> bool:
    node = getattr(value, "node", None)
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (str, int)) or node.value is None
    if isinstance(node, ast.JoinedStr):
        return True
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return "device" in name.lower() or name.lower() in ("cuda", "cpu", "gpu", "rank", "local_rank")


def _evaluated(bound: Bound) -> Written:
    assert bound.receiver is not None
    return Written(f"{bound.receiver.atom}.set_train(False)")


def _receiver(call: Bound) -> str:
    assert call.receiver is not None
    return call.receiver.atom


NETS: tuple[Rule, ...] = (
    Rule("torch.nn.Module.__init__", "mindspore.nn.Cell.__init__", takes="*args, **kwargs", arguments=("*args",)),
    Rule(
        "torch.nn.Module",
        "mindspore.nn.Cell",
        takes="()",
        arguments=(),
    ),
    Rule(
        "torch.nn.Module.register_buffer",
        "mindspore.nn.Cell.register_buffer",
        takes="name, tensor, persistent=True",
        arguments=("name", "tensor", "persistent"),
    ),
    Rule(
        "torch.nn.Module.register_parameter",
        "mindspore.nn.Cell.insert_param_to_cell",
        takes="name, param",
        arguments=(to("name", "param_name"), "param"),
    ),
    Rule(
        "torch.nn.Module.add_module",
        "mindspore.nn.Cell.insert_child_to_cell",
        takes="name, module",
        arguments=(to("name", "child_name"), to("module", "child_cell")),
    ),
    Rule(
        "torch.nn.Module.register_module",
        "mindspore.nn.Cell.insert_child_to_cell",
        takes="name, module",
        arguments=(to("name", "child_name"), to("module", "child_cell")),
    ),
    Rule("torch.nn.Module.train", "mindspore.nn.Cell.set_train", takes="mode=True", arguments=("mode",)),
    Rule("torch.nn.Module.eval", "mindspore.nn.Cell.set_train", takes="()", write=_evaluated),
    Rule(
        "torch.nn.Module.parameters",
        "mindspore.nn.Cell.get_parameters",
        takes="recurse=True",
        arguments=(to("recurse", "expand"),),
    ),
    Rule(
        "torch.nn.Module.named_parameters",
        "mindspore.nn.Cell.parameters_and_names",
        takes="prefix='', recurse=True, remove_duplicate=True",
        arguments=(to("prefix", "name_prefix"), to("recurse", "expand")),
    ),
    Rule(
        "torch.nn.Module.modules",
        "mindspore.nn.Cell.cells_and_names",
        takes="()",
        write=lambda call: Written(f"(cell for _, cell in {_receiver(call)}.cells_and_names())"),
    ),
    Rule(
        "torch.nn.Module.named_modules",
        "mindspore.nn.Cell.cells_and_names",
        takes="memo=None, prefix='', remove_duplicate=True",
        arguments=(to("prefix", "name_prefix", keyword=True),),
    ),
    Rule("torch.nn.Module.children", "mindspore.nn.Cell.cells", takes="()", arguments=()),
    Rule(
        "torch.nn.Module.named_children",
        "mindspore.nn.Cell.name_cells",
        takes="()",
        write=lambda call: Written(f"{_receiver(call)}.name_cells().items()"),
    ),
    Rule("torch.nn.Module.buffers", "mindspore.nn.Cell.buffers", takes="recurse=True", arguments=("recurse",)),
    Rule(
        "torch.nn.Module.named_buffers",
        "mindspore.nn.Cell.named_buffers",
        takes="prefix='', recurse=True, remove_duplicate=True",
        arguments=("prefix", "recurse", "remove_duplicate"),
    ),
    Rule("torch.nn.Module.apply", "mindspore.nn.Cell.apply", takes="fn", arguments=("fn",)),
    Rule(
        "torch.nn.Module.state_dict",
        "mindspore.nn.Cell.state_dict",
        takes="*args, destination=None, prefix='', keep_vars=False",
        arguments=("destination", "prefix", "keep_vars"),
        advice="names of norm layers and embeddings differ in MindSpore: tracer's weights carries them over",
    ),
    Rule(
        "torch.nn.Module.load_state_dict",
        "mindspore.nn.Cell.load_state_dict",
        takes="state_dict, strict=True, assign=False",
        arguments=("state_dict", "strict"),
        advice="names of norm layers and embeddings differ in MindSpore: tracer's weights carries them over",
    ),
    Rule(
        "torch.nn.Module.zero_grad",
        by_hand="leave it away: value_and_grad gives new gradients with each call",
        takes="set_to_none=True",
    ),
    Rule("torch.nn.Module.requires_grad_", by_hand="set requires_grad of each parameter that get_parameters() gives"),
    Rule("torch.nn.Module.cuda", "mindspore.nn.Cell", takes="device=None", write=_itself),
    Rule("torch.nn.Module.cpu", "mindspore.nn.Cell", takes="()", write=_itself),
    Rule("torch.nn.Module.get_submodule", by_hand="walk the attributes: MindSpore has no get_submodule"),
    Rule(
        "torch.nn.Module.register_forward_hook",
        "mindspore.nn.Cell.register_forward_hook",
        takes="hook, *, prepend=False, with_kwargs=False, always_call=False",
        arguments=("hook", "prepend", "with_kwargs", "always_call"),
    ),
    Rule(
        "torch.nn.Module.register_forward_pre_hook",
        "mindspore.nn.Cell.register_forward_pre_hook",
        takes="hook, *, prepend=False, with_kwargs=False",
        arguments=("hook", "prepend", "with_kwargs"),
    ),
    Rule("torch.nn.Module.extra_repr", "mindspore.nn.Cell.extend_repr", takes="()", arguments=()),
    *CONTAINERS,
    Rule(
        "torch.nn.Identity",
        "mindspore.nn.Identity",
        mint="mindspore.mint.nn.Identity",
        takes="*args, **kwargs",
        write=lambda call: Written("mindspore.nn.Identity()", status="same" if not call.given else "renamed"),
    ),
    Rule(
        "torch.nn.Parameter",
        "mindspore.Parameter",
        takes="data=None, requires_grad=True",
        when=lambda call: call.has("data"),
        arguments=(to("data", "default_input"), to("requires_grad", keyword=True)),
    ),
    Rule(
        "torch.nn.ParameterList",
        "mindspore.ParameterTuple",
        by_hand="mindspore.ParameterTuple holds a fixed number of parameters, each with a name of its own",
    ),
    Rule("torch.nn.ParameterDict", by_hand="keep the parameters as attributes, or in a dict beside them"),
    Rule(
        "torch.Tensor.to",
        "mindspore.Tensor.to",
        takes="device=None, dtype=None, non_blocking=False, copy=False, *, memory_format=None",
        write=_moved,
    ),
    Rule(
        "torch.Tensor.cuda",
        "mindspore.Tensor",
        takes="device=None, non_blocking=False, memory_format=None",
        write=_itself,
    ),
    Rule("torch.Tensor.cpu", "mindspore.Tensor", takes="memory_format=None", write=_itself),
    Rule("torch.Tensor.pin_memory", "mindspore.Tensor", takes="device=None", write=_itself),
    Rule("torch.Tensor.contiguous", "mindspore.Tensor.contiguous", takes="memory_format=None", arguments=()),
    Rule("torch.Tensor.detach", "mindspore.ops.stop_gradient", takes="()", arguments=()),
    Rule("torch.Tensor.item", "mindspore.Tensor.item", takes="()", arguments=()),
    Rule("torch.Tensor.numpy", "mindspore.Tensor.asnumpy", takes="*, force=False", arguments=(), drops=("force",)),
    Rule(
        "torch.Tensor.backward",
        by_hand="MindSpore has no backward: mindspore.value_and_grad(forward, None, net.trainable_params()) gives them",
    ),
    Rule("torch.Tensor.register_hook", "mindspore.Tensor.register_hook", takes="hook", arguments=("hook",)),
    Rule("torch.Tensor.requires_grad_", by_hand="MindSpore's tensors have no requires_grad: a parameter has"),
    Rule("torch.Tensor.retain_grad", by_hand="MindSpore's tensors keep no gradient: differentiate by them"),
    *(
        Rule(name, takes="*args, **kwargs", write=lambda _: Written("False", (_NEVER,)))
        for name in (
            "torch.jit.is_scripting",
            "torch.jit.is_tracing",
            "torch.compiler.is_compiling",
            "torch.compiler.is_exporting",
            "torch._dynamo.is_compiling",
            "torch.onnx.is_in_onnx_export",
            "torch.overrides.has_torch_function",
            "torch.overrides.has_torch_function_unary",
            "torch.overrides.has_torch_function_variadic",
        )
    ),
    *(
        Rule(name, by_hand=_ON_DEMAND)
        for name in (
            "torch.no_grad",
            "torch.enable_grad",
            "torch.inference_mode",
            "torch.set_grad_enabled",
            "torch.autograd.no_grad",
        )
    ),
)

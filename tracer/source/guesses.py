"""Methods that give away what has them: names that tensors have, or layers, and nothing else that code handles."""

from __future__ import annotations

import ast

from tracer.source.words import words

TENSORS_ONLY = words(
    """
    unsqueeze unsqueeze_ squeeze_ permute contiguous masked_fill masked_fill_ masked_select masked_scatter
    masked_scatter_ expand_as view_as reshape_as detach detach_ index_select index_add index_add_ index_copy
    index_copy_ index_fill index_fill_ index_put index_put_ scatter_ scatter_add scatter_add_ scatter_reduce
    scatter_reduce_ new_zeros new_ones new_tensor new_full new_empty softmax log_softmax sigmoid sigmoid_ tanh_
    relu_ repeat_interleave bmm baddbmm transpose_ type_as is_contiguous data_ptr numel normal_ uniform_ fill_
    zero_ copy_ clamp_ clamp_min clamp_max clamp_min_ clamp_max_ mul_ add_ sub_ div_ pow_ exp_ sqrt_ bernoulli_
    exponential_ erfinv_ addmm addmm_ addcmul_ addcdiv_ lerp_ logsumexp rsqrt rsqrt_ masked_scatter_
    new_empty_strided element_size storage_offset is_floating_point retain_grad narrow movedim swapaxes_ unflatten
    clamp addbmm as_strided chunk cummax cummin diag_embed erf erfc erfinv kthvalue mul nelement unbind
    unfold split_with_sizes tensor_split unique_consecutive topk take_along_dim sum_to_size index_reduce logit
    sigmoid_ floor_ round_ ceil_ abs_ neg_ cumsum_ cumprod_ tril_ triu_ sin_ cos_ log_ squeeze_ random_ resize_
    fill_diagonal_ masked_fill_ log_normal_ cauchy_ geometric_ trunc_ frac_ t_
    amax amin logical_not logical_and logical_or bitwise_not nan_to_num float_power
    """
)
"""Neither Python's own values nor arrays of numpy, pictures, tables of data or layers have a method of these names."""

ARRAYS = words(
    """
    T all any argmax argmin argsort clip conj cumprod cumsum data diagonal dot dtype flatten imag item itemsize max mean
    min nbytes ndim nonzero prod put ravel real repeat reshape resize round shape size squeeze std sum swapaxes take
    tolist trace transpose var view copy fill sort
    """
)
"""What tensors and arrays of numpy have."""

SHARED = ARRAYS | words(
    "histogram mode split index values name add format count remove pop update keys items get close"
)
"""What tensors, or layers, and others have: arrays, pictures, text, lists, dicts, paths."""

LAYERS_ONLY = words(
    """
    register_buffer register_parameter register_forward_hook register_forward_pre_hook register_full_backward_hook
    named_parameters named_modules named_children named_buffers get_submodule get_parameter get_buffer
    """
)

WITHOUT_ARGUMENTS = words("clone dim long t backward")
"""What others have too, but not called with nothing."""

WITH_DIM = words(
    """
    mean sum max min argmax argmin any all prod std var norm cumsum cumprod softmax size chunk split unbind sort
    topk gather select flip cat squeeze median mode argsort count_nonzero
    """
)
"""Where numpy says `axis`: with a keyword `dim` that is a number, the receiver is a tensor."""


NO_TENSORS = words(
    """
    paths names files text texts caption captions meta metas metadata info infos str string strings title titles url
    urls
    """
)
"""Words in names of what stands in a batch and is no tensor."""


def guessed(name: str, call: ast.Call) -> str | None:
    """The torch method that a call on something unknown must mean, or None: nothing is guessed that others have too.

    Args:
        name: the method's name.
        call: the call.
    """
    if name in TENSORS_ONLY:
        return f"torch.Tensor.{name}"
    if name in LAYERS_ONLY:
        return f"torch.nn.Module.{name}"
    if name in WITHOUT_ARGUMENTS and not call.args and not call.keywords:
        return f"torch.Tensor.{name}"
    if name in WITH_DIM and any(keyword.arg == "dim" and _number(keyword.value) for keyword in call.keywords):
        return f"torch.Tensor.{name}"
    if name == "view" and _sizes(call):
        return "torch.Tensor.view"
    if name == "size" and len(call.args) == 1 and not call.keywords and _number(call.args[0]):
        return "torch.Tensor.size"
    return None


def other_than_tensors(name: str) -> bool:
    """Does a name, or a key, of a part of a batch say that it is text, or a list of such?"""
    return any(word in NO_TENSORS or word.endswith(("path", "name", "file")) for word in name.lower().split("_"))


def _sizes(call: ast.Call) -> bool:
    """Are there sizes between the brackets? An array's `view` takes a dtype, and perhaps a class."""
    if call.keywords:
        return False
    if len(call.args) == 1:
        return _number(call.args[0])
    numpy = any(isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) for part in call.args)
    return len(call.args) > 1 and (not numpy or any(_number(part) for part in call.args))


def _number(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Constant) and type(node.value) is int

"""Names that are no functions: dtypes, constants, what layers keep and hand out, what asks about the program."""

from __future__ import annotations

from tests.source_proof.writing_calls import Calls, for_each, together


def of_layer(layer: str, made: str, attributes: str, *, shapes: str = "") -> Calls:
    """Attributes of a layer under the name of the class they come from; of tensors the shapes."""
    found = {f"torch.nn.{layer}.{name}": [f"nn.{made}.{name}"] for name in attributes.split()}
    return found | {f"torch.nn.{layer}.{name}": [f"nn.{made}.{name}.shape"] for name in shapes.split()}


IN_CONTAINERS = (
    "nn.Sequential(nn.Sequential(nn.ReLU(), nn.Flatten(0)))(x)",
    "nn.Sequential(nn.Softplus(), nn.Flatten(0))(x)",
    "nn.Sequential(nn.Sequential(nn.SELU()), nn.ReLU())(x)",
    "nn.Sequential(*[nn.Softplus(2) for _ in range(2)])(x)",
)
"""What MindSpore has as a function alone, in a container."""

CALLS = together(
    for_each(
        "float16 float32 float64 int8 int16 int32 int64 uint8 bool complex64",
        "torch.NAME",
        "torch.ones(2, dtype=torch.NAME)",
        "x.to(torch.NAME)",
    ),
    for_each("bfloat16", "torch.NAME", "x.to(torch.NAME)"),
    for_each("complex128 uint16 uint32 uint64", "torch.NAME"),
    for_each("inf nan pi e", "torch.NAME", "x * torch.NAME"),
    for_each("newaxis", "x[:, torch.NAME]"),
    {
        f"torch.finfo.{name}": [f"torch.finfo(torch.{dtype}).{name}" for dtype in ("float32", "float16", "float64")]
        for name in ("max", "min", "eps", "tiny", "smallest_normal", "bits", "resolution")
    },
    for_each(
        "jit.is_scripting jit.is_tracing compiler.is_compiling compiler.is_exporting onnx.is_in_onnx_export "
        "_dynamo.is_compiling",
        "torch.NAME()",
    ),
    {
        "torch.Tensor.__len__": ["len(x)", "len(t)"],
        "torch.Tensor.__bool__": ["bool(s > 0)", "bool(si)"],
        "torch.Tensor.__int__": ["int(si)", "int(sd)"],
        "torch.Tensor.__float__": ["float(s)", "float(si)"],
        "torch.Tensor.__iter__": ["list(x)", "list(t)"],
        "torch.Tensor.__contains__": ["2 in i", "100 in i"],
        "torch.Tensor.__rand__": ["True & k", "3 & i"],
        "torch.Tensor.__ror__": ["True | k", "3 | i"],
        "torch.Tensor.__rxor__": ["True ^ k", "3 ^ i"],
        "torch.Tensor.itemsize": ["x.itemsize", "d.itemsize"],
        "torch.Tensor.nbytes": ["x.nbytes", "d.nbytes"],
    },
    of_layer("Linear", "Linear(4, 5)", "in_features out_features", shapes="weight bias"),
    of_layer("Embedding", "Embedding(10, 4)", "num_embeddings embedding_dim", shapes="weight"),
    of_layer("LayerNorm", "LayerNorm(4)", "normalized_shape eps", shapes="weight bias"),
    of_layer("GroupNorm", "GroupNorm(3, 6)", "num_groups num_channels eps", shapes="weight bias"),
    of_layer(
        "modules.batchnorm._NormBase",
        "BatchNorm2d(6)",
        "num_features eps momentum",
        shapes="weight bias running_mean running_var",
    ),
    of_layer(
        "modules.conv._ConvNd",
        "Conv2d(4, 6, (3, 2), stride=2, padding=1, dilation=1, groups=2)",
        "in_channels out_channels kernel_size stride dilation groups",
        shapes="weight bias",
    ),
    of_layer("PReLU", "PReLU(3)", "", shapes="weight"),
    of_layer("modules.dropout._DropoutNd", "Dropout(0.3)", "p"),
    {
        "torch.nn.Module.parameters": ["[p.shape for p in nn.Linear(4, 5).parameters()]"],
        "torch.nn.Module.named_parameters": ["[n for n, _ in nn.Linear(4, 5).named_parameters()]"],
        "torch.nn.Module.state_dict": ["sorted(nn.Linear(4, 5).state_dict())"],
        "torch.nn.Module.children": ["len([m for m in nn.Sequential(nn.ReLU(), nn.Linear(4, 4)).children()])"],
        "torch.nn.Module.named_children": [
            "[n for n, m in nn.Sequential(nn.ReLU(), nn.Linear(4, 4)).named_children()]"
        ],
        "torch.nn.Module.modules": ["len([m for m in nn.Sequential(nn.ReLU(), nn.Linear(4, 4)).modules()])"],
        "torch.nn.Module.named_modules": ["[n for n, m in nn.Sequential(nn.ReLU(), nn.Linear(4, 4)).named_modules()]"],
        "torch.nn.Module.eval": ["nn.Linear(4, 5).eval().training"],
        "torch.nn.Module.train": ["nn.Linear(4, 5).train().training", "nn.Linear(4, 5).train(False).training"],
        "torch.nn.Sequential": ["nn.Sequential(nn.ReLU(), nn.Flatten(0))(x)", "nn.Sequential()(x)", *IN_CONTAINERS],
        "torch.nn.ModuleList": [
            "len(nn.ModuleList([nn.ReLU(), nn.Flatten(0)]))",
            "len(nn.ModuleList())",
            "len(nn.ModuleList(nn.ReLU() for _ in range(3)))",
            "len(nn.ModuleList((nn.ReLU(), nn.Softplus())))",
            "nn.ModuleList([nn.Softplus() for _ in range(2)])[1](x)",
        ],
        "torch.nn.ModuleList.extend": ["len(nn.ModuleList([nn.ReLU()]).extend([nn.Flatten(0)]))"],
        "torch.nn.ModuleDict": [
            "sorted(nn.ModuleDict({'a': nn.ReLU()}).keys())",
            "nn.ModuleDict({'a': nn.Softplus()})['a'](x)",
        ],
        "torch.nn.ModuleDict.keys": ["[k for k in nn.ModuleDict({'a': nn.ReLU()}).keys()]"],
        "torch.nn.ModuleDict.values": ["len([k for k in nn.ModuleDict({'a': nn.ReLU()}).values()])"],
        "torch.nn.ModuleDict.items": ["[k for k, _ in nn.ModuleDict({'a': nn.ReLU()}).items()]"],
        "torch.nn.Parameter": [
            "nn.Parameter(x) * 2",
            "nn.Parameter(x, requires_grad=False) + 1",
            "nn.Parameter(torch.zeros(3)).shape",
        ],
    },
)
"""By torch name, each as one would write it."""

"""What a layer keeps under a name: `self.conv.weight`, `norm.eps`; a row each, of the names that nets read."""

from __future__ import annotations

from tracer.source.rewriting.rules import Mention

_CONV = "torch.nn.modules.conv._ConvNd."
_NORM = "torch.nn.modules.batchnorm._NormBase."
_CONV_1D = "Of a Conv1d the weight has one axis more in MindSpore: (out, in, 1, kernel)."
_CONV_1D_PAIR = "Of a Conv1d it is a pair in MindSpore, with 1 first."
_NORM_3D = "Of a BatchNorm3d it stands one level deeper in MindSpore, under .bn2d."

_LAYERS = (
    ("torch.nn.Linear.", "mindspore.nn.Dense.", "weight bias in_features:in_channels out_features:out_channels", ()),
    (_CONV, "mindspore.nn.Conv2d.", "weight", (_CONV_1D,)),
    (_CONV, "mindspore.nn.Conv2d.", "bias in_channels out_channels groups:group", ()),
    (_CONV, "mindspore.nn.Conv2d.", "kernel_size stride dilation", (_CONV_1D_PAIR,)),
    (
        _NORM,
        "mindspore.nn.BatchNorm2d.",
        "weight:gamma bias:beta running_mean:moving_mean running_var:moving_variance num_features eps momentum",
        (_NORM_3D,),
    ),
    ("torch.nn.LayerNorm.", "mindspore.nn.LayerNorm.", "weight:gamma bias:beta eps:epsilon normalized_shape", ()),
    ("torch.nn.GroupNorm.", "mindspore.nn.GroupNorm.", "weight:gamma bias:beta num_groups num_channels eps affine", ()),
    (
        "torch.nn.Embedding.",
        "mindspore.nn.Embedding.",
        "weight:embedding_table num_embeddings:vocab_size embedding_dim:embedding_size padding_idx",
        (),
    ),
    (
        "torch.nn.MultiheadAttention.",
        "mindspore.nn.MultiheadAttention.",
        "embed_dim kdim vdim num_heads head_dim dropout batch_first in_proj_weight in_proj_bias out_proj",
        (),
    ),
    ("torch.nn.RNNBase.", "mindspore.nn.LSTM.", "hidden_size num_layers batch_first dropout bidirectional", ()),
    ("torch.nn.PReLU.", "mindspore.nn.PReLU.", "weight:w", ()),
    ("torch.nn.PixelShuffle.", "mindspore.nn.PixelShuffle.", "upscale_factor", ()),
    ("torch.nn.Flatten.", "mindspore.nn.Flatten.", "start_dim end_dim", ()),
    ("torch.nn.Upsample.", "mindspore.nn.Upsample.", "size scale_factor mode align_corners", ()),
    ("torch.nn.AvgPool2d.", "mindspore.nn.AvgPool2d.", "kernel_size stride", ()),
    ("torch.nn.MaxPool2d.", "mindspore.nn.MaxPool2d.", "kernel_size stride", ()),
    ("torch.nn.modules.dropout._DropoutNd.", "mindspore.nn.Dropout.", "p", ()),
)
"""Torch's class, the cell, the attributes (torch's name, and after a colon the cell's where it has another), and what
is otherwise for some of the kinds that share the class."""

LAYER_ATTRIBUTES: tuple[Mention, ...] = tuple(
    Mention(f"{torch}{name}", f"{cell}{own or name}", advice=advice[0] if advice else "")
    for torch, cell, names, advice in _LAYERS
    for name, _, own in (one.partition(":") for one in names.split())
)

KEPT_BY_MINT = {
    "torch.nn.Linear",
    "torch.nn.modules.conv._ConvNd",
    "torch.nn.modules.batchnorm._NormBase",
    "torch.nn.LayerNorm",
    "torch.nn.GroupNorm",
    "torch.nn.Embedding",
    "torch.nn.PReLU",
    "torch.nn.modules.dropout._DropoutNd",
}
"""The classes that mint has too, with torch's names of what they hold."""

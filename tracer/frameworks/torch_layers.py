"""PyTorch's layers: what each class means, where its settings are, and how its constructor is called.

Pure data: nothing foreign is imported. torch's own words are the common words, so most rows only name what counts.
Kinds are written as a user imports them ("torch.nn.Linear"); `divergence/rules` brings recorded module paths there.
"""

from __future__ import annotations

from tracer.frameworks.base import LayerRule, ParameterRule, SettingRule


def _s(attribute: str, name: str | None = None, convert: str = "same", argument: str | None = None) -> SettingRule:
    """A setting; its name and its argument are the attribute's own unless said."""
    own = attribute.split("|", 1)[0]
    return SettingRule(attribute, name or own, convert, argument if argument is not None else own)


def _settings(*names: str) -> tuple[SettingRule, ...]:
    """Settings that are called and valued as everywhere."""
    return tuple(_s(name) for name in names)


def _sizes(*names: str) -> tuple[SettingRule, ...]:
    """Settings with one number for each spatial axis, written as one number where all are equal."""
    return tuple(_s(name, convert="sizes") for name in names)


def _parameters(*names: str) -> tuple[ParameterRule, ...]:
    return tuple(ParameterRule(name, name) for name in names)


def _plain(op: str, *kinds: str, transparent: bool = False, signature: str = "") -> LayerRule:
    """A layer without a setting that moves numbers."""
    return LayerRule(tuple(f"torch.nn.{kind}" for kind in kinds), op, transparent=transparent, signature=signature)


_WEIGHT_BIAS = _parameters("weight", "bias")
_BIAS = _s("bias", convert="bias")
_RUNNING = _parameters("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_REDUCTION = _settings("reduction")

_LINEAR = LayerRule(
    ("torch.nn.Linear",),
    "linear",
    (*_settings("in_features", "out_features"), _BIAS),
    _WEIGHT_BIAS,
    signature="in_features, out_features, bias=True, device=None, dtype=None",
)

_BILINEAR = LayerRule(
    ("torch.nn.Bilinear",),
    "bilinear",
    (*_settings("in1_features", "in2_features", "out_features"), _BIAS),
    _WEIGHT_BIAS,
    signature="in1_features, in2_features, out_features, bias=True, device=None, dtype=None",
)

_CONV = tuple(
    LayerRule(
        (f"torch.nn.Conv{n}d",),
        f"conv{n}d",
        (
            *_settings("in_channels", "out_channels", "groups", "padding_mode"),
            *_sizes("kernel_size", "stride", "dilation"),
            _s("padding", convert="torch_padding"),
            _BIAS,
        ),
        _WEIGHT_BIAS,
        signature=(
            "in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, "
            "padding_mode='zeros', device=None, dtype=None"
        ),
    )
    for n in (1, 2, 3)
)

_CONV_TRANSPOSE = tuple(
    LayerRule(
        (f"torch.nn.ConvTranspose{n}d",),
        f"conv_transpose{n}d",
        (
            *_settings("in_channels", "out_channels", "groups"),
            *_sizes("kernel_size", "stride", "dilation", "output_padding"),
            _s("padding", convert="torch_padding"),
            _BIAS,
        ),
        _WEIGHT_BIAS,
        signature=(
            "in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, "
            "bias=True, dilation=1, padding_mode='zeros', device=None, dtype=None"
        ),
    )
    for n in (1, 2, 3)
)

_NORM = (
    LayerRule(
        ("torch.nn.SyncBatchNorm",),
        "batch_norm",
        (*_settings("num_features", "eps", "momentum", "track_running_stats"), _s("affine", convert="affine"), _BIAS),
        _RUNNING,
        mode="statistics",
        signature=(
            "num_features, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True, "
            "process_group=None, device=None, dtype=None, *, bias=True"
        ),
    ),
    LayerRule(
        ("torch.nn.BatchNorm1d", "torch.nn.BatchNorm2d", "torch.nn.BatchNorm3d"),
        "batch_norm",
        (*_settings("num_features", "eps", "momentum", "track_running_stats"), _s("affine", convert="affine"), _BIAS),
        _RUNNING,
        mode="statistics",
        signature=(
            "num_features, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True, device=None, "
            "dtype=None, *, bias=True"
        ),
    ),
    LayerRule(
        ("torch.nn.InstanceNorm1d", "torch.nn.InstanceNorm2d", "torch.nn.InstanceNorm3d"),
        "instance_norm",
        (*_settings("num_features", "eps", "momentum", "track_running_stats"), _s("affine", convert="affine"), _BIAS),
        _RUNNING,
        mode="statistics",
        signature=(
            "num_features, eps=1e-05, momentum=0.1, affine=False, track_running_stats=False, device=None, "
            "dtype=None, *, bias=True"
        ),
    ),
    *(
        LayerRule(
            tuple(f"torch.nn.Lazy{word}Norm{n}d" for n in (1, 2, 3)),
            op,
            (*_settings("eps", "momentum", "track_running_stats"), _s("affine", convert="affine"), _BIAS),
            _RUNNING,
            mode="statistics",
            signature=signature,
        )
        for word, op, signature in (
            (
                "Batch",
                "batch_norm",
                (
                    "eps=1e-05, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None, *, "
                    "bias=True"
                ),
            ),
            (
                "Instance",
                "instance_norm",
                (
                    "eps=1e-05, momentum=0.1, affine=True, track_running_stats=True, device=None, dtype=None, *, "
                    "bias=True"
                ),
            ),
        )
    ),
    LayerRule(
        ("torch.nn.LayerNorm",),
        "layer_norm",
        (
            _s("normalized_shape", convert="shape"),
            _s("eps"),
            _s("elementwise_affine", convert="affine"),
            _BIAS,
        ),
        _WEIGHT_BIAS,
        signature="normalized_shape, eps=1e-05, elementwise_affine=True, bias=True, device=None, dtype=None",
    ),
    LayerRule(
        ("torch.nn.RMSNorm",),
        "rms_norm",
        (_s("normalized_shape", convert="shape"), _s("eps"), _s("elementwise_affine", convert="affine")),
        _parameters("weight"),
        signature="normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None",
    ),
    LayerRule(
        ("torch.nn.GroupNorm",),
        "group_norm",
        (*_settings("num_groups", "num_channels", "eps"), _s("affine", convert="affine"), _BIAS),
        _WEIGHT_BIAS,
        signature="num_groups, num_channels, eps=1e-05, affine=True, device=None, dtype=None, *, bias=True",
    ),
    LayerRule(
        ("torch.nn.LocalResponseNorm", "torch.nn.CrossMapLRN2d"),
        "local_response_norm",
        _settings("size", "alpha", "beta", "k"),
        signature="size, alpha=0.0001, beta=0.75, k=1.0",
    ),
)

_ACTIVATION = (
    _plain("relu6", "ReLU6", signature="inplace=False"),
    _plain("relu", "ReLU", signature="inplace=False"),
    _plain("selu", "SELU", signature="inplace=False"),
    _plain("silu", "SiLU", signature="inplace=False"),
    _plain("mish", "Mish", signature="inplace=False"),
    _plain("hardswish", "Hardswish", signature="inplace=False"),
    _plain("hardsigmoid", "Hardsigmoid", signature="inplace=False"),
    _plain("sigmoid", "Sigmoid"),
    _plain("tanh", "Tanh"),
    _plain("tanhshrink", "Tanhshrink"),
    _plain("logsigmoid", "LogSigmoid"),
    _plain("softsign", "Softsign"),
    LayerRule(("torch.nn.GELU",), "gelu", (_s("approximate", convert="approximate"),), signature="approximate='none'"),
    LayerRule(
        ("torch.nn.LeakyReLU",),
        "leaky_relu",
        _settings("negative_slope"),
        signature="negative_slope=0.01, inplace=False",
    ),
    LayerRule(("torch.nn.ELU",), "elu", _settings("alpha"), signature="alpha=1.0, inplace=False"),
    LayerRule(("torch.nn.CELU",), "celu", _settings("alpha"), signature="alpha=1.0, inplace=False"),
    LayerRule(
        ("torch.nn.PReLU",),
        "prelu",
        (_s("num_parameters", convert="rows_of_weight"),),
        _parameters("weight"),
        signature="num_parameters=1, init=0.25, device=None, dtype=None",
    ),
    LayerRule(
        ("torch.nn.RReLU",),
        "rrelu",
        _settings("lower", "upper"),
        mode="random",
        signature="lower=0.125, upper=0.3333333333333333, inplace=False",
    ),
    LayerRule(
        ("torch.nn.Hardtanh",),
        "hardtanh",
        _settings("min_val", "max_val"),
        signature="min_val=-1.0, max_val=1.0, inplace=False, min_value=None, max_value=None",
    ),
    LayerRule(("torch.nn.Hardshrink",), "hardshrink", _settings("lambd"), signature="lambd=0.5"),
    LayerRule(("torch.nn.Softshrink",), "softshrink", _settings("lambd"), signature="lambd=0.5"),
    LayerRule(("torch.nn.Softplus",), "softplus", _settings("beta", "threshold"), signature="beta=1.0, threshold=20.0"),
    LayerRule(
        ("torch.nn.Threshold",),
        "threshold",
        _settings("threshold", "value"),
        signature="threshold, value, inplace=False",
    ),
    LayerRule(("torch.nn.GLU",), "glu", _settings("dim"), signature="dim=-1"),
)

_SOFTMAX = (
    LayerRule(("torch.nn.Softmax",), "softmax", _settings("dim"), signature="dim=None"),
    LayerRule(("torch.nn.LogSoftmax",), "log_softmax", _settings("dim"), signature="dim=None"),
    LayerRule(("torch.nn.Softmin",), "softmin", _settings("dim"), signature="dim=None"),
    _plain("softmax2d", "Softmax2d"),
)

_POOL = (
    *(
        LayerRule(
            (f"torch.nn.MaxPool{n}d",),
            f"max_pool{n}d",
            (
                _s("kernel_size", convert="sizes"),
                _s("stride", convert="pool_stride"),
                _s("padding", convert="torch_padding"),
                _s("dilation", convert="sizes"),
                _s("ceil_mode", convert="flag"),
                _s("return_indices"),
            ),
            signature="kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False",
        )
        for n in (1, 2, 3)
    ),
    *(
        LayerRule(
            (f"torch.nn.AvgPool{n}d",),
            f"avg_pool{n}d",
            (
                _s("kernel_size", convert="sizes"),
                _s("stride", convert="pool_stride"),
                _s("padding", convert="torch_padding"),
                _s("ceil_mode", convert="flag"),
                _s("count_include_pad"),
                *(_settings("divisor_override") if n > 1 else ()),
            ),
            signature=(
                "kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None"
            )
            if n > 1
            else "kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True",
        )
        for n in (1, 2, 3)
    ),
    *(
        LayerRule(
            (f"torch.nn.LPPool{n}d",),
            f"lp_pool{n}d",
            (
                _s("norm_type"),
                _s("kernel_size", convert="sizes"),
                _s("stride", convert="pool_stride"),
                _s("ceil_mode", convert="flag"),
            ),
            signature="norm_type, kernel_size, stride=None, ceil_mode=False",
        )
        for n in (1, 2, 3)
    ),
    *(
        LayerRule(
            (f"torch.nn.AdaptiveAvgPool{n}d",),
            f"adaptive_avg_pool{n}d",
            _sizes("output_size"),
            signature="output_size",
        )
        for n in (1, 2, 3)
    ),
    *(
        LayerRule(
            (f"torch.nn.AdaptiveMaxPool{n}d",),
            f"adaptive_max_pool{n}d",
            (*_sizes("output_size"), _s("return_indices")),
            signature="output_size, return_indices=False",
        )
        for n in (1, 2, 3)
    ),
    *(
        LayerRule(
            (f"torch.nn.MaxUnpool{n}d",),
            f"max_unpool{n}d",
            (
                _s("kernel_size", convert="sizes"),
                _s("stride", convert="pool_stride"),
                _s("padding", convert="torch_padding"),
            ),
            signature="kernel_size, stride=None, padding=0",
        )
        for n in (1, 2, 3)
    ),
    *(
        LayerRule(
            (f"torch.nn.FractionalMaxPool{n}d",),
            f"fractional_max_pool{n}d",
            (*_sizes("kernel_size", "output_size"), *_settings("output_ratio", "return_indices")),
            mode="always random",
            signature=("kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None"),
        )
        for n in (2, 3)
    ),
)

_EMBEDDING = (
    LayerRule(
        ("torch.nn.Embedding",),
        "embedding",
        _settings("num_embeddings", "embedding_dim", "padding_idx", "max_norm", "norm_type", "scale_grad_by_freq"),
        _parameters("weight"),
        signature=(
            "num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0, "
            "scale_grad_by_freq=False, sparse=False, _weight=None, _freeze=False, device=None, dtype=None"
        ),
    ),
    LayerRule(
        ("torch.nn.EmbeddingBag",),
        "embedding_bag",
        _settings(
            "num_embeddings",
            "embedding_dim",
            "padding_idx",
            "max_norm",
            "norm_type",
            "scale_grad_by_freq",
            "mode",
            "include_last_offset",
        ),
        _parameters("weight"),
        signature=(
            "num_embeddings, embedding_dim, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, "
            "mode='mean', sparse=False, _weight=None, include_last_offset=False, padding_idx=None, "
            "device=None, dtype=None"
        ),
    ),
)

_RECURRENT_SETTINGS = (
    *_settings("input_size", "hidden_size", "num_layers"),
    _BIAS,
    *_settings("batch_first", "dropout", "bidirectional", "proj_size"),
)

_RECURRENT = (
    LayerRule(
        ("torch.nn.LSTM",),
        "lstm",
        _RECURRENT_SETTINGS,
        mode="random",
        atomic=True,
        signature="input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, "
        "bidirectional=False, proj_size=0, device=None, dtype=None",
    ),
    LayerRule(
        ("torch.nn.GRU",),
        "gru",
        _RECURRENT_SETTINGS,
        mode="random",
        atomic=True,
        signature="input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, "
        "bidirectional=False, proj_size=0, device=None, dtype=None",
    ),
    LayerRule(
        ("torch.nn.RNN",),
        "rnn",
        (*_RECURRENT_SETTINGS, _s("nonlinearity")),
        mode="random",
        atomic=True,
        signature="input_size, hidden_size, num_layers=1, nonlinearity='tanh', bias=True, batch_first=False, "
        "dropout=0.0, bidirectional=False, proj_size=0, device=None, dtype=None",
    ),
    LayerRule(
        ("torch.nn.LSTMCell",),
        "lstm_cell",
        (*_settings("input_size", "hidden_size"), _BIAS),
        _parameters("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
        signature="input_size, hidden_size, bias=True, device=None, dtype=None",
    ),
    LayerRule(
        ("torch.nn.GRUCell",),
        "gru_cell",
        (*_settings("input_size", "hidden_size"), _BIAS),
        _parameters("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
        signature="input_size, hidden_size, bias=True, device=None, dtype=None",
    ),
    LayerRule(
        ("torch.nn.RNNCell",),
        "rnn_cell",
        (*_settings("input_size", "hidden_size"), _BIAS, _s("nonlinearity")),
        _parameters("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
        signature="input_size, hidden_size, bias=True, nonlinearity='tanh', device=None, dtype=None",
    ),
)

_ATTENTION = (
    LayerRule(
        ("torch.nn.MultiheadAttention",),
        "multi_head_attention",
        (
            *_settings("embed_dim", "num_heads", "dropout", "add_zero_attn", "kdim", "vdim", "batch_first"),
            _BIAS,
            _s("add_bias_kv", convert="bias_kv"),
        ),
        _parameters(
            "in_proj_weight",
            "q_proj_weight",
            "k_proj_weight",
            "v_proj_weight",
            "in_proj_bias",
            "bias_k",
            "bias_v",
            "out_proj.weight",
            "out_proj.bias",
        ),
        mode="random",
        atomic=True,
        signature=(
            "embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False, add_zero_attn=False, kdim=None, "
            "vdim=None, batch_first=False, device=None, dtype=None"
        ),
    ),
    LayerRule(
        ("torch.nn.TransformerEncoderLayer",),
        "transformer_encoder_layer",
        (_s("norm_first"), _s("activation_relu_or_gelu", "activation", "relu_or_gelu", "activation")),
        signature=(
            "d_model, nhead, dim_feedforward=2048, dropout=0.1, activation=..., layer_norm_eps=1e-05, "
            "batch_first=False, norm_first=False, bias=True, device=None, dtype=None"
        ),
    ),
    LayerRule(
        ("torch.nn.TransformerDecoderLayer",),
        "transformer_decoder_layer",
        _settings("norm_first"),
        signature=(
            "d_model, nhead, dim_feedforward=2048, dropout=0.1, activation=..., layer_norm_eps=1e-05, "
            "batch_first=False, norm_first=False, bias=True, device=None, dtype=None"
        ),
    ),
    LayerRule(
        ("torch.nn.TransformerEncoder",),
        "transformer_encoder",
        signature="encoder_layer, num_layers, norm=None, enable_nested_tensor=True, mask_check=True",
    ),
    LayerRule(
        ("torch.nn.TransformerDecoder",), "transformer_decoder", signature="decoder_layer, num_layers, norm=None"
    ),
    LayerRule(
        ("torch.nn.Transformer",),
        "transformer",
        _settings("d_model", "nhead", "batch_first"),
        signature=(
            "d_model=512, nhead=8, num_encoder_layers=6, num_decoder_layers=6, dim_feedforward=2048, "
            "dropout=0.1, activation=..., custom_encoder=None, custom_decoder=None, layer_norm_eps=1e-05, "
            "batch_first=False, norm_first=False, bias=True, device=None, dtype=None"
        ),
    ),
)

_DROPOUT = tuple(
    LayerRule(
        (f"torch.nn.{kind}",),
        op,
        _settings("p"),
        mode="random",
        transparent=True,
        signature="p=0.5, inplace=False",
    )
    for kind, op in (
        ("Dropout", "dropout"),
        ("Dropout1d", "dropout1d"),
        ("Dropout2d", "dropout2d"),
        ("Dropout3d", "dropout3d"),
        ("AlphaDropout", "alpha_dropout"),
        ("FeatureAlphaDropout", "feature_alpha_dropout"),
    )
)

_PAD = (
    *(
        LayerRule(
            (f"torch.nn.{word}Pad{n}d",),
            f"{op}{n}d",
            (_s("padding", convert="pad_list"),),
            signature="padding",
        )
        for word, op in (
            ("Reflection", "reflection_pad"),
            ("Replication", "replication_pad"),
            ("Circular", "circular_pad"),
        )
        for n in (1, 2, 3)
    ),
    *(
        LayerRule(
            (f"torch.nn.ZeroPad{n}d",),
            f"constant_pad{n}d",
            (_s("padding", convert="pad_list"), SettingRule("value", "value")),
            signature="padding",
        )
        for n in (1, 2, 3)
    ),
    *(
        LayerRule(
            (f"torch.nn.ConstantPad{n}d",),
            f"constant_pad{n}d",
            (_s("padding", convert="pad_list"), _s("value")),
            signature="padding, value",
        )
        for n in (1, 2, 3)
    ),
)

_SHAPE = (
    LayerRule(("torch.nn.Identity",), "identity", transparent=True),
    LayerRule(
        ("torch.nn.Flatten",),
        "flatten",
        _settings("start_dim", "end_dim"),
        transparent=True,
        signature="start_dim=1, end_dim=-1",
    ),
    LayerRule(
        ("torch.nn.Unflatten",),
        "unflatten",
        (_s("dim"), _s("unflattened_size", convert="shape")),
        transparent=True,
        signature="dim, unflattened_size",
    ),
    LayerRule(("torch.nn.PixelShuffle",), "pixel_shuffle", _settings("upscale_factor"), signature="upscale_factor"),
    LayerRule(
        ("torch.nn.PixelUnshuffle",),
        "pixel_unshuffle",
        _settings("downscale_factor"),
        signature="downscale_factor",
    ),
    LayerRule(("torch.nn.ChannelShuffle",), "channel_shuffle", _settings("groups"), signature="groups"),
    LayerRule(
        ("torch.nn.UpsamplingNearest2d", "torch.nn.UpsamplingBilinear2d"),
        "upsample",
        (
            SettingRule("size", "size", "shape_or_none", "size"),
            SettingRule("scale_factor", "scale_factor", "scale", "scale_factor"),
            SettingRule("mode", "mode"),
            SettingRule("align_corners", "align_corners"),
        ),
        signature="size=None, scale_factor=None",
    ),
    LayerRule(
        ("torch.nn.Upsample",),
        "upsample",
        (
            _s("size", convert="shape_or_none"),
            _s("scale_factor", convert="scale"),
            *_settings("mode", "align_corners", "recompute_scale_factor"),
        ),
        signature=("size=None, scale_factor=None, mode='nearest', align_corners=None, recompute_scale_factor=None"),
    ),
    LayerRule(
        ("torch.nn.Unfold",),
        "unfold",
        (*_sizes("kernel_size", "dilation", "stride"), _s("padding", convert="torch_padding")),
        signature="kernel_size, dilation=1, padding=0, stride=1",
    ),
    LayerRule(
        ("torch.nn.Fold",),
        "fold",
        (*_sizes("output_size", "kernel_size", "dilation", "stride"), _s("padding", convert="torch_padding")),
        signature="output_size, kernel_size, dilation=1, padding=0, stride=1",
    ),
)


def _loss(op: str, kind: str, *names: str, signature: str) -> LayerRule:
    return LayerRule((f"torch.nn.{kind}",), op, _settings(*names, "reduction"), signature=signature, atomic=True)


_LOSS = (
    _loss("l1_loss", "L1Loss", signature="size_average=None, reduce=None, reduction='mean'"),
    _loss("mse_loss", "MSELoss", signature="size_average=None, reduce=None, reduction='mean'"),
    _loss(
        "smooth_l1_loss", "SmoothL1Loss", "beta", signature="size_average=None, reduce=None, reduction='mean', beta=1.0"
    ),
    _loss("huber_loss", "HuberLoss", "delta", signature="reduction='mean', delta=1.0"),
    _loss(
        "cross_entropy",
        "CrossEntropyLoss",
        "ignore_index",
        "label_smoothing",
        signature=(
            "weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean', label_smoothing=0.0"
        ),
    ),
    _loss(
        "nll_loss",
        "NLLLoss",
        "ignore_index",
        signature="weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean'",
    ),
    _loss(
        "poisson_nll_loss",
        "PoissonNLLLoss",
        "log_input",
        "full",
        "eps",
        signature="log_input=True, full=False, size_average=None, eps=1e-08, reduce=None, reduction='mean'",
    ),
    _loss(
        "gaussian_nll_loss", "GaussianNLLLoss", "full", "eps", signature="*, full=False, eps=1e-06, reduction='mean'"
    ),
    _loss("binary_cross_entropy", "BCELoss", signature="weight=None, size_average=None, reduce=None, reduction='mean'"),
    _loss(
        "binary_cross_entropy_with_logits",
        "BCEWithLogitsLoss",
        signature="weight=None, size_average=None, reduce=None, reduction='mean', pos_weight=None",
    ),
    _loss(
        "kl_div",
        "KLDivLoss",
        "log_target",
        signature="size_average=None, reduce=None, reduction='mean', log_target=False",
    ),
    _loss("ctc_loss", "CTCLoss", "blank", "zero_infinity", signature="blank=0, reduction='mean', zero_infinity=False"),
    _loss(
        "margin_ranking_loss",
        "MarginRankingLoss",
        "margin",
        signature="margin=0.0, size_average=None, reduce=None, reduction='mean'",
    ),
    _loss(
        "hinge_embedding_loss",
        "HingeEmbeddingLoss",
        "margin",
        signature="margin=1.0, size_average=None, reduce=None, reduction='mean'",
    ),
    _loss(
        "cosine_embedding_loss",
        "CosineEmbeddingLoss",
        "margin",
        signature="margin=0.0, size_average=None, reduce=None, reduction='mean'",
    ),
    _loss("soft_margin_loss", "SoftMarginLoss", signature="size_average=None, reduce=None, reduction='mean'"),
    _loss(
        "multilabel_margin_loss", "MultiLabelMarginLoss", signature="size_average=None, reduce=None, reduction='mean'"
    ),
    _loss(
        "multilabel_soft_margin_loss",
        "MultiLabelSoftMarginLoss",
        signature="weight=None, size_average=None, reduce=None, reduction='mean'",
    ),
    _loss(
        "multi_margin_loss",
        "MultiMarginLoss",
        "p",
        "margin",
        signature="p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction='mean'",
    ),
    _loss(
        "triplet_margin_loss",
        "TripletMarginLoss",
        "margin",
        "p",
        "eps",
        "swap",
        signature=("margin=1.0, p=2.0, eps=1e-06, swap=False, size_average=None, reduce=None, reduction='mean'"),
    ),
    _loss(
        "triplet_margin_with_distance_loss",
        "TripletMarginWithDistanceLoss",
        "margin",
        "swap",
        signature="*, distance_function=None, margin=1.0, swap=False, reduction='mean'",
    ),
    LayerRule(
        ("torch.nn.CosineSimilarity",),
        "cosine_similarity",
        _settings("dim", "eps"),
        signature="dim=1, eps=1e-08",
    ),
    LayerRule(
        ("torch.nn.PairwiseDistance",),
        "pairwise_distance",
        (_s("norm", "p", argument="p"), *_settings("eps", "keepdim")),
        signature="p=2.0, eps=1e-06, keepdim=False",
    ),
)

LAYERS: tuple[LayerRule, ...] = (
    _LINEAR,
    _BILINEAR,
    *_CONV,
    *_CONV_TRANSPOSE,
    *_NORM,
    *_ACTIVATION,
    *_SOFTMAX,
    *_POOL,
    *_EMBEDDING,
    *_RECURRENT,
    *_ATTENTION,
    *_DROPOUT,
    *_PAD,
    *_SHAPE,
    *_LOSS,
)
"""One row for each PyTorch layer with a meaning of its own. Containers have none: they fall back on structure."""

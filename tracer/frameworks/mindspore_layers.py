"""MindSpore's layers (`mindspore.nn` and `mindspore.mint.nn`): what each cell means in torch's words.

Pure data: nothing foreign is imported. Many cells keep a setting only in a primitive they hold; then the attribute is
dotted ("softmax.axis"). Kinds are written as a user imports them ("mindspore.nn.Dense", "mindspore.mint.nn.Linear").
"""

from __future__ import annotations

from tracer.frameworks.base import LayerRule, ParameterRule, SettingRule


def _s(attribute: str, name: str | None = None, convert: str = "same", argument: str | None = None) -> SettingRule:
    """A setting; its name is the last word of its attribute and its argument the same, unless said."""
    own = attribute.split("|", 1)[0].rsplit(".", 1)[-1]
    return SettingRule(attribute, name or own, convert, argument if argument is not None else own)


def _settings(*names: str) -> tuple[SettingRule, ...]:
    """Settings that are called and valued as in torch."""
    return tuple(_s(name) for name in names)


def _sizes(*names: str) -> tuple[SettingRule, ...]:
    """Settings with one number for each spatial axis, written as one number where all are equal."""
    return tuple(_s(name, convert="sizes") for name in names)


def _parameters(*names: str, **renamed: str) -> tuple[ParameterRule, ...]:
    return (*(ParameterRule(n, n) for n in names), *(ParameterRule(own, name) for own, name in renamed.items()))


def _nn(*names: str) -> tuple[str, ...]:
    return tuple(f"mindspore.nn.{name}" for name in names)


def _mint(*names: str) -> tuple[str, ...]:
    return tuple(f"mindspore.mint.nn.{name}" for name in names)


def _plain(op: str, kinds: tuple[str, ...], *, transparent: bool = False, signature: str = "") -> LayerRule:
    """A layer without a setting that moves numbers."""
    return LayerRule(kinds, op, transparent=transparent, signature=signature)


_WEIGHT_BIAS = _parameters("weight", "bias")
_HAS_BIAS = _s("has_bias", "bias", "bias")
_BIAS = _s("bias", "bias", "bias")
_GAMMA_BETA = _parameters(gamma="weight", beta="bias")
_MOVING = _parameters(gamma="weight", beta="bias", moving_mean="running_mean", moving_variance="running_var")
_INNER_MOVING = tuple(
    ParameterRule(f"bn2d.{own}", name)
    for own, name in (
        ("gamma", "weight"),
        ("beta", "bias"),
        ("moving_mean", "running_mean"),
        ("moving_variance", "running_var"),
    )
)
_RUNNING = _parameters("weight", "bias", "running_mean", "running_var", "num_batches_tracked")

_LINEAR = (
    LayerRule(
        _nn("Dense"),
        "linear",
        (
            _s("in_channels", "in_features"),
            _s("out_channels", "out_features"),
            _HAS_BIAS,
            _s("activation", "activation", "inner_activation"),
        ),
        _WEIGHT_BIAS,
        atomic=True,
        signature=(
            "in_channels, out_channels, weight_init=None, bias_init=None, has_bias=True, activation=None, dtype=..."
        ),
    ),
    LayerRule(
        _nn("Linear"),
        "linear",
        (*_settings("in_features", "out_features"), _BIAS),
        _WEIGHT_BIAS,
        signature="in_features, out_features, bias=True, weight_init=None, bias_init=None, dtype=None",
    ),
    LayerRule(
        _nn("BiDense"),
        "bilinear",
        (
            _s("in1_channels", "in1_features"),
            _s("in2_channels", "in2_features"),
            _s("out_channels", "out_features"),
            _HAS_BIAS,
        ),
        _WEIGHT_BIAS,
        signature=(
            "in1_channels, in2_channels, out_channels, weight_init=None, bias_init=None, has_bias=True, dtype=..."
        ),
    ),
)

_CONV_SETTINGS = (
    *_settings("in_channels", "out_channels"),
    _s("group", "groups"),
    *_sizes("kernel_size", "stride", "dilation"),
    _s("pad_mode", "padding", "pad_mode"),
    _HAS_BIAS,
)
_WEIGHT_BIAS_1D = (ParameterRule("weight", "weight", "drop_axis:2"), ParameterRule("bias", "bias"))

_CONV = (
    LayerRule(
        _nn("Conv1d"),
        "conv1d",
        _CONV_SETTINGS,
        _WEIGHT_BIAS_1D,
        signature=(
            "in_channels, out_channels, kernel_size, stride=1, pad_mode='same', padding=0, dilation=1, "
            "group=1, has_bias=False, weight_init=None, bias_init=None, dtype=..."
        ),
    ),
    LayerRule(
        _nn("Conv2d"),
        "conv2d",
        (*_CONV_SETTINGS, _s("data_format")),
        _WEIGHT_BIAS,
        signature=(
            "in_channels, out_channels, kernel_size, stride=1, pad_mode='same', padding=0, dilation=1, "
            "group=1, has_bias=False, weight_init=None, bias_init=None, data_format='NCHW', dtype=..."
        ),
    ),
    LayerRule(
        _nn("Conv3d"),
        "conv3d",
        (*_CONV_SETTINGS, _s("data_format")),
        _WEIGHT_BIAS,
        signature=(
            "in_channels, out_channels, kernel_size, stride=1, pad_mode='same', padding=0, dilation=1, "
            "group=1, has_bias=False, weight_init=None, bias_init=None, data_format='NCDHW', dtype=..."
        ),
    ),
    LayerRule(
        _nn("Conv1dTranspose"),
        "conv_transpose1d",
        _CONV_SETTINGS,
        _WEIGHT_BIAS_1D,
        signature=(
            "in_channels, out_channels, kernel_size, stride=1, pad_mode='same', padding=0, dilation=1, "
            "group=1, has_bias=False, weight_init=None, bias_init=None, dtype=..."
        ),
    ),
    LayerRule(
        _nn("Conv2dTranspose"),
        "conv_transpose2d",
        (*_CONV_SETTINGS, *_sizes("output_padding")),
        _WEIGHT_BIAS,
        signature=(
            "in_channels, out_channels, kernel_size, stride=1, pad_mode='same', padding=0, output_padding=0, "
            "dilation=1, group=1, has_bias=False, weight_init=None, bias_init=None, dtype=..."
        ),
    ),
    LayerRule(
        _nn("Conv3dTranspose"),
        "conv_transpose3d",
        (*_CONV_SETTINGS, *_sizes("output_padding")),
        _WEIGHT_BIAS,
        signature=(
            "in_channels, out_channels, kernel_size, stride=1, pad_mode='same', padding=0, dilation=1, "
            "group=1, output_padding=0, has_bias=False, weight_init=None, bias_init=None, "
            "data_format='NCDHW', dtype=..."
        ),
    ),
    *(
        LayerRule(
            _mint(f"Conv{n}d"),
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
                "padding_mode='zeros', dtype=None"
            ),
        )
        for n in (1, 2, 3)
    ),
    LayerRule(
        _mint("ConvTranspose2d"),
        "conv_transpose2d",
        (
            *_settings("in_channels", "out_channels", "groups"),
            *_sizes("kernel_size", "stride", "dilation", "output_padding"),
            _s("padding", convert="torch_padding"),
            _BIAS,
        ),
        _WEIGHT_BIAS,
        signature=(
            "in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, "
            "bias=True, dilation=1, padding_mode='zeros', dtype=None"
        ),
    ),
)

_BATCH_NORM_SETTINGS = (
    *_settings("num_features", "eps"),
    _s("momentum", "momentum", "inverse_argument"),
    _s("affine", "affine", "affine"),
    _s("use_batch_statistics", "track_running_stats", "batch_statistics"),
)
_MINT_BATCH_NORM_SETTINGS = (
    *_settings("num_features", "eps", "momentum", "track_running_stats"),
    _s("affine", convert="affine"),
)

_NORM = (
    LayerRule(
        _nn("BatchNorm1d", "BatchNorm2d"),
        "batch_norm",
        _BATCH_NORM_SETTINGS,
        _MOVING,
        mode="statistics",
        signature=(
            "num_features, eps=1e-05, momentum=0.9, affine=True, gamma_init='ones', beta_init='zeros', "
            "moving_mean_init='zeros', moving_var_init='ones', use_batch_statistics=None, data_format='NCHW', "
            "dtype=..."
        ),
    ),
    LayerRule(
        _nn("SyncBatchNorm"),
        "batch_norm",
        _BATCH_NORM_SETTINGS,
        _MOVING,
        mode="statistics",
        signature=(
            "num_features, eps=1e-05, momentum=0.9, affine=True, gamma_init='ones', beta_init='zeros', "
            "moving_mean_init='zeros', moving_var_init='ones', use_batch_statistics=None, "
            "process_groups=None, dtype=..."
        ),
    ),
    LayerRule(
        _nn("BatchNorm3d"),
        "batch_norm",
        tuple(
            SettingRule(f"{rule.attribute}|bn2d/{rule.attribute}", rule.name, rule.convert, rule.argument)
            for rule in _BATCH_NORM_SETTINGS
        ),
        _INNER_MOVING,
        mode="statistics",
        atomic=True,
        signature=(
            "num_features, eps=1e-05, momentum=0.9, affine=True, gamma_init='ones', beta_init='zeros', "
            "moving_mean_init='zeros', moving_var_init='ones', use_batch_statistics=None, dtype=..."
        ),
    ),
    LayerRule(
        _mint("SyncBatchNorm"),
        "batch_norm",
        _MINT_BATCH_NORM_SETTINGS,
        _RUNNING,
        mode="statistics",
        atomic=True,
        signature=(
            "num_features, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True, "
            "process_group=None, dtype=None"
        ),
    ),
    LayerRule(
        _mint("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"),
        "batch_norm",
        _MINT_BATCH_NORM_SETTINGS,
        _RUNNING,
        mode="statistics",
        signature="num_features, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True, dtype=None",
    ),
    LayerRule(
        _nn("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"),
        "instance_norm",
        (*_settings("num_features", "eps", "momentum"), _s("affine", convert="affine")),
        _MOVING,
        signature=(
            "num_features, eps=1e-05, momentum=0.1, affine=True, gamma_init='ones', beta_init='zeros', dtype=..."
        ),
    ),
    LayerRule(
        _nn("LayerNorm"),
        "layer_norm",
        (
            _s("normalized_shape", convert="shape"),
            _s("begin_norm_axis"),
            _s("epsilon", "eps"),
            SettingRule("", "elementwise_affine", "always_affine"),
            SettingRule("", "bias", "always_bias"),
        ),
        _GAMMA_BETA,
        signature=(
            "normalized_shape, begin_norm_axis=-1, begin_params_axis=-1, gamma_init='ones', "
            "beta_init='zeros', epsilon=1e-07, dtype=..."
        ),
    ),
    LayerRule(
        _nn("LayerNormExt"),
        "layer_norm",
        (
            _s("normalized_shape", convert="shape"),
            _s("eps"),
            _s("elementwise_affine", convert="affine"),
            _BIAS,
        ),
        _WEIGHT_BIAS,
        signature="normalized_shape, eps=1e-05, elementwise_affine=True, bias=True, dtype=None",
    ),
    LayerRule(
        _nn("GroupNorm"),
        "group_norm",
        (
            *_settings("num_groups", "num_channels", "eps"),
            _s("affine", convert="affine"),
            SettingRule("", "bias", "always_bias"),
        ),
        _GAMMA_BETA,
        signature=("num_groups, num_channels, eps=1e-05, affine=True, gamma_init='ones', beta_init='zeros', dtype=..."),
    ),
    LayerRule(
        _mint("GroupNorm"),
        "group_norm",
        (
            *_settings("num_groups", "num_channels", "eps"),
            _s("affine", convert="affine"),
            SettingRule("", "bias", "always_bias"),
        ),
        _WEIGHT_BIAS,
        signature="num_groups, num_channels, eps=1e-05, affine=True, dtype=None",
    ),
    LayerRule(
        _nn("LRN"),
        "local_response_norm",
        (
            _s("lrn_op.depth_radius|depth_radius", "size", "radius"),
            _s("lrn_op.alpha|alpha", "alpha", "radius_alpha"),
            _s("lrn_op.beta|beta", "beta"),
            _s("lrn_op.bias|bias", "k"),
        ),
        signature="depth_radius=5, bias=1.0, alpha=1.0, beta=0.5, norm_region='ACROSS_CHANNELS'",
    ),
)

_ACTIVATION = (
    _plain("relu", _nn("ReLU")),
    _plain("relu6", _nn("ReLU6")),
    _plain("relu6", _mint("ReLU6"), signature="inplace=False"),
    _plain("selu", (*_nn("SeLU"), *_mint("SELU"))),
    _plain("silu", _nn("SiLU")),
    _plain("silu", _mint("SiLU"), signature="inplace=False"),
    _plain("mish", (*_nn("Mish"), *_mint("Mish"))),
    _plain("hardswish", _nn("HSwish")),
    _plain("hardsigmoid", _nn("HSigmoid")),
    _plain("sigmoid", (*_nn("Sigmoid"), *_mint("Sigmoid"))),
    _plain("tanh", (*_nn("Tanh"), *_mint("Tanh"))),
    _plain("tanhshrink", _nn("Tanhshrink")),
    _plain("logsigmoid", (*_nn("LogSigmoid"), *_mint("LogSigmoid"))),
    _plain("softsign", _nn("Softsign")),
    _plain("fast_gelu", _nn("FastGelu")),
    LayerRule(_nn("GELU"), "gelu", (_s("approximate", convert="approximate_flag"),), signature="approximate=True"),
    LayerRule(_mint("GELU"), "gelu", (_s("approximate", convert="approximate"),), signature="approximate='none'"),
    LayerRule(_nn("LeakyReLU"), "leaky_relu", (_s("alpha", "negative_slope"),), signature="alpha=0.2"),
    LayerRule(_nn("ELU"), "elu", (_s("elu.alpha|alpha", convert="fixed"),), signature="alpha=1.0"),
    LayerRule(_mint("ELU"), "elu", _settings("alpha"), signature="alpha=1.0, inplace=False"),
    LayerRule(_nn("CELU"), "celu", (_s("celu.alpha|alpha"),), signature="alpha=1.0"),
    LayerRule(
        _nn("PReLU"),
        "prelu",
        (_s("channel", "num_parameters", "rows_of_weight"),),
        _parameters(w="weight"),
        signature="channel=1, w=0.25",
    ),
    LayerRule(
        _nn("PReLUExt"),
        "prelu",
        (_s("num_parameters", convert="rows_of_weight"),),
        _parameters("weight"),
        signature="num_parameters=1, init=0.25, dtype=None",
    ),
    LayerRule(
        _nn("RReLU"),
        "rrelu",
        _settings("lower", "upper"),
        mode="always random",
        signature="lower=0.125, upper=0.3333333333333333",
    ),
    LayerRule(_nn("Hardtanh"), "hardtanh", _settings("min_val", "max_val"), signature="min_val=-1.0, max_val=1.0"),
    LayerRule(
        _mint("Hardtanh"),
        "hardtanh",
        _settings("min_val", "max_val"),
        signature="min_val=-1.0, max_val=1.0, inplace=False",
    ),
    LayerRule(_nn("HShrink"), "hardshrink", (_s("hshrink.lambd|lambd"),), signature="lambd=0.5"),
    LayerRule(_nn("SoftShrink"), "softshrink", (_s("softshrink.lambd|lambd"),), signature="lambd=0.5"),
    LayerRule(_nn("Threshold"), "threshold", _settings("threshold", "value"), signature="threshold, value"),
    LayerRule(
        _mint("Threshold"), "threshold", _settings("threshold", "value"), signature="threshold, value, inplace=False"
    ),
    LayerRule(_nn("GLU"), "glu", (_s("dim|axis", argument="axis"),), signature="axis=-1"),
    LayerRule(_mint("GLU"), "glu", _settings("dim"), signature="dim=-1"),
)

_SOFTMAX = (
    LayerRule(_nn("Softmax"), "softmax", (_s("softmax.axis|axis", "dim", "axis"),), signature="axis=-1"),
    LayerRule(_nn("SoftmaxExt"), "softmax", _settings("dim"), signature="dim=None"),
    LayerRule(
        _nn("LogSoftmax"),
        "log_softmax",
        (_s("log_softmax.axis|axis", "dim", "axis"),),
        signature="axis=-1",
    ),
    LayerRule(_nn("LogSoftmaxExt"), "log_softmax", _settings("dim"), signature="dim=None"),
    LayerRule(_nn("Softmin"), "softmin", (_s("axis", "dim", "axis"),), signature="axis=-1"),
    _plain("softmax2d", _nn("Softmax2d")),
)

_MAX_POOL_SETTINGS = (
    _s("kernel_size", convert="sizes"),
    _s("stride", convert="sizes"),
    _s("pad_mode", "padding", "pad_mode"),
    _s("max_pool.dilation|dilation", convert="sizes"),
    _s("max_pool.ceil_mode|ceil_mode", convert="flag"),
    _s("return_indices"),
)
_AVG_POOL_SETTINGS = (
    _s("kernel_size", convert="sizes"),
    _s("stride", convert="sizes"),
    _s("pad_mode", "padding", "pad_mode"),
    _s("avg_pool.ceil_mode|ceil_mode", convert="flag"),
    _s("avg_pool.count_include_pad|count_include_pad", convert="counts_padding"),
)
_DIVISOR = _s("avg_pool.divisor_override|divisor_override", convert="zero_is_none")

_POOL = (
    LayerRule(
        _nn("MaxPool1d"),
        "max_pool1d",
        _MAX_POOL_SETTINGS,
        signature=(
            "kernel_size=1, stride=1, pad_mode='valid', padding=0, dilation=1, return_indices=False, ceil_mode=False"
        ),
    ),
    LayerRule(
        _nn("MaxPool2d"),
        "max_pool2d",
        _MAX_POOL_SETTINGS,
        signature=(
            "kernel_size=1, stride=1, pad_mode='valid', padding=0, dilation=1, return_indices=False, "
            "ceil_mode=False, data_format='NCHW'"
        ),
    ),
    LayerRule(
        _nn("MaxPool3d"),
        "max_pool3d",
        _MAX_POOL_SETTINGS,
        signature=(
            "kernel_size=1, stride=1, pad_mode='valid', padding=0, dilation=1, return_indices=False, ceil_mode=False"
        ),
    ),
    LayerRule(
        _nn("AvgPool1d"),
        "avg_pool1d",
        _AVG_POOL_SETTINGS,
        signature=("kernel_size=1, stride=1, pad_mode='valid', padding=0, ceil_mode=False, count_include_pad=True"),
    ),
    LayerRule(
        _nn("AvgPool2d"),
        "avg_pool2d",
        (*_AVG_POOL_SETTINGS, _DIVISOR),
        signature=(
            "kernel_size=1, stride=1, pad_mode='valid', padding=0, ceil_mode=False, count_include_pad=True, "
            "divisor_override=None, data_format='NCHW'"
        ),
    ),
    LayerRule(
        _nn("AvgPool3d"),
        "avg_pool3d",
        (*_AVG_POOL_SETTINGS, _DIVISOR),
        signature=(
            "kernel_size=1, stride=1, pad_mode='valid', padding=0, ceil_mode=False, count_include_pad=True, "
            "divisor_override=None"
        ),
    ),
    LayerRule(
        _nn("MaxPool2dExt"),
        "max_pool2d",
        (
            _s("kernel_size", convert="sizes"),
            _s("stride", convert="pool_stride"),
            _s("padding", convert="torch_padding"),
            _s("dilation", convert="sizes"),
            _s("ceil_mode", convert="flag"),
            _s("return_indices"),
        ),
        signature="kernel_size=1, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False",
    ),
    *(
        LayerRule(
            _nn(f"AvgPool{n}dExt"),
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
            _nn(f"LPPool{n}d"),
            f"lp_pool{n}d",
            (
                _s("norm_type"),
                _s("kernel_size", convert="sizes"),
                _s("stride", convert="pool_stride"),
                _s("ceil_mode", convert="flag"),
            ),
            signature="norm_type, kernel_size, stride=None, ceil_mode=False",
        )
        for n in (1, 2)
    ),
    LayerRule(
        (*_nn("AdaptiveAvgPool1d"), *_mint("AdaptiveAvgPool1d")),
        "adaptive_avg_pool1d",
        _sizes("output_size"),
        signature="output_size",
    ),
    LayerRule(
        (*_nn("AdaptiveAvgPool2d"), *_mint("AdaptiveAvgPool2d")),
        "adaptive_avg_pool2d",
        (_s("adaptive_avgpool2d.output_size|output_size", convert="sizes"),),
        signature="output_size",
    ),
    LayerRule(
        (*_nn("AdaptiveAvgPool3d"), *_mint("AdaptiveAvgPool3d")),
        "adaptive_avg_pool3d",
        (_s("adaptive_avg_pool3d.output_size|output_size", convert="sizes"),),
        signature="output_size",
    ),
    LayerRule(_nn("AdaptiveMaxPool1d"), "adaptive_max_pool1d", _sizes("output_size"), signature="output_size"),
    LayerRule(
        (*_mint("AdaptiveMaxPool1d"),),
        "adaptive_max_pool1d",
        (*_sizes("output_size"), _s("return_indices")),
        signature="output_size, return_indices=False",
    ),
    *(
        LayerRule(
            _nn(f"AdaptiveMaxPool{n}d"),
            f"adaptive_max_pool{n}d",
            (*_sizes("output_size"), _s("return_indices")),
            signature="output_size, return_indices=False",
        )
        for n in (2, 3)
    ),
    *(
        LayerRule(
            _nn(f"MaxUnpool{n}d"),
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
    LayerRule(
        _mint("MaxUnpool2d"),
        "max_unpool2d",
        (
            _s("kernel_size", convert="sizes"),
            _s("stride", convert="pool_stride"),
            _s("padding", convert="torch_padding"),
        ),
        signature="kernel_size, stride=None, padding=0",
    ),
    *(
        LayerRule(
            _nn(f"FractionalMaxPool{n}d"),
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
        _nn("Embedding"),
        "embedding",
        (
            _s("vocab_size", "num_embeddings"),
            _s("embedding_size", "embedding_dim"),
            _s("padding_idx"),
        ),
        _parameters(embedding_table="weight"),
        signature=(
            "vocab_size, embedding_size, use_one_hot=False, embedding_table='normal', dtype=..., padding_idx=None"
        ),
    ),
    LayerRule(
        _nn("EmbeddingLookup"),
        "embedding",
        (
            _s("vocab_size", "num_embeddings"),
            _s("embedding_size", "embedding_dim"),
            _s("max_norm"),
        ),
        _parameters(embedding_table="weight"),
        signature=(
            "vocab_size, embedding_size, param_init='normal', target='CPU', slice_mode='batch_slice', "
            "manual_shapes=None, max_norm=None, sparse=True, dtype=..."
        ),
    ),
    LayerRule(
        _nn("EmbeddingExt"),
        "embedding",
        _settings("num_embeddings", "embedding_dim", "padding_idx", "max_norm", "norm_type", "scale_grad_by_freq"),
        _parameters("weight"),
        signature=(
            "num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0, "
            "scale_grad_by_freq=False, sparse=False, _weight=None, _freeze=False, dtype=None"
        ),
    ),
)

_RECURRENT_SETTINGS = (
    _s("input_size", convert="columns_of_weight_ih"),
    *_settings("hidden_size", "num_layers"),
    _HAS_BIAS,
    *_settings("batch_first", "dropout", "bidirectional"),
)
_RECURRENT_SIGNATURE = (
    "input_size, hidden_size, num_layers=1, has_bias=True, batch_first=False, dropout=0.0, "
    "bidirectional=False, dtype=..."
)
_CELL_PARAMETERS = _parameters("weight_ih", "weight_hh", "bias_ih", "bias_hh")

_RECURRENT = (
    LayerRule(_nn("LSTM"), "lstm", _RECURRENT_SETTINGS, mode="random", atomic=True, signature=_RECURRENT_SIGNATURE),
    LayerRule(_nn("GRU"), "gru", _RECURRENT_SETTINGS, mode="random", atomic=True, signature=_RECURRENT_SIGNATURE),
    LayerRule(
        _nn("RNN"),
        "rnn",
        (*_RECURRENT_SETTINGS, _s("nonlinearity", convert="inner_nonlinearity")),
        mode="random",
        atomic=True,
        signature="input_size, hidden_size, num_layers=1, has_bias=True, batch_first=False, dropout=0.0, "
        "bidirectional=False, dtype=..., *, nonlinearity='tanh'",
    ),
    LayerRule(
        _nn("LSTMCell"),
        "lstm_cell",
        (*_settings("input_size", "hidden_size"), _HAS_BIAS),
        _CELL_PARAMETERS,
        signature="input_size, hidden_size, has_bias=True, dtype=...",
    ),
    LayerRule(
        _nn("GRUCell"),
        "gru_cell",
        (*_settings("input_size", "hidden_size"), _HAS_BIAS),
        _CELL_PARAMETERS,
        signature="input_size, hidden_size, has_bias=True, dtype=...",
    ),
    LayerRule(
        _nn("RNNCell"),
        "rnn_cell",
        (*_settings("input_size", "hidden_size"), _HAS_BIAS, _s("nonlinearity")),
        _CELL_PARAMETERS,
        signature="input_size, hidden_size, has_bias=True, nonlinearity='tanh', dtype=...",
    ),
)

_TRANSFORMER_LAYER = (_s("norm_first"), _s("activation1|activation", "activation", argument="activation"))

_ATTENTION = (
    LayerRule(
        _nn("MultiheadAttention"),
        "multi_head_attention",
        (
            *_settings("embed_dim", "num_heads", "dropout", "add_zero_attn", "kdim", "vdim", "batch_first"),
            _HAS_BIAS,
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
            "embed_dim, num_heads, dropout=0.0, has_bias=True, add_bias_kv=False, add_zero_attn=False, "
            "kdim=None, vdim=None, batch_first=False, dtype=..."
        ),
    ),
    LayerRule(
        _nn("TransformerEncoderLayer"),
        "transformer_encoder_layer",
        _TRANSFORMER_LAYER,
        signature=(
            "d_model, nhead, dim_feedforward=2048, dropout=0.1, activation='relu', layer_norm_eps=1e-05, "
            "batch_first=False, norm_first=False, dtype=..."
        ),
    ),
    LayerRule(
        _nn("TransformerDecoderLayer"),
        "transformer_decoder_layer",
        _TRANSFORMER_LAYER,
        signature=(
            "d_model, nhead, dim_feedforward=2048, dropout=0.1, activation='relu', layer_norm_eps=1e-05, "
            "batch_first=False, norm_first=False, dtype=..."
        ),
    ),
    LayerRule(_nn("TransformerEncoder"), "transformer_encoder", signature="encoder_layer, num_layers, norm=None"),
    LayerRule(_nn("TransformerDecoder"), "transformer_decoder", signature="decoder_layer, num_layers, norm=None"),
    LayerRule(
        _nn("Transformer"),
        "transformer",
        _settings("d_model", "nhead", "batch_first"),
        signature=(
            "d_model=512, nhead=8, num_encoder_layers=6, num_decoder_layers=6, dim_feedforward=2048, "
            "dropout=0.1, activation='relu', custom_encoder=None, custom_decoder=None, layer_norm_eps=1e-05, "
            "batch_first=False, norm_first=False, dtype=..."
        ),
    ),
)


def _dropout(kinds: tuple[str, ...], op: str, setting: SettingRule, signature: str) -> LayerRule:
    return LayerRule(kinds, op, (setting,), mode="random", transparent=True, signature=signature)


_DROPOUT = (
    _dropout(_nn("Dropout"), "dropout", _s("p", convert="p_or_keep_prob"), "keep_prob=0.5, p=None, dtype=..."),
    _dropout(_nn("Dropout1d"), "dropout1d", _s("prob|p", "p", argument="p"), "p=0.5"),
    _dropout(_nn("Dropout2d"), "dropout2d", _s("keep_prob", "p", "inverse_attribute", "p"), "p=0.5"),
    _dropout(_nn("Dropout3d"), "dropout3d", _s("keep_prob", "p", "inverse_attribute", "p"), "p=0.5"),
    _dropout(_nn("DropoutExt"), "dropout", _s("p"), "p=0.5, inplace=False"),
    _dropout((*_nn("Dropout2dExt"), *_mint("Dropout2d")), "dropout2d", _s("p"), "p=0.5, inplace=False"),
)

_PAD = (
    *(
        LayerRule(
            (*_nn(f"{word}Pad{n}d"), *_mint(f"{word}Pad{n}d")),
            f"{op}{n}d",
            (_s("padding", convert="pad_list"),),
            signature="padding",
        )
        for word, op in (("Reflection", "reflection_pad"), ("Replication", "replication_pad"))
        for n in (1, 2, 3)
    ),
    *(
        LayerRule(
            (*_nn(f"ZeroPad{n}d"), *_mint(f"ZeroPad{n}d")),
            f"constant_pad{n}d",
            (_s("padding", convert="pad_list"), SettingRule("value", "value")),
            signature="padding",
        )
        for n in (1, 2, 3)
    ),
    *(
        LayerRule(
            (*_nn(f"ConstantPad{n}d"), *_mint(f"ConstantPad{n}d")),
            f"constant_pad{n}d",
            (_s("padding", convert="pad_list"), _s("value")),
            signature="padding, value",
        )
        for n in (1, 2, 3)
    ),
)

_SHAPE = (
    LayerRule(_nn("Identity"), "identity", transparent=True),
    LayerRule(
        (*_nn("Flatten"), *_mint("Flatten")),
        "flatten",
        _settings("start_dim", "end_dim"),
        transparent=True,
        signature="start_dim=1, end_dim=-1",
    ),
    LayerRule(
        _nn("Unflatten"),
        "unflatten",
        (_s("axis", "dim"), _s("unflattened_size", convert="shape")),
        transparent=True,
        signature="axis, unflattened_size",
    ),
    LayerRule(
        (*_nn("PixelShuffle"), *_mint("PixelShuffle")),
        "pixel_shuffle",
        _settings("upscale_factor"),
        signature="upscale_factor",
    ),
    LayerRule(
        _nn("PixelUnshuffle"),
        "pixel_unshuffle",
        _settings("downscale_factor"),
        signature="downscale_factor",
    ),
    LayerRule(_nn("ChannelShuffle"), "channel_shuffle", _settings("groups"), signature="groups"),
    LayerRule(
        _nn("Upsample", "UpsampleExt"),
        "upsample",
        (
            _s("size", convert="shape_or_none"),
            _s("scale_factor", convert="scale"),
            *_settings("mode", "align_corners", "recompute_scale_factor"),
        ),
        signature=("size=None, scale_factor=None, mode='nearest', align_corners=None, recompute_scale_factor=None"),
    ),
    *(
        LayerRule(
            _mint(kind),
            "upsample",
            (
                _s("size", convert="shape_or_none"),
                _s("scale_factor", convert="scale"),
                SettingRule("mode", "mode", default=mode, default_known=True),
                SettingRule("align_corners", "align_corners", default=corners, default_known=True),
            ),
            signature="size=None, scale_factor=None",
        )
        for kind, mode, corners in (
            ("UpsamplingNearest2d", "nearest", None),
            ("UpsamplingBilinear2d", "bilinear", True),
        )
    ),
    LayerRule(
        _nn("Unfold"),
        "unfold",
        (
            _s("extract_image_patches.ksizes|ksizes", "kernel_size", "patch_sizes"),
            _s("extract_image_patches.rates|rates", "dilation", "patch_sizes"),
            _s("extract_image_patches.strides|strides", "stride", "patch_sizes"),
            _s("extract_image_patches.padding|padding", "padding", "patch_padding"),
        ),
        signature="ksizes, strides, rates, padding='valid'",
    ),
    LayerRule(
        _nn("UnfoldExt"),
        "unfold",
        (*_sizes("kernel_size", "dilation", "stride"), _s("padding", convert="torch_padding")),
        signature="kernel_size, dilation=1, padding=0, stride=1",
    ),
    LayerRule(
        _nn("Fold"),
        "fold",
        (*_sizes("output_size", "kernel_size", "dilation", "stride"), _s("padding", convert="torch_padding")),
        signature="output_size, kernel_size, dilation=1, padding=0, stride=1",
    ),
)

_REDUCTION = _s("reduction", convert="reduction")


def _loss(op: str, kinds: tuple[str, ...], *names: str, signature: str) -> LayerRule:
    return LayerRule(kinds, op, (*_settings(*names), _REDUCTION), signature=signature, atomic=True)


_LOSS = (
    _loss("l1_loss", _nn("L1Loss", "L1LossExt"), signature="reduction='mean'"),
    _loss("mse_loss", (*_nn("MSELoss"), *_mint("MSELoss")), signature="reduction='mean'"),
    _loss("smooth_l1_loss", _nn("SmoothL1Loss"), "beta", signature="beta=1.0, reduction='none'"),
    _loss("smooth_l1_loss", _mint("SmoothL1Loss"), "beta", signature="reduction='mean', beta=1.0"),
    _loss("huber_loss", _nn("HuberLoss"), "delta", signature="reduction='mean', delta=1.0"),
    _loss(
        "cross_entropy",
        (*_nn("CrossEntropyLoss"), *_mint("CrossEntropyLoss")),
        "ignore_index",
        "label_smoothing",
        signature="weight=None, ignore_index=-100, reduction='mean', label_smoothing=0.0",
    ),
    LayerRule(
        _nn("SoftmaxCrossEntropyWithLogits"),
        "cross_entropy",
        (_REDUCTION, _s("sparse")),
        signature="sparse=False, reduction='none'",
        atomic=True,
    ),
    _loss(
        "nll_loss",
        (*_nn("NLLLoss"), *_mint("NLLLoss")),
        "ignore_index",
        signature="weight=None, ignore_index=-100, reduction='mean'",
    ),
    _loss(
        "poisson_nll_loss",
        _nn("PoissonNLLLoss"),
        "log_input",
        "full",
        "eps",
        signature="log_input=True, full=False, eps=1e-08, reduction='mean'",
    ),
    _loss(
        "gaussian_nll_loss",
        _nn("GaussianNLLLoss"),
        "full",
        "eps",
        signature="*, full=False, eps=1e-06, reduction='mean'",
    ),
    _loss("binary_cross_entropy", (*_nn("BCELoss"), *_mint("BCELoss")), signature="weight=None, reduction='mean'"),
    _loss(
        "binary_cross_entropy_with_logits",
        _nn("BCEWithLogitsLoss"),
        signature="reduction='mean', weight=None, pos_weight=None",
    ),
    LayerRule(
        _mint("BCEWithLogitsLoss"),
        "binary_cross_entropy_with_logits",
        (_s("reduction|bce_with_logits.reduction", convert="reduction"),),
        signature="weight=None, reduction='mean', pos_weight=None",
        atomic=True,
    ),
    _loss("kl_div", _nn("KLDivLoss"), signature="reduction='mean'"),
    _loss("kl_div", _mint("KLDivLoss"), "log_target", signature="reduction='mean', log_target=False"),
    _loss(
        "ctc_loss", _nn("CTCLoss"), "blank", "zero_infinity", signature="blank=0, reduction='mean', zero_infinity=False"
    ),
    _loss("margin_ranking_loss", _nn("MarginRankingLoss"), "margin", signature="margin=0.0, reduction='mean'"),
    _loss("hinge_embedding_loss", _nn("HingeEmbeddingLoss"), "margin", signature="margin=1.0, reduction='mean'"),
    _loss(
        "cosine_embedding_loss",
        (*_nn("CosineEmbeddingLoss"), *_mint("CosineEmbeddingLoss")),
        "margin",
        signature="margin=0.0, reduction='mean'",
    ),
    _loss("soft_margin_loss", _nn("SoftMarginLoss"), signature="reduction='mean'"),
    _loss("multilabel_margin_loss", _nn("MultilabelMarginLoss"), signature="reduction='mean'"),
    _loss(
        "multilabel_soft_margin_loss",
        _nn("MultiLabelSoftMarginLoss"),
        signature="weight=None, reduction='mean'",
    ),
    LayerRule(
        _nn("MultiMarginLoss"),
        "multi_margin_loss",
        (_s("multi_margin_loss.p|p"), _s("multi_margin_loss.margin|margin"), _REDUCTION),
        signature="p=1, margin=1.0, reduction='mean', weight=None",
        atomic=True,
    ),
    _loss(
        "triplet_margin_loss",
        _nn("TripletMarginLoss"),
        "margin",
        "p",
        "eps",
        "swap",
        signature="p=2, swap=False, eps=1e-06, reduction='mean', margin=1.0",
    ),
    _loss(
        "triplet_margin_with_distance_loss",
        _nn("TripletMarginWithDistanceLoss"),
        "margin",
        "swap",
        signature="distance_function=None, swap=False, reduction='mean', margin=1.0",
    ),
)

LAYERS: tuple[LayerRule, ...] = (
    *_LINEAR,
    *_CONV,
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
"""One row for each cell with a counterpart in PyTorch. Cells without one fall back on structure."""

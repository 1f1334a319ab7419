"""Calls of recurrent layers, attention and transformers."""

from __future__ import annotations

import numpy as np

from tests.source_layers.arrays import bits, normal, other, third
from tests.source_layers.case import calls

_SEQUENCE = normal(5, 3, 4)
_RNN = (
    "(4, 6)",
    "(4, 6, 2)",
    "(4, 6, 1, False)",
    "(4, 6, batch_first=True)",
    "(4, 6, num_layers=2, bidirectional=True)",
    "(input_size=4, hidden_size=6, num_layers=1, bias=True)",
    "(4, 6, bias=False, bidirectional=True)",
    "(4, 6, num_layers=2, dropout=0.0, batch_first=True)",
    "(4, 6, 1, True, True, 0.0, True)",
    "(4, 6, dropout=0.)",
)
_MHA = (
    "(8, 2)",
    "(embed_dim=8, num_heads=4)",
    "(8, 2, 0.0)",
    "(8, 2, bias=False)",
    "(8, 2, batch_first=True)",
    "(8, 2, 0.0, True, True)",
    "(8, 2, add_zero_attn=True)",
    "(8, 2, kdim=8, vdim=8)",
)
_QUERY = normal(5, 3, 8)
_LAYER = (
    "(8, 2, dropout=0.0)",
    "(8, 2, 16, 0.0)",
    "(d_model=8, nhead=2, dim_feedforward=16, dropout=0.0, activation='gelu')",
    "(8, 2, 16, dropout=0.0, activation='relu')",
    "(8, 2, 16, 0.0, 'gelu', 1e-6)",
    "(8, 2, 16, 0.0, batch_first=True)",
    "(8, 2, 16, 0.0, norm_first=True)",
    "(8, 2, 16, 0.0, bias=False)",
    "(8, 2, 16, 0.0, layer_norm_eps=1e-3, batch_first=True, norm_first=True)",
    "(8, 2, 16, 0.0, F.gelu)",
    "(8, 2, 16, 0.0, activation=nn.GELU())",
    "(8, 2, 16, 0.0, activation=F.relu)",
)

RECURRENT = (
    calls("torch.nn.LSTM", *_RNN, "(4, 6, proj_size=3)", "(4, 6, proj_size=0)", inputs=_SEQUENCE, loose=3e-4),
    calls("torch.nn.LSTM", "(4, 6)", inputs=(_SEQUENCE, (normal(1, 3, 6), other(1, 3, 6))), loose=3e-4),
    calls("torch.nn.LSTM", "(4, 6)", inputs=normal(5, 4), loose=3e-4, refused=True),
    calls("torch.nn.GRU", *_RNN, inputs=_SEQUENCE, loose=3e-4),
    calls("torch.nn.GRU", "(4, 6)", inputs=(_SEQUENCE, normal(1, 3, 6)), loose=3e-4),
    calls(
        "torch.nn.RNN",
        *(c for c in _RNN if "1, True, True" not in c and "1, False" not in c),
        "(4, 6, 1, 'relu')",
        "(4, 6, nonlinearity='relu')",
        "(4, 6, nonlinearity='tanh')",
        "(4, 6, 1, 'tanh', False)",
        inputs=_SEQUENCE,
        loose=3e-4,
    ),
    calls("torch.nn.RNN", "(4, 6)", inputs=(_SEQUENCE, normal(1, 3, 6)), loose=3e-4),
    calls(
        "torch.nn.LSTMCell",
        "(4, 6)",
        "(4, 6, False)",
        "(input_size=4, hidden_size=6, bias=True)",
        inputs=(normal(3, 4), (normal(3, 6), other(3, 6))),
        loose=3e-4,
    ),
    calls(
        "torch.nn.GRUCell",
        "(4, 6)",
        "(4, 6, False)",
        "(input_size=4, hidden_size=6, bias=True)",
        inputs=(normal(3, 4), normal(3, 6)),
        loose=3e-4,
    ),
    calls(
        "torch.nn.RNNCell",
        "(4, 6)",
        "(4, 6, False)",
        "(4, 6, True, 'relu')",
        "(input_size=4, hidden_size=6, nonlinearity='relu')",
        inputs=(normal(3, 4), normal(3, 6)),
        loose=3e-4,
    ),
    calls("torch.nn.MultiheadAttention", *_MHA, inputs=(_QUERY, other(5, 3, 8), third(5, 3, 8))),
    calls("torch.nn.MultiheadAttention", "(8, 2)", "(8, 2, batch_first=True)", inputs=(_QUERY, _QUERY, _QUERY)),
    calls("torch.nn.MultiheadAttention", "(8, 2, kdim=6, vdim=4)", inputs=(_QUERY, normal(7, 3, 6), normal(7, 3, 4))),
    calls("torch.nn.TransformerEncoderLayer", *_LAYER, inputs=_QUERY, loose=2e-4),
    calls("torch.nn.TransformerDecoderLayer", *_LAYER, inputs=(_QUERY, other(5, 3, 8)), loose=2e-4),
    calls(
        "torch.nn.TransformerEncoder",
        "(nn.TransformerEncoderLayer(8, 2, 16, 0.0), 2)",
        "(nn.TransformerEncoderLayer(8, 2, 16, 0.0), num_layers=1, norm=nn.LayerNorm(8))",
        "(nn.TransformerEncoderLayer(8, 2, 16, 0.0), 2, enable_nested_tensor=False)",
        inputs=_QUERY,
        loose=2e-4,
    ),
    calls(
        "torch.nn.TransformerDecoder",
        "(nn.TransformerDecoderLayer(8, 2, 16, 0.0), 2)",
        "(nn.TransformerDecoderLayer(8, 2, 16, 0.0), num_layers=1, norm=nn.LayerNorm(8))",
        inputs=(_QUERY, other(4, 3, 8)),
        loose=2e-4,
    ),
    calls(
        "torch.nn.Transformer",
        "(8, 2, 1, 1, 16, 0.0)",
        "(d_model=8, nhead=2, num_encoder_layers=2, num_decoder_layers=1, dim_feedforward=16, dropout=0.0, activation='gelu')",
        "(8, 2, 1, 1, 16, 0.0, norm_first=True, batch_first=True)",
        inputs=(_QUERY, other(5, 3, 8)),
        loose=2e-4,
    ),
)

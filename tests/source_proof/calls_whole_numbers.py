"""Whole numbers where torch takes any number and MindSpore a float alone, or the other way round."""

from __future__ import annotations

from tests.source_proof.writing_calls import Calls, for_each

CALLS: Calls = {
    **for_each("cdist", "torch.cdist(x, y, p=1)", "torch.cdist(x, y, p=2)", "torch.cdist(x, y, 1)"),
    **for_each("masked_fill", *(f"torch.masked_fill({call})" for call in ("x, k, 0", "x, k, 1", "i, k, 0", "h, k, 1"))),
    **for_each("celu nn.functional.celu", "torch.NAME(x, 1)", "torch.NAME(x, alpha=2)"),
    **for_each("logit special.logit", "torch.NAME(p, eps=0)"),
    "torch.Tensor.logit": ["p.logit(0)", "p.logit(eps=0)"],
    **for_each("fft.fftfreq fft.rfftfreq", "torch.NAME(5, 1)", "torch.NAME(6, d=2)"),
    **for_each("hamming_window", "torch.hamming_window(6, True, 1)", "torch.hamming_window(6, False, 1, beta=0)"),
    **for_each("group_norm nn.functional.group_norm", "torch.NAME(t4, 3, eps=1)"),
    **for_each("quantile nanquantile", "torch.NAME(x, 1)", "torch.NAME(x, 0, dim=1)"),
    "torch.Tensor.quantile": ["x.quantile(1)", "x.quantile(q=0, dim=1)"],
    "torch.Tensor.nanquantile": ["x.nanquantile(1)"],
    "torch.nn.functional.elu": ["F.elu(x, 1)", "F.elu(x, alpha=1)", "F.elu(x, 2)"],
    "torch.nn.functional.layer_norm": ["F.layer_norm(x, (4,), eps=1)", "F.layer_norm(x, (4,), v, w, 0)"],
    "torch.nn.functional.instance_norm": ["F.instance_norm(img, eps=1)"],
    "torch.nn.functional.batch_norm": ["F.batch_norm(img, c3, var3, eps=1)"],
    "torch.nn.functional.cross_entropy": [
        "F.cross_entropy(x, labels, label_smoothing=0)",
        "F.cross_entropy(x, labels, label_smoothing=1)",
    ],
    "torch.nn.functional.dropout": ["F.dropout(x, 0)", "F.dropout(x, p=0, training=True)"],
    "torch.nn.functional.dropout1d": ["F.dropout1d(seq, 0)"],
    "torch.nn.functional.dropout2d": ["F.dropout2d(img, 0)"],
    "torch.nn.functional.dropout3d": ["F.dropout3d(vol, 0)"],
    "torch.nn.functional.embedding": ["F.embedding(tokens, table, None, 1, 2)"],
    "torch.nn.functional.gaussian_nll_loss": ["F.gaussian_nll_loss(x, y, pos, eps=1)"],
    "torch.nn.functional.multi_margin_loss": ["F.multi_margin_loss(x, labels, 1.0)"],
    "torch.nn.functional.pdist": ["F.pdist(x, p=1)", "F.pdist(x, 2)"],
    "torch.nn.functional.triplet_margin_loss": ["F.triplet_margin_loss(x, y, p, eps=0)"],
    "torch.linalg.norm": ["torch.linalg.norm(x, 2.0)", "torch.linalg.norm(x, ord=1.0)", "torch.linalg.norm(v, 2.0)"],
    "torch.linalg.cond": ["torch.linalg.cond(q, 2.0)", "torch.linalg.cond(q, p=1.0)"],
}
"""By torch name, each as one would write it."""

RANDOM: Calls = {
    "torch.nn.functional.gumbel_softmax": ["F.gumbel_softmax(big * 0.01, 1)", "F.gumbel_softmax(big * 0.01, tau=2)"]
}

"""Calls of the names that the public mapping tables leave out and the package's own table holds."""

from __future__ import annotations

from tests.source_proof.writing_calls import for_each, together

CALLS = together(
    for_each(
        "softmax log_softmax special.softmax",
        "torch.NAME(x, 1)",
        "torch.NAME(x, dim=0)",
        "torch.NAME(input=t, dim=-2)",
        "torch.NAME(d, -1)",
        "torch.NAME(x, dim=1, dtype=torch.float64)",
    ),
    for_each("relu", "torch.NAME(x)", "torch.NAME(input=d)", "torch.NAME(i)", "torch.NAME(xn)"),
    for_each("selu", "torch.NAME(x)", "torch.NAME(input=x)"),
    for_each("celu", "torch.NAME(x)", "torch.NAME(x, 0.5)", "torch.NAME(input=x, alpha=2.0)"),
    for_each("threshold", "torch.NAME(x, 0.1, 3.0)", "torch.NAME(input=x, threshold=0.1, value=-1.0)"),
    for_each("detach", "torch.NAME(x)", "torch.NAME(input=x)"),
    for_each(
        "cov", "torch.NAME(x)", "torch.NAME(x, correction=0)", "torch.NAME(input=x, correction=2)", "torch.NAME(v)"
    ),
    for_each(
        "channel_shuffle", "torch.NAME(t4.reshape(2, 6, 2, 5), 3)", "torch.NAME(input=t4.reshape(2, 6, 2, 5), groups=2)"
    ),
    for_each(
        "nanquantile",
        "torch.NAME(x, 0.3)",
        "torch.NAME(x, 0.3, dim=1)",
        "torch.NAME(x, 0.3, dim=0, keepdim=True)",
        "torch.NAME(xn, 0.5, 1)",
    ),
    for_each(
        "group_norm",
        "torch.NAME(t4, 3)",
        "torch.NAME(t4, 1, c3, c3b)",
        "torch.NAME(t4, 3, weight=c3, bias=c3b, eps=0.01)",
    ),
    for_each(
        "max_pool2d",
        "torch.NAME(img, 2)",
        "torch.NAME(img, 3, 2, 1)",
        "torch.NAME(input=img, kernel_size=(2, 3), stride=1)",
        "torch.NAME(img7, 3, stride=2, ceil_mode=True)",
        "torch.NAME(img, 2, dilation=2)",
    ),
    for_each("max_pool3d", "torch.NAME(vol, 2)", "torch.NAME(vol, 2, 1, 1)"),
    for_each(
        "fft.hfft2 fft.hfftn fft.ihfft2 fft.ihfftn",
        "torch.NAME(t)",
        "torch.NAME(input=t, norm='ortho')",
    ),
    for_each("linalg.matrix_exp", "torch.NAME(q)", "torch.NAME(bq)"),
    for_each("linalg.vander", "torch.NAME(v)", "torch.NAME(v, N=3)"),
    for_each("linalg.vecdot", "torch.NAME(x, y)", "torch.NAME(x, y, dim=0)"),
    for_each("special.bessel_j0 special.bessel_j1", "torch.NAME(x)", "torch.NAME(d)", "torch.NAME(input=pos)"),
    for_each("special.bessel_y0 special.bessel_y1", "torch.NAME(pos)", "torch.NAME(dpos)"),
    for_each("special.gammainc special.gammaincc", "torch.NAME(pos, pos2)", "torch.NAME(input=pos, other=pos2)"),
    for_each("special.multigammaln", "torch.NAME(pos, 1)", "torch.NAME(pos2, p=2)"),
    for_each("special.zeta", "torch.NAME(pos2, pos)", "torch.NAME(input=pos2, other=pos)"),
    {
        "torch.Tensor.cov": ["x.cov()", "x.cov(correction=0)"],
        "torch.Tensor.lgamma": ["pos.lgamma()", "x.lgamma()"],
        "torch.Tensor.nanquantile": ["x.nanquantile(0.3)", "x.nanquantile(0.3, dim=1)"],
        "torch.stft": [
            "torch.stft(v.repeat(8), 8, hop_length=4, window=torch.ones(8), return_complex=True)",
            "torch.stft(seq[:, 0], n_fft=4, center=False, return_complex=True)",
        ],
    },
)

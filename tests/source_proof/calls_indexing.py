"""Calls of functions that pick elements by index or mask, and put some in their place."""

from __future__ import annotations

from tests.source_proof.writing_calls import for_each, together

CALLS = together(
    for_each(
        "gather",
        "torch.NAME(x, 1, g32)",
        "torch.NAME(x, 0, g34)",
        "torch.NAME(x, dim=-1, index=g32)",
        "torch.NAME(input=i, dim=1, index=perm)",
        "torch.NAME(d, 1, g32)",
        "torch.NAME(x, 1, perm)",
    ),
    for_each(
        "take_along_dim", "torch.NAME(x, perm, dim=1)", "torch.NAME(x, n)", "torch.NAME(input=x, indices=g32, dim=-1)"
    ),
    for_each("take", "torch.NAME(x, n)", "torch.NAME(input=x, index=g34)", "torch.NAME(i, n)"),
    for_each(
        "index_select",
        "torch.NAME(x, 0, pick)",
        "torch.NAME(x, dim=1, index=pick)",
        "torch.NAME(input=t, dim=-1, index=pick)",
        "torch.NAME(x, 0, pick32)",
        "torch.NAME(i, 0, pick)",
        "torch.NAME(d, 1, pick)",
    ),
    for_each(
        "select",
        "torch.NAME(x, 0, 1)",
        "torch.NAME(x, 1, -1)",
        "torch.NAME(input=t, dim=-1, index=2)",
        "torch.NAME(i, dim=0, index=0)",
    ),
    for_each(
        "masked_select",
        "torch.NAME(x, k)",
        "torch.NAME(input=x, mask=x > 0)",
        "torch.NAME(i, k)",
        "torch.NAME(x, kv)",
        "torch.NAME(d, k)",
    ),
    for_each(
        "masked_fill",
        "torch.NAME(x, k, 0.5)",
        "torch.NAME(input=x, mask=k, value=-1)",
        "torch.NAME(x, kv, 2.0)",
        "torch.NAME(i, k, 3)",
        "torch.NAME(x, k, s)",
        "torch.NAME(x, k, float('-inf'))",
    ),
    for_each("masked_scatter", "torch.NAME(x, k, y)", "torch.NAME(input=x, mask=k, source=big)"),
    for_each(
        "nonzero",
        "torch.NAME(ties)",
        "torch.NAME(input=k)",
        "torch.NAME(ties, as_tuple=True)",
        "torch.NAME(i, as_tuple=False)",
        "torch.NAME(n)",
    ),
    for_each("argwhere", "torch.NAME(ties)", "torch.NAME(input=k)"),
    for_each(
        "scatter",
        "torch.NAME(x, 1, perm, y)",
        "torch.NAME(x, 1, g32, 2.0)",
        "torch.NAME(x, dim=0, index=g34[:1], src=y)",
        "torch.NAME(input=x, dim=-1, index=g32, value=0.5)",
        "torch.NAME(x, 1, perm[:2], y)",
        "torch.NAME(x, 1, perm, y, reduce='add')",
        "torch.NAME(x, 1, perm, y, reduce='multiply')",
        "torch.NAME(i, 1, perm, j)",
        "torch.NAME(d, 1, perm, d2)",
    ),
    for_each(
        "scatter_add",
        "torch.NAME(x, 1, perm, y)",
        "torch.NAME(x, 0, g34, y)",
        "torch.NAME(input=x, dim=-1, index=g32, src=y)",
        "torch.NAME(i, 1, perm, j)",
        "torch.NAME(d, 1, g32, d2)",
        "torch.NAME(x, 0, g34[:2], y)",
    ),
    for_each(
        "scatter_reduce",
        "torch.NAME(x, 1, perm, y, reduce='sum')",
        "torch.NAME(x, 1, perm, y, 'amax')",
        "torch.NAME(input=x, dim=1, index=perm, src=y, reduce='prod', include_self=False)",
    ),
    for_each(
        "index_add",
        "torch.NAME(x, 0, pick, y[:2])",
        "torch.NAME(x, 1, pick, y[:, :2], alpha=2)",
        "torch.NAME(input=x, dim=0, index=pick, source=y[:2])",
    ),
    for_each("index_copy", "torch.NAME(x, 0, pick, y[:2])", "torch.NAME(input=x, dim=1, index=pick, source=y[:, :2])"),
    for_each(
        "index_fill",
        "torch.NAME(x, 0, pick, 2.0)",
        "torch.NAME(input=x, dim=1, index=pick, value=-1)",
        "torch.NAME(i, 0, pick, 7)",
    ),
    for_each(
        "index_put",
        "torch.NAME(x, (pick,), y[:2])",
        "torch.NAME(x, (pick, pick), s)",
        "torch.NAME(input=x, indices=(pick,), values=row, accumulate=True)",
    ),
    for_each(
        "isin", "torch.NAME(i, n)", "torch.NAME(elements=n, test_elements=labels, invert=True)", "torch.NAME(i, 2)"
    ),
    for_each("select_scatter", "torch.NAME(x, v, 0, 1)", "torch.NAME(input=x, src=u, dim=1, index=0)"),
    for_each("slice_scatter", "torch.NAME(x, y[:2], 0, 1, 3)", "torch.NAME(x, y[:, :2], dim=1, end=4, step=2)"),
    for_each("diagonal_scatter", "torch.NAME(x, u)", "torch.NAME(q, u[:2], 1)"),
)
"""By torch name, each call as one would write it."""

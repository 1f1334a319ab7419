"""Calls of what stands in no other table: torch.special, initialisers, clipping, seeds, distributions."""

from __future__ import annotations

from tests.source_proof.calls_elementwise import ONE, WHOLE
from tests.source_proof.writing_calls import for_each, together

CALLS = together(
    for_each(
        "special.erfc special.exp2 special.expm1 special.log1p special.sinc special.erf special.erfinv special.expit "
        "special.i0 special.digamma special.gammaln special.entr special.i1 special.i0e special.i1e",
        *ONE,
        WHOLE,
    ),
    for_each(
        "special.round", *ONE, "torch.NAME(halves)", "torch.NAME(x, decimals=2)", "torch.NAME(input=big, decimals=-1)"
    ),
    for_each(
        "special.log_softmax special.softmax",
        "torch.NAME(x, 1)",
        "torch.NAME(input=t, dim=-1)",
        "torch.NAME(x, 0, dtype=torch.float64)",
        "torch.NAME(h, dim=-1)",
    ),
    for_each("special.logsumexp", "torch.NAME(x, 1)", "torch.NAME(input=x, dim=0, keepdim=True)"),
    for_each("special.logit", "torch.NAME(p)", "torch.NAME(x, eps=0.1)"),
    for_each("special.xlogy", "torch.NAME(x, pos)", "torch.NAME(ties, ties)"),
    for_each("special.polygamma", "torch.NAME(1, pos)"),
    for_each("special.psi", "torch.NAME(pos)"),
    for_each("lgamma", *ONE),
    for_each("nn.init.constant_", "torch.NAME(x, 0.5)", "torch.NAME(tensor=x, val=2)"),
    for_each("nn.init.zeros_ nn.init.ones_", "torch.NAME(x)", "torch.NAME(tensor=x)"),
    for_each("nn.init.eye_", "torch.NAME(x)"),
    for_each("nn.init.dirac_", "torch.NAME(kernel)"),
    for_each("initial_seed", "torch.NAME() * 0"),
    for_each(
        "manual_seed",
        "[torch.NAME(3), torch.rand(4)][1].equal([torch.NAME(3), torch.rand(4)][1])",
        "[torch.NAME(seed=3), torch.rand(4)][1].equal([torch.NAME(4), torch.rand(4)][1])",
    ),
    for_each("seed", "[torch.NAME(), torch.rand(4)][1].equal([torch.NAME(), torch.rand(4)][1])"),
    for_each(
        "get_rng_state",
        "[torch.manual_seed(3), torch.rand(4), torch.get_rng_state(), torch.rand(4), torch.rand(4)][4].shape",
    ),
    for_each(
        "get_rng_state set_rng_state",
        "(lambda state: [torch.rand(4), torch.set_rng_state(state), torch.rand(4)])(torch.get_rng_state())[2].shape",
    ),
    for_each("is_grad_enabled", "torch.NAME()"),
)
"""By torch name, each call as one would write it."""

RANDOM = together(
    for_each(
        "nn.init.uniform_", "torch.NAME(big)", "torch.NAME(big, -1.0, 2.0)", "torch.NAME(tensor=big, a=-0.1, b=0.1)"
    ),
    for_each(
        "nn.init.normal_", "torch.NAME(big)", "torch.NAME(big, 1.0, 2.0)", "torch.NAME(tensor=big, mean=0.0, std=0.02)"
    ),
    for_each(
        "nn.init.trunc_normal_",
        "torch.NAME(big)",
        "torch.NAME(big, std=0.02)",
        "torch.NAME(big, mean=0.5, std=2.0, a=-1.0, b=2.0)",
    ),
    for_each("nn.init.xavier_uniform_ nn.init.xavier_normal_", "torch.NAME(big)", "torch.NAME(big, gain=2.0)"),
    for_each(
        "nn.init.kaiming_uniform_ nn.init.kaiming_normal_",
        "torch.NAME(big)",
        "torch.NAME(big, mode='fan_out', nonlinearity='relu')",
        "torch.NAME(big, a=0.5)",
    ),
    for_each("nn.init.orthogonal_ nn.init.sparse_", "torch.NAME(big, 0.5)"),
    for_each(
        "distributions.laplace.Laplace",
        "torch.NAME(torch.tensor(1.0), torch.tensor(2.0)).sample((5000,))",
        "torch.NAME(loc=torch.zeros(1), scale=torch.ones(1)).sample((5000,))",
    ),
)
"""Calls whose numbers are drawn."""

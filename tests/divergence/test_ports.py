"""Slips that porters make, planted in the text or the weights of three small nets; both sides are PyTorch, which is fast.

Each is found at its phase, place and path, with the cause and the edit where one is known.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

import tracer
from tests.contract import validate_report

NETS = Path(__file__).parent / "ports"


@dataclass(frozen=True)
class Fault:
    """`text` is replaced in the net's source, `spoil` is run on the built port; `origin` is phase, place, path."""

    name: str
    net: str
    origin: tuple[str, str, str]
    cause: tuple[str, str] | None = None
    edit: str = ""
    text: tuple[tuple[str, str], ...] = ()
    spoil: str = ""


FAULTS = [
    Fault(
        "layernorm_eps_composite",
        "transformer",
        ("forward", "layer", "enc.layers.0.norm1"),
        cause=("setting", "eps"),
        edit="TransformerEncoderLayer\\(.*layer_norm_eps=0\\.001",
        text=[("layer_norm_eps=1e-3", "layer_norm_eps=1e-5")],
    ),
    Fault(
        "enc_gelu",
        "transformer",
        ("forward", "layer", "enc.layers.0"),
        cause=("setting", "activation"),
        edit="activation='relu'",
        text=[("layer_norm_eps=1e-3)", "layer_norm_eps=1e-3, activation='gelu')")],
    ),
    Fault(
        "custom_setting",
        "transformer",
        ("forward", "layer", "blocks.0.norm1"),
        cause=("setting", "eps"),
        edit="RMS\\(dim, eps=0\\.001\\)",
        text=[("RMS(dim, eps=1e-3)", "RMS(dim)")],
    ),
    Fault(
        "never_loaded",
        "transformer",
        ("start", "layer", "blocks.2.attn.q"),
        cause=("parameter", "weight"),
        edit="load the weights of the reference's blocks\\.2\\.attn\\.q",
        spoil="torch.manual_seed(9); net.blocks[2].attn.q.reset_parameters()",
    ),
    Fault(
        "swapped_qk",
        "transformer",
        ("start", "layer", "blocks.1.attn.q"),
        cause=("parameter", "weight"),
        edit="given those of blocks\\.1\\.attn\\.k",
        spoil="a=net.blocks[1].attn\na.q.weight.data, a.k.weight.data = a.k.weight.data, a.q.weight.data",
    ),
    Fault(
        "transposed_w",
        "transformer",
        ("start", "layer", "blocks.2.attn.o"),
        cause=("parameter", "weight"),
        edit="transposed",
        spoil="net.blocks[2].attn.o.weight.data = net.blocks[2].attn.o.weight.data.t().contiguous()",
    ),
    Fault(
        "gate_order",
        "recurrent",
        ("start", "layer", "left.rnn"),
        cause=("parameter", "weight_ih_l0"),
        edit="reference's order",
        spoil="w=net.left.rnn.weight_ih_l0.data; net.left.rnn.weight_ih_l0.data=torch.cat([w[12:24],w[:12],w[24:]])",
    ),
    Fault(
        "block_twice",
        "transformer",
        ("forward", "between", "(root)"),
        cause=("code", "call"),
        edit="compare",
        text=[
            (
                "        for block in self.blocks:\n            x = block(x, mask)",
                "        for n in (0, 1, 2, 2, 4):\n            x = self.blocks[n](x, mask)",
            )
        ],
    ),
    Fault(
        "blocks_swapped_order",
        "transformer",
        ("forward", "between", "(root)"),
        text=[
            (
                "        for block in self.blocks:\n            x = block(x, mask)",
                "        for n in (0, 2, 1, 3, 4):\n            x = self.blocks[n](x, mask)",
            )
        ],
    ),
    Fault(
        "wrong_tensor_container",
        "recurrent",
        ("forward", "between", "(root)"),
        text=[("f = self.fuse(l, r.flip(1))", "f = self.fuse(l, e)")],
    ),
    Fault(
        "wrong_tensor_swap",
        "recurrent",
        ("forward", "between", "(root)"),
        text=[("f = self.fuse(l, r.flip(1))", "f = self.fuse(r.flip(1), l)")],
    ),
    Fault(
        "right_is_left",
        "recurrent",
        ("forward", "between", "(root)"),
        text=[("r, hr = self.right(e.flip(1))", "r, hr = self.left(e.flip(1))")],
    ),
    Fault(
        "tensor_vs_dict1",
        "convolutions",
        ("forward", "output", "(root)"),
        text=[('return {"probs": out, "mask": self.flat2(mask)}', "return out")],
    ),
    Fault(
        "bf16_layer",
        "recurrent",
        ("forward", "layer", "mid.0"),
        cause=("dtype", "dtype"),
        edit="\\.to\\(torch\\.float32\\)",
        text=[("m = self.mid(f) + f", "m = self.mid.to(torch.bfloat16)(f.bfloat16()).float() + f")],
    ),
    Fault(
        "scale_missing",
        "transformer",
        ("forward", "between", "blocks.0.attn"),
        text=[(" / (d // self.heads) ** 0.5", "")],
    ),
    Fault(
        "mask_inverted",
        "transformer",
        ("forward", "between", "blocks.0.attn"),
        text=[("mask[:, None, None, :] == 0", "mask[:, None, None, :] == 1")],
    ),
    Fault(
        "heads_reshape",
        "transformer",
        ("forward", "between", "blocks.0.attn"),
        cause=("code", "order"),
        text=[("y = (p @ v).transpose(1, 2).reshape(b, t, d)", "y = (p @ v).reshape(b, t, d)")],
    ),
    Fault(
        "emb_scale",
        "transformer",
        ("forward", "between", "(root)"),
        cause=("code", "scale"),
        text=[("x = x * 1.0", "x = x * 24 ** 0.5")],
    ),
    Fault(
        "pool_cls",
        "transformer",
        ("forward", "between", "(root)"),
        text=[("x = (x * m).sum(1) / m.sum(1)", "x = x[:, 0]")],
    ),
    Fault(
        "residual_after_norm",
        "transformer",
        ("forward", "between", "blocks.0"),
        text=[("x = x + self.attn(self.norm1(x), mask)", "x = self.norm1(x)\n        x = x + self.attn(x, mask)")],
    ),
    Fault(
        "residual_lost",
        "transformer",
        ("forward", "between", "blocks.0"),
        cause=("code", "residual"),
        edit="compare",
        text=[("return x + self.scale", "return self.scale")],
    ),
    Fault(
        "frozen",
        "transformer",
        ("backward", "layer", "blocks.3.fc1"),
        cause=("parameter", "requires_grad"),
        edit="fc1\\.weight\\.requires_grad = True",
        spoil="net.blocks[3].fc1.requires_grad_(False)",
    ),
    Fault(
        "detach_q",
        "transformer",
        ("backward", "between", "blocks.4.attn"),
        cause=("code", "backward"),
        text=[("q = self.q(x).view", "q = self.q(x).detach().view")],
    ),
    Fault(
        "nodrop_one",
        "transformer",
        ("forward", "layer", "blocks.3.attn.drop"),
        cause=("mode", "training"),
        spoil="net.blocks[3].train()",
    ),
    Fault(
        "padidx",
        "transformer",
        ("backward", "layer", "tok"),
        cause=("setting", "padding_idx"),
        edit="padding_idx=0",
        text=[("nn.Embedding(50, dim, padding_idx=0)", "nn.Embedding(50, dim)")],
    ),
    Fault(
        "padding_mode",
        "convolutions",
        ("forward", "layer", "stem.conv"),
        cause=("setting", "padding_mode"),
        edit="padding_mode='reflect'",
        text=[(', padding_mode="reflect"', "")],
    ),
    Fault(
        "concat_order",
        "convolutions",
        ("forward", "between", "stem"),
        cause=("code", "order"),
        text=[("[self.pool(x), self.avg(x)]", "[self.avg(x), self.pool(x)]")],
    ),
    Fault(
        "relu_before_add",
        "convolutions",
        ("forward", "between", "layer1"),
        text=[("return self.relu(y + self.short(x))", "return self.relu(y) + self.short(x)")],
    ),
    Fault(
        "relu_missing",
        "convolutions",
        ("forward", "between", "layer1"),
        text=[("return self.relu(y + self.short(x))", "return y + self.short(x)")],
    ),
    Fault(
        "se_mean_axis",
        "convolutions",
        ("forward", "between", "se"),
        text=[
            ("x.mean((2, 3), keepdim=True)", "x.mean((1, 2), keepdim=True).mean(-1, keepdim=True).expand(-1, 16, 1, 1)")
        ],
    ),
    Fault(
        "se_hardsig",
        "convolutions",
        ("forward", "between", "se"),
        text=[("self.up(s).sigmoid()", "F.hardsigmoid(self.up(s))")],
    ),
    Fault(
        "bn_stale",
        "convolutions",
        ("start", "layer", "layer1.bn2"),
        cause=("parameter", "running_mean"),
        spoil="net.layer1.bn2.reset_running_stats()",
    ),
    Fault(
        "softmax_dim",
        "convolutions",
        ("forward", "layer", "head.sm"),
        cause=("setting", "dim"),
        edit="nn\\.Softmax\\(dim=-1\\)",
        text=[("nn.Softmax(dim=-1)", "nn.Softmax(dim=0)")],
    ),
    Fault(
        "input_shift",
        "convolutions",
        ("forward", "between", "(root)"),
        cause=("code", "shift"),
        text=[("x = x - 0.1", "x = x - 0.2")],
    ),
    Fault(
        "detach_branch",
        "convolutions",
        ("backward", "between", "(root)"),
        cause=("code", "backward"),
        text=[("torch.cat([a, u], 1)", "torch.cat([a.detach(), u], 1)")],
    ),
    Fault(
        "unidir_swap",
        "recurrent",
        ("start", "layer", "left.rnn"),
        cause=("parameter", "weight_ih_l0"),
        spoil="r=net.left.rnn\nr.weight_ih_l0.data, r.weight_ih_l0_reverse.data = r.weight_ih_l0_reverse.data, r.weight_ih_l0.data",
    ),
    Fault(
        "batchfirst",
        "recurrent",
        ("forward", "layer", "left.rnn"),
        cause=("setting", "batch_first"),
        edit="batch_first=True",
        text=[("nn.GRU(d, d, batch_first=True", "nn.GRU(d, d, batch_first=False")],
    ),
    Fault(
        "gate_inverted",
        "recurrent",
        ("forward", "between", "(root)"),
        text=[("z = g * m + (1 - g) * f", "z = (1 - g) * m + g * f")],
    ),
    Fault(
        "lost_res",
        "recurrent",
        ("forward", "between", "(root)"),
        cause=("code", "residual"),
        text=[("m = self.mid(f) + f", "m = self.mid(f)")],
    ),
    Fault(
        "flatten_out",
        "convolutions",
        ("forward", "layer", "flat2"),
        cause=("setting", "start_dim"),
        edit="nn\\.Flatten\\(1\\)",
        text=[("self.flat2 = nn.Flatten(1)", "self.flat2 = nn.Flatten(2)")],
    ),
]


def build(file: Path, name: str):
    """The module in a file and its net, with numbers in every vector that a fault could hide behind."""
    spec = importlib.util.spec_from_file_location(name, file)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    net = module.Net().eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in net.named_buffers():
            if "running" in name:
                buffer.copy_(("var" in name) + 0.3 * torch.rand(buffer.shape, generator=generator))
    return module, net


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    """Each net as it should be, recorded once, with its weights."""
    folder = tmp_path_factory.mktemp("references")
    made = {}
    for name in ("transformer", "convolutions", "recurrent"):
        module, net = build(NETS / f"{name}.py", f"reference_{name}")
        tracer.record(net, module.inputs(), out=folder / f"{name}.h5")
        made[name] = folder / f"{name}.h5", net.state_dict()
    return made


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_slip_is_found_where_it_is(fault, references, tmp_path):
    """Phase, place and path of the origin, its first cause, and what to write."""
    source = (NETS / f"{fault.net}.py").read_text()
    for old, new in fault.text:
        assert old in source
        source = source.replace(old, new)
    file = tmp_path / "port.py"
    file.write_text(source)
    module, net = build(file, f"port_{fault.name}")
    reference, weights = references[fault.net]
    net.load_state_dict({name: value.clone() for name, value in weights.items()}, strict=False)
    exec(fault.spoil, {"net": net, "torch": torch})
    tracer.record(net, module.inputs(), out=tmp_path / "port.h5")
    report = tracer.diff(reference, tmp_path / "port.h5").to_dict()
    validate_report(report)
    origin = report["origins"][0]
    assert (origin["phase"], origin["place"], origin["reference"]["path"]) == fault.origin
    first = origin["causes"][0]
    if fault.cause:
        assert (first["kind"], first["name"]) == fault.cause
    assert first["edit"], "every one of these has an edit"
    assert re.search(fault.edit, first["edit"])


def test_the_same_tensors_in_another_form_are_a_note(references, tmp_path):
    """A tensor against a mapping of one key: the numbers agree, and the other form is said."""
    source = (
        (NETS / "recurrent.py").read_text().replace("return self.out(z.mean(1))", 'return {"out": self.out(z.mean(1))}')
    )
    file = tmp_path / "port.py"
    file.write_text(source)
    module, net = build(file, "port_mapping")
    tracer.record(net, module.inputs(), out=tmp_path / "port.h5")
    report = tracer.diff(references["recurrent"][0], tmp_path / "port.h5")
    assert report.verdict == "agree"
    assert any("a tensor, the candidate a mapping (out)" in note for note in report.diagnosis.notes)

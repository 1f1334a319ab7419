"""Two nets side by side, without running them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import tracer
from tracer.errors import RuleError, TracerError

torch = pytest.importorskip("torch")
nn = torch.nn

GOLDENS = Path(__file__).parent / "trees"
SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "structure.schema.json"


def block(eps: float = 1e-5, bias: bool = True, act: str = "none", p: float = 0.1, width: int = 16):
    """A block as in a transformer."""
    layers = (
        nn.LayerNorm(8, eps=eps),
        nn.Linear(8, width, bias=bias),
        nn.GELU(act),
        nn.Dropout(p),
        nn.Linear(width, 8),
    )
    return nn.Sequential(*layers)


def blocks(*made):
    return nn.Sequential(*made)


def differing(report) -> dict[str, list[str]]:
    """What differs by the path of the reference, else of the candidate: names of differences, or the state."""
    return {
        (row.reference or row.candidate).path: [d.name for d in row.differences] or [row.state]
        for row in report.differing
    }


class Attributes(nn.Module):
    """Layers as attributes, written in the order that is asked for."""

    def __init__(self, *names: str):
        super().__init__()
        made = {
            "conv": lambda: nn.Conv2d(3, 8, 3, stride=2),
            "pool": lambda: nn.MaxPool2d(2),
            "mean": lambda: nn.AdaptiveAvgPool2d(1),
            "norm": lambda: nn.BatchNorm2d(8),
            "act": nn.ReLU,
            "fc": lambda: nn.Linear(8, 4),
        }
        for name in names:
            self.add_module(name, made[name]())


# --------------------------------------------------------------------------------------------------------------------
# What is a difference
# --------------------------------------------------------------------------------------------------------------------


def test_a_net_is_the_same_as_itself():
    """Nothing is marked, and the exit code is 0."""
    report = tracer.structure(blocks(block(), block()), blocks(block(), block()))
    assert (report.verdict, report.exit_code, report.differing) == ("same", 0, ())


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"eps": 1e-6}, "eps"),
        ({"bias": False}, "bias"),
        ({"act": "tanh"}, "approximate"),
        ({"p": 0.9}, "p"),
    ],
)
def test_a_setting_that_bites_is_marked_at_its_layer(changed, name):
    """One layer differs, in that one setting."""
    report = tracer.structure(blocks(block(), block()), blocks(block(), block(**changed)))
    assert [names for names in differing(report).values()] == [[name]]
    assert report.exit_code == 1


def test_a_lost_bias_is_counted_as_one():
    """Not as a setting, and not a second time as a parameter."""
    report = tracer.structure(blocks(block()), blocks(block(bias=False)))
    assert dict(report.trees.kinds) == {"missing bias": 1}


def test_other_sizes_are_marked_on_both_layers_that_have_them():
    """The width between two linear layers stands in both."""
    report = tracer.structure(blocks(block()), blocks(block(width=24)))
    assert differing(report) == {"0.1": ["out_features"], "0.4": ["in_features"]}


def test_a_stride_is_marked():
    """As a setting of its convolution."""
    report = tracer.structure(blocks(nn.Conv2d(3, 8, 3, stride=2)), blocks(nn.Conv2d(3, 8, 3)))
    assert differing(report) == {"0": ["stride"]}


def test_another_op_is_marked():
    """With both classes in the sentence."""
    report = tracer.structure(blocks(nn.Linear(4, 4), nn.ReLU()), blocks(nn.Linear(4, 4), nn.SiLU()))
    assert "ReLU in the reference and SiLU in the candidate" in report.differing[0].differences[0].sentence


def test_one_function_under_two_names_is_no_difference():
    """ReLU6 is Hardtanh between 0 and 6."""
    report = tracer.structure(blocks(nn.Linear(4, 4), nn.ReLU6()), blocks(nn.Linear(4, 4), nn.Hardtanh(0.0, 6.0)))
    assert report.verdict == "same"


def test_a_missing_layer_is_counted():
    """A layer of the reference that the candidate lacks."""
    report = tracer.structure(
        blocks(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), blocks(nn.Linear(4, 4), nn.Linear(4, 2))
    )
    assert (differing(report), dict(report.trees.kinds)) == ({"1": ["missing"]}, {"missing layer": 1})


def test_an_extra_layer_is_counted():
    """A layer of the candidate that the reference lacks, at its place."""
    report = tracer.structure(
        blocks(nn.Linear(4, 4), nn.Linear(4, 2)), blocks(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    )
    assert differing(report) == {"1": ["extra"]}
    assert [row.state for row in report.rows] == ["same", "same", "extra", "same"]


def test_members_of_a_list_that_change_places_are_marked_once():
    """Two layers swapped: one of them moved."""
    ours = blocks(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    theirs = blocks(nn.Linear(4, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 2))
    assert dict(tracer.structure(ours, theirs).trees.kinds) == {"moved": 1}


def test_attributes_written_in_another_order_are_no_difference():
    """Their order says nothing of the order in which they run."""
    ours = Attributes("conv", "norm", "act", "pool", "mean", "fc")
    theirs = Attributes("fc", "mean", "conv", "pool", "act", "norm")
    assert tracer.structure(ours, theirs).verdict == "same"


def test_containers_that_nest_otherwise_are_no_difference():
    """A flat list against a nested one, with labels that show where each layer lies."""
    flat = blocks(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8))
    nested = blocks(
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)),
    )
    report = tracer.structure(flat, nested)
    assert report.verdict == "same"
    assert [row.candidate.label for row in report.rows[1:]] == ["0.0", "0.1", "0.2", "1.0", "1.1"]


@pytest.mark.parametrize("layer", [nn.Identity(), nn.Dropout(0.2), nn.Flatten(0), nn.Sequential()])
def test_what_computes_nothing_is_shown_and_counted_apart(layer):
    """It stands in the tree and makes no difference."""
    report = tracer.structure(blocks(nn.Linear(4, 4), nn.ReLU()), blocks(nn.Linear(4, 4), layer, nn.ReLU()))
    assert report.verdict == "same"
    assert [row.state for row in report.rows] == ["same", "same", "apart", "same"]


def test_a_parameter_of_another_shape_is_a_difference():
    """Also where it is the net's own."""

    class Net(nn.Module):
        def __init__(self, length):
            super().__init__()
            self.positions = nn.Parameter(torch.zeros(1, length, 8))
            self.fc = nn.Linear(8, 2)

    report = tracer.structure(Net(16), Net(17))
    assert differing(report) == {"(root)": ["positions"]}


def test_a_merged_projection_is_no_difference():
    """One layer here, three there, that hold the same parameters between them."""

    class Merged(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv, self.proj = nn.Linear(8, 24), nn.Linear(8, 8)

    class Parts(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v, self.proj = (nn.Linear(8, 8) for _ in range(4))

    report = tracer.structure(Merged(), Parts())
    assert report.verdict == "same"
    assert [row.state for row in report.rows if row.note] == ["merged"] * 4


def test_a_class_that_no_rule_knows_is_not_called_the_same_as_one_that_is_known():
    """It is said that nobody can tell."""

    class Bent(nn.Module):
        pass

    class Net(nn.Module):
        def __init__(self, act):
            super().__init__()
            self.fc, self.act = nn.Linear(4, 4), act

    report = tracer.structure(Net(nn.GELU()), Net(Bent()))
    assert (report.verdict, report.trees.not_compared) == ("same", 1)
    assert "no rule says what Bent computes" in str(report)


def test_settings_of_one_name_in_classes_of_one_name_are_compared():
    """A norm of one's own with another epsilon."""

    class RmsNorm(nn.Module):
        def __init__(self, eps):
            super().__init__()
            self.eps, self.weight = eps, nn.Parameter(torch.ones(4))

    report = tracer.structure(blocks(nn.Linear(4, 4), RmsNorm(1e-6)), blocks(nn.Linear(4, 4), RmsNorm(1e-5)))
    assert differing(report) == {"1": ["eps"]}


# --------------------------------------------------------------------------------------------------------------------
# Sides without classes
# --------------------------------------------------------------------------------------------------------------------


def test_a_net_and_its_own_parameters_are_the_same():
    """Sizes are all that is compared, and that is said."""
    net = blocks(block(), block())
    report = tracer.structure(net, net.state_dict())
    assert report.verdict == "same"
    assert any("only" in note or "not compared" in note for note in report.notes)


def test_a_file_is_compared_by_sizes(tmp_path):
    """A parameter of another shape, and a bias that is not there."""
    net = blocks(block(), block())
    values = net.state_dict()
    values["1.1.weight"] = torch.zeros(17, 8)
    del values["0.4.bias"]
    torch.save(values, tmp_path / "net.pth")
    report = tracer.structure(net, tmp_path / "net.pth")
    assert differing(report) == {"0.4": ["bias"], "1.1": ["weight"]}


def test_nothing_in_common_cannot_be_told():
    """No layer has a partner: neither the same nor different."""
    report = tracer.structure(blocks(nn.ReLU()), {"other.weight": np.zeros((3, 3), np.float32)})
    assert (report.verdict, report.exit_code) == ("unsure", 2)


# --------------------------------------------------------------------------------------------------------------------
# What is asked for
# --------------------------------------------------------------------------------------------------------------------


def test_only_looks_at_layers_whose_path_matches():
    """The others are neither shown nor counted."""
    ours, theirs = blocks(block(), block()), blocks(block(eps=1e-6), block())
    assert tracer.structure(ours, theirs, only="1*").verdict == "same"
    assert tracer.structure(ours, theirs, only=["0.*"]).trees.layers == 5


def test_a_glob_that_matches_nothing_is_refused():
    """Nothing to look at is no agreement."""
    with pytest.raises(RuleError, match="matches no layer"):
        tracer.structure(blocks(block()), blocks(block()), only="encoder.*")


def test_a_pin_overrules():
    """Two layers stand beside each other because the user says so."""
    ours, theirs = (blocks(nn.Linear(4, 4), nn.Linear(4, 4)) for _ in range(2))
    report = tracer.structure(ours, theirs, pins={"0": "1"})
    assert next(row.candidate.path for row in report.rows if row.reference and row.reference.path == "0") == "1"


def test_what_is_no_net_is_refused():
    """In three beats."""
    with pytest.raises(TracerError):
        tracer.structure(7, blocks(block()))


# --------------------------------------------------------------------------------------------------------------------
# What is shown
# --------------------------------------------------------------------------------------------------------------------


def one_of_twelve():
    """One block of twelve has another epsilon."""
    made = [block(eps=1e-12 if n == 5 else 1e-5) for n in range(12)]
    return tracer.structure(blocks(*[block() for _ in range(12)]), blocks(*made))


def crowd():
    """Many blocks of many sizes, one of them without a bias."""

    def net(lost):
        return blocks(*[block(width=16 + n, bias=n != lost) for n in range(30)])

    return tracer.structure(net(-1), net(17))


def everything():
    """A difference of each kind."""
    ours = blocks(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8, 8), nn.GELU())
    theirs = blocks(
        nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8, eps=1e-3), nn.SiLU(), nn.Linear(8, 9), nn.Softmax(1)
    )
    return tracer.structure(ours, theirs)


PRINTED = {
    "one_of_twelve": lambda: one_of_twelve().to_text(),
    "one_of_twelve_depth_1": lambda: one_of_twelve().to_text(depth=1),
    "crowd": lambda: crowd().to_text(),
    "everything": lambda: everything().to_text(),
    "everything_50_columns": lambda: everything().to_text(width=50),
}


@pytest.mark.parametrize("name", PRINTED)
def test_prints_what_the_golden_file_shows(name):
    """Each is its file in trees/; `python -m tests.starting_point.test_trees` writes them anew."""
    assert PRINTED[name]() + "\n" == (GOLDENS / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_page(width):
    """Whatever is told."""
    assert max(map(len, everything().to_text(width=width).splitlines())) <= width


def test_equal_blocks_are_one_line_and_the_other_one_stands_alone():
    """Runs on either side of the block that differs."""
    text = str(one_of_twelve())
    assert all(run in text for run in ("0-4 x5", "6-11 x6"))


def test_all_layers_have_a_line_when_asked_for():
    """Nothing is folded or closed."""
    report = one_of_twelve()
    lines = report.to_text(every=True).splitlines()
    assert sum("Linear" in line for line in lines) == 24


def test_the_summary_stands_last_in_one_line():
    """Verdict, counts, sizes."""
    assert str(one_of_twelve()).splitlines()[-1] == one_of_twelve().summary
    assert one_of_twelve().summary.startswith("differ: 1 of 60 layers (1 setting)")


@pytest.mark.parametrize("make", [one_of_twelve, crowd, everything])
def test_the_document_keeps_its_schema(make):
    """docs/reference/structure.schema.json."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(make().to_json()))


def test_a_notebook_shows_the_trees():
    """Escaped, in one block."""
    assert everything()._repr_html_().startswith("<pre>")


def test_a_thousand_layers_take_few_lines():
    """200 blocks of five layers, shown as one."""
    ours, theirs = (blocks(*[block() for _ in range(200)]) for _ in range(2))
    assert str(tracer.structure(ours, theirs)).count("\n") < 20


def test_nothing_is_run_and_nothing_is_changed():
    """Parameters, modes and random state are what they were."""
    net, other = blocks(block(), block()).train(), blocks(block())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.random.get_rng_state()
    tracer.structure(net, other)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert net.training


# --------------------------------------------------------------------------------------------------------------------
# In a terminal
# --------------------------------------------------------------------------------------------------------------------


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tracer", "structure", *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two files of parameters, one with a lost bias."""
    folder = tmp_path_factory.mktemp("structure")
    torch.save(blocks(block(), block()).state_dict(), folder / "a.pth")
    torch.save(blocks(block(), block(bias=False)).state_dict(), folder / "b.pth")
    return folder / "a.pth", folder / "b.pth"


def test_the_command_prints_both_trees(files):
    """Exit code 1 where they differ."""
    done = run(*files)
    assert (done.returncode, done.stderr) == (1, "")
    assert "differ: 1 of 6 layers (1 missing bias)" in done.stdout


def test_the_command_is_content_with_itself(files):
    """Exit code 0, and nothing is printed when that is asked."""
    done = run(files[0], files[0], "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_command_writes_json(files, tmp_path):
    """To a file, or instead of the trees."""
    run(*files, "--quiet", "--json", tmp_path / "s.json")
    assert json.loads((tmp_path / "s.json").read_text(encoding="utf-8")) == json.loads(
        run(*files, "--json", "-").stdout
    )


def test_a_file_that_is_not_there_cannot_be_told(files):
    """Exit code 2, in three beats."""
    done = run(files[0], "nowhere.pth")
    assert done.returncode == 2
    assert "error:" in done.stderr and "next:" in done.stderr


if __name__ == "__main__":
    GOLDENS.mkdir(exist_ok=True)
    for key, make in PRINTED.items():
        (GOLDENS / f"{key}.txt").write_text(make() + "\n", encoding="utf-8")

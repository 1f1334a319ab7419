"""`tracer show`: the tree of a trace, one layer, and JSON."""

import json

from tests.cli import files
from tests.divergence.worlds import World


def test_the_tree_names_every_layer(tracer, pair):
    """Kinds, shapes and numbers, a line a layer."""
    lines = tracer("show", pair.reference).stdout.splitlines()
    assert [line.split()[:2] for line in lines[-4:]] == [
        ["(root)", "MLP"], ["fc1", "Linear"], ["act", "GELU"], ["fc2", "Linear"],
    ]  # fmt: skip
    assert all("(4, 8)" in line for line in lines[-4:])


def test_one_layer_in_full(tracer, pair):
    """Its parameters and calls."""
    done = tracer("show", pair.reference, "fc1")
    assert "weight" in done.stdout
    assert "call 0" in done.stdout
    assert done.code == 0


def test_a_wrong_path_is_three_beats_and_exit_2(tracer, pair):
    """The error names the nearest path."""
    done = tracer("show", pair.reference, "fc9")
    assert done.stderr.startswith("error: the trace has no layer of this path")
    assert "did you mean fc" in done.stderr
    assert done.code == 2


def test_the_path_of_a_parameter_leads_to_its_layer(tracer, pair, tmp_path):
    """One of a layer inside, and one of the net itself."""
    done = tracer("show", pair.reference, "fc1.weight")
    assert done.stderr.startswith("error: this is a parameter of fc1, no layer")
    assert "`tracer show FILE fc1`" in done.stderr
    world = World("torch")
    world.call("(root)", "Net", lambda t: t.array, files.X, parameters={"token": files.W1})
    done = tracer("show", files.write(tmp_path / "t.h5", world.trace()), "token")
    assert "`tracer show FILE '(root)'`" in done.stderr
    assert done.code == 2


def test_json_is_printed_alone(tracer, pair):
    """For a program."""
    document = json.loads(tracer("show", pair.reference, "act", "--json", "-").stdout)
    assert document["format"] == "tracer-show"
    assert [layer["path"] for layer in document["layers"]] == ["act"]


def test_depth_cuts(tracer, pair):
    """At depth 0 only the net is left."""
    lines = tracer("show", pair.reference, "--depth", "0").stdout.splitlines()
    assert lines[-2].startswith("(root)")
    assert lines[-1] == "  … 3 more below"


def test_nan_is_marked_loudly(tracer, tmp_path):
    """In the head and at the layer."""
    world = World("torch")
    world.call("(root)", "Net", lambda t: t.array * float("nan"), files.X)
    done = tracer("show", files.write(tmp_path / "nan.h5", world.trace()))
    assert "!!         NaN or Inf in 1 layer, first out of (root) (32 NaN)" in done.stdout
    assert "!! 32 NaN out of (root)" in done.stdout


def test_a_trace_of_a_thousand_layers_goes_into_a_pipe_whole(tracer, tmp_path):
    """No pager, nothing cut, every line there."""
    world = World("torch")

    def body(x):
        for i in range(1000):
            x = world.call(f"a_rather_long_name_of_a_stage_{i}.and_of_a_block.projection", "ReLU", lambda t: t.array, x)
        return x

    world.call("(root)", "Net", body, files.X)
    lines = tracer("show", files.write(tmp_path / "long.h5", world.trace())).stdout.splitlines()
    assert len(lines) > 1000
    assert "a_rather_long_name_of_a_stage_999.and_of_a_block.projection" in lines[-1]


def test_what_is_no_trace_is_exit_2(tracer, tmp_path):
    """As everywhere."""
    (tmp_path / "a.h5").write_bytes(b"")
    assert tracer("show", tmp_path / "a.h5").code == 2

"""What `tracer show` finds in a skeleton."""

import json

import pytest

from tests.reports import traces
from tracer.errors import TracerError
from tracer.reports import overview
from tracer.reports.terminal import tree_lines
from tracer.reports.terminal_page import Page, to_string
from tracer.trace.schema import End, Layer, Skeleton, Step


@pytest.fixture
def rows():
    return {row.path: row for row in overview.tree(traces.skeleton())}


def test_the_tree_has_every_layer_at_its_depth(rows):
    """Depth counts from the net, whatever stands in a name."""
    assert [(row.name, row.depth) for row in rows.values()] == [
        ("(root)", 0), ("patch", 1), ("blocks", 1), ("0", 2), ("output/слой", 3), ("head", 1), ("unused", 1),
    ]  # fmt: skip


def test_nan_and_inf_are_counted_over_all_outputs(rows):
    """The row of a layer with NaN says how many."""
    assert overview.bad_numbers(rows["blocks.0.output/слой"]) == "3 NaN 1 Inf"


def test_the_head_says_where_nan_comes_first():
    """A reader need not search the tree."""
    warnings = overview.head(traces.skeleton(), "pt.h5").warnings
    assert "NaN or Inf in 1 layer, first out of blocks.0.output/слой (3 NaN 1 Inf)" in warnings


def test_the_head_says_where_an_incomplete_trace_stopped():
    """What was recorded before stays readable, and nobody takes it for the whole."""
    assert "not complete: in head: ValueError: no" in overview.head(traces.skeleton(), "pt.h5").warnings


def test_the_head_says_why_there_is_no_backward():
    """The reason stands beside the word."""
    assert ("backward", "not recorded: the net raised") in overview.head(traces.skeleton(), "pt.h5").facts


def test_a_silent_layer_has_its_reason(rows):
    """Why a layer never ran."""
    assert rows["blocks"].remark == "never ran: a container that is only indexed"


def test_depth_cuts_the_tree_and_says_how_much_is_below():
    """Two layers lie below `blocks`."""
    cut = {row.path: row.hidden for row in overview.tree(traces.skeleton(), depth=1)}
    assert cut == {"(root)": 0, "patch": 0, "blocks": 2, "head": 0, "unused": 0}


def test_a_layer_is_found_by_its_other_path():
    """A tied layer has two names."""
    assert overview.find_layer(traces.skeleton(), "tied_head").path == "head"


def test_a_wrong_path_names_the_nearest():
    """A slip of the keyboard is answered with what was meant."""
    with pytest.raises(TracerError, match="did you mean patch"):
        overview.find_layer(traces.skeleton(), "pacth")


def test_a_step_that_is_not_there_is_said():
    """The error says which steps there are."""
    with pytest.raises(TracerError, match="it has the steps 0"):
        overview.step_of(traces.skeleton(), 7)


def test_a_trace_that_stopped_before_its_first_call_shows_its_layers():
    """No step at all is not an error for the first one."""
    bare = Skeleton(traces.skeleton().header, traces.skeleton().layers, (), End(complete=False))
    assert len(list(overview.tree(bare))) == len(traces.LAYERS)


def test_json_is_finite_and_without_samples():
    """The samples are for machines that compare, not for readers."""
    text = json.dumps(overview.to_json(traces.skeleton(), "pt.h5"), allow_nan=False)
    assert "sample" not in text


def test_json_of_one_layer_has_its_calls_and_gradients():
    """One layer, with everything recorded of it."""
    (layer,) = overview.to_json(traces.skeleton(), "pt.h5", path="patch")["layers"]
    assert [call["order"] for call in layer["calls"]] == [1]
    assert set(layer["parameter_gradients"]) == {"weight"}


def test_json_goes_as_deep_as_it_is_asked_to():
    """The same layers as in the tree of that depth."""
    layers = overview.to_json(traces.skeleton(), "pt.h5", depth=1)["layers"]
    assert [layer["path"] for layer in layers] == [row.path for row in overview.tree(traces.skeleton(), depth=1)]
    assert len(layers) < len(traces.LAYERS)


def test_a_tree_of_a_thousand_layers_stays_in_its_columns():
    """Every line fits a terminal of 80 columns."""
    paths = [f"stage.{i}.block.{i}.projection" for i in range(1000)]
    layers = {"(root)": Layer("(root)", "Net", children=tuple(paths))} | {p: Layer(p, "Linear") for p in paths}
    calls = tuple(traces.call(i, path, None) for i, path in enumerate(paths))
    deep = Skeleton(traces.skeleton().header, layers, (Step(0, calls),), End())
    text = to_string(tree_lines(overview.tree(deep), Page(80), narrow=True))
    assert len(text.splitlines()) == 1002
    assert max(map(len, text.splitlines())) <= 80

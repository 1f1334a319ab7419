"""Bisection finds points that diverged while all that fed them matched, on any graph."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.divergence.bisection import climb, first_divergences, halve, road_to


def chain(n: int) -> nx.DiGraph:
    return nx.path_graph(n, create_using=nx.DiGraph)


@pytest.mark.parametrize("first", [0, 1, 7, 15])
def test_a_chain_that_diverges_from_one_point_on_names_that_point(first):
    """On a chain the first diverged point is the origin."""
    assert first_divergences(chain(16), [15], lambda p: p >= first) == [first]


def test_a_chain_of_a_thousand_needs_few_judgements():
    """Halving judges about log2(n) points of a chain, not n."""
    asked = set()

    def diverged(point):
        asked.add(point)
        return point >= 700

    assert first_divergences(chain(1000), [999], diverged) == [700]
    assert len(asked) < 25


def test_a_sink_that_agrees_has_no_origin():
    """Nothing is blamed for an output that agrees."""
    assert first_divergences(chain(5), [4], lambda p: False) == []


def test_points_that_cannot_be_judged_are_walked_through():
    """An unknown point neither clears nor blames: what feeds it is looked at instead."""
    verdicts = {0: False, 1: True, 2: None, 3: None, 4: True}
    assert first_divergences(chain(5), [4], verdicts.get) == [1]


def test_an_unknown_start_of_the_road_does_not_hide_the_origin():
    """When nothing before the origin can be judged, the first that can be is named."""
    verdicts = {0: None, 1: None, 2: True, 3: True}
    assert first_divergences(chain(4), [3], verdicts.get) == [2]


def test_both_branches_that_diverge_are_named():
    """Two independent origins that meet in one sink are both found by climbing."""
    graph = nx.DiGraph([("a", "x"), ("b", "y"), ("x", "sum"), ("y", "sum")])
    bad = {"x", "y", "sum"}
    assert sorted(climb(graph, "sum", lambda p: p in bad)) == ["x", "y"]


def test_the_road_is_the_longest_one():
    """The halved road is the longest that ends at the sink."""
    graph = nx.DiGraph([(0, 1), (1, 2), (2, 3), (0, 3)])
    assert road_to(graph, 3) == [0, 1, 2, 3]


def test_halving_an_all_matching_road_ends_at_its_end():
    """The end is taken to have diverged, so it is the answer when nothing before it did."""
    assert halve([0, 1, 2, 3], lambda p: False) == 3


@st.composite
def judged_graphs(draw):
    """A random graph without circles and a verdict for each point; the last point has diverged."""
    n = draw(st.integers(2, 24))
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    for b in range(1, n):
        for a in draw(st.sets(st.integers(0, b - 1), max_size=3)):
            graph.add_edge(a, b)
    verdicts = draw(st.lists(st.sampled_from([True, False, None]), min_size=n, max_size=n))
    verdicts[-1] = True
    return graph, verdicts


@given(judged_graphs())
def test_every_origin_is_one_by_construction(case):
    """Whatever the graph and however divergence comes and goes: an origin diverged and nothing judged that feeds it did."""
    graph, verdicts = case
    origins = first_divergences(graph, [len(verdicts) - 1], verdicts.__getitem__)
    assert origins
    for origin in origins:
        assert verdicts[origin] is True
        todo = list(graph.predecessors(origin))
        while todo:
            above = todo.pop()
            assert verdicts[above] is not True
            if verdicts[above] is None:
                todo.extend(graph.predecessors(above))


@given(judged_graphs())
def test_an_origin_lies_upstream_of_its_sink(case):
    """What is blamed for a sink leads to it."""
    graph, verdicts = case
    sink = len(verdicts) - 1
    for origin in first_divergences(graph, [sink], verdicts.__getitem__):
        assert origin == sink or nx.has_path(graph, origin, sink)

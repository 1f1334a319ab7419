"""One runner for all tests of the twins, for only the twins that were asked for."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from tests.twins.runner import Runner, wanted


@pytest.fixture(scope="session")
def runner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Traces of the twins; MindSpore starts in the background as soon as the first test asks."""
    torch = pytest.importorskip("torch")
    if importlib.util.find_spec("mindspore") is None:
        pytest.skip("mindspore is not installed")
    asked = [
        value
        for item in request.session.items
        for value in getattr(getattr(item, "callspec", None), "params", {}).values()
    ]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the nets are small: threads would only wait for each other
    runner = Runner(tmp_path_factory.mktemp("twins"), wanted(asked))
    yield runner
    runner.close()
    torch.set_num_threads(threads)

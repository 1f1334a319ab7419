"""One runner for all tests of trained twins, for only the trainings that were asked for."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from tests.training.fault import Fault
from tests.training.job import Job
from tests.training.runner import Runner, job_of


@pytest.fixture(scope="session")
def runner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Trainings; MindSpore starts in the background as soon as the first test asks."""
    torch = pytest.importorskip("torch")
    if importlib.util.find_spec("mindspore") is None:
        pytest.skip("mindspore is not installed")
    asked = [
        value
        for item in request.session.items
        if "runner" in getattr(item, "fixturenames", ())
        for value in getattr(getattr(item, "callspec", None), "params", {}).values()
    ]
    jobs = [job_of(value) if isinstance(value, Fault) else value for value in asked]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the nets are small: threads would only wait for each other
    runner = Runner(tmp_path_factory.mktemp("training"), [job for job in jobs if isinstance(job, Job)])
    yield runner
    runner.close()
    torch.set_num_threads(threads)

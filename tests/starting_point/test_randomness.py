"""One seed for every generator, and everything put back."""

from __future__ import annotations

import copy
import random
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

import tracer
from tests.habits.source import REPOSITORY
from tracer.errors import StartingPointError

mindspore = pytest.importorskip("mindspore")
torch = pytest.importorskip("torch")


def drawn() -> list[object]:
    """What each generator gives next."""
    ones = mindspore.Tensor(np.ones((1, 64), np.float32))
    return [
        random.random(),
        np.random.rand(3).tolist(),
        torch.rand(3).tolist(),
        torch.nn.Linear(2, 2).weight.tolist(),
        mindspore.nn.Dense(2, 2).weight.asnumpy().tolist(),
        mindspore.nn.Embedding(3, 2).embedding_table.asnumpy().tolist(),
        mindspore.mint.nn.Linear(2, 2).weight.asnumpy().tolist(),
        mindspore.ops.rand(3).asnumpy().tolist(),
        mindspore.ops.dropout(ones, 0.5).asnumpy().tolist(),
        mindspore.nn.Dropout(p=0.5).set_train()(ones).asnumpy().tolist(),
    ]


def flags() -> tuple[object, ...]:
    """The flags that are set beside the seeds."""
    cudnn, seed = torch.backends.cudnn, sys.modules["mindspore.common.seed"]
    return (
        cudnn.deterministic,
        cudnn.benchmark,
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        mindspore.get_seed(),
        mindspore.dataset.config.get_seed(),
        dict(seed._KERNEL_SEED),
    )


def states() -> list[bytes]:
    """Every generator's state, bit for bit."""
    return [
        repr(random.getstate()).encode(),
        repr(np.random.get_state()[1].tolist()).encode() + repr(np.random.get_state()[2:]).encode(),
        torch.get_rng_state().numpy().tobytes(),
        mindspore.get_rng_state().asnumpy().tobytes(),
    ]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Other tests find every generator as they left it."""
    with tracer.fix_random(99):
        yield


def test_the_same_seed_gives_the_same_numbers() -> None:
    """Every generator gives the same again after the same seed."""
    tracer.fix_random(5)
    once = drawn()
    tracer.fix_random(5)
    assert drawn() == once


def test_another_seed_gives_other_numbers() -> None:
    """No generator gives the same after another seed."""
    tracer.fix_random(5)
    once = drawn()
    tracer.fix_random(6)
    assert not [one for one, other in zip(once, drawn(), strict=True) if one == other]


def test_every_state_is_put_back() -> None:
    """After the `with` statement each generator is where it was, bit for bit."""
    drawn()
    before = states()
    with tracer.fix_random(5):
        drawn()
    assert states() == before


def test_what_is_drawn_goes_on_as_if_nothing_had_been() -> None:
    """The numbers after the `with` statement are those that would have come without it."""
    tracer.fix_random(7)
    drawn()
    expected = drawn()
    tracer.fix_random(7)
    drawn()
    with tracer.fix_random(5):
        drawn()
    assert drawn() == expected


def test_flags_and_tables_are_put_back() -> None:
    """Flags of torch, the seeds of MindSpore and its table of operator seeds are as they were."""
    drawn()
    before = copy.deepcopy(flags())
    with tracer.fix_random(5):
        drawn()
        assert flags() != before
    assert flags() == before


def test_torch_is_made_deterministic() -> None:
    """cuDNN takes its deterministic kernels and does not try which are fastest."""
    with tracer.fix_random(0):
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.benchmark
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()


def test_an_exception_puts_everything_back() -> None:
    """Also when the block raises."""
    before = states()
    with pytest.raises(ZeroDivisionError), tracer.fix_random(5):
        drawn()
        raise ZeroDivisionError
    assert states() == before


def test_blocks_may_lie_in_each_other() -> None:
    """The inner block leaves the outer one's numbers as they would have been."""
    with tracer.fix_random(1):
        drawn()
        expected = drawn()
    with tracer.fix_random(1):
        drawn()
        with tracer.fix_random(2):
            drawn()
        assert drawn() == expected


def test_one_object_may_be_entered_again() -> None:
    """Entered a second time it fixes the same seed, and puts back once more."""
    fixed = tracer.fix_random(3)
    with fixed:
        once = drawn()
    before = states()
    with fixed:
        assert drawn() == once
    assert states() == before


def test_a_plain_call_stays() -> None:
    """Without `with` the seed stays set."""
    tracer.fix_random(11)
    assert mindspore.get_seed() == 11
    assert torch.initial_seed() == 11


def test_what_cannot_be_fixed_is_said() -> None:
    """Layers with a generator of their own are named, and that seeds do not go across frameworks."""
    said = tracer.fix_random(0).cannot
    assert any("nn.Dropout" in sentence for sentence in said)
    assert any("other numbers in torch than in MindSpore" in sentence for sentence in said)


def test_a_dropout_made_before_keeps_its_state() -> None:
    """What `cannot` says of MindSpore's Dropout is so."""
    dropout = mindspore.nn.Dropout(p=0.5).set_train()
    ones = mindspore.Tensor(np.ones((1, 256), np.float32))
    masks = []
    for _ in range(2):
        tracer.fix_random(0)
        masks.append(dropout(ones).asnumpy())
    assert not np.array_equal(*masks)


def test_it_reads_well() -> None:
    """Its text names seed, what was seeded, and what was not fixed."""
    text = repr(tracer.fix_random(4))
    assert text.startswith("seed 4 fixed in Python, numpy, MindSpore, torch")
    assert "not fixed: " in text


@pytest.mark.parametrize("seed", [-1, 1 << 32, 1.5, "1", None, True])
def test_what_is_no_seed_is_refused(seed: object) -> None:
    """Every generator takes 0 to 2**32 - 1, and nothing is changed by another."""
    before = states()
    with pytest.raises(StartingPointError, match="whole number from 0") as refused:
        tracer.fix_random(seed)
    assert refused.value.then
    assert states() == before


@pytest.mark.parametrize("seed", [0, (1 << 32) - 1, np.int64(7)])
def test_all_of_its_range_is_a_seed(seed: int) -> None:
    """Both ends and numpy's integers are taken by every generator."""
    assert tracer.fix_random(seed).seed == int(seed)


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_no_framework_is_imported_to_be_seeded() -> None:
    """Where none is imported, none is imported."""
    done = _python(
        "import sys, tracer\nprint(tracer.fix_random(0).seeded)\nassert not {'torch', 'mindspore'} & set(sys.modules)"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "('Python', 'numpy')"


def test_a_framework_that_comes_later_is_said() -> None:
    """What was imported inside the block was not seeded: `cannot` says so, and so does a warning at the end."""
    done = _python(
        "import tracer, warnings\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    with tracer.fix_random(0) as fixed:\n"
        "        import torch\n"
        "        assert any('torch was imported after' in sentence for sentence in fixed.cannot)\n"
        "assert any('torch was imported after' in str(one.message) for one in caught)\n"
    )
    assert done.returncode == 0, done.stderr

"""Which part of a nested file is taken for the weights, what is said of it, and when the user is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints import open_checkpoint

pytestmark = pytest.mark.torch

WEIGHTS = {"a.weight": torch.ones(2), "a.bias": torch.zeros(3)}
AVERAGE = {"a.weight": torch.full((2,), 5.0), "a.bias": torch.full((3,), 5.0)}
net = torch.nn.Linear(2, 2)
optimizer = torch.optim.Adam(net.parameters())
net(torch.ones(1, 2)).sum().backward()
optimizer.step()
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])


def saved(path: Path, content: object) -> Path:
    """Save with torch."""
    torch.save(content, path / "x.pth")
    return path / "x.pth"


def taken(path: Path, content: object, **how: object) -> tuple[float, tuple[str, ...]]:
    """The first number of the weight that is taken, and the notes."""
    with open_checkpoint(saved(path, content), **how) as checkpoint:
        assert list(checkpoint.entries) == list(WEIGHTS)
        return float(checkpoint.read("a.weight")[0]), checkpoint.notes


@pytest.mark.parametrize(
    "key", ["model", "state_dict", "model_state_dict", "module", "net", "network", "params", "model_state"]
)
def test_the_weights_are_taken_from_beside_an_optimizer(tmp_path: Path, key: str) -> None:
    """Under any usual name the weights are found, and the note lists what lies beside them."""
    content = {"epoch": 3, key: WEIGHTS, "optimizer": optimizer.state_dict(), "lr_scheduler": scheduler.state_dict()}
    number, notes = taken(tmp_path, content)
    assert number == 1
    assert notes[0] == f"took {key!r}; beside it the file holds epoch, optimizer, lr_scheduler"


@pytest.mark.parametrize("average", ["model_ema", "ema", "state_dict_ema", "params_ema"])
@pytest.mark.parametrize("first", [True, False])
def test_plain_weights_go_before_an_average(tmp_path: Path, average: str, first: bool) -> None:
    """A plain part is taken before an averaged one, whichever stands first, and the other is named."""
    content = {average: AVERAGE, "model": WEIGHTS} if first else {"model": WEIGHTS, average: AVERAGE}
    number, notes = taken(tmp_path, content)
    assert number == 1
    assert f"other parts with tensors: {average}" in notes


def test_an_average_alone_is_taken(tmp_path: Path) -> None:
    """Where only an average is there, it is the weights."""
    assert taken(tmp_path, {"ema": {"state_dict": AVERAGE, "decay": 0.9}, "epoch": 1})[0] == 5


def test_a_part_can_be_named(tmp_path: Path) -> None:
    """part= takes the part the user means, nested ones with a dot."""
    content = {"model": WEIGHTS, "model_ema": AVERAGE, "deep": {"er": AVERAGE}}
    assert taken(tmp_path, content, part="model_ema")[0] == 5
    assert taken(tmp_path, content, part="deep.er")[0] == 5


def test_a_part_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A wrong part is refused with the parts that are there."""
    with pytest.raises(CheckpointError, match=r"no part 'modle'(.|\n)*'model', 'model_ema'"):
        open_checkpoint(saved(tmp_path, {"model": WEIGHTS, "model_ema": AVERAGE}), part="modle")


def test_nested_wrappings_are_opened(tmp_path: Path) -> None:
    """Weights two levels down are found where nothing else could be meant."""
    assert taken(tmp_path, {"model": {"module": WEIGHTS}, "epoch": 3})[0] == 1


def test_one_part_of_an_unusual_name_is_taken(tmp_path: Path) -> None:
    """A single set of tensors is the weights, whatever it is called."""
    number, notes = taken(tmp_path, {"backbone_stuff": WEIGHTS, "args": {"lr": 3}})
    assert number == 1
    assert "took 'backbone_stuff'" in notes[0]


def test_counters_beside_the_weights_are_no_choice(tmp_path: Path) -> None:
    """Single numbers kept as tensors at the outside do not hide the weights."""
    assert taken(tmp_path, {"model": WEIGHTS, "epoch": torch.tensor(3), "best": torch.tensor(0.5)})[0] == 1


@pytest.mark.parametrize(
    "content",
    [
        {"generator": WEIGHTS, "discriminator": AVERAGE},
        {"student": WEIGHTS, "teacher": AVERAGE, "optimizer": {}},
        {"model": WEIGHTS, "net": AVERAGE},
        {"table": torch.ones(4), "encoder": WEIGHTS},
    ],
)
def test_several_sets_are_not_chosen_from(tmp_path: Path, content: dict) -> None:
    """Where several parts could be meant none is taken: they are listed, with the way to name one."""
    with pytest.raises(CheckpointError, match=r"several sets of tensors(.|\n)*part=") as caught:
        open_checkpoint(saved(tmp_path, content))
    for key in ("generator", "student", "model", "encoder"):
        assert key not in content or key in str(caught.value)


def test_what_lightning_saves_is_read(tmp_path: Path) -> None:
    """A Lightning checkpoint holds tensors in its callbacks too: they are no weights."""
    content = {"epoch": 3, "pytorch-lightning_version": "2", "state_dict": WEIGHTS, "hyper_parameters": {"a": 3},
               "callbacks": {"ModelCheckpoint{}": {"best_model_score": torch.tensor(0.5)}}, "loops": {"fit_loop": {}},
               "optimizer_states": [optimizer.state_dict()], "lr_schedulers": [scheduler.state_dict()]}  # fmt: skip
    assert taken(tmp_path, content)[0] == 1


def test_an_optimizer_alone_is_no_weights(tmp_path: Path) -> None:
    """The tensors of an optimizer are never taken for weights."""
    with pytest.raises(CheckpointError, match="no tensors by name"):
        open_checkpoint(
            saved(tmp_path, {"optimizer": optimizer.state_dict(), "optimizer_states": [optimizer.state_dict()]})
        )


def test_an_optimizer_s_own_file_is_no_weights(tmp_path: Path) -> None:
    """The state dict of an optimizer, saved by itself, is not taken for weights."""
    with pytest.raises(CheckpointError, match="no tensors by name"):
        open_checkpoint(saved(tmp_path, optimizer.state_dict()))


def test_what_is_no_tensor_is_counted(tmp_path: Path) -> None:
    """Things among the weights that are no tensor are passed over, and counted."""
    with open_checkpoint(saved(tmp_path, WEIGHTS | {"version": 3, "who": "me", "deep": None})) as checkpoint:
        assert checkpoint.notes == ("3 things that are no tensor were passed over",)


def test_a_plain_state_dict_needs_no_note(tmp_path: Path) -> None:
    """Where nothing was assumed nothing is said."""
    assert taken(tmp_path, WEIGHTS) == (1, ())


def test_an_optimizer_by_names_is_no_weights(tmp_path: Path) -> None:
    """An optimizer whose state goes by the parameters' names is known by its groups."""
    content = {"state": {"a.weight": {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 1}]}
    with pytest.raises(CheckpointError, match="no tensors by name"):
        open_checkpoint(saved(tmp_path, content))


def test_one_part_under_two_names_is_no_choice(tmp_path: Path) -> None:
    """A mapping that stands in the file twice is one."""
    assert taken(tmp_path, {"model": WEIGHTS, "state_dict": WEIGHTS})[0] == 1


@pytest.mark.parametrize("content", [torch.ones(3), [torch.ones(3)], 5, "text", {}, {"a": 3}, {3: torch.ones(2)}])
def test_a_file_without_names_is_refused(tmp_path: Path, content: object) -> None:
    """A tensor, a list or a number is no set of parameters: the refusal says what to save."""
    with pytest.raises(CheckpointError, match=r"by name(.|\n)*state_dict"):
        open_checkpoint(saved(tmp_path, content))


def test_quantised_tensors_elsewhere_do_no_harm(tmp_path: Path) -> None:
    """Only what is taken must hold plain numbers."""
    content = {"model": WEIGHTS, "mask": {"m": torch.eye(3).to_sparse()}}
    assert taken(tmp_path, content)[0] == 1


def test_other_formats_have_no_parts(tmp_path: Path) -> None:
    """part= on a format that does not nest is refused."""
    import numpy as np

    np.savez(tmp_path / "x.npz", a=np.ones(1))
    with pytest.raises(CheckpointError, match="has no parts"):
        open_checkpoint(tmp_path / "x.npz", part="model")

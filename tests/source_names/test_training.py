"""A training script tells by how it uses its names what they are; all of it is a guess, and what others have stays untold."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest

from tests.source_names.scanned import told


def function(body: str, head: str = "") -> list[str]:
    """The uses that are guessed in the body of a function whose parameters are unknown, after some lines of its file."""
    body = indent(dedent(body).strip(), "    ")
    source = (
        f"import torch\nfrom torch.utils.data import DataLoader\n{head}\ndef f(a, b, model, loader, device):\n{body}\n"
    )
    return [name.removesuffix("?") for name in told(source) if name.endswith("?")]


TRAINING = """
    import torch
    def train(model, loader, criterion, optimizer, device):
        total = 0
        for images, labels in loader:
            images = images.to(device)
            labels = labels.to(device, non_blocking=True)
            optimizer.zero_grad()
            out = model(images)
            loss = criterion(out, labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
        model.train()
"""


def test_all_of_a_training_loop_is_told_as_guesses() -> None:
    """Nothing in it says what the parameters are but how they are used."""
    assert told(TRAINING) == [
        "method torch.Tensor.to?",
        "method torch.Tensor.to?",
        "method torch.optim.Optimizer.zero_grad?",
        "method torch.Tensor.backward?",
        "method torch.optim.Optimizer.step?",
        "method torch.Tensor.item?",
        "method torch.nn.Module.train?",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "for x, y in loader: y.shape",
        "for i, (x, y) in enumerate(loader): y.shape",
        "for (x, y), z in zip(loader, a): y.shape",
        "for x, y in tqdm(loader): y.shape",
        "for i, (x, y) in enumerate(tqdm(loader, total=3)): y.shape",
        "x, y = next(iter(loader))\ny.shape",
        "for batch in loader:\n    x, y = batch\n    y.shape",
        "for batch in loader: batch['image'].shape",
        "for batch in loader: batch[0].shape",
        "for x in loader: x.shape",
        "for batch in loader:\n    for k, v in batch.items(): v.shape",
        "for batch in itertools.islice(loader, 3): batch['image'].shape",
    ],
)
def test_what_a_data_loader_gives_are_guessed_tensors(text: str) -> None:
    """However it is looped over and unpacked."""
    head = "import itertools\nfrom tqdm import tqdm"
    assert function(f"loader = DataLoader(a)\n{text}", head) == ["name torch.Tensor.shape"]


@pytest.mark.parametrize(
    "text",
    [
        "for x, path in loader: path.split('/')",
        "for batch in loader: batch['file_name'].split('/')",
        "for batch in loader: batch.keys()",
        "for batch in loader: batch.copy()",
        "for x, y in loader: y['boxes'] + 1",
        "for x, y in loader:\n    y[0]['boxes']\n    y[0] + 1",
        "for x, sizes in loader: sizes[0][0]",
        "for x, words in loader: words.split(',')",
        "for x, y in loader: y + [1]",
    ],
)
def test_what_a_data_loader_gives_need_not_be_tensors(text: str) -> None:
    """Paths, lists and dicts."""
    assert function(f"loader = DataLoader(a)\n{text}") == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a.zero_grad()\na.step()", "torch.optim.Optimizer.step"),
        ("optimizer = b.make()\noptimizer.step()", "torch.optim.Optimizer.step"),
        ("lr_scheduler = b.make()\nlr_scheduler.step()", "torch.optim.lr_scheduler.LRScheduler.step"),
        ("a(b)\na.eval()", "torch.nn.Module.eval"),
        ("a(b)\na.to(device)", "torch.nn.Module.to"),
        ("a(b)\na.state_dict()", "torch.nn.Module.state_dict"),
        ("a.parameters()\na.train()", "torch.nn.Module.train"),
        ("a = a.to(device)\nmodel.eval()\nmodel(a)", "torch.Tensor.to"),
        ("a, b = a.cuda(), b.cuda()\nmodel.eval()\nmodel(a)", "torch.Tensor.cuda"),
        ("loss = b.f(a)\nloss.backward()\nloss.item()", "torch.Tensor.item"),
        ("loss = b.f(a)\nb.scale(loss).backward()\nloss.item()", "torch.Tensor.item"),
        ("loss = b.f(a)\nb.backward(loss)\nloss.item()", "torch.Tensor.item"),
        ("model.eval()\ny = model(a)\ny.size(1)", "torch.Tensor.size"),
        ("model.eval()\nmodel(a).argmax(1)", "torch.Tensor.argmax"),
        ("model.eval()\nb.loss_fn(model(a).sigmoid(), b).item()", "torch.Tensor.item"),
        ("model.eval()\nmodel(a.to(device))", "torch.Tensor.to"),
        ("model.train()\nmodel(a)\nmodel.module.state_dict()", "torch.nn.Module.state_dict"),
        ("for x, y in DataLoader(a): y = [{k: v.to(device) for k, v in t.items()} for t in y]", "torch.Tensor.to"),
        ("for x in DataLoader(a): x['input_ids'].to(device)", "torch.Tensor.to"),
        ("c = b.prepare(DataLoader(a))\nfor x, y in c: x.size(0)", "torch.Tensor.size"),
        ("model, c = b.prepare(model, DataLoader(a))\nfor x, y in c: x.size(0)", "torch.Tensor.size"),
        ("a.view(3, -1)", "torch.Tensor.view"),
        ("a.view(-1)", "torch.Tensor.view"),
        ("n, c = a.shape\na.permute(1, 0)\na.mean()", "torch.Tensor.mean"),
    ],
)
def test_several_things_together_give_a_name_away(text: str, name: str) -> None:
    """What it is asked, what it is called, what it is handed to."""
    assert f"method {name}" in function(text)


@pytest.mark.parametrize(
    "text",
    [
        "a.step()",
        "a.train()",
        "a.train()\na.eval()",
        "a(b)",
        "a.to(device)",
        "a.state_dict()\na.load_state_dict(b)",
        "a(b)\na.step()",
        "a = a.to(device)\nb(a)",
        "a = b.read()\na.transpose(0, 1)\na = b.made(a)\na = a.to(device)\nb(a)",
        "scheduler = b.make()\nscheduler.step(a)\nscheduler.step_update(a)",
        "a.view('float32')",
        "a.view(np.uint8, np.ndarray)",
        "n, c = a.shape\na.mean()",
        "a.item()",
        "writer = b.make()\nwriter.add_scalar('a', 1)\nwriter.close()",
    ],
)
def test_one_thing_alone_gives_nothing_away(text: str) -> None:
    """Others have it too: trainers, arrays, lists, writers."""
    assert function(text) == []


@pytest.mark.parametrize("text", ["y['out'].mean()", "y.logits", "y, z = y\ny.mean()", "for z in y: z.mean()"])
def test_what_a_guessed_net_gives_may_be_a_tuple_or_a_dict(text: str) -> None:
    """Where it is used like one, nothing is said of it, nor of what is in it."""
    assert function(f"model.eval()\ny = model(a)\n{text}") == ["method torch.nn.Module.eval"]


def test_what_is_moved_to_a_device_and_has_other_attributes_is_no_tensor() -> None:
    """A graph is moved and handed to a net too, but no tensor has `edge_index`."""
    assert function("model.eval()\na = a.to(device)\nmodel(a)\na.edge_index") == ["method torch.nn.Module.eval"]


def test_an_optimizer_that_the_tree_defines_is_left_alone() -> None:
    """It may be handed to any function."""
    head = "class Noam:\n    def zero_grad(self): ...\n    def step(self): ..."
    assert function("a.zero_grad()\na.step()", head) == []


def test_a_lambda_that_is_called_where_it_stands_knows_what_it_is_given() -> None:
    """`(lambda t: t.exp())(x)`."""
    source = "import torch\n(lambda t: t.exp())(torch.ones(1))"
    assert told(source, "method") == ["method torch.Tensor.exp"]


def test_a_tensor_times_something_unknown_is_a_tensor_whatever_was_guessed_of_that() -> None:
    """A guess takes nothing away from what is certain."""
    source = "import torch\ndef f(x):\n    x.unsqueeze(0)\n    y = x * torch.ones(1)\n    y.mean()"
    assert told(source, "method")[-1] == "method torch.Tensor.mean"


def test_a_batch_that_another_function_hands_on_is_still_a_batch() -> None:
    """A generator names it `obj` and gives it away; whoever unpacks it gets its parts."""
    head = "def logged(batches):\n    for obj in batches: yield obj\n"
    body = "loader = DataLoader(a)\nfor x, sizes in logged(loader):\n    sizes[0][0]\n    x.shape"
    assert function(body, head) == ["name torch.Tensor.shape"]


def test_of_what_a_guessed_net_gives_no_item_is_told() -> None:
    """`net(x)[0]`: it may give a list."""
    assert function("model.eval()\nx = torch.ones(1)\nmodel(x)[0]") == ["method torch.nn.Module.eval"]


def test_a_guessed_net_that_is_added_to_a_tensor_gave_one() -> None:
    """No list or dict can be added to a tensor."""
    assert "operator torch.Tensor.__add__" in function("model.eval()\nx = torch.ones(1)\nmodel(x) + x")


TREE = """
    import torch
    from torch import nn, optim
    from torch.utils.data import DataLoader
    def train(model, loader, optimizer, device):
        model.train()
        for x, y in loader:
            x.to(device)
        optimizer.step()
    net = nn.Linear(3, 3)
"""


def test_what_all_calls_hand_to_a_function_is_sure() -> None:
    """Its parameters are what they are at the place of the call; of what comes out of a loader it stays a guess."""
    source = TREE + "    train(net, DataLoader([]), optim.SGD(net.parameters()), torch.device('cpu'))\n"
    assert told(source, "method")[:3] == [
        "method torch.nn.Module.train",
        "method torch.Tensor.to?",
        "method torch.optim.SGD.step",
    ]


@pytest.mark.parametrize("line", ["train(net, a, unknown(), b)", "spawn(train)", "train(net, a, optim.Adam([]), b)"])
def test_where_calls_disagree_or_are_not_all_known_it_is_a_guess(line: str) -> None:
    """Another call hands something else, or nobody knows what."""
    source = TREE + f"    train(net, DataLoader([]), optim.SGD([]), 'cpu')\n    {line}\n"
    steps = [name for name in told(source, "method") if ".step" in name]
    assert all(name.endswith("?") for name in steps)


def test_attributes_of_an_object_are_told_by_all_its_methods_together() -> None:
    """A trainer is given its net and its optimizer, and uses them elsewhere."""
    source = """
        import torch
        class Trainer:
            def __init__(self, model, optimizer):
                self.model, self.optimizer = model, optimizer
            def fit(self, batches, device):
                self.model.train()
                for x, y in batches:
                    x = x.to(device)
                    self.model(x)
                    self.optimizer.step()
            def clear(self):
                self.optimizer.zero_grad()
    """
    assert told(source) == [
        "method torch.nn.Module.train?",
        "method torch.Tensor.to?",
        "method torch.optim.Optimizer.step?",
        "method torch.optim.Optimizer.zero_grad?",
    ]

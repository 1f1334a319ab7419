"""The slips, each with the answer that is right for it.

What is right follows from the order in which a computer does a step: start, forward, loss, backward, gradients as the
optimizer gets them, update. A slip is found in the first phase in which something differs though all that it was made
of agrees; what follows from it is no second origin. A slip that all parameters show alike is found at the first of
them, one of the settings at the group that has them. A line slipped into every block is found in the first of them, in
the backward pass in the last.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.training import recipe as by
from tests.training.fault import ROOT, Edit, Fault
from tests.training.recipe import Recipe

_CANDIDATE_LOSS = "logits, labels, weight=weight, ignore_index=recipe.ignored, label_smoothing=recipe.smoothing"
_CRITERION = "loss = criterion(logits.reshape(-1, classes), labels.reshape(-1))"
_FED = "backward(ms.Tensor(inputs), ms.Tensor(labels.astype(np.int32)))"


def _of_loss(name: str, recipe: Recipe, why: str, *loop: Edit, twin: str = "mlp", words: tuple[str, ...] = ()) -> Fault:
    return Fault(name, twin, why, recipe, loop=loop, phase="loss", place="loss", words=words)


LOSSES = (
    _of_loss(
        "loss_summed",
        by.SGD,
        "a sum for a mean: the predictions agree, the loss is as many times larger as there are rows",
        Edit(_CANDIDATE_LOSS, f'{_CANDIDATE_LOSS}, reduction="sum"'),
        words=("mean",),
    ),
    _of_loss(
        "smoothing_missing",
        by.SMOOTHED,
        "the reference smooths its labels",
        Edit(_CANDIDATE_LOSS, "logits, labels, weight=weight, ignore_index=recipe.ignored"),
        twin="vit",
        words=("smoothing",),
    ),
    _of_loss(
        "class_weights_missing",
        by.WEIGHTED,
        "the reference weighs its classes",
        Edit(_CANDIDATE_LOSS, "logits, labels, ignore_index=recipe.ignored"),
        twin="cnn_training",
        words=("weight",),
    ),
    _of_loss(
        "padding_not_ignored",
        by.IGNORING,
        "the reference leaves the padding's tokens out of the mean",
        Edit(_CANDIDATE_LOSS, "logits, labels, weight=weight"),
        twin="gpt",
        words=("ignore",),
    ),
    _of_loss(
        "default_reduction_summed",
        by.SGD,
        "SoftmaxCrossEntropyWithLogits gives a loss for each row unless told otherwise, and the port sums them",
        Edit("return ops.cross_entropy(", "return summed("),
        Edit(
            "def make_loss(recipe, classes):",
            "def summed(logits, labels, **settings):\n"
            "    return nn.SoftmaxCrossEntropyWithLogits(sparse=True)(logits, labels).sum()\n\n\n"
            "def make_loss(recipe, classes):",
        ),
        words=("mean",),
    ),
    _of_loss(
        "softmax_twice",
        by.SGD,
        "the loss takes logits and is given probabilities; the net's own output agrees",
        Edit(_CRITERION, _CRITERION.replace("logits.reshape(-1, classes)", "ops.softmax(logits.reshape(-1, classes))")),
    ),
    _of_loss(
        "labels_not_shifted",
        by.SGD,
        "the loss asks for the token itself, not the next one; a function that nobody sees takes them",
        Edit(_CRITERION, _CRITERION.replace("labels.reshape", "inputs.astype(ms.int32).reshape")),
        twin="gpt",
    ),
)

# A function that hands its input on, and its gradient not as it should.
_TURN = """class Turn(nn.Cell):
    def construct(self, x):
        return x * 1.0

    def bprop(self, x, out, dout):
        return (GRADIENT,)


class Mlp(nn.Cell):"""
_TINY = Edit("0.1 * side", "1e-6 * side")


def _at_size_one_millionth(name: str, gradient: str, why: str) -> Fault:
    """The layer `turn` hands on a gradient of about 1e-6."""
    return Fault(
        name,
        "mlp",
        why,
        net=(
            _TINY,
            Edit("class Mlp(nn.Cell):", _TURN.replace("GRADIENT", gradient)),
            Edit("self.turn = nn.Identity()", "self.turn = Turn()"),
        ),
        reference_net=(_TINY,),
        phase="backward",
        place="layer",
        path="turn",
    )


BACKWARD = (
    Fault(
        "bprop_forgets_the_mask",
        "mlp",
        "a ReLU of the user's own hands on the gradient of what it cut off",
        net=(
            Edit(
                "class Mlp(nn.Cell):",
                _TURN.replace("Turn", "Ramp").replace("x * 1.0", "ops.relu(x)").replace("GRADIENT", "dout"),
            ),
            Edit("self.relu = nn.ReLU()", "self.relu = Ramp()"),
        ),
        phase="backward",
        place="layer",
        path="relu",
        words=("bprop",),
    ),
    _at_size_one_millionth("negated", "-dout", "the gradient's sign is turned, at a millionth of the others"),
    _at_size_one_millionth("doubled", "2 * dout", "the gradient counts twice, at a millionth of the others"),
    _at_size_one_millionth("zeroed", "0 * dout", "the gradient is lost, at a millionth of the others"),
    Fault(
        "attention_gets_no_gradient",
        "vit",
        "stop_gradient in every block, behind the attention; in the backward pass the last block comes first",
        net=(Edit("x = x + self.attn(self.norm1(x))", "x = x + ops.stop_gradient(self.attn(self.norm1(x)))"),),
        phase="backward",
        place="between",
        path="blocks.1",
        words=("stop_gradient",),
    ),
    Fault(
        "recurrence_gets_no_gradient",
        "lstm",
        "stop_gradient between the LSTM and the norm, in the code of the whole net",
        net=(
            Edit("from mindspore import nn", "from mindspore import nn, ops"),
            Edit("x = self.norm(x)", "x = self.norm(ops.stop_gradient(x))"),
        ),
        phase="backward",
        place="between",
        path=ROOT,
        words=("stop_gradient",),
    ),
    Fault(
        "detach_missing",
        "mlp",
        "the reference's side branch sends no gradient back into what feeds it, the port's does",
        reference_net=(Edit("self.small(x)", "self.small(x.detach())"),),
        phase="backward",
        place="between",
        path=ROOT,
    ),
    Fault(
        "padding_row_is_trained",
        "lstm",
        "both say padding_idx=0; MindSpore's embedding gives the padding's row a gradient all the same",
        net=(Edit("nn.Embedding(40, 16)", "nn.Embedding(40, 16, padding_idx=0)"),),
        reference_net=(Edit("nn.Embedding(40, 16)", "nn.Embedding(40, 16, padding_idx=0)"),),
        phase="backward",
        place="layer",
        path="embed",
        words=("padding",),
    ),
    Fault(
        "leaky_relu_at_zero",
        "mlp",
        "rounded numbers are often exactly zero, where MindSpore takes the mean of both slopes",
        net=(
            Edit(
                "x = self.leaky(self.fc2(x))",
                "x = self.fc2(x)\n        x = self.leaky(x + ops.stop_gradient(ops.round(x) - x))",
            ),
        ),
        reference_net=(
            Edit(
                "x = self.leaky(self.fc2(x))",
                "x = self.fc2(x)\n        x = self.leaky(x + (x.round() - x).detach())",
            ),
        ),
        phase="backward",
        place="layer",
        path="leaky",
    ),
    Fault(
        "layer_frozen",
        "mlp",
        "one layer's parameters have no gradient in the port",
        net=(
            Edit(
                "self.fc2 = nn.Dense(32, 32)",
                "self.fc2 = nn.Dense(32, 32)\n        self.fc2.weight.requires_grad = self.fc2.bias.requires_grad = False",
            ),
        ),
        phase="backward",
        or_phase="gradients",
        path="fc2",
        words=("requires_grad",),
    ),
    Fault(
        "head_not_tied",
        "gpt",
        "two parameters that begin alike where the reference has one: the embedding lacks the head's gradient",
        net=(Edit("self.lm_head.weight = self.transformer.wte.embedding_table", "pass"),),
        loop=(
            Edit(
                "    groups = parameter_groups(net, recipe)",
                "    net.lm_head.weight.set_data(net.transformer.wte.embedding_table.value())\n"
                "    groups = parameter_groups(net, recipe)",
            ),
        ),
        unloaded=("lm_head.weight",),
        phase="backward",
        or_phase="start",
    ),
)

_CLIP = "gradients = ops.clip_by_global_norm(gradients, recipe.clip)"
_ACCUMULATE = "gradients = found if gradients is None else tuple(a + b for a, b in zip(gradients, found))"
_DIVIDE = "loss = loss / recipe.micro_batches"
_UNSCALE = "                gradients = scaler.unscale(gradients)\n"
_TRAINABLE = "    trained = net.trainable_params()\n    if not"

SCALED_A_LITTLE = Recipe("scaled_a_little", scale=8.0, candidate_scale=8.0)
CLIPPED_AND_SCALED = Recipe("clipped_and_scaled", clip=0.5, scale=8.0, candidate_scale=8.0)


_FIRST = {"mlp": "fc1.weight", "cnn_training": "conv1.weight", "gpt": "transformer.wte.weight", "lstm": "embed.weight"}
"""The first parameter of a net."""


def _of_gradients(
    name: str, recipe: Recipe, why: str, *loop: Edit, twin: str = "mlp", path: str | None = None, word: str = ""
) -> Fault:
    words = (word,) if word else ()
    return Fault(name, twin, why, recipe, loop=loop, phase="gradients", path=path or _FIRST[twin], words=words)


GRADIENTS = (
    _of_gradients(
        "clip_threshold",
        by.CLIPPED,
        "clipped at five where the reference clips at a half",
        Edit(_CLIP, "gradients = ops.clip_by_global_norm(gradients, 5.0)"),
        twin="gpt",
        word="clip",
    ),
    _of_gradients(
        "clip_missing", by.CLIPPED, "not clipped at all", Edit(_CLIP, "gradients = tuple(gradients)"), word="clip"
    ),
    _of_gradients(
        "clip_by_tensor",
        by.CLIPPED,
        "each gradient is clipped by its own norm, not by that of all",
        Edit(_CLIP, "gradients = tuple(ops.clip_by_norm(gradient, recipe.clip) for gradient in gradients)"),
        word="clip",
    ),
    _of_gradients(
        "clip_before_unscaling",
        CLIPPED_AND_SCALED,
        "clipped while the scale is still in them, so they end an eighth as long",
        Edit(
            "            if scaler:\n" + _UNSCALE,
            "            gradients = ops.clip_by_global_norm(gradients, recipe.clip)\n            if scaler:\n"
            + _UNSCALE,
        ),
        word="clip",
    ),
    _of_gradients(
        "divisor_missing",
        by.ACCUMULATED,
        "three micro-batches are added, not averaged",
        Edit(_DIVIDE, "loss = loss * 1.0"),
        word="accumul",
    ),
    _of_gradients(
        "divisor_wrong",
        by.ACCUMULATED,
        "three micro-batches are divided by four",
        Edit(_DIVIDE, "loss = loss / (recipe.micro_batches + 1)"),
        twin="lstm",
        word="accumul",
    ),
    _of_gradients(
        "overwritten",
        by.ACCUMULATED,
        "only the last of three micro-batches is in the gradient",
        Edit(_ACCUMULATE, "gradients = found"),
        twin="cnn_training",
        word="accumul",
    ),
    _of_gradients(
        "only_first_micro_batch",
        by.ACCUMULATED,
        "the gradients of the later micro-batches are lost",
        Edit(_ACCUMULATE, "gradients = found if gradients is None else gradients"),
        word="accumul",
    ),
    _of_gradients(
        "unscale_missing",
        SCALED_A_LITTLE,
        "the scale stays in the gradients",
        Edit(_UNSCALE, ""),
        twin="cnn_training",
        word="scale",
    ),
    Fault(
        "parameter_not_in_the_optimizer",
        "mlp",
        "one layer is left out where the optimizer is made, so no gradient is asked for it",
        loop=(
            Edit(
                _TRAINABLE,
                "    trained = [p for p in net.trainable_params() if not p.name.startswith('fc3')]\n    if not",
            ),
        ),
        phase="gradients",
        or_phase="backward",
        path="fc3",
    ),
    _of_gradients(
        "gradient_of_one_parameter_lost",
        by.SGD,
        "the backward pass is right, one gradient is set to zero behind it",
        Edit(
            "optimizer(gradients)",
            'optimizer(tuple(g * 0.0 if p.name == "fc2.weight" else g for p, g in zip(trained, gradients)))',
        ),
        path="fc2.weight",
    ),
)

ADAM_WITH_LARGE_EPS = Recipe("adam_with_large_eps", "adam", 1e-3, eps=1e-3)
_SGD = "return optim.SGD(groups, lr=recipe.rate)"
_MOMENTUM = "return optim.SGD(groups, lr=recipe.rate, momentum=0.9)\n    if"
_NESTEROV = "return optim.SGD(groups, lr=recipe.rate, momentum=0.9, nesterov=True)"
_ADAM = "return optim.Adam(groups, lr=recipe.rate, betas=(0.9, 0.999), eps=recipe.eps)"
_ADAMW = "return optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.999), eps=recipe.eps)"
_RMSPROP = "return optim.RMSprop(groups, lr=recipe.rate, alpha=0.99, eps=recipe.eps)"
_ALL = "net.trainable_params(), learning_rate=recipe.rate"
_LAST = "            optimizer(gradients)\n            if scheduler:\n                scheduler.step()"


def _of_update(
    name: str,
    recipe: Recipe,
    why: str,
    *loop: Edit,
    twin: str = "mlp",
    steps: tuple[int, ...] = (0,),
    place: str | None = None,
    path: str | None = None,
    word: str = "",
    or_phase: str | None = None,
) -> Fault:
    words = (word,) if word else ()
    return Fault(
        name,
        twin,
        why,
        recipe,
        loop=loop,
        phase="update",
        or_phase=or_phase,
        steps=steps,
        place=place,
        path=path,
        words=words,
    )


UPDATE = (
    _of_update(
        "rate_by_default",
        by.SGD,
        "MindSpore's SGD has a learning rate of its own, 0.1",
        Edit(_SGD, "return nn.SGD(net.trainable_params())"),
        place="group",
        word="learning rate",
    ),
    _of_update(
        "rate_ten_times",
        by.ADAM,
        "ten times the rate",
        Edit(_ADAM, _ADAM.replace("lr=recipe", "lr=10 * recipe")),
        twin="vit",
        place="group",
        word="learning rate",
    ),
    _of_update(
        "maximizes",
        by.SGD,
        "the step goes up, not down",
        Edit(_SGD, _SGD.replace("rate)", "rate, maximize=True)")),
        place="group",
        word="maximize",
    ),
    _of_update(
        "betas",
        by.ADAM,
        "the first update is the same for any beta, the state behind it is not",
        Edit(_ADAM, _ADAM.replace("0.999", "0.99")),
        place="group",
        word="beta",
    ),
    _of_update(
        "eps_not_corrected",
        ADAM_WITH_LARGE_EPS,
        "nn.Adam adds eps before the correction of the second moment; at 1e-8 nobody sees it",
        Edit(_ADAM, f"return nn.Adam({_ALL}, eps=recipe.eps)"),
        word="eps",
    ),
    _of_update(
        "eps_not_corrected_in_the_newer_adam",
        ADAM_WITH_LARGE_EPS,
        "the aligned choice at 1e-8 is none at 1e-3",
        word="eps",
    ),
    _of_update(
        "no_bias_correction",
        by.ADAMW,
        "AdamWeightDecay corrects no moment",
        Edit(_ADAMW, f"return nn.AdamWeightDecay({_ALL}, eps=recipe.eps, weight_decay=recipe.decay)"),
        twin="gpt",
        word="bias correction",
    ),
    _of_update(
        "accumulator_begins_at_one",
        by.RMSPROP,
        "nn.RMSProp's mean of squares begins at one, torch's at zero",
        Edit(_RMSPROP, f"return nn.RMSProp({_ALL}, decay=0.99, epsilon=recipe.eps)"),
        word="accumulator",
    ),
    _of_update(
        "decay_missing",
        by.DECAYED,
        "no weight decay",
        Edit('"params": trained, "weight_decay": recipe.decay', '"params": trained, "weight_decay": 0.0'),
        place="group",
        word="decay",
    ),
    _of_update(
        "decay_of_norms_and_biases",
        by.GROUPED,
        "the group that the reference spares decays as well",
        Edit('"params": spared, "weight_decay": 0.0', '"params": spared, "weight_decay": recipe.decay'),
        twin="cnn_training",
        place="group",
        word="decay",
    ),
    _of_update(
        "norms_spared",
        by.DECAYED,
        "nn optimizers decay no parameter whose name has gamma or beta in it; the reference decays all",
        Edit(_MOMENTUM, f"return nn.SGD({_ALL}, momentum=0.9, weight_decay=recipe.decay)\n    if"),
        path="norm",
        word="decay",
    ),
    _of_update(
        "decay_in_the_gradient",
        by.ADAMW,
        "Adam's decay goes through its moments, AdamW's does not",
        Edit(_ADAMW, _ADAMW.replace("AdamW", "Adam").replace("eps)", "eps)  # for AdamW")),
        word="decoupled",
    ),
    _of_update(
        "momentum_missing",
        by.MOMENTUM,
        "the first update is the same, the settings and the state are not",
        Edit(_MOMENTUM, _MOMENTUM.replace("0.9", "0.0")),
        twin="lstm",
        steps=(0, 1),
        place="group",
        word="momentum",
    ),
    _of_update(
        "nesterov_missing",
        by.NESTEROV,
        "Nesterov's first update is nearly twice as long",
        Edit(_NESTEROV, _NESTEROV.replace(", nesterov=True", "")),
        place="group",
        word="nesterov",
    ),
    _of_update(
        "nesterov_that_does_nothing",
        by.NESTEROV,
        "nn.Momentum says use_nesterov and on a CPU makes plain momentum of it, to the bit",
        Edit(_NESTEROV, f"return nn.Momentum({_ALL}, momentum=0.9, use_nesterov=True)"),
        word="nesterov",
    ),
    _of_update(
        "dampening",
        by.MOMENTUM,
        "the first update knows no dampening, the second does",
        Edit(_MOMENTUM, _MOMENTUM.replace("momentum=0.9", "momentum=0.9, dampening=0.5")),
        steps=(0, 1),
        place="group",
        word="dampening",
    ),
    _of_update(
        "schedule_one_step_early",
        by.SCHEDULED,
        "the schedule goes on before the update: rates are halved at steps 1 and 3 for 2 and 4",
        Edit(_LAST, "            if scheduler:\n                scheduler.step()\n            optimizer(gradients)"),
        steps=(1,),
        place="group",
        word="learning rate",
    ),
    _of_update(
        "schedule_never_steps",
        by.SCHEDULED,
        "the rate stays; the reference halves it at step 2",
        Edit(_LAST, "            optimizer(gradients)"),
        steps=(2,),
        place="group",
        word="learning rate",
    ),
    _of_update(
        "schedule_of_another_factor",
        by.SCHEDULED,
        "a fifth for a half, from step 2 on",
        Edit("step_size=2, gamma=0.5", "step_size=2, gamma=0.2"),
        steps=(2,),
        place="group",
        word="learning rate",
    ),
    _of_update(
        "updates_that_never_happen",
        by.SGD,
        "mint's optimizers write in place, which does nothing on a CPU",
        Edit(_SGD, "return mint.optim.SGD(net.trainable_params(), lr=recipe.rate)"),
        Edit("from mindspore import amp, nn, ops", "from mindspore import amp, mint, nn, ops"),
        Edit("trained = list(optimizer.parameters)", "trained = net.trainable_params()"),
    ),
    _of_update(
        "copies_are_trained",
        by.SGD,
        "the optimizer has copies of the parameters; the net's own are in no group and never change",
        Edit(
            _TRAINABLE,
            "    trained = [ms.Parameter(ms.Tensor(p.asnumpy()), name=p.name) for p in net.trainable_params()]\n    if not",
        ),
        Edit("trained = list(optimizer.parameters)", "trained = net.trainable_params()"),
        or_phase="gradients",
    ),
    _of_update(
        "updated_twice",
        by.SGD,
        "every step is made twice",
        Edit("            optimizer(gradients)", "            optimizer(gradients)\n            optimizer(gradients)"),
    ),
    Fault(
        "batch_norm_momentum_copied",
        "cnn_training",
        "torch's momentum is the share of the new, MindSpore's of the old; only the moving statistics show it",
        net=(Edit("momentum=0.9", "momentum=0.1", times=4),),
        phase="update",
        path="bn1",
        words=("momentum",),
    ),
)

START = (
    Fault(
        "not_in_training_mode",
        "cnn_training",
        "MindSpore's nets do not begin in training mode, torch's do: BatchNorm uses what it has seen before",
        loop=(Edit("net.set_train(True)", "net.set_train(False)"),),
        phase="start",
        words=("train",),
    ),
    Fault(
        "weights_not_loaded",
        "mlp",
        "one layer keeps the weights that the framework gave it",
        unloaded=("fc3",),
        phase="start",
        path="fc3",
    ),
    Fault(
        "positions_not_loaded",
        "gpt",
        "the embedding of positions keeps the weights that the framework gave it",
        unloaded=("transformer.wpe",),
        phase="start",
        path="transformer.wpe",
    ),
    Fault(
        "other_samples",
        "mlp",
        "the rows come in another order than their labels: nobody can say whether the nets agree",
        loop=(Edit(_FED, _FED.replace("ms.Tensor(inputs)", "ms.Tensor(inputs[::-1].copy())")),),
        verdict="unsure",
        phase="start",
    ),
    Fault(
        "other_labels",
        "gpt",
        "a loss that is a layer shows the labels it takes: the tokens themselves, not the next ones",
        by.LOSS_LAYER,
        loop=(Edit(_CRITERION, _CRITERION.replace("labels.reshape", "inputs.astype(ms.int32).reshape")),),
        verdict="unsure",
        phase="start",
    ),
)

FORWARD = (
    Fault(
        "gelu_default",
        "mlp",
        "MindSpore's GELU is the tanh form unless told otherwise",
        by.ADAMW,
        net=(Edit("nn.GELU(approximate=False)", "nn.GELU()"),),
        place="layer",
        path="gelu",
        words=("approximate",),
    ),
    Fault(
        "leaky_relu_default",
        "mlp",
        "MindSpore's slope is 0.2, torch's 0.01",
        by.MOMENTUM,
        net=(Edit("nn.LeakyReLU(alpha=0.01)", "nn.LeakyReLU()"),),
        place="layer",
        path="leaky",
        words=("negative_slope",),
    ),
    Fault(
        "activation_not_called",
        "mlp",
        "the layer is there and nobody calls it",
        net=(Edit("x = self.relu(self.fc1(x))", "x = self.fc1(x)"),),
        place="between",
        path=ROOT,
    ),
    Fault(
        "max_pool_pad_same",
        "cnn_training",
        "'same' pools other windows where the size is even",
        net=(
            Edit('nn.MaxPool2d(3, stride=2, pad_mode="pad", padding=1)', 'nn.MaxPool2d(3, stride=2, pad_mode="same")'),
        ),
        place="layer",
        path="maxpool",
        words=("padding",),
    ),
    Fault(
        "residual_lost",
        "vit",
        "the second sum of every block is lost; the first block shows it",
        by.ADAMW,
        net=(Edit("x = x + self.mlp(self.norm2(x))", "x = self.mlp(self.norm2(x))"),),
        place="between",
        path="blocks.0",
    ),
    Fault(
        "layer_norm_epsilon",
        "gpt",
        "1e-3 for 1e-5 in every norm; the first is the origin",
        net=(Edit("epsilon=1e-5", "epsilon=1e-3", times=3),),
        place="layer",
        path="transformer.h.0.ln_1",
        words=("eps",),
    ),
    Fault(
        "gru_batch_second",
        "lstm",
        "batch_first is lost: same shapes, time and batch exchanged",
        net=(Edit("nn.GRU(32, 24, batch_first=True)", "nn.GRU(32, 24)"),),
        place="layer",
        path="gru",
        words=("batch_first",),
    ),
)

FAULTS: Mapping[str, Fault] = {
    fault.name: fault for fault in (*START, *FORWARD, *LOSSES, *BACKWARD, *GRADIENTS, *UPDATE)
}

"""The verbs for what both nets are given, and for the randomness they start from."""

from __future__ import annotations

import operator
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer.errors import RuleError
from tracer.trace.reader import Trace

if TYPE_CHECKING:
    from tracer.reports.initialisers import InitReport
    from tracer.starting_point.randomness import FixedRandomness


def fix_random(seed: int) -> FixedRandomness:
    """Seed every random generator that nets draw from, and choose deterministic kernels: Python, numpy, torch (CPU,
    CUDA, cuDNN), MindSpore.

    It acts at once. In a `with` statement everything is put back at its end, bit for bit, whatever was raised. Only
    frameworks that are imported are seeded; none is imported for it. torch's `use_deterministic_algorithms` is set to
    warn only, so that a net which ran before does not raise.

    Args:
        seed: a whole number from 0 to 2**32 - 1.

    Returns:
        What was seeded. Its `.cannot` says in sentences what the seed does not fix.

    Raises:
        StartingPointError: another seed.
    """
    from tracer.starting_point.randomness import fixed

    return fixed(seed)


def save_samples(batch: Any, path: str | os.PathLike[str]) -> Path:
    """Keep a batch in an .npz file, so that both nets get the same numbers.

    Tuples, lists, dicts, None, numbers and texts come back as they were, arrays and tensors with their dtypes
    (bfloat16 too). Named tuples come back as tuples, dataclasses and other mappings as dicts; a warning says so. No
    pickle is written. A file that was there is replaced when the new one is whole.

    Args:
        batch: a nest of arrays and tensors of any framework: inputs, labels, whatever belongs to them.
        path: a file that ends in .npz.

    Raises:
        StartingPointError: something in the batch cannot be kept, or the file cannot be written.
    """
    from tracer.starting_point.samples.sample_file import write_samples

    file = _path(path)
    for note in write_samples(batch, file):
        warnings.warn(note, stacklevel=2)
    return file


def load_samples(
    source: str | os.PathLike[str] | Trace,
    framework: str = "numpy",
    *,
    int64: str | None = None,
    float64: str | None = None,
) -> Any:
    """The batch that `save_samples` kept, as tensors of a framework.

    Also reads any .npz, one .npy, a folder of .npy (`0_images.npy`, `1_labels.npy`) and the inputs of a trace: several
    arguments are a tuple, keyword arguments a dict, one argument is itself.

    Args:
        source: a file, a folder, or a `Trace`.
        framework: "numpy", "torch" or "mindspore".
        int64: the dtype in which int64 arrays come, "int32" or "int64". Without it they stay, but in MindSpore, whose
            losses take only int32 labels, they become int32, and a warning says which did.
        float64: the dtype in which float64 arrays come, "float32" or "float64". Without it they stay.

    Raises:
        StartingPointError: there are no samples in it, or they cannot become such tensors; a number that int32 cannot
            hold.
        TraceFileError: a trace that cannot be read.
        FrameworkMissing: the framework is not installed.
    """
    from tracer.starting_point.samples.as_tensors import in_framework
    from tracer.starting_point.samples.sources import samples_from

    samples = samples_from(source if isinstance(source, Trace) else _path(source))
    batch, notes = in_framework(samples.batch, framework, int64=int64, float64=float64)
    for note in (*samples.notes, *notes):
        warnings.warn(note, stacklevel=2)
    return batch


def inputs(*described: Any, seed: int = 0, samples: int | None = None) -> Any:
    """Draw inputs: the same numbers in every process, framework and version.

    Floats are standard normal, whole numbers uniform below their bound, bools even.

    Args:
        described: a shape and a dtype, `inputs((8, 3, 224, 224), "float32")`; or a text for each argument,
            `inputs("8x3x224x224:float32", "8:int64<1000")`, with names `inputs("ids=2x16:int64<30522")`; or a mapping
            from names to such texts, or to pairs of shape and dtype.
        seed: other numbers for each, from 0 to 2**64 - 1.
        samples: so many of them, as a list.

    Returns:
        What `tracer.record` takes as `inputs`: a tuple of arrays, of named ones a dict; a list of those for `samples`.

    Raises:
        StartingPointError: a description that says no shape or dtype.
        RuleError: a seed or a number of samples that is none.
    """
    from tracer.starting_point.samples.drawing import draw_all
    from tracer.starting_point.samples.wanted import wanted_all

    wants = wanted_all(described)
    start = _whole(seed, "seed", 0, (1 << 64) - 1)
    if samples is None:
        return draw_all(wants, start)
    return [draw_all(wants, start, number) for number in range(_whole(samples, "samples", 1, 1 << 20))]


def compare_init(
    reference_factory: Callable[[], Any],
    candidate_factory: Callable[[], Any],
    *,
    seeds: int = 16,
) -> InitReport:
    """Are both nets initialised from the same distributions?

    Each factory is called once for every seed, each time after every generator was seeded; afterwards all of them are
    as they were. Parameters are paired as `tracer.diff` pairs them; of each pair the numbers over all seeds are tested
    by Kolmogorov and Smirnov, with levels that are corrected for the number of pairs: two nets of one initialisation
    are told apart by mistake in at most one of a thousand comparisons. Distributions that are nowhere more than 0.02
    apart (a normal one 4 % wider than another) are taken for one.

    Args:
        reference_factory: makes the net that is right: a class, or a function without arguments.
        candidate_factory: makes its port.
        seeds: how many nets of each side; more show finer differences in small parameters.

    Raises:
        StartingPointError: a factory that raises, makes no net, or one net only.
        RuleError: a number of seeds below 2.
    """
    from tracer.api.arguments import told_progress
    from tracer.reports.initialisers import InitReport
    from tracer.starting_point.initialisers import compare_initialisers

    number = _whole(seeds, "seeds", 2, 1 << 16)
    with told_progress() as progress:
        return InitReport(compare_initialisers(reference_factory, candidate_factory, number, progress))


def _path(value: Any) -> Path:
    if isinstance(value, str | os.PathLike) and isinstance(os.fspath(value), str):
        return Path(value)
    from tracer.api.arguments import given_words

    then = 'give a path, as "samples.npz"'
    raise RuleError("samples are in a file or folder, and this is no path", where=given_words(value), then=then)


def _whole(value: Any, name: str, least: int, most: int) -> int:
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = -1
    if not least <= number <= most:
        raise RuleError(
            f"{name}= is a whole number from {least} to {most}",
            where=f"{name}={value!r}"[:80],
            then=f"give {name}={least}",
        )
    return number

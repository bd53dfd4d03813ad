"""Rules of a recipe, the PaddleOCR config that PaddleOCR owns: a plain dict here.

Loading, typed overrides, the names that PaddleOCR would evaluate, and what a recipe can learn at all.
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from contract.errors import UserError
from contract.hyperparameters import did_you_mean, parse_bool, parse_float, parse_int

Recipe = dict[str, Any]

CONFIGS = Path(__file__).resolve().parent.parent / "configs"

SECTIONS = ("Global", "Optimizer", "Architecture", "Loss", "PostProcess", "Metric", "Train", "Eval")

# Keys that PaddleOCR reads though a recipe may leave them out, with their types.
OPTIONAL_KEYS: dict[str, type] = {
    "Global.seed": int,
    "Global.print_batch_step": int,
    "Global.eval_batch_step": list,
    "Global.character_dict_path": str,
    "Global.pretrained_model": str,
    "Global.model_name": str,
    "Global.max_text_length": int,
    "Global.use_space_char": bool,
    "Optimizer.beta1": float,
    "Optimizer.beta2": float,
    "Optimizer.epsilon": float,
    "Optimizer.weight_decay": float,
    "Optimizer.clip_norm": float,
    "Optimizer.clip_norm_global": float,
    "Optimizer.lr.name": str,
    "Optimizer.lr.learning_rate": float,
    "Optimizer.lr.warmup_epoch": float,
    "Optimizer.lr.decay_epochs": list,
    "Optimizer.lr.values": list,
    "Optimizer.regularizer.name": str,
    "Optimizer.regularizer.factor": float,
    "Architecture.Backbone.scale": float,
    "Architecture.Backbone.model_name": str,
    "Architecture.Backbone.disable_se": bool,
    "Architecture.Head.mid_channels": int,
    "Train.loader.num_workers": int,
    "Train.loader.use_shared_memory": bool,
    "Eval.loader.num_workers": int,
    "Eval.loader.use_shared_memory": bool,
}

# PaddleOCR calls eval() or getattr() on these names, so only the ones that this version trains may reach it.
NAMES: dict[str, tuple[str, ...]] = {
    "transform": ("DecodeImage", "CTCLabelEncode", "RecAug", "RecResizeImg", "KeepKeys"),
    "dataset": ("SimpleDataSet", "LMDBDataSet"),  # a dataset folder takes the place of either
    "optimizer": ("Adam", "AdamW"),
    "learning rate": ("Const", "Cosine", "Piecewise"),
    "regularizer": ("L1", "L2", "L1Decay", "L2Decay"),
    "loss": ("CTCLoss",),
    "post-processing": ("CTCLabelDecode",),
    "metric": ("RecMetric",),
}

# Whole numbers that are counted with or divided by, and the least that each may be.
AT_LEAST = {
    "Global.epoch_num": 1,
    "Global.print_batch_step": 1,
    "Global.max_text_length": 1,
    "Global.seed": 0,
    "Train.loader.batch_size_per_card": 1,
    "Train.loader.num_workers": 0,
    "Eval.loader.batch_size_per_card": 1,
    "Eval.loader.num_workers": 0,
}
NEEDED = ("Global.epoch_num", "Train.loader.batch_size_per_card", "Eval.loader.batch_size_per_card")


@dataclass(frozen=True)
class Limits:
    """What a recipe can learn. Lengths in code points, sizes in pixels."""

    longest_label: int
    reserved: int  # places of max_text_length that marks take: longest_label = max_text_length - reserved
    time_steps: int
    use_space: bool
    height: int
    width: int
    pixels_per_step: int  # 0: widening the input gives no more time steps


class _Loader(yaml.SafeLoader):
    """SafeLoader that reads `1e-4` as the number it looks like (YAML 1.1 wants `1.0e-4`)."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def load_recipe(path: Path) -> Recipe:
    """Read a recipe and check that it is one for text recognition. Raises UserError with file:line."""
    try:
        recipe = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line}: not valid YAML ({error.problem}): correct this line") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: the recipe cannot be read ({error}): name a UTF-8 YAML file") from None
    if not isinstance(recipe, dict):
        raise UserError(f"{path}: not a recipe: it must be a mapping with {', '.join(SECTIONS)}")
    architecture = recipe.get("Architecture")
    kind = architecture.get("model_type") if isinstance(architecture, dict) else None
    if kind not in (None, "rec"):
        raise UserError(f"{path}: Architecture.model_type is {kind!r}: this tool trains text recognition (rec) only")
    for section in SECTIONS:
        if not isinstance(recipe.get(section), dict):
            raise UserError(f"{path}: the section {section} is missing: a complete recognition recipe has it")
    if kind is None:
        raise UserError(f"{path}: Architecture.model_type is missing: a recognition recipe says rec")
    check_recipe(recipe, path)
    return recipe


def find_recipe(name: str, training_folder: Path | None = None) -> Path:
    """The file of a recipe: under configs/ (named with or without it), in the training folder, or absolute.

    Raises UserError that names the nearest recipe there is.
    """
    places = [CONFIGS / name.removeprefix("configs/"), Path(name) if Path(name).is_absolute() else None]
    if training_folder:
        places.append(training_folder / name)
    for place in places:
        if place and place.is_file():
            return place
    known = [path.relative_to(CONFIGS).as_posix() for path in sorted((CONFIGS / "rec").rglob("*.yml"))]
    raise UserError(f"there is no recipe {name!r}{did_you_mean(name.removeprefix('configs/'), known)}")


def check_recipe(recipe: Recipe, where: Path | str) -> None:
    """Refuse a recipe that lacks what this tool walks through, or names what must not be evaluated.

    Asked again after overrides. Raises UserError.
    """
    _check_shape(recipe, where)
    _check_numbers(recipe, where)
    _check_names(recipe, where)


def _check_names(recipe: Recipe, where: Path | str) -> None:
    optimizer = recipe["Optimizer"]
    named = [
        ("optimizer", "Optimizer.name", optimizer.get("name")),
        ("learning rate", "Optimizer.lr.name", optimizer.get("lr", {}).get("name", "Const")),
        ("loss", "Loss.name", recipe["Loss"].get("name")),
        ("post-processing", "PostProcess.name", recipe["PostProcess"].get("name")),
        ("metric", "Metric.name", recipe["Metric"].get("name")),
    ]
    if optimizer.get("regularizer"):
        named.append(("regularizer", "Optimizer.regularizer.name", optimizer["regularizer"].get("name")))
    for mode in ("Train", "Eval"):
        dataset = recipe[mode]["dataset"]
        named.append(("dataset", f"{mode}.dataset.name", dataset.get("name")))
        for index, operator in enumerate(dataset["transforms"]):
            named.append(("transform", f"{mode}.dataset.transforms.{index}", next(iter(operator))))
    for kind, key, name in named:
        if name not in NAMES[kind]:
            nearest = did_you_mean(str(name), list(NAMES[kind]))
            raise UserError(f"{where}: {key} names the unknown {kind} {name!r}{nearest}")
    if recipe["Train"].get("sampler"):
        raise UserError(
            f"{where}: Train.sampler is not supported by this version: use a recipe without one, "
            "such as rec/rec_mv3_none_bilstm_ctc.yml"
        )


def with_override(recipe: Recipe, key: str, raw: str) -> Recipe:
    """A copy of the recipe with one dotted key (list items by index) set to a typed value.

    Raises UserError for an unknown key (naming the nearest) or a value of another type.
    """
    changed = copy.deepcopy(recipe)
    holder: Any = changed
    *parents, last = key.split(".")
    for part in parents:
        holder = _child(holder, part) if _has(holder, part) else None
    if holder is not None and _has(holder, last):
        value = _typed(key, raw, _child(holder, last))
    elif isinstance(holder, dict) and key in OPTIONAL_KEYS:
        value = _typed(key, raw, None)
    else:
        known = [known_key for known_key, _ in flatten(recipe)]
        raise UserError(f"unknown recipe key {key!r}{did_you_mean(key, known + list(OPTIONAL_KEYS))}")
    if isinstance(holder, list):
        holder[int(last)] = value
    else:
        holder[last] = value
    return changed


def flatten(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every (dotted key, value) of a recipe, branches and leaves."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, value in items:
        key = f"{prefix}{name}"
        yield key, value
        yield from flatten(value, key + ".")


def limits_of(recipe: Recipe) -> Limits:
    """What the recipe can learn: longest label and CTC time steps at its training size."""
    names = {next(iter(operator)) for operator in recipe["Train"]["dataset"]["transforms"]}
    reserved = 2 if "MultiLabelEncode" in names else 0  # NRTR's start and end marks (PaddleOCR label_ops)
    longest = int(recipe["Global"].get("max_text_length") or 25) - reserved
    _, height, width = _image_shape(recipe)
    backbone = recipe["Architecture"]["Backbone"]
    if backbone["name"] == "SVTRNet":
        steps, per_step = int(backbone.get("out_char_num", 25)), 0
    elif backbone["name"] in ("PPLCNetV3", "PPHGNetV2_B4"):
        steps, per_step = 40, 0  # training pools the width to 40 whatever the input
    else:
        steps, per_step = -(-width // 2) // 2, 4  # MobileNetV3: stem and pooling halve the width, blocks keep it
    use_space = bool(recipe["Global"].get("use_space_char", False))
    return Limits(longest, reserved, steps, use_space, height, width, per_step)


def ctc_steps(label: str) -> int:
    """Time steps CTC needs for a label: one a character, and a blank between equal neighbours."""
    return len(label) + sum(first == second for first, second in itertools.pairwise(label))


def resize_keys(recipe: Recipe) -> list[str]:
    """The dotted keys of every image_shape that resizes, in Train and Eval."""
    return [
        key
        for key, _ in flatten({mode: recipe[mode] for mode in ("Train", "Eval")})
        if key.endswith("ResizeImg.image_shape")
    ]


def overrides_that_fit(
    recipe: Recipe, *, longest_label: int, most_steps: int, aspect: float, has_space: bool
) -> list[tuple[str, str]]:
    """The overrides with which a recipe takes every label; empty when it does already."""
    limits = limits_of(recipe)
    overrides = []
    if longest_label > limits.longest_label:
        overrides.append(("Global.max_text_length", str(longest_label + limits.reserved)))
    if has_space and not limits.use_space:
        overrides.append(("Global.use_space_char", "true"))
    if most_steps > limits.time_steps and limits.pixels_per_step:
        width = width_that_fits(limits, most_steps, aspect)
        for key in resize_keys(recipe):
            overrides.append((key, f"[3,{limits.height},{width}]"))
    return overrides


def width_that_fits(limits: Limits, most_steps: int, aspect: float) -> int:
    """Input width in pixels, a multiple of 32, that gives the hardest label its steps.

    aspect: width / height of a typical wide image. Up to twice the steps that the hardest label needs are given:
    CTC learns slowly when it has none to spare, and more is only paid for.
    """
    needed = most_steps * limits.pixels_per_step
    return -(-max(needed, min(round(aspect * limits.height), 2 * needed)) // 32) * 32


def _check_numbers(recipe: Recipe, where: Path | str) -> None:
    values = dict(flatten(recipe))
    for key, least in AT_LEAST.items():
        value = values.get(key)
        if value is None and key not in NEEDED:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise UserError(f"{where}: {key} must be a whole number of at least {least}, not {value!r}")
    interval = recipe["Global"].get("eval_batch_step")
    steps = interval if isinstance(interval, list) else [0, interval or 1]
    if len(steps) != 2 or not all(isinstance(step, int) for step in steps) or steps[1] < 1:
        raise UserError(f"{where}: Global.eval_batch_step must be [first step, interval], not {interval!r}")


def _check_shape(recipe: Recipe, path: Path | str) -> None:
    """The parts that the rules above walk through must be there."""
    for mode in ("Train", "Eval"):
        dataset = recipe[mode].get("dataset")
        transforms = dataset.get("transforms") if isinstance(dataset, dict) else None
        if not isinstance(transforms, list) or not all(isinstance(op, dict) and len(op) == 1 for op in transforms):
            raise UserError(f"{path}: {mode}.dataset.transforms must be a list of single operators")
        kept = next((op["KeepKeys"] for op in transforms if "KeepKeys" in op), None) or {}
        if kept.get("keep_keys") != ["image", "label", "length"]:
            raise UserError(f"{path}: {mode}.dataset.transforms must end in KeepKeys [image, label, length]")
        if not isinstance(recipe[mode].get("loader"), dict):
            raise UserError(f"{path}: {mode}.loader is missing: a recognition recipe has it")
    for part in ("Backbone", "Head"):
        if not isinstance(recipe["Architecture"].get(part), dict) or "name" not in recipe["Architecture"][part]:
            raise UserError(f"{path}: Architecture.{part}.name is missing: a recognition recipe has it")
    if not isinstance(recipe["Optimizer"].get("lr"), dict):
        raise UserError(f"{path}: Optimizer.lr is missing: write lr with a learning_rate")
    if not isinstance(recipe["Optimizer"].get("regularizer") or {}, dict):
        raise UserError(f"{path}: Optimizer.regularizer must be a mapping with name and factor")
    _image_shape(recipe)


def _image_shape(recipe: Recipe) -> tuple[int, int, int]:
    for operator in recipe["Train"]["dataset"]["transforms"]:
        ((name, options),) = operator.items()
        if name.endswith("ResizeImg"):
            shape = (options or {}).get("image_shape")
            sizes = shape if isinstance(shape, list) else []
            if len(sizes) == 3 and sizes[0] == 3 and all(isinstance(size, int) and size > 0 for size in sizes):
                return 3, sizes[1], sizes[2]
            raise UserError(f"{name}.image_shape must be [3, height, width], not {shape!r}")
    raise UserError("no training transform resizes the images: add RecResizeImg with an image_shape")


def _has(holder: Any, part: str) -> bool:
    if isinstance(holder, list):
        return part.isdigit() and int(part) < len(holder)
    return isinstance(holder, dict) and part in holder


def _child(holder: Any, part: str) -> Any:
    return holder[int(part)] if isinstance(holder, list) else holder[part]


def _typed(key: str, raw: str, current: Any) -> Any:
    """Parse an override like the value it replaces. bool is asked before int: True is an int to Python."""
    wanted = OPTIONAL_KEYS.get(key) if current is None else type(current)
    if current is None or isinstance(current, str):
        if raw.strip() in ("null", "None", ""):
            return None
        if wanted is None:  # the recipe leaves it open, so the value says its own type
            return yaml.load(raw, Loader=_Loader)
    try:
        if wanted is bool:
            return parse_bool(raw)
        if wanted is int:
            return parse_int(raw)
        if wanted is float:
            return parse_float(raw)
        if wanted in (list, dict):
            value = yaml.load(raw, Loader=_Loader)
            return _like(value, current) if isinstance(value, wanted) else _refuse(raw)
        return raw
    except (ValueError, yaml.YAMLError):
        names = {bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "a mapping"}
        raise UserError(f"{key} must be {names[wanted]}, not {raw!r}") from None  # type: ignore[index]


def _like(value: Any, current: Any) -> Any:
    """A list of numbers stays one: [3,32,x] where [3,32,100] stood is refused."""
    if isinstance(current, list) and current and all(type(item) is type(current[0]) for item in current):
        kind = type(current[0])
        if kind in (int, float) and not all(isinstance(item, (int, kind)) and item is not True for item in value):
            raise ValueError(value)
    return value


def _refuse(raw: str) -> Any:
    raise ValueError(raw)

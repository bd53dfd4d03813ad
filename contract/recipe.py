"""Rules of a recipe, the PaddleOCR config that PaddleOCR owns: a plain dict here.

Loading, typed overrides, and what a recipe can learn at all; `recipe_rules` refuses what must not reach PaddleOCR.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import yaml

from contract.errors import UserError
from contract.flat import flatten
from contract.hyperparameters import did_you_mean, parse_bool, parse_float, parse_int
from contract.limits import MOST_STEPS, TRAINING_TIME_STEPS, Limits, width_that_fits
from contract.recipe_rules import MODES, PPLCNET_COLUMN, SECTIONS, Recipe, check_recipe, has_multi_head, resizing

CONFIGS = Path(__file__).resolve().parent.parent / "configs"

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
    "Optimizer.no_weight_decay_name": str,
    "Optimizer.one_dim_param_no_weight_decay": bool,
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
    "Architecture.Backbone.out_char_num": int,
    "Architecture.Backbone.training_time_steps": int,
    "Architecture.Head.mid_channels": int,
    "Train.sampler.first_bs": int,
    "Train.sampler.fix_bs": bool,
    "Train.sampler.divided_factor": list,
    "Train.loader.num_workers": int,
    "Train.loader.use_shared_memory": bool,
    "Eval.loader.num_workers": int,
    "Eval.loader.use_shared_memory": bool,
}

NRTR_MARKS = 2  # start and end, which take places of max_text_length (PaddleOCR's NRTRLabelEncode)
SVTR_COLUMN = 4  # pixels of the input's width to a column of SVTR's features
OUT_CHAR_NUM = "Architecture.Backbone.out_char_num"
PPLCNET_STEPS = 40  # time steps that PPLCNetV3 trains with, whatever the width, where the recipe does not say otherwise
SCALES = "Train.sampler.scales"
SHOWN = 100  # characters of a value in a message
IMG_SIZE = "Architecture.Backbone.img_size"  # height, width of what the backbone sees
TPS_OUTPUTSIZE = "Architecture.Transform.tps_outputsize"

# Official recipes that are known by another file name than ours. Upstream spells the ending of some `.yaml`.
ALSO_KNOWN_AS = {
    "rec/PP-OCRv4/en_PP-OCRv4_mobile_rec.yml": "rec/PP-OCRv4/en_PP-OCRv4_rec.yml",
    "rec/PP-OCRv5/multi_language/en_PP-OCRv5_mobile_rec.yml": "rec/PP-OCRv5/en_PP-OCRv5_mobile_rec.yml",
    "rec/PP-OCRv5/multi_language/th_PP-OCRv5_mobile_rec.yml": "rec/PP-OCRv5/th_PP-OCRv5_mobile_rec.yml",
    "rec/PP-OCRv5/multi_language/latin_PP-OCRv5_mobile_rec.yml": "rec/PP-OCRv5/latin_PP-OCRv5_mobile_rec.yml",
}


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
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
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
    """The file of a recipe: under configs/ (named with or without it, by our name or the official one, as .yml or
    .yaml), in the training folder, or absolute.

    Raises UserError that names the nearest recipe there is.
    """
    ours = name.removeprefix("configs/")
    spelled = ours.removesuffix(".yaml") + ".yml" if ours.endswith(".yaml") else ours
    places = [CONFIGS / ours, CONFIGS / ALSO_KNOWN_AS.get(spelled, spelled)]
    if training_folder:  # a .yaml of its own comes before one of ours that ends in .yml
        places.insert(1, training_folder / name)
    for place in places:
        if place.is_file():
            return place
    known = [path.relative_to(CONFIGS).as_posix() for path in sorted((CONFIGS / "rec").rglob("*.yml"))]
    raise UserError(f"there is no recipe {name!r}{did_you_mean(ours, [*known, *ALSO_KNOWN_AS])}")


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


def wants_gpu(recipe: Recipe) -> bool:
    """Whether the recipe trains on a GPU where there is one: always, unless it says Global.use_gpu: false."""
    return bool(recipe["Global"].get("use_gpu", True))


def warmup_epochs(recipe: Recipe) -> float:
    """Epochs over which the learning rate rises to its peak."""
    return float(recipe["Optimizer"]["lr"].get("warmup_epoch") or 0)


def limits_of(recipe: Recipe) -> Limits:
    """What the recipe can learn: longest label and CTC time steps at its training size."""
    reserved = NRTR_MARKS if has_multi_head(recipe) else 0
    longest = int(recipe["Global"].get("max_text_length") or 25) - reserved
    use_space = bool(recipe["Global"].get("use_space_char", False))
    height, width = _image_size(recipe)
    backbone = recipe["Architecture"]["Backbone"]
    if backbone["name"] == "SVTRNet":
        height, width = backbone.get("img_size") or (height, width)  # what a rectifying Transform makes of the input
        steps = min(int(backbone.get("out_char_num", 25)), width // SVTR_COLUMN)
        return Limits(longest, reserved, steps, use_space, height, width, SVTR_COLUMN, OUT_CHAR_NUM)
    if backbone["name"] == "PPLCNetV3":
        steps = min(int(backbone.get("training_time_steps") or PPLCNET_STEPS), width // PPLCNET_COLUMN)
        return Limits(longest, reserved, steps, use_space, height, width, PPLCNET_COLUMN, TRAINING_TIME_STEPS)
    if backbone["name"] == "PPHGNetV2_B4":
        steps, per_step = 40, 0  # training pools the width to 40 whatever the input
    else:
        steps, per_step = -(-width // 2) // 2, 4  # MobileNetV3: stem and pooling halve the width, blocks keep it
    return Limits(longest, reserved, steps, use_space, height, width, per_step)


def _image_size(recipe: Recipe) -> tuple[int, int]:
    """Height and width that a checked recipe trains at; with a sampler, that it is evaluated at."""
    _, options = resizing(recipe, "Train") or resizing(recipe, "Eval") or ("", {})
    _, height, width = options["image_shape"]
    return height, width


def resize_keys(recipe: Recipe) -> list[str]:
    """The dotted keys of every image_shape that resizes, in Train and Eval."""
    return [key for key, _ in flatten({mode: recipe[mode] for mode in MODES}) if key.endswith("ResizeImg.image_shape")]


def overrides_that_fit(
    recipe: Recipe, *, longest_label: int, most_steps: int, aspect: float, has_space: bool
) -> list[tuple[str, str]]:
    """The overrides with which a recipe takes every label; empty when it does already. No input is made wide enough
    for a label of more than MOST_STEPS.
    """
    limits = limits_of(recipe)
    overrides = []
    if longest_label > limits.longest_label:
        overrides.append(("Global.max_text_length", str(longest_label + limits.reserved)))
    if has_space and not limits.use_space:
        overrides.append(("Global.use_space_char", "true"))
    if limits.time_steps < most_steps <= MOST_STEPS and limits.pixels_per_step:
        if limits.steps_key:
            overrides.append((limits.steps_key, str(most_steps)))
        if not limits.steps_key or most_steps * limits.pixels_per_step > limits.width:
            width = width_that_fits(limits, most_steps, aspect)
            overrides += _sizes_for(recipe, limits, width)
    return overrides


def _sizes_for(recipe: Recipe, limits: Limits, width: int) -> list[tuple[str, str]]:
    """Every key that holds an input size, for a network that sees `width` pixels."""
    written = dict(flatten(recipe))
    sizes = [(key, f"[{limits.height},{width}]") for key in (IMG_SIZE, TPS_OUTPUTSIZE) if key in written]
    height, before = _image_size(recipe)
    if recipe["Architecture"].get("Transform"):  # it makes the network's size of a larger image
        width = -(-before * width // limits.width // 32) * 32
    if recipe["Train"].get("sampler"):
        scales = [[side * width // limits.width, high] for side, high in recipe["Train"]["sampler"]["scales"]]
        sizes.append((SCALES, str(scales).replace(" ", "")))
    return sizes + [(key, f"[3,{height},{width}]") for key in resize_keys(recipe)]


def _has(holder: Any, part: str) -> bool:
    if isinstance(holder, list):
        return part.isdigit() and int(part) < len(holder)
    return isinstance(holder, dict) and part in holder


def _child(holder: Any, part: str) -> Any:
    return holder[int(part)] if isinstance(holder, list) else holder[part]


def _typed(key: str, raw: str, current: Any) -> Any:
    """Parse an override like the value it replaces. bool is asked before int: True is an int to Python."""
    wanted = OPTIONAL_KEYS.get(key) if current is None else type(current)
    if (current is None or isinstance(current, str)) and raw.strip() in ("null", "None", ""):
        return None
    try:
        if wanted is None:  # the recipe leaves it open, so the value says its own type
            return yaml.load(raw, Loader=_Loader)
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
    except (ValueError, yaml.YAMLError, RecursionError):
        names: dict[type | None, str] = {bool: "true or false", int: "a whole number", float: "a number"}
        names |= {list: "a list", dict: "a mapping", None: "YAML"}
        raise UserError(f"{key} must be {names[wanted]}, not {raw[:SHOWN]!r}") from None


def _like(value: Any, current: Any) -> Any:
    """A list of numbers stays one: [3,32,x] where [3,32,100] stood is refused."""
    if isinstance(current, list) and current and all(type(item) is type(current[0]) for item in current):
        kind = type(current[0])
        if kind in (int, float) and not all(isinstance(item, (int, kind)) and item is not True for item in value):
            raise ValueError(value)
    return value


def _refuse(raw: str) -> Any:
    raise ValueError(raw)

"""What a recipe must be before anything of it reaches PaddleOCR, which evaluates names and walks on without looking.

A recipe is the config that PaddleOCR owns: a plain dict here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from contract.batches import check_ratio, check_sampler
from contract.errors import UserError
from contract.evaluated_names import check_names
from contract.flat import check_extent, flatten

Recipe = dict[str, Any]

MODES = ("Train", "Eval")
SECTIONS = ("Global", "Optimizer", "Architecture", "Loss", "PostProcess", "Metric", "Train", "Eval")

# Random: scores would not be those of the crops.
AUGMENTATIONS = ("RecConAug", "RecAug", "BaseDataAugmentation", "SVTRRecAug")
MOST_JOINED = 100  # lines that RecConAug draws for each sample, if few of them fit

# What a batch holds: CTC alone, or CTC and NRTR (PP-OCRv4 and later), which is trained beside it and left out of the
# exported model.
CTC_BATCH = ["image", "label", "length"]
MULTI_BATCH = ["image", "label_ctc", "label_gtc", "length", "valid_ratio"]

# Whole numbers that are counted with or divided by, and the least that each may be.
AT_LEAST = {
    "Global.epoch_num": 1,
    "Global.print_batch_step": 1,
    "Global.max_text_length": 1,
    "Global.seed": 0,
    "Train.loader.batch_size_per_card": 1,
    "Architecture.Backbone.out_char_num": 1,
    "Architecture.Backbone.training_time_steps": 1,
    "Train.loader.num_workers": 0,
    "Eval.loader.batch_size_per_card": 1,
    "Eval.loader.num_workers": 0,
}
NEEDED = ("Global.epoch_num", "Train.loader.batch_size_per_card", "Eval.loader.batch_size_per_card")

PPLCNET_COLUMN = 8  # pixels of the input's width to a time step of PPLCNetV3


def check_recipe(recipe: Recipe, where: Path | str) -> None:
    """Refuse a recipe that lacks what this tool walks through, or names what must not be evaluated.

    Asked again after overrides. Raises UserError.
    """
    check_extent(recipe, where)
    _check_shape(recipe, where)
    _check_numbers(recipe, where)
    _check_time_steps(recipe, where)
    check_names(recipe, where)
    rate = recipe["Optimizer"]["lr"]
    if rate.get("name") != "Piecewise" and "learning_rate" not in rate:
        raise UserError(f"{where}: Optimizer.lr.learning_rate is missing: a recognition recipe has it")


def has_multi_head(recipe: Recipe) -> bool:
    """CTC and NRTR are trained together."""
    return recipe["Architecture"]["Head"]["name"] == "MultiHead"


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


def _check_time_steps(recipe: Recipe, where: Path | str) -> None:
    """More steps than the input has columns would repeat columns in training, and be gone when it reads."""
    steps = recipe["Architecture"]["Backbone"].get("training_time_steps") or 0
    sampler = recipe["Train"].get("sampler")
    _, options = resizing(recipe, "Train") or ("", {"image_shape": [3, 0, 0]})  # a sampler resizes in its place
    width, needed = options["image_shape"][2], steps * PPLCNET_COLUMN
    if sampler:
        width = min(width for width, _ in sampler["scales"])
    if needed > width:
        raise UserError(
            f"{where}: Architecture.Backbone.training_time_steps {steps} needs an input of {needed} pixels in width, "
            f"and this one has {width}: widen it, or take {width // PPLCNET_COLUMN} or less"
        )


def _check_shape(recipe: Recipe, path: Path | str) -> None:
    """The parts that the rules above walk through must be there, and belong together."""
    for part in ("Backbone", "Head"):
        if not isinstance(recipe["Architecture"].get(part), dict) or "name" not in recipe["Architecture"][part]:
            raise UserError(f"{path}: Architecture.{part}.name is missing: a recognition recipe has it")
    kept_keys = MULTI_BATCH if has_multi_head(recipe) else CTC_BATCH
    for mode in ("Train", "Eval"):
        dataset = recipe[mode].get("dataset")
        transforms = dataset.get("transforms") if isinstance(dataset, dict) else None
        if not isinstance(transforms, list) or not all(map(_is_operator, transforms)):
            raise UserError(f"{path}: {mode}.dataset.transforms must list single operators, options in a mapping")
        kept = (transforms[-1].get("KeepKeys") if transforms else None) or {}
        if kept.get("keep_keys") != kept_keys:
            raise UserError(f"{path}: {mode}.dataset.transforms must end in KeepKeys [{', '.join(kept_keys)}]")
        if not isinstance(recipe[mode].get("loader"), dict):
            raise UserError(f"{path}: {mode}.loader is missing: a recognition recipe has it")
        ratio = dataset.get("ratio_list", 1.0)
        if mode == "Train":
            check_ratio(ratio, f"{path}: Train.dataset")
        elif ratio not in (1, [1]):
            raise UserError(f"{path}: Eval.dataset.ratio_list is {ratio!r}: every sample is validated; leave it out")
    check_rate(recipe, path)
    if not isinstance(recipe["Optimizer"].get("regularizer") or {}, dict):
        raise UserError(f"{path}: Optimizer.regularizer must be a mapping with name and factor")
    _check_heads(recipe, path)
    _check_augmentations(recipe, path)
    _check_sizes(recipe, path)


def check_rate(recipe: Recipe, where: Path | str) -> None:
    """What is written of the learning rate must be numbers, which are scaled and compared. Raises UserError."""
    rate = recipe["Optimizer"].get("lr")
    if not isinstance(rate, dict):
        raise UserError(f"{where}: Optimizer.lr is missing: write lr with a learning_rate")
    for key in ("learning_rate", "warmup_epoch"):
        if key in rate and not _is_amount(rate[key]):
            raise UserError(f"{where}: Optimizer.lr.{key} must be a number of at least 0, not {rate[key]!r}")
    if rate.get("name") != "Piecewise" and "values" not in rate:
        return
    steps = rate.get("values")
    if not isinstance(steps, list) or not steps or not all(map(_is_amount, steps)):
        raise UserError(f"{where}: Optimizer.lr.values must list the learning rates of its steps, not {steps!r}")


def _check_heads(recipe: Recipe, path: Path | str) -> None:
    """A MultiHead needs labels and a loss for both of its heads; any other recipe has neither."""
    if not has_multi_head(recipe):
        if recipe["Loss"].get("name") == "MultiLoss" or any(_of(recipe, mode, "MultiLabelEncode") for mode in MODES):
            raise UserError(f"{path}: MultiLoss and MultiLabelEncode belong to Architecture.Head MultiHead")
        return
    if recipe["Architecture"].get("algorithm") not in ("SVTR_LCNet", "SVTR_HGNet"):
        raise UserError(f"{path}: Architecture.algorithm must be SVTR_LCNet or SVTR_HGNet with a MultiHead")
    for key, parts, names in (
        ("Architecture.Head.head_list", recipe["Architecture"]["Head"].get("head_list"), ["CTCHead", "NRTRHead"]),
        ("Loss.loss_config_list", recipe["Loss"].get("loss_config_list"), ["CTCLoss", "NRTRLoss"]),
    ):
        if not isinstance(parts, list) or not _are_single(parts, names):
            raise UserError(f"{path}: {key} must list {' and '.join(names)}: no other pair is trained")
    if recipe["Loss"].get("name") != "MultiLoss" or not all(_of(recipe, mode, "MultiLabelEncode") for mode in MODES):
        raise UserError(f"{path}: a MultiHead needs Loss.name MultiLoss, and MultiLabelEncode in Train and Eval")


def _check_augmentations(recipe: Recipe, path: Path | str) -> None:
    for operator in recipe["Eval"]["dataset"]["transforms"]:
        if next(iter(operator)) in AUGMENTATIONS:
            raise UserError(f"{path}: Eval.dataset.transforms has {next(iter(operator))}: only training is augmented")
    transforms = recipe["Train"]["dataset"]["transforms"]
    for operator in transforms:
        name, given = next(iter(operator.items()))
        for option, value in (given or {}).items() if name in AUGMENTATIONS else ():
            if option.endswith(("prob", "_p")) and not (_is_amount(value) and value <= 1):
                raise UserError(f"{path}: {name}.{option} must be a chance from 0 to 1, not {value!r}")
    joining = next((index for index, operator in enumerate(transforms) if "RecConAug" in operator), None)
    if joining is None:
        return
    options = transforms[joining]["RecConAug"] or {}
    shape = options.get("image_shape")
    if not _are_sizes(shape, 3):
        raise UserError(f"{path}: RecConAug needs image_shape [height, width, 3]")
    longest = options.get("max_text_length", 0)  # PaddleOCR takes that of Global
    if type(longest) is not int:
        raise UserError(f"{path}: RecConAug.max_text_length must be a whole number, not {longest!r}: or leave it out")
    others = options.get("ext_data_num", 1)
    if type(others) is not int or not 0 <= others <= MOST_JOINED:
        raise UserError(f"{path}: RecConAug.ext_data_num must be a whole number up to {MOST_JOINED}, not {others!r}")
    if recipe["Train"]["dataset"].get("ext_op_transform_idx", 2) != joining:
        raise UserError(f"{path}: Train.dataset.ext_op_transform_idx must be {joining}, the place of RecConAug")


def _check_sizes(recipe: Recipe, path: Path | str) -> None:
    """Who resizes the training images: the sampler or one transform, never both."""
    dataset = recipe["Train"]["dataset"]
    sampler = recipe["Train"].get("sampler")
    if sampler:
        check_sampler(sampler, path)
    if bool(sampler) != (dataset.get("name") == "MultiScaleDataSet"):
        raise UserError(f"{path}: Train.sampler and the dataset MultiScaleDataSet need each other: take both")
    if dataset.get("ds_width"):
        raise UserError(f"{path}: Train.dataset.ds_width needs sizes in the label file, which has none: make it false")
    if sampler and resizing(recipe, "Train"):
        raise UserError(f"{path}: Train.sampler resizes the images: take the transform that does out of Train")
    for mode in ("Eval",) if sampler else MODES:
        name, options = resizing(recipe, mode) or ("", {})
        if not name:
            raise UserError(f"{path}: no transform of {mode} resizes the images: add RecResizeImg with an image_shape")
        shape: Any = (options or {}).get("image_shape")
        if not _are_sizes(shape, 3) or shape[0] != 3:
            raise UserError(f"{path}: {name}.image_shape must be [3, height, width], not {shape!r}")
    backbone = recipe["Architecture"]["Backbone"]
    scale, dims = backbone.get("scale", 1.0), backbone.get("embed_dim", [64])
    if not _is_amount(scale) or scale == 0:
        raise UserError(f"{path}: Architecture.Backbone.scale must be a number above 0, not {scale!r}")
    if backbone["name"] == "SVTRNet" and not (isinstance(dims, list) and _are_sizes(dims, max(1, len(dims)))):
        raise UserError(f"{path}: Architecture.Backbone.embed_dim must list whole numbers, not {dims!r}")
    size = backbone.get("img_size")
    if size is not None and not _are_sizes(size, 2):
        raise UserError(f"{path}: Architecture.Backbone.img_size must be [height, width], not {size!r}")


def resizing(recipe: Recipe, mode: str) -> tuple[str, dict[str, Any]] | None:
    """The transform that resizes, with its options."""
    operators = (item for operator in recipe[mode]["dataset"]["transforms"] for item in operator.items())
    return next(((name, options) for name, options in operators if name.endswith("ResizeImg")), None)


def _of(recipe: Recipe, mode: str, name: str) -> bool:
    return any(name in operator for operator in recipe[mode]["dataset"]["transforms"])


def _is_operator(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(next(iter(value.values())) or {}, dict)


def _are_sizes(value: Any, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(type(size) is int and size > 0 for size in value)


def _are_single(parts: list[Any], names: list[str]) -> bool:
    """[{name: options}, …] with just these names: PaddleOCR evaluates every key of every part."""
    return all(isinstance(part, dict) for part in parts) and [list(part) for part in parts] == [
        [name] for name in names
    ]


def _is_amount(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf")

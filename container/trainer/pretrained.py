"""Pretrained weights, with a receipt: what was loaded, what starts anew, and which characters the head still knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from container.checkpoints import sha256_of
from container.trainer.weights import read_weights
from contract.errors import UserError
from contract.weights_dictionary import OldDictionary, find_dictionary, rows_by_character

WEIGHTS = "*.pdparams"
LEAST_SHARE = 0.5  # of the backbone's tensors; below it the weights are another network's

# What other tools put before the names: distillation (the student is the model that is used), bare backbones.
PREFIXES = ("Student.", "Student2.", "Teacher.", "_layers.", "model.")
BACKBONE = "backbone."

# The layers whose rows are classes, under the first of these names that the network has.
CTC_LAYERS = ("head.ctc_head.fc2", "head.ctc_head.fc", "head.fc2", "head.fc")
NRTR_EMBEDDING = "head.gtc_head.embedding.embedding.weight"
NRTR_PROJECTION = "head.gtc_head.tgt_word_prj.weight"
CTC_MARKS = 1  # blank
NRTR_MARKS = 4  # blank, unknown, start, end
NRTR_SPARE = 1  # one row more than classes

# Part of a tensor's name → whose it is, most telling first.
NETWORKS = (
    ("_moment1_0", "an optimizer (.pdopt)"),
    ("reparam_conv", "a model that was fused for reading, which cannot be trained on"),
    ("head.binarize", "a text detection model"),
    ("dw_conv.conv_kxk", "PP-OCRv4/v5 mobile (PPLCNetV3)"),
    ("token_mixer", "PP-OCRv6 (PPLCNetV4)"),
    ("backbone.block_list", "PP-OCRv3 (MobileNetV1Enhance)"),
    ("backbone.stages", "PP-OCRv4/v5 server (PPHGNet)"),
    ("backbone.patch_embed", "SVTR"),
    ("blocks.0.expand_conv", "CRNN (MobileNetV3)"),
    ("backbone.bb_", "CRNN (ResNet)"),
)


@dataclass(frozen=True)
class Receipt:
    """What came of the pretrained weights; in run.json under `pretrained`."""

    file: str
    sha256: str
    loaded: int  # tensors of the network that were taken whole
    tensors: int  # of the network
    new: tuple[str, ...]  # tensors that start anew
    head: str  # "kept", "rebuilt" (by character) or "new"
    dictionary: str | None  # the file with the characters of the weights
    classes_before: int | None  # of the CTC head: blank, characters, space
    classes: int
    carried: int | None  # rows carried over by character
    new_characters: str | None  # what the head has yet to learn

    def facts(self) -> dict[str, Any]:
        return asdict(self)

    def line(self) -> str:
        """The receipt in one line for people."""
        parts = [f"pretrained weights: loaded {self.loaded} of {self.tensors} tensors from {self.file}"]
        change = f"dictionary {self.classes_before} → {self.classes}"
        if self.head == "rebuilt":
            parts.append(f"head rebuilt: {change}, {self.carried} rows carried over by character ({self.dictionary})")
            if self.new_characters:
                names = ["the space" if each == " " else each for each in self.new_characters]
                parts.append(f"to be learnt: {_listed(names)}")
        elif self.head == "new" and self.classes_before is None:
            parts.append("head starts anew: the file has none")
        elif self.head == "new" and self.dictionary is None:
            parts.append(
                f"head starts anew: {change} and the old dictionary is not known; put it beside the weights as "
                "dict.txt and the rows of its characters are carried over"
            )
        elif self.head == "new":
            parts.append(f"head starts anew: {change}, and its layers have other sizes")
        elif self.dictionary is None:
            parts.append(
                f"head taken as it is, with {self.classes} classes as before: if their order changed, put the old "
                "dictionary beside the weights as dict.txt"
            )
        if self.new:
            parts.append(f"new: {_listed(self.new)}")
        return "; ".join(parts)


def load_pretrained(model: paddle.nn.Layer, characters: Sequence[str], folder: Path, tree: Path) -> Receipt:
    """Put what fits of the one .pdparams in the pretrained channel into the model.

    characters: of the model's classes, without the blank. tree: PaddleOCR, for the dictionaries in it. Tensors
    fit by name and shape; rows of the head go by character when the old dictionary is known. Raises UserError
    when the channel has no such file, or weights of another network.
    """
    file = weights_file(folder)
    own = {name: np.asarray(value) for name, value in model.state_dict().items()}
    given = _with_our_names(read_weights(file), own)
    _check_backbone(file, given, own)
    layer = next(name for name in CTC_LAYERS if f"{name}.weight" in own)
    had = given.get(f"{layer}.weight")
    classes_before = had.shape[-1] if had is not None and had.ndim == 2 else None
    now = tuple(characters)
    old = find_dictionary(file, folder, tree, classes_before) if classes_before else None
    fitting = {name: value for name, value in given.items() if name in own and value.shape == own[name].shape}
    rebuilt = _rebuilt_head(given, own, layer, old, now) if old and old.characters != now else {}
    taken = {name: value for name, value in fitting.items() if name not in rebuilt}
    _check_finite(file, taken | rebuilt)
    model.set_state_dict({name: _like(value, own[name]) for name, value in (taken | rebuilt).items()})
    is_rebuilt = f"{layer}.weight" in rebuilt
    return Receipt(
        file=file.name,
        sha256=sha256_of(file),
        loaded=len(taken),
        tensors=len(own),
        new=tuple(name for name in own if name not in taken and name not in rebuilt),
        head="rebuilt" if is_rebuilt else "kept" if f"{layer}.weight" in taken else "new",
        dictionary=Path(old.file).name if old else None,
        classes_before=classes_before,
        classes=len(now) + CTC_MARKS,
        carried=sum(character in old.characters for character in now) if old and is_rebuilt else None,
        new_characters="".join(each for each in now if each not in old.characters) if old and is_rebuilt else None,
    )


def weights_file(folder: Path) -> Path:
    """The one .pdparams of a folder. Raises UserError that explains what lies there instead."""
    files = sorted(folder.rglob(WEIGHTS))
    if len(files) == 1:
        return files[0]
    if files:
        names = _listed([path.relative_to(folder).as_posix() for path in files])
        raise UserError(
            f"{folder}: the pretrained channel holds {len(files)} .pdparams files ({names}): leave one there"
        )
    for pattern, what in (
        ("*.pdiparams", "an exported model, which cannot be trained on: take the training weights of the same model"),
        ("*.tar", "an archive: unpack it"),
        ("*.pdopt", "an optimizer without its weights: take the .pdparams beside it"),
        ("*.safetensors", "weights of another format: take a .pdparams"),
    ):
        found = next(iter(sorted(folder.rglob(pattern))), None)
        if found:
            raise UserError(f"{folder}: the pretrained channel holds no .pdparams, but {found.name}, {what}")
    raise UserError(f"{folder}: the pretrained channel holds no .pdparams file: put the weights to start from there")


def _with_our_names(content: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a file under the names of the network: of all ways to read the names, the one that fits best."""
    given = {str(name): value for name, value in content.items() if isinstance(value, np.ndarray)}
    ways = [given, {BACKBONE + name: value for name, value in given.items()}]
    for prefix in PREFIXES:
        ways.append({name.removeprefix(prefix): value for name, value in given.items() if name.startswith(prefix)})
    return max(ways, key=lambda names: len(names.keys() & own.keys()))


def _check_backbone(file: Path, given: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray]) -> None:
    backbone = [name for name in own if name.startswith(BACKBONE)]
    fits = sum(name in given and given[name].shape == own[name].shape for name in backbone)
    if fits >= LEAST_SHARE * len(backbone):
        return
    share = f"{fits} of the {len(backbone)} tensors of the backbone ({fits / len(backbone):.0%})"
    weights, network = _network_of(given), _network_of(own)
    if weights and weights == network:
        whose = f"{weights} in another size"
    else:
        whose = f"{weights or 'something else'}, and the recipe is {network or 'another network'}"
    raise UserError(
        f"{file}: only {share} fit: they are weights of {whose}: name the recipe that they were trained with"
    )


def _network_of(names: Mapping[str, Any]) -> str | None:
    return next((network for part, network in NETWORKS if any(part in name for name in names)), None)


def _rebuilt_head(
    given: Mapping[str, np.ndarray],
    own: Mapping[str, np.ndarray],
    layer: str,
    old: OldDictionary,
    now: Sequence[str],
) -> dict[str, np.ndarray]:
    """The layers whose rows are classes: rows of known characters from the weights, the others as they are."""
    ctc = rows_by_character(old.characters, now, CTC_MARKS)
    nrtr = rows_by_character(old.characters, now, NRTR_MARKS)
    before, after = (NRTR_MARKS + len(characters) for characters in (old.characters, now))
    nrtr.append((after, before))  # the spare row
    layers = (
        (f"{layer}.weight", -1, ctc, CTC_MARKS),
        (f"{layer}.bias", 0, ctc, CTC_MARKS),
        (NRTR_EMBEDDING, 0, nrtr, NRTR_MARKS + NRTR_SPARE),
        (NRTR_PROJECTION, -1, nrtr, NRTR_MARKS + NRTR_SPARE),
    )
    rebuilt = {}
    for name, axis, rows, extra in layers:
        if name not in given or name not in own:
            continue
        source, target = (np.moveaxis(array[name], axis, 0) for array in (given, own))
        sizes = len(old.characters) + extra, len(now) + extra
        if (len(source), len(target)) != sizes or source.shape[1:] != target.shape[1:]:
            continue
        target = target.copy()
        source = _like(source, target)
        for after, before in rows:
            target[after] = source[before]
        rebuilt[name] = np.ascontiguousarray(np.moveaxis(target, 0, axis))
    return rebuilt


def _check_finite(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    for name, value in arrays.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise UserError(f"{file}: {name} holds values that are not numbers: take weights from before that")


def _like(value: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The values in the network's own type: half-precision weights train on in float32."""
    if value.dtype == np.uint16 and own.dtype.kind == "f":  # bfloat16: the upper half of a float32
        value = (value.astype(np.uint32) << 16).view(np.float32)
    return value.astype(own.dtype)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")

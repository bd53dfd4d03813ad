"""Labels as class numbers, all of them encoded once, as PaddleOCR's CTCLabelEncode and MultiLabelEncode do it."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Mapping, Sequence

import numpy as np

_UNKNOWN = -1  # a character that the dictionary lacks
_START, _END = 2, 3  # marks of NRTR's labels, before whose characters 3 more classes stand than before CTC's
NRTR_OFFSET = 3


class Labels:
    """The labels of a set: what they are in class numbers, and why some cannot be used."""

    def __init__(self, labels: Sequence[str], classes: Mapping[str, int], longest: int, encoder: str):
        """classes: of CTC, by character. longest: Global.max_text_length. encoder: the name of PaddleOCR's transform;
        MultiLabelEncode encodes for NRTR as well."""
        self._longest = longest
        self._encoder = encoder
        self._multi = encoder == "MultiLabelEncode"
        self.most = longest - 2 if self._multi else longest  # characters: NRTR's marks take two places
        table: np.ndarray = np.full(max(map(ord, classes), default=0) + 2, _UNKNOWN, np.int32)
        for character, number in classes.items():
            table[ord(character)] = number
        code_points = np.frombuffer("".join(labels).encode("utf-32-le"), "<u4")
        self._codes = table[np.minimum(code_points, len(table) - 1)]
        self._borders = array("q", itertools.accumulate(map(len, labels), initial=0))
        lossy: np.ndarray = np.zeros(len(labels), bool)
        lossy[np.searchsorted(self._borders, np.flatnonzero(self._codes == _UNKNOWN), side="right") - 1] = True
        self._lossy = lossy.tobytes()

    def codes(self, sample: int) -> np.ndarray | None:
        """int32, one a character; None for a label that cannot be used."""
        codes = self._encoded(sample)
        return codes if 0 < len(codes) <= self.most and not self._lossy[sample] else None

    def refusal(self, sample: int) -> str:
        """What happened to a label that cannot be used."""
        codes = self._encoded(sample)
        if 0 < (codes != _UNKNOWN).sum() <= self.most and len(codes) <= self._longest:
            return f"lost characters in PaddleOCR's {self._encoder}"
        return f"was refused by PaddleOCR's {self._encoder}"

    def arrays(self, rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Labels of a batch, from their class numbers: CTC's and NRTR's (None where there is no such head), int64
        (rows, longest) with zeros behind; and the lengths, int64 (rows,)."""
        lengths = np.array([len(codes) for codes in rows], np.int64)
        written = np.arange(self._longest) < lengths[:, None]
        codes = np.concatenate(rows) if rows else np.zeros(0, np.int32)
        ctc: np.ndarray = np.zeros((len(rows), self._longest), np.int64)
        ctc[written] = codes
        if not self._multi:
            return ctc, None, lengths
        nrtr = np.zeros_like(ctc)
        nrtr[:, 0] = _START
        nrtr[:, 1:][written[:, :-1]] = codes + NRTR_OFFSET
        nrtr[np.arange(len(rows)), lengths + 1] = _END
        return ctc, nrtr, lengths

    def counts(self) -> dict[str, int]:
        """What the encoder makes of all labels, beside what they hold: it drops what it does not know."""
        borders = np.array(self._borders, np.int64)
        known = np.diff(np.r_[0, np.cumsum(self._codes != _UNKNOWN)][borders])
        known[np.diff(borders) > self._longest] = 0
        return {
            "samples": len(known),
            "code_points": len(self._codes),
            "encoded_samples": int((known > 0).sum()),
            "encoded_code_points": int(known.sum()),
        }

    def _encoded(self, sample: int) -> np.ndarray:
        return self._codes[self._borders[sample] : self._borders[sample + 1]]

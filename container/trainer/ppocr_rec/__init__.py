"""The recognition parts that the PyPI source distribution of PaddleOCR leaves out, for the recipes we ship.

CRNN (https://arxiv.org/abs/1507.05717) over MobileNetV3 (https://arxiv.org/abs/1905.02244), and SVTR
(https://arxiv.org/abs/2205.00159) with or without straightening the line first, both trained with CTC; PP-OCRv4 and v5
mobile, which is PP-LCNet (https://arxiv.org/abs/2109.15099) with CTC guided by NRTR (https://arxiv.org/abs/1806.00926).
This folder is appended to `ppocr.__path__` when a tree has no `ppocr.modeling`: its packages then answer to
`ppocr.modeling`, `ppocr.losses`, `ppocr.metrics` and `ppocr.optimizer`, so imports inside are relative.

Written from the papers. Config keys, names and shapes of parameters, initial distributions and the order in which
layers are made (paddle's automatic names count layers, and optimizer state is keyed by them) are PaddleOCR's, so
weights and optimizer state saved by either open in the other: `tests/container/test_networks_beside_official.py`
compares them with a complete tree.
"""

"""Annotations as people have them: a module for each format, `reading.py` which chooses, and here their names.

The names stand alone so that `--help` need not import the modules.
"""

FORMATS = (
    "auto", "label-file", "gt-txt", "txt", "csv", "json",
    "ppocrlabel", "icdar", "labelme", "page-xml", "abbyy-xml", "textract", "ground-truth",
)  # fmt: skip
LEVELS = ("line", "word")

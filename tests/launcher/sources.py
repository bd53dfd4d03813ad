"""A tiny project with the layout of ours, for tests of tags and builds."""

from __future__ import annotations

import shutil
from pathlib import Path

from launcher.images.image import ROOT

DOCKERFILE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY contract /opt/program/contract
LABEL paddleocr-sagemaker.contract=1
ENTRYPOINT ["true"]
"""


def write_sources(folder: Path, dockerfile: str = DOCKERFILE) -> Path:
    """Our own .dockerignore, and one small file of everything that it lets in."""
    files = {
        "Dockerfile": dockerfile,
        "image/apt_install.sh": "#!/bin/sh\n",
        "contract/errors.py": "class UserError(Exception): ...\n",
        "container/tree.py": 'VERSION = "3.7.0"\nSHA256 = "abc"\n',
        "configs/rec/demo.yml": "Global: {}\n",
        "requirements/train.lock": "numpy==2.0\n",
        "requirements/gpu-cu126.lock": "numpy==2.0\n",
        "requirements/gpu-cu118.lock": "numpy==2.0\n",
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    shutil.copy(ROOT / ".dockerignore", folder)
    return folder

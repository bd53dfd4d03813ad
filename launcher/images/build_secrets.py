"""What a build may read and an image must not keep: pip's index with its password, and a proxy's certificates."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from contract.errors import UserError
from launcher.image_settings import ImageSettings
from launcher.images.buildkit import PROXY_VARIABLES, SECRET_LIMIT

PIP_FILE, CA_FILE = "pip.conf", "ca.crt"  # the secrets' IDs in the Dockerfile
CA_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
# Of pip's own settings, what says where packages come from. Folders of this machine mean nothing in a build.
PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
PIP_ADDRESSES = ("index-url", "extra-index-url", "proxy")
ASK_PIP_S = 30.0


@dataclass(frozen=True)
class BuildSecrets:
    """Files by the ID that the Dockerfile mounts, words that no log may show, and what people should know of it."""

    files: Mapping[str, bytes] = field(repr=False)
    hidden: tuple[str, ...] = field(repr=False)
    notes: tuple[str, ...] = ()


def build_secrets(settings: ImageSettings, environment: Mapping[str, str] | None = None) -> BuildSecrets:
    """What the flags name, else what pip and Python are set up with here. Reads files, and asks pip."""
    variables = os.environ if environment is None else environment
    pip = {"index-url": settings.index_url} if settings.index_url else _pip_settings(variables)
    files, notes = {}, []
    if pip:
        files[PIP_FILE] = "".join(["[global]\n", *(f"{key} = {text}\n" for key, text in pip.items())]).encode()
        if not settings.index_url:
            places = " ".join(
                _without_password(address) for key in PIP_ADDRESSES for address in pip.get(key, "").split()
            )
            notes.append(f"pip installs as it is set up here{': ' + places if places else ''}")
    bundle, origin = ca_bundle(settings, variables)
    if bundle:
        files[CA_FILE] = _read(bundle)
        notes.append(f"certificates trusted while building: {bundle} ({origin})")
    proxies = [variables.get(name, "") for each in PROXY_VARIABLES for name in (each, each.lower())]
    words = [word for text in (*pip.values(), *proxies) for address in text.split() for word in _passwords(address)]
    return BuildSecrets(files, tuple(dict.fromkeys(words)), tuple(notes))


def _pip_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Where pip installs from here: its variables, else its files. Empty where it is not set up, or not installed."""
    found = {}
    for line in _pip_config_lines(environment):
        match = re.fullmatch(r"(?:global|install)\.([a-z-]+)=(.+)", line)
        if match and match.group(1) in PIP_KEYS:
            found[match.group(1)] = str(ast.literal_eval(match.group(2)))
    for key in PIP_KEYS:
        value = environment.get("PIP_" + key.upper().replace("-", "_"))
        if value:
            found[key] = value
    for key in PIP_ADDRESSES:
        found[key] = " ".join(address for address in found.get(key, "").split() if re.match(r"https?://", address))
    return {key: " ".join(found[key].split()) for key in PIP_KEYS if found.get(key, "").strip()}


def _pip_config_lines(environment: Mapping[str, str]) -> list[str]:
    """`pip config list`; its `global` lines come before its `install` lines, which win."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_PIP_S, env=environment, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []  # as when pip is not installed: then it is not set up either
    return sorted(done.stdout.splitlines()) if done.returncode == 0 else []


def _read(bundle: Path) -> bytes:
    try:
        return bundle.read_bytes()
    except OSError as error:
        raise UserError(f"--ca-bundle {bundle} cannot be read ({error.strerror}): make it readable") from None


def ca_bundle(settings: ImageSettings, environment: Mapping[str, str]) -> tuple[Path | None, str]:
    """The certificates that a build trusts: the file and who named it.

    A variable's file that is not there, or too large for a secret, is left out.
    """
    if settings.ca_bundle:
        return settings.ca_bundle, "--ca-bundle"
    for name in CA_VARIABLES:
        path = Path(environment.get(name) or "/nowhere")
        if path.is_file() and path.stat().st_size <= SECRET_LIMIT:
            return path, name
    return None, ""


def _without_password(address: str) -> str:
    return re.sub(r"//[^/@]*@", "//", address)


def _passwords(address: str) -> list[str]:
    """The password of an address as it is written and as it is meant; longest first. A token may be all there is."""
    parts = urlsplit(address)
    written = parts.password or (parts.username or "" if parts.scheme.startswith("http") else "")
    return sorted({written, unquote(written)} - {""}, key=len, reverse=True)

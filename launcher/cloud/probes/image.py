"""The image: it is in ECR, where SageMaker pulls it from, and is one that its machines can run."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from contract.errors import UserError
from launcher.aws import Account, error_code
from launcher.cloud.check import PROBLEM, UNKNOWN, Check, asking, fine, problem, unknown
from launcher.images.ecr import ImageAddress, parse_image

NAME = "image"
INDEXES = ("application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json")
MANIFESTS = ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json")
WANTED = ("linux", "amd64")
CONFIG_BYTES = 4_000_000  # a configuration has some thousand
TIMEOUT_S = 20


def check_images(account: Account, uris: tuple[str, ...], missing: str = "", push: str = "make push") -> Check:
    """Are the images there? The first one that is not stands for all.

    `missing`: why an instance has none; `push`: the command that pushes one.
    """
    if missing or not uris:
        why = missing or "no image of these sources has been pushed"
        return problem(NAME, why, f"run `{push}`, or name one with --image-uri")
    checks = [check_image(account, uri, push) for uri in dict.fromkeys(uris)]
    worst = [check for status in (PROBLEM, UNKNOWN) for check in checks if check.status == status]
    return worst[0] if worst else fine(NAME, "; ".join(check.detail for check in checks))


def check_image(account: Account, uri: str, push: str = "make push") -> Check:
    """Is this image there, in the region of the job, and one single image for linux/amd64?"""
    try:
        address = parse_image(uri)
    except UserError as error:
        reason, _, remedy = str(error).rpartition(": ")
        return problem(NAME, reason, remedy)
    if address.region != account.region:
        return problem(
            NAME,
            f"{uri} is in {address.region} and the job in {account.region}, but SageMaker pulls from its own only",
            f"run `{push}` in {account.region} and leave --image-uri out, or give --region {address.region}",
        )
    return asking(
        NAME, f"looking for {uri}", lambda: _look(account, uri, address, f"run `{push}`, or correct --image-uri")
    )


def repository_of(uris: tuple[str, ...]) -> str:
    """The repository of the first image; empty when there is none, or it is not in ECR."""
    try:
        return parse_image(uris[0]).name if uris else ""
    except UserError:
        return ""


def _look(account: Account, uri: str, address: ImageAddress, push: str) -> Check:
    client = account.client("ecr")
    try:
        answer = client.batch_get_image(
            registryId=address.account,
            repositoryName=address.name,
            imageIds=[address.image_id],
            acceptedMediaTypes=[*MANIFESTS, *INDEXES],
        )
    except client.exceptions.RepositoryNotFoundException:
        return problem(NAME, f"account {address.account} has no repository {address.name} in {address.region}", push)
    if not answer["images"]:
        said = ", ".join(str(each.get("failureReason", each.get("failureCode"))) for each in answer.get("failures", []))
        return problem(NAME, f"{uri} is not in ECR{f' ({said})' if said else ''}", push)
    image = answer["images"][0]
    manifest = json.loads(image["imageManifest"])
    kind = image.get("imageManifestMediaType") or manifest.get("mediaType", "")
    if kind in INDEXES or "manifests" in manifest:
        several = len(manifest.get("manifests", []))
        return problem(
            NAME,
            f"{uri} is an index of {several} images and not one single image, as builds with provenance make it",
            "push it with make push, or build it with --provenance=false --platform linux/amd64",
        )
    size = sum(int(layer.get("size", 0)) for layer in manifest.get("layers", []))
    return _judge_platform(client, uri, address, manifest["config"]["digest"], size)


def _judge_platform(client: Any, uri: str, address: ImageAddress, digest: str, size: int) -> Check:
    """The manifest does not say for which machines an image is; its configuration does."""
    text = f"{uri}, {size / 1e9:.1f} GB compressed"
    try:
        link = client.get_download_url_for_layer(
            registryId=address.account, repositoryName=address.name, layerDigest=digest
        )["downloadUrl"]
        with urllib.request.urlopen(link, timeout=TIMEOUT_S) as answer:
            config = json.loads(answer.read(CONFIG_BYTES))
        platform = (str(config["os"]), str(config["architecture"]))
    except client.exceptions.ClientError as error:
        return unknown(NAME, f"{text}; ECR does not show for which machines it is ({error_code(error)})")
    except (urllib.error.URLError, TimeoutError, ValueError, KeyError, TypeError) as error:
        return unknown(NAME, f"{text}; its configuration cannot be read ({error})")
    if platform != WANTED:
        return problem(
            NAME,
            f"{uri} is for {'/'.join(platform)}, and SageMaker's machines are {'/'.join(WANTED)}",
            "build it with --platform linux/amd64, as make push does",
        )
    return fine(NAME, f"{text}, one image for {'/'.join(WANTED)}")

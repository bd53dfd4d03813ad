"""Why a build failed, in one sentence, as far as its output tells."""

from __future__ import annotations

import re

# The first that is found in the output wins: causes stand before their consequences.
CAUSES = (
    (
        r"[Nn]o space left on device|[Dd]isk quota exceeded",
        "the Docker engine's disk is full: docker system prune makes room",
    ),
    (
        r"exec format error|exec user process caused: exec format",
        "this machine's processor is not amd64 and emulates none: install Docker's emulation "
        "(docker run --privileged --rm tonistiigi/binfmt --install amd64), or build on an amd64 machine",
    ),
    (
        r"DO NOT MATCH THE HASHES",
        "a package from the index is not the one that the lock names: try again, or name another with --index-url",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate signed by unknown authority|[Cc]ertificate verification failed|"
        r"certificate verify failed|unable to get local issuer certificate",
        "a certificate is not trusted: name the file with your proxy's certificates with --ca-bundle",
    ),
    (
        r"407 Proxy Authentication|Proxy Authentication Required",
        "the proxy wants a user name and password: put them into HTTPS_PROXY and HTTP_PROXY",
    ),
    (
        r"ERROR.*401.*(?:Unauthorized|Credentials)|User for \S+: ",
        "the package index wants a user name and password: give them with OCR_INDEX_URL",
    ),
    (
        r"[Tt]emporary failure in name resolution|Temporary failure resolving|[Cc]ould not resolve host|no such host|"
        r"Name or service not known|getaddrinfo|server misbehaving",
        "an address cannot be resolved while building: check the network, HTTPS_PROXY, or name reachable places with "
        "--index-url, --debian-mirror and --tree-url",
    ),
    (
        r"No matching distribution found for|Could not find a version that satisfies",
        "the package index lacks a package of the lock: name a complete one with --index-url",
    ),
    (
        r"Network is unreachable|[Cc]onnection timed out|[Cc]onnection refused|ConnectTimeoutError|ReadTimeoutError|"
        r"i/o timeout|TLS handshake timeout|Cannot initiate the connection",
        "a place to download from does not answer: check the network, HTTPS_PROXY, or name reachable places with "
        "--index-url, --debian-mirror and --tree-url",
    ),
    (r"network\.host is not allowed", "the engine does not lend builds the machine's network: use --network default"),
)
_METADATA = re.compile(r"^#(\d+) \[internal\] load metadata for (\S+)", re.MULTILINE)
# What the command of a step has said of itself: `#18 0.162 error: …`, `#7 3.1 fatal: …`
STEP_ERROR = re.compile(r"#\d+ [\d.]+ (?:error|fatal): (.+)", re.IGNORECASE)


def cause_of(output: list[str]) -> str:
    """The cause and what to do about it; where it is not recognised, BuildKit's own last word."""
    text = "\n".join(output)
    for number, image in _METADATA.findall(text):
        failed = re.search(rf"^#{number} ERROR: (.*)", text, re.MULTILINE)
        if failed:
            return f"the image {image} cannot be pulled ({failed.group(1)}): pull it, or name another with --base-image"
    for pattern, sentence in CAUSES:
        if re.search(pattern, text):
            return sentence
    said = [match[1] for line in output if (match := STEP_ERROR.match(line))]
    said = said or [line for line in output if line.startswith(("ERROR:", "executor failed", "failed to solve"))]
    return (said or [line for line in output if line.strip()] or ["docker said nothing"])[-1].strip()

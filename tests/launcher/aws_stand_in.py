"""AWS's API on this machine: moto's server, reached over HTTP as boto3 reaches AWS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
import pytest
import requests
from moto.core import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer

REGION = "ap-southeast-1"
ACCOUNT = DEFAULT_ACCOUNT_ID
TOKEN = f"{ACCOUNT}-auth-token"  # the registry password that moto's logins hold
KEYS = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")  # from AWS's documentation


@dataclass(frozen=True)
class AwsStandIn:
    """Where it is."""

    address: str

    def reset(self) -> None:
        """Forget everything."""
        requests.post(f"{self.address}/moto-api/reset", timeout=10).raise_for_status()

    def check_permissions(self, *, on: bool) -> None:
        """Whether calls need a user that moto's IAM knows and allows."""
        free_calls = b"0" if on else b"1000000000"
        requests.post(f"{self.address}/moto-api/reset-auth", data=free_calls, timeout=10).raise_for_status()

    def client(self, service: str, region: str = REGION) -> object:
        """A client of a test's own, with keys that are always good."""
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.address,
            aws_access_key_id=KEYS[0],
            aws_secret_access_key=KEYS[1],
        )


@contextmanager
def run_aws() -> Iterator[AwsStandIn]:
    """moto's server, until the end of the block."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield AwsStandIn(f"http://{host}:{port}")
    finally:
        server.stop()


def use_aws(aws: AwsStandIn, environment: pytest.MonkeyPatch, **variables: str) -> None:
    """Let this process, and those it starts, take the stand-in for AWS; nothing of the developer's own is read."""
    use_no_aws(environment)
    ours = {
        "AWS_ENDPOINT_URL": aws.address,
        "AWS_ACCESS_KEY_ID": KEYS[0],
        "AWS_SECRET_ACCESS_KEY": KEYS[1],
        "AWS_REGION": REGION,
    }
    for name, value in (ours | variables).items():
        environment.setenv(name, value)


def use_no_aws(environment: pytest.MonkeyPatch) -> None:
    """No settings, no credentials, no machine that hands them out."""
    for name in list(os.environ):
        if name.startswith("AWS_") and name != "AWS_CA_BUNDLE":
            environment.delenv(name)
    environment.setenv("AWS_CONFIG_FILE", os.devnull)
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    environment.setenv("AWS_EC2_METADATA_DISABLED", "true")

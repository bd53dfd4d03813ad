"""What moto does not speak: IAM's policy simulator and ECR's layers. Everything else goes on to the scripted service.

The simulator judges with the policies that are in moto's IAM, so a policy that lacks something is seen to lack it.
"""

from __future__ import annotations

import fnmatch
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import requests
from botocore.exceptions import ClientError

from tests.service.service import Service

PLATFORM = {"os": "linux", "architecture": "amd64"}


class MoreOfAws:
    """The address that IAM and ECR have."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.platform: dict[str, str] = dict(PLATFORM)  # of every image
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        return self.service.environment | {"AWS_ENDPOINT_URL_IAM": self.url, "AWS_ENDPOINT_URL_ECR": self.url}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def simulate(self, form: dict[str, str]) -> str:
        """The answer of SimulatePrincipalPolicy in IAM's XML."""
        statements = self._statements(form["PolicySourceArn"])
        context = {
            form[f"ContextEntries.member.{n}.ContextKeyName"]: form[
                f"ContextEntries.member.{n}.ContextKeyValues.member.1"
            ]
            for n in range(1, 10)
            if f"ContextEntries.member.{n}.ContextKeyName" in form
        }
        actions, resources = _members(form, "ActionNames"), _members(form, "ResourceArns") or ["*"]
        results = [
            f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}"
            f"</EvalResourceName><EvalDecision>{_decide(statements, action, resource, context)}</EvalDecision>"
            "<MissingContextValues/><MatchedStatements/></member>"
            for action in actions
            for resource in resources
        ]
        return (
            '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
            f"<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults>{''.join(results)}"
            "</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        )

    def _statements(self, arn: str) -> list[dict[str, Any]]:
        iam, kind, name = self.service.own_client("iam"), arn.split(":")[5].split("/")[0], arn.rpartition("/")[2]
        if kind == "user":
            names = iam.list_user_policies(UserName=name)["PolicyNames"]
            documents = [iam.get_user_policy(UserName=name, PolicyName=each)["PolicyDocument"] for each in names]
        else:
            names = iam.list_role_policies(RoleName=name)["PolicyNames"]
            documents = [iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"] for each in names]
        return [statement for document in documents for statement in document["Statement"]]


@contextmanager
def more_of_aws(service: Service) -> Iterator[MoreOfAws]:
    """Until the end of the block."""
    server = MoreOfAws(service)
    try:
        yield server
    finally:
        server.close()


def _members(form: dict[str, str], name: str) -> list[str]:
    return [value for key, value in form.items() if key.startswith(f"{name}.member.")]


def _decide(statements: list[dict[str, Any]], action: str, resource: str, context: dict[str, str]) -> str:
    effects = {
        statement["Effect"]
        for statement in statements
        if _matches(statement["Action"], action)
        and _matches(statement["Resource"], resource)
        and all(
            _matches(wanted, context.get(key, ""))
            for tests in statement.get("Condition", {}).values()
            for key, wanted in tests.items()
        )
    }
    return "explicitDeny" if "Deny" in effects else "allowed" if "Allow" in effects else "implicitDeny"


def _matches(patterns: str | list[str], text: str) -> bool:
    return any(fnmatch.fnmatchcase(text, each) for each in ([patterns] if isinstance(patterns, str) else patterns))


def _refusal(error: ClientError) -> str:
    code, message = (escape(error.response["Error"][key]) for key in ("Code", "Message"))
    said = f"<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>"
    return f"<ErrorResponse><Error>{said}</Error></ErrorResponse>"


def _handler(aws: MoreOfAws) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """ECR's signed address of a layer: here the image's configuration."""
            self._send(200, json.dumps(aws.platform).encode(), "application/json")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            form = dict(parse_qsl(body.decode("utf-8", "replace")))
            if form.get("Action") == "SimulatePrincipalPolicy":
                try:
                    self._send(200, aws.simulate(form).encode(), "text/xml")
                except ClientError as error:
                    self._send(404, _refusal(error).encode(), "text/xml")
            elif self.headers.get("X-Amz-Target", "").endswith(".GetDownloadUrlForLayer"):
                digest = json.loads(body)["layerDigest"]
                answer = {"downloadUrl": f"{aws.url}/layers/{digest}", "layerDigest": digest}
                self._send(200, json.dumps(answer).encode(), "application/x-amz-json-1.1")
            else:
                passed = requests.post(aws.service.url + self.path, data=body, headers=dict(self.headers), timeout=30)
                self._send(passed.status_code, passed.content, passed.headers.get("Content-Type", ""))

        def _send(self, status: int, data: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler

"""One HTTP request to AWS: which service, which operation, by whom, with what."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

# Of operations that only look, how the names begin.
_LOOKS = ("Get", "List", "Head", "Describe", "Filter", "Simulate", "BatchGet", "BatchCheck")

_SCOPE = re.compile(r"Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


@dataclass
class Request:
    """A request as it came over the wire."""

    at: float  # by the service's clock
    service: str  # signing name: sagemaker, logs, servicequotas, pricing, s3, sts, iam, ecr…
    operation: str  # API name, such as CreateTrainingJob, PutObject
    region: str
    key: str = field(repr=False)  # access key id
    body: dict[str, Any] = field(default_factory=dict)  # parameters of JSON services
    path: str = "/"
    size: int = 0  # bytes of the body
    error: str = ""  # code of the answer, when it was a refusal of this package

    @property
    def may_write(self) -> bool:
        return not self.operation.startswith(_LOOKS)


def read_request(environ: dict[str, Any], at: float) -> Request:
    """Reads the body of JSON and query services (moto can read it again); that of S3 is left alone."""
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    service = scope["service"] if scope else ""
    size = int(environ.get("CONTENT_LENGTH") or 0)
    operation, body = "", {}
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        operation = target.rpartition(".")[2]
        body = json.loads(_peek(environ, size) or "{}")
    elif service == "s3":
        operation = s3_operation(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", ""))
    elif environ["REQUEST_METHOD"] == "POST" and "urlencoded" in environ.get("CONTENT_TYPE", ""):
        parameters = parse_qs(_peek(environ, size).decode())
        operation = parameters.get("Action", [""])[0]
        body = {name: values[0] for name, values in parameters.items()}
    return Request(
        at=at,
        service=service,
        operation=operation,
        region=scope["region"] if scope else "",
        key=scope["key"] if scope else "",
        body=body,
        path=environ["PATH_INFO"],
        size=size,
    )


def s3_operation(method: str, path: str, query: str) -> str:
    """The API name of a request to S3 (path style), as far as it matters here."""
    bucket, _, key = path.lstrip("/").partition("/")
    parameters = parse_qs(query, keep_blank_values=True)
    if not bucket:
        return "ListBuckets"
    if not key:
        for name, meant in (("location", "Location"), ("versioning", "Versioning"), ("encryption", "Encryption"),
                            ("publicAccessBlock", "PublicAccessBlock"), ("tagging", "Tagging"), ("policy", "Policy"),
                            ("lifecycle", "Lifecycle")):  # fmt: skip
            if name in parameters:
                return f"{method.capitalize()}Bucket{meant}"
        if method == "GET":
            if "versions" in parameters:
                return "ListObjectVersions"
            return "ListMultipartUploads" if "uploads" in parameters else "ListObjectsV2"
        if method == "POST" and "delete" in parameters:
            return "DeleteObjects"
        return {"HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}.get(method, method)
    if method == "POST":
        return "CreateMultipartUpload" if "uploads" in parameters else "CompleteMultipartUpload"
    if "uploadId" in parameters:
        return {"PUT": "UploadPart", "GET": "ListParts", "DELETE": "AbortMultipartUpload"}.get(method, method)
    return f"{method.capitalize()}Object"


def _peek(environ: dict[str, Any], size: int) -> bytes:
    data = environ["wsgi.input"].read(size)
    environ["wsgi.input"] = io.BytesIO(data)
    return data

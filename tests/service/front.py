"""The one address: every request is recorded, may meet a fault, and is answered by this package or by moto."""

from __future__ import annotations

import json
import logging
import socket
import struct
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from tests.service import logs, pricing, quotas, sagemaker
from tests.service.call import Request, read_request
from tests.service.model_check import check_request, unknown_members
from tests.service.refusal import DENIED, Refusal, as_said_by

if TYPE_CHECKING:
    from tests.service.service import Service

# Signing name: whose operations are answered here.
OURS = {"sagemaker": sagemaker, "logs": logs, "servicequotas": quotas, "pricing": pricing}

StartResponse = Callable[..., Any]

logging.getLogger("werkzeug").setLevel(logging.WARNING)  # no line per request


@dataclass
class Fault:
    """What happens to the next calls of an operation."""

    operation: str  # "*": any
    refusal: Refusal | None
    times: float  # how many more calls it hits
    after: int  # how many calls it spares before
    delay_s: float = 0.0
    key: str = ""  # of whom; empty: of all
    loses_answer: bool = False  # the call is carried out first

    def hits(self, request: Request) -> bool:
        """Counts this call."""
        if self.operation not in ("*", request.operation) or self.key not in ("", request.key) or self.times <= 0:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True


class Front:
    """A WSGI application in a thread of its own."""

    def __init__(self, service: Service, own_key: str) -> None:
        self._service = service
        self._own_key = own_key
        self._moto = DomainDispatcherApplication(create_backend_app)
        handler = type("Handler", (_Handler,), {"now": staticmethod(service.clock.now)})
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="scripted service", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        request = read_request(environ, self._service.clock.now())
        if request.key == self._own_key:
            return self._answer(environ, request, start_response)
        self._service.recorded.append(request)
        try:
            is_lost = self._meet_faults(request)
            answer = self._answer(environ, request, start_response)
            if is_lost:
                _reset(environ["werkzeug.socket"])
            return answer
        except Refusal as refusal:
            return self._refuse(environ, request, refusal, start_response)

    def _meet_faults(self, request: Request) -> bool:
        """Returns whether the answer is to be lost. Raises Refusal."""
        with self._service.lock:
            hit = [fault for fault in self._service.faults if fault.hits(request)]
        time.sleep(sum(fault.delay_s for fault in hit))
        for fault in hit:
            if fault.refusal:
                raise as_said_by(request.service, fault.refusal)
        return any(fault.loses_answer for fault in hit)

    def _answer(self, environ: dict[str, Any], request: Request, start_response: StartResponse) -> Iterable[bytes]:
        room = OURS.get(request.service)
        if room is None:
            may_hide = self._service.hides_missing and request.operation in ("HeadObject", "GetObject")
            return self._moto(environ, _hiding(start_response) if may_hide else start_response)
        try:
            answer = self._operate(room, request)
        except Refusal as refusal:
            return self._refuse(environ, request, refusal, start_response)
        except Exception:  # ours: shown here, and to the client as a failure of the service
            traceback.print_exc()
            failure = Refusal("InternalFailure", traceback.format_exc(limit=-1), 500)
            return self._refuse(environ, request, failure, start_response)
        return self._send(start_response, "200 OK", "application/x-amz-json-1.1", json.dumps(answer or {}))

    def _operate(self, room: Any, request: Request) -> dict[str, Any]:
        operation = room.OPERATIONS.get(request.operation)
        if operation is None:
            raise Refusal("UnknownOperationException", f"tests/service does not speak {request.operation}")
        check_request(room.NAME, request.operation, request.body)
        with self._service.lock:
            answer = operation(self._service, request.region, request.body)
        unknown = unknown_members(room.NAME, request.operation, answer or {})
        assert not unknown, f"{request.operation} answers {unknown}, which the service model does not know"
        return answer

    def _refuse(
        self, environ: dict[str, Any], request: Request, refusal: Refusal, start_response: StartResponse
    ) -> Iterable[bytes]:
        request.error = refusal.code or "connection reset"
        if not refusal.code:
            _reset(environ["werkzeug.socket"])
        _drain(environ)
        kind, text = refusal.body(request.service)
        return self._send(start_response, f"{refusal.status} {refusal.code}", kind, text)

    def _send(self, start_response: StartResponse, status: str, kind: str, text: str) -> Iterable[bytes]:
        data = text.encode()
        headers = [
            ("Content-Type", kind),
            ("Content-Length", str(len(data))),
            ("x-amzn-RequestId", "00000000-0000-4000-8000-000000000000"),
        ]
        start_response(status, headers)
        return [data]


def _hiding(start_response: StartResponse) -> StartResponse:
    """S3 to those who may not list the bucket: what does not exist is forbidden, too."""

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        if status.startswith("404"):
            raise as_said_by("s3", DENIED)
        return start_response(status, headers, *more)

    return start


class _Handler(MotoRequestHandler):
    now: Callable[[], float]

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        """A client has gone, or was made to: nothing more is read from it."""
        self.close_connection = True

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The header Date, of moto's answers too: the service's time."""
        return formatdate(self.now(), usegmt=True)


def _reset(connection: socket.socket) -> None:
    """The connection breaks instead of an answer; werkzeug takes it for a client that has gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise ConnectionResetError


def _drain(environ: dict[str, Any]) -> None:
    """Read what the client still sends: it would not listen to an answer before."""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    while left > 0 and (piece := environ["wsgi.input"].read(min(left, 1 << 16))):
        left -= len(piece)

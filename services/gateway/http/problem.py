"""Refusals on the plain HTTP paths as problem details (RFC 9457)."""

from services.gateway.call.status import code_name, http_status, reason_of, retry_after_seconds, status_from
from services.gateway.http.asgi import Header, Response, json_response

PROBLEM = b"application/problem+json"


def problem(error: Exception, *headers: Header, status_code: int | None = None) -> Response:
    """The response for a refusal; `status_code` where a path's own protocol asks for another than usual."""
    status = status_from(error)
    code = status_code or http_status(status)
    reason = reason_of(status)
    body = {"type": "about:blank", "status": code, "title": code_name(status), "detail": status.message}
    if reason:
        body["reason"] = reason
    extra = list(headers)
    wait = retry_after_seconds(status)
    if wait is not None:
        extra.append((b"retry-after", str(wait).encode()))
    if code == 401:
        extra.append((b"www-authenticate", b"Bearer"))
    return json_response(code, body, *extra, media_type=PROBLEM)

"""Refusals have the codes and HTTP statuses of the Connect protocol, as the web client's own library has them."""

import json
import os
import subprocess

import pytest
from google.rpc import status_pb2  # type: ignore[import-untyped]

from services.gateway.call.status import code_name, http_status
from tools import toolchains
from tools.bootstrap import WEB

UNIMPLEMENTED = 12
PROGRAM = """
import { Code } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { codeToHttpStatus } from "./node_modules/@connectrpc/connect/dist/esm/protocol-connect/http-status.js";
const codes = Object.values(Code).filter((code) => typeof code === "number");
console.log(JSON.stringify(codes.map((code) => [code, codeToString(code), codeToHttpStatus(code)])));
"""


@pytest.fixture(scope="module")
def connect() -> dict[int, tuple[str, int]]:
    """Connect's name and HTTP status of each gRPC code."""
    command = ["node", "--input-type=module", "-e", PROGRAM]
    env = toolchains.with_node(dict(os.environ))
    done = subprocess.run(command, check=True, cwd=WEB, env=env, capture_output=True, text=True)
    return {code: (name, status) for code, name, status in json.loads(done.stdout)}


def test_every_code_has_the_name_and_the_status_of_the_protocol(connect: dict[int, tuple[str, int]]) -> None:
    ours = {code: status_pb2.Status(code=code) for code in connect}
    assert {code: code_name(status) for code, status in ours.items()} == {
        code: name for code, (name, _) in connect.items()
    }
    differing = {code for code, status in ours.items() if http_status(status) != connect[code][1]}
    # A path that nobody offers is the client's mistake.
    assert differing == {UNIMPLEMENTED}
    assert http_status(ours[UNIMPLEMENTED]) == 404

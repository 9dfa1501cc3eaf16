"""The descriptor set that the build writes is all that a compiler of another language needs."""

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

from services.common.errors import Crowded, DomainError, FieldInvalid
from services.common.rpc.errors import status_of
from tools.bootstrap import ROOT

DESCRIPTORS = ROOT / "gen" / "majlis.binpb"


def test_a_bare_compiler_makes_code_of_the_descriptor_set_alone(tmp_path: Path) -> None:
    names = [str(path.relative_to(ROOT / "protos")) for path in sorted((ROOT / "protos" / "majlis").rglob("*.proto"))]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={DESCRIPTORS}"]
    command += [f"--python_out={tmp_path}", f"--grpc_python_out={tmp_path}", *names, "buf/validate/validate.proto"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "majlis" / "room_directory" / "v1" / "stage_service_pb2.py").exists()


def test_the_descriptor_set_lacks_nothing_that_it_imports() -> None:
    files = FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file
    own = {file.name for file in files}
    assert {path for file in files for path in file.dependency} <= own


@pytest.mark.parametrize("refusal", [Crowded(retry_after_seconds=2.0), FieldInvalid(fields=(("title", "is empty"),))])
def test_a_program_that_has_the_descriptor_set_alone_reads_why_a_call_was_refused(refusal: DomainError) -> None:
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file:
        pool.Add(file)
    told = [json_format.MessageToDict(each, descriptor_pool=pool) for each in status_of(refusal).details]
    assert refusal.reason in [each.get("reason") for each in told]

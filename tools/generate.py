"""Generates gen/python (and, when named, src/gen of the TypeScript packages) from protos/ with pinned compilers."""

import argparse
import ast
import hashlib
import inspect
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
PYTHON_OUT = ROOT / "gen" / "python"
TYPESCRIPT = {"web": ROOT / "web", "sdk": ROOT / "sdk" / "typescript"}
"""The TypeScript packages that get code of their own, by the command line's names."""
# What others wrote comes with their packages, as descriptors rather than as .proto files.
VENDORED = ROOT / "gen" / "vendored.binpb"
ERROR_DETAILS = "google/rpc/error_details.proto"


def write_vendored_descriptors() -> None:
    """Writes the descriptors of google.rpc and buf.validate, taken from the installed packages."""
    from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
    from google.rpc import code_pb2, error_details_pb2  # type: ignore[import-untyped]
    from protovalidate._gen.buf.validate import validate_pb

    files = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2, code_pb2, error_details_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    for node in ast.walk(ast.parse(inspect.getsource(validate_pb))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "file_desc":
            literal = node.args[0]
            if isinstance(literal, ast.Constant) and isinstance(literal.value, bytes):
                files.file.add().ParseFromString(literal.value)
                break
    else:
        raise SystemExit("generate: the protovalidate package has no descriptor of buf/validate/validate.proto")
    VENDORED.parent.mkdir(parents=True, exist_ok=True)
    VENDORED.write_bytes(files.SerializeToString())


def proto_files() -> list[str]:
    """All contract files, relative to protos/, sorted."""
    return sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))


def protoc(*arguments: str) -> None:
    """Runs the compiler of grpcio-tools; plugins are found beside the interpreter."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        "-I",
        str(PROTOS),
        f"--descriptor_set_in={VENDORED}",
        *arguments,
    ]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PATH": path})


@contextmanager
def fresh(folder: Path) -> Iterator[Path]:
    """A new folder that takes the old one's place when the block ends well, so that nobody meets it half written."""
    new, old = folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.old")
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    new.mkdir(parents=True)
    yield new
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def compile_python(out: Path) -> None:
    """Messages, typed stubs and gRPC services for Python, into a folder; needs the descriptors of buf.validate."""
    plugins = ("--python_out=", "--mypy_out=quiet:", "--grpc_python_out=", "--mypy_grpc_out=quiet:")
    protoc(*(f"{plugin}{out}" for plugin in plugins), *proto_files())
    protoc(f"--python_out={out}", f"--mypy_out=quiet:{out}", "buf/validate/validate.proto")
    (out / "majlis" / "py.typed").touch()


def generate_python() -> None:
    """Messages, typed stubs and gRPC services for Python, and the whole contract as one descriptor set."""
    with fresh(PYTHON_OUT) as out:
        compile_python(out)
    protoc(
        f"--descriptor_set_out={ROOT / 'gen' / 'majlis.binpb'}",
        "--include_imports",
        "--include_source_info",
        *proto_files(),
        # No contract imports it, but refusals carry it: programs that read answers by this set alone need it.
        ERROR_DETAILS,
    )


def generate_typescript(package: Path) -> None:
    """Messages and service descriptors for one TypeScript package; its node_modules has the plugin."""
    plugin = package / "node_modules" / ".bin" / "protoc-gen-es"
    # The web client is bundled from .ts imports; a package for Node is compiled, and imports what that leaves.
    extension = "js" if package.name == "typescript" else "none"
    with fresh(package / "src" / "gen") as out:
        options = (
            f"--plugin=protoc-gen-es={plugin}",
            f"--es_out={out}",
            f"--es_opt=target=ts,import_extension={extension}",
        )
        protoc(*options, *proto_files())
        protoc(*options, "buf/validate/validate.proto", "google/rpc/code.proto", ERROR_DETAILS)


def fingerprint() -> str:
    """Changes when a contract, this file or a pinned tool changes."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for name in proto_files():
        digest.update(name.encode() + (PROTOS / name).read_bytes())
    digest.update((ROOT / "requirements-dev.lock").read_bytes())
    return digest.hexdigest()


def generate(stamp: Path, make: Callable[[], None]) -> None:
    """Runs `make` unless the stamp shows that nothing changed since."""
    mark = fingerprint()
    if stamp.exists() and stamp.read_text() == mark:
        return
    write_vendored_descriptors()
    make()
    stamp.write_text(mark)


def main() -> None:
    """Command line: without arguments Python only, with names TypeScript packages too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "packages", nargs="*", metavar="package", help=f"{', '.join(sorted(TYPESCRIPT))} (with node_modules)"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.packages) - set(TYPESCRIPT):
        parser.error(f"no package {unknown.pop()}; there are {', '.join(sorted(TYPESCRIPT))}")
    generate(ROOT / "gen" / ".python-stamp", generate_python)
    for name in arguments.packages:
        package = TYPESCRIPT[name]
        generate(package / "src" / "gen" / ".stamp", partial(generate_typescript, package))


if __name__ == "__main__":
    main()

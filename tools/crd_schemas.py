"""Vendors the schemas of the kinds that operators add, from the operators' own releases.

`write` makes k8s/schemas/ again, `check` compares it with the releases; both need Go, which fetches a release as a
module and verifies its content against the public checksum database. Linting uses the files alone.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "k8s" / "schemas"
Schema = dict[str, Any]

FETCH_SECONDS = 300
READABLE_DEPTH = 5
"""Levels of a schema that get lines of their own, so that a new release can be reviewed as a diff."""


@dataclass(frozen=True)
class Release:
    """One operator's release, and the files in it that define kinds."""

    name: str
    module: str
    version: str
    folder: str
    files: tuple[str, ...]
    notice: str

    @property
    def source(self) -> str:
        """How a schema names where it comes from."""
        return f"{self.module}@{self.version}"


RELEASES = (
    Release(
        "KEDA",
        "github.com/kedacore/keda/v2",
        "v2.21.0",
        "config/crd/bases",
        ("keda.sh_scaledobjects.yaml",),
        "Copyright the KEDA authors.",
    ),
    Release(
        "CloudNativePG",
        "github.com/cloudnative-pg/cloudnative-pg",
        "v1.30.0",
        "config/crd/bases",
        ("postgresql.cnpg.io_clusters.yaml",),
        "Copyright the CloudNativePG contributors.",
    ),
    Release(
        "cert-manager",
        "github.com/cert-manager/cert-manager",
        "v1.21.2",
        "deploy/crds",
        ("cert-manager.io_certificates.yaml", "cert-manager.io_issuers.yaml"),
        "Copyright the cert-manager authors.",
    ),
    Release(
        "Prometheus operator",
        "github.com/prometheus-operator/prometheus-operator",
        "v0.93.0",
        "example/prometheus-operator-crd",
        (
            "monitoring.coreos.com_servicemonitors.yaml",
            "monitoring.coreos.com_podmonitors.yaml",
            "monitoring.coreos.com_prometheusrules.yaml",
        ),
        "Copyright 2016-2026 The Prometheus Operator authors.",
    ),
)

README = (
    "# Schemas of kinds that operators add",
    "",
    "Written by `python -m tools.crd_schemas write`; not edited by hand. Each file is the stored version of a",
    "CustomResourceDefinition of the release below, changed in these ways: descriptions, defaults and `status` are",
    "left out, and so are rules in CEL, for which JSON Schema has no words; fields that are not named are refused;",
    "`metadata` is reduced to what manifests use.",
    "",
    "All are under the [Apache License 2.0](../../LICENSE).",
    "",
    "| from | release | files | notice |",
    "|---|---|---|---|",
)

METADATA: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 253},
        "namespace": {"type": "string", "minLength": 1, "maxLength": 63},
        "labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
"""Definitions leave metadata to the API server; this much of it manifests use."""


def fetch(release: Release) -> Path:
    """The folder of a release's definitions. Raises SystemExit when Go is not here or cannot fetch it."""
    command = ["go", "mod", "download", "-json", release.source]
    try:
        # In a folder of no module: a go.mod of ours would have a say in what is fetched.
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, timeout=FETCH_SECONDS)
    except FileNotFoundError:
        raise SystemExit("majlis: Go is needed to fetch the operators' releases") from None
    found = json.loads(done.stdout or "{}")
    if "Dir" not in found:
        raise SystemExit(f"majlis: {release.source} cannot be fetched: {found.get('Error', done.stderr.strip())}")
    return Path(found["Dir"]) / release.folder


def definitions(release: Release) -> dict[str, dict[str, Any]]:
    """The CustomResourceDefinitions of a release that are used here, by file."""
    folder = fetch(release)
    return {file: yaml.safe_load((folder / file).read_text(encoding="utf-8")) for file in release.files}


def strict(node: Schema) -> Schema:
    """A structural schema of Kubernetes as JSON Schema that refuses what the API server would drop unseen."""
    made: Schema = {}
    for key, value in node.items():
        match key:
            case "description" | "default" | "nullable" | "example":
                pass
            case "properties":
                made[key] = {name: strict(each) for name, each in value.items()}
            case "items" | "not":
                made[key] = strict(value)
            case "additionalProperties":
                made[key] = strict(value) if isinstance(value, dict) else value
            case "oneOf" | "anyOf" | "allOf":
                # Branches only say more about fields that are named beside them.
                made[key] = [{k: v for k, v in each.items() if k != "description"} for each in value]
            case "pattern":
                # Go allows flags anywhere, Python only in front.
                made[key] = f"(?i){value.replace('(?i)', '')}" if "(?i)" in value else value
            case _ if not key.startswith("x-kubernetes-"):
                made[key] = value
    is_open = node.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in node
    if node.get("type") == "object" and "properties" in node and not is_open:
        made["additionalProperties"] = False
    if node.get("x-kubernetes-int-or-string"):
        made.pop("anyOf", None)
        made["type"] = ["integer", "string"]
    if node.get("nullable") and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    return made


def schema_of(definition: dict[str, Any], release: Release) -> tuple[str, Schema]:
    """(file name, schema) of the version that a definition stores."""
    spec = definition["spec"]
    version = next(each for each in spec["versions"] if each["storage"] and each["served"])
    made = strict(version["schema"]["openAPIV3Schema"])
    fields = {name: each for name, each in made["properties"].items() if name != "status"}
    fields["apiVersion"] = {"const": f"{spec['group']}/{version['name']}"}
    fields["kind"] = {"const": spec["names"]["kind"]}
    fields["metadata"] = METADATA
    schema: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"{spec['names']['kind']} of {release.source}, Apache-2.0; see README.md beside it",
        "type": "object",
        "additionalProperties": False,
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": fields,
    }
    return f"{spec['names']['kind'].lower()}.json", schema


def written(value: Any, depth: int = READABLE_DEPTH, indent: str = "") -> str:
    """JSON with sorted keys: readable lines on top, compact below."""
    if not isinstance(value, dict) or not value or not depth:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    inner = indent + " "
    lines = (f"{inner}{json.dumps(key)}: {written(value[key], depth - 1, inner)}" for key in sorted(value))
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def readme() -> str:
    """Where the schemas come from and under which licence."""
    rows = []
    for release in RELEASES:
        names = ", ".join(f"`{file}`" for file in release.files)
        rows.append(f"| {release.name} | `{release.source}` | {names} | {release.notice} |")
    return "\n".join([*README, *rows, ""])


def files() -> dict[str, str]:
    """What belongs into the folder, by name."""
    made = {"README.md": readme()}
    for release in RELEASES:
        for definition in definitions(release).values():
            name, schema = schema_of(definition, release)
            made[name] = written(schema) + "\n"
    return made


def main(arguments: list[str]) -> int:
    """`write` or `check`; returns how many files differ."""
    wanted = files()
    if arguments == ["write"]:
        FOLDER.mkdir(exist_ok=True)
        for old in FOLDER.iterdir():
            if old.name not in wanted:
                old.unlink()
        for name, text in wanted.items():
            (FOLDER / name).write_text(text, encoding="utf-8")
        return 0
    different = [name for name, text in wanted.items() if (FOLDER / name).read_text(encoding="utf-8") != text]
    for name in different:
        print(
            f"k8s/schemas/{name} is not what its release says: run `python -m tools.crd_schemas write`", file=sys.stderr
        )
    return len(different)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

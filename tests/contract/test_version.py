"""One version, wherever it is said: what runs, what is built, what is documented."""

import json
import re
import tomllib

import majlis_client
import yaml

from services.common.version import VERSION
from tools.bootstrap import ROOT

CARGO = ROOT / "services" / "media_relay" / "packetcore"


def test_every_package_says_the_version_that_runs() -> None:
    said = {
        path: tomllib.loads((ROOT / path).read_text())["project"]["version"]
        for path in ("pyproject.toml", "sdk/python/pyproject.toml")
    }
    said["majlis_client"] = majlis_client.__version__
    for path in ("web/package.json", "sdk/typescript/package.json"):
        said[path] = json.loads((ROOT / path).read_text())["version"]
        lock = json.loads((ROOT / path.replace("package.json", "package-lock.json")).read_text())
        said[f"{path}, locked"], said[f"{path}, itself"] = lock["version"], lock["packages"][""]["version"]
    said["packet core"] = tomllib.loads((CARGO / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    assert {path: version for path, version in said.items() if version != VERSION} == {}


def test_images_are_called_by_the_version_that_they_hold() -> None:
    assert f"ARG VERSION={VERSION}\n" in (ROOT / "deploy" / "Dockerfile").read_text()
    images = [
        each["image"] for each in yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"].values()
    ]
    own = [image for image in images if image.startswith("majlis-")]
    assert own
    assert all(image.endswith("${VERSION:-" + VERSION + "}") for image in own)
    for page in sorted((ROOT / "k8s" / "overlays").glob("*/kustomization.yaml")):
        for image in yaml.safe_load(page.read_text()).get("images", []):
            if image["name"].startswith("majlis-"):
                assert image["newTag"] == VERSION, page
    for guide in ("docker.md", "kubernetes.md"):
        text = (ROOT / "docs" / "guides" / guide).read_text()
        assert set(re.findall(r"majlis-[\w$-]+:(\d+\.\d+\.\d+)", text)) <= {VERSION}

"""deploy/compose.yaml against the code: settings, ports, secrets, and the rights of its containers."""

import contextlib
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from ops import certificates, nats_config, secrets
from ops.__main__ import main as majlis
from tools import manifest_settings
from tools.lint_manifests import MADE_AT_START, SERVICES, documented

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
PARTS: dict[str, Any] = COMPOSE["services"]
FILES = ("tls.crt", "ca.crt")
OURS = [service.replace("_", "-") for service in SERVICES]


def settings_of(part: str) -> dict[str, str]:
    prefix = part.replace("-", "_").upper()
    given = dict(PARTS[part]["environment"])
    for file, made in MADE_AT_START.items():
        if f"{prefix}_{file}" in given:
            given[f"{prefix}_{made}"] = given.pop(f"{prefix}_{file}")
    return given


@pytest.mark.parametrize("part", OURS)
def test_every_setting_of_a_service_exists_and_is_given_or_left_for_a_reason(part: str) -> None:
    known = documented(part.replace("-", "_"))
    given = settings_of(part)
    assert given.keys() <= {setting.env for setting in known}
    assert {setting.env for setting in known if setting.default is None} <= given.keys()
    prefix = part.replace("-", "_").upper()
    untold = {setting.env for setting in known} - given.keys()
    assert {name for name in untold if not manifest_settings.is_left(name, prefix, one_machine=True)} == set()


@pytest.mark.parametrize("part", OURS)
def test_every_address_leads_to_a_container_and_the_port_it_opens(part: str) -> None:
    for name, value in settings_of(part).items():
        if not name.endswith(("_ADDRESS", "_ADVERTISE")) or value.startswith("${"):
            continue
        host, port = value.split(":")
        listens = PARTS[host]["environment"][f"{host.replace('-', '_').upper()}_GRPC_LISTEN"]
        assert listens.endswith(f":{port}"), f"{name}={value}"
    bus = re.search(r'listen: "0.0.0.0:(\d+)"', nats_config.contained())
    assert bus is not None
    assert f"nats://nats:{bus[1]}" in settings_of(part).values()


def test_the_world_reaches_only_what_is_meant_for_it() -> None:
    published = {f"{name} {port}" for name, part in PARTS.items() for port in part.get("ports", [])}
    assert published == {
        "media-relay 8082:8082/udp",
        "media-relay 8082:8082",
        "gateway 127.0.0.1:8080:8080",
        "gateway 127.0.0.1:8081:8081",
        "grafana 127.0.0.1:3000:3000",
        "alertmanager 127.0.0.1:9093:9093",
        "caddy 80:80",
        "caddy 443:443",
        "caddy 443:443/udp",
        "coturn 3478:3478",
        "coturn 3478:3478/udp",
        "coturn ${TURN_TLS_PORT:-5349}:5349",
    }
    relay, gateway = settings_of("media-relay"), settings_of("gateway")
    assert relay["MEDIA_RELAY_BIND"].endswith(":8082")
    assert gateway["GATEWAY_LISTEN"].endswith(":8080")
    assert gateway["GATEWAY_GRPC_PUBLIC_LISTEN"].endswith(":8081")


def test_caddy_passes_on_to_ports_that_the_gateway_opens() -> None:
    targets = re.findall(r"reverse_proxy (?:h2c://)?(\S+)", (ROOT / "deploy" / "Caddyfile").read_text())
    assert targets == ["gateway:8080", "gateway:8081"]


@pytest.mark.parametrize("part", OURS)
def test_a_service_can_neither_write_its_root_nor_gain_rights_nor_take_all_memory(part: str) -> None:
    container = PARTS[part]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in container["security_opt"]
    assert container["mem_limit"]
    assert container["build"]["args"] == {"SERVICE": part.replace("-", "_")}


def test_every_file_a_setting_names_is_a_secret_or_a_volume_of_its_container() -> None:
    for part in OURS:
        container = PARTS[part]
        places = {f"/run/secrets/{name}" for name in container["secrets"]}
        places |= {volume.split(":")[1] for volume in container.get("volumes", [])}
        for name, value in container["environment"].items():
            if name.endswith("_FILE"):
                assert any(value == place or value.startswith(f"{place}/") for place in places), f"{name}={value}"


def test_the_secrets_command_makes_every_secret_that_compose_mounts(tmp_path: Path) -> None:
    values = secrets.keep(tmp_path)
    secrets.write_compose(values, tmp_path / "compose")
    for name, secret in COMPOSE["secrets"].items():
        assert secret["file"] == f"${{SECRETS:-../var/secrets}}/compose/{name}"
        assert (tmp_path / "compose" / name).is_file(), name
    used = {
        each if isinstance(each, str) else each["source"] for part in PARTS.values() for each in part.get("secrets", [])
    }
    assert used == set(COMPOSE["secrets"])


def test_secrets_that_exist_are_kept_and_nobody_else_may_enter_their_folder(tmp_path: Path) -> None:
    first = secrets.keep(tmp_path / "secrets")
    assert secrets.keep(tmp_path / "secrets") == first
    assert len(set(first.values())) == len(first)
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


def test_no_reason_is_kept_for_a_setting_that_is_gone() -> None:
    settings = [(service.upper(), each.env) for service in SERVICES for each in documented(service)]
    assert list(manifest_settings.stale(settings)) == []


def test_the_secrets_that_are_printed_for_kubernetes_are_manifests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert majlis(["secrets", "--folder", str(tmp_path), "--namespace", "majlis-media", "--only", "media-relay"]) == 0
    printed = list(yaml.safe_load_all(capsys.readouterr().out))
    assert {each["kind"] for each in printed} == {"Secret"}
    assert {each["metadata"]["namespace"] for each in printed} == {"majlis-media"}
    assert len(printed) == 3


def test_a_namespace_gets_the_secrets_of_its_parts_and_no_others(tmp_path: Path) -> None:
    values = secrets.keep(tmp_path)

    def made(*only: str, certified: bool = True) -> set[str]:
        found = secrets.manifests(values, "majlis-media", "db", only=only, certified=certified)
        return {each["metadata"]["name"] for each in found}

    assert made("media-relay") == {"majlis-service-secret", "majlis-nats-media-relay", "media-relay-tls"}
    assert made("media-relay", certified=False) == {"majlis-service-secret", "majlis-nats-media-relay"}
    assert made(*secrets.CERTIFIED) == made()


def test_the_addresses_of_the_database_ask_for_tls_on_kubernetes_and_name_the_mounted_authority(tmp_path: Path) -> None:
    values = secrets.keep(tmp_path)
    for tls in (secrets.VERIFIED, "sslmode=require"):
        made = secrets.manifests(values, "majlis", "db", database_tls=tls)
        urls = next(each["stringData"] for each in made if each["metadata"]["name"] == "majlis-database")
        assert all(url.endswith(f"@db:5432/majlis?{tls}") for url in urls.values())
    text = (ROOT / "k8s" / "components" / "postgresql" / "kustomization.yaml").read_text()
    folder, name = secrets.DATABASE_CA.rsplit("/", 1)
    assert text.count(f"mountPath: {folder},") == text.count(f"path: {name}}}") == 3


def test_every_secret_that_the_overlays_mount_is_made_for_kubernetes(tmp_path: Path) -> None:
    made = {each["metadata"]["name"]: each for each in secrets.manifests(secrets.keep(tmp_path), "majlis", "db")}
    text = "".join(path.read_text() for path in (ROOT / "k8s").rglob("*.yaml"))
    pattern = r"(?:secretName|passwordSecret: \{name|secret: \{name): (majlis-(?:nats|db|service|inv|data)[\w-]*)"
    # The authority of the database is the database's, or its operator's, to give.
    mounted = set(re.findall(pattern, text)) - {"majlis-db-ca"}
    assert mounted == {name for name in made if not name.endswith("-tls")}
    assert made["majlis-database"]["stringData"]["auth"].startswith("postgresql://auth:")


def test_every_certificate_that_the_overlays_mount_is_made_with_the_names_it_is_called_by(tmp_path: Path) -> None:
    made = {each["metadata"]["name"]: each for each in secrets.manifests(secrets.keep(tmp_path), "hall", "db")}
    text = "".join(path.read_text() for path in (ROOT / "k8s").rglob("*.yaml"))
    mounted = set(re.findall(r"secretName: ([\w-]+-tls), defaultMode", text))
    assert mounted == {f"{part}-tls" for part in secrets.CERTIFIED} <= made.keys()
    for part in secrets.CERTIFIED:
        secret = made[f"{part}-tls"]
        assert secret["type"] == "kubernetes.io/tls"
        leaf, authority = (x509.load_pem_x509_certificate(secret["stringData"][f].encode()) for f in FILES)
        leaf.verify_directly_issued_by(authority)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == certificates.names_of(part, "hall")
        ids = [] if part == "nats" else [f"spiffe://majlis/{part.replace('-', '_')}"]
        assert names.get_values_for_type(x509.UniformResourceIdentifier) == ids


def test_an_authority_gives_way_to_the_next_without_a_moment_in_which_a_part_trusts_no_certificate_in_use(
    tmp_path: Path,
) -> None:
    def step() -> tuple[str, str]:
        made = secrets.manifests(secrets.keep(tmp_path), "majlis", "db", trusted=secrets.other_authorities(tmp_path))
        data = next(each["stringData"] for each in made if each["metadata"]["name"] == "auth-tls")
        return data["tls.crt"], data["ca.crt"]

    def is_trusted(leaf: str, authorities: str) -> bool:
        certificate = x509.load_pem_x509_certificate(leaf.encode())
        for authority in x509.load_pem_x509_certificates(authorities.encode()):
            with contextlib.suppress(InvalidSignature, ValueError):
                certificate.verify_directly_issued_by(authority)
                return True
        return False

    steps = [step()]
    secrets.begin_new_authority(tmp_path)
    steps.append(step())
    (tmp_path / "authority").rename(tmp_path / "authority-before")
    (tmp_path / "authority-next").rename(tmp_path / "authority")
    steps.append(step())
    (tmp_path / "authority-before").unlink()
    steps.append(step())
    for (leaf, trusts), (next_leaf, next_trusts) in itertools.pairwise(steps):
        assert is_trusted(leaf, next_trusts)
        assert is_trusted(next_leaf, trusts)
    assert not is_trusted(steps[0][0], steps[3][1])


def test_cert_manager_issues_the_same_names_and_identities_as_the_secrets_command() -> None:
    text = (ROOT / "k8s" / "components" / "cert-manager" / "certificates.yaml").read_text()
    issued = {
        each["spec"]["secretName"]: each["spec"]
        for each in yaml.safe_load_all(text)
        if each["kind"] == "Certificate" and not each["spec"].get("isCA")
    }
    assert issued.keys() == {f"{part}-tls" for part in secrets.CERTIFIED}
    for part in secrets.CERTIFIED:
        spec = issued[f"{part}-tls"]
        assert spec["dnsNames"] == certificates.names_of(part, "majlis")
        assert spec.get("uris", []) == ([] if part == "nats" else [f"spiffe://majlis/{part.replace('-', '_')}"])
        assert {"server auth", "client auth"} <= set(spec["usages"])


def test_certificates_are_left_out_where_cert_manager_issues_them(tmp_path: Path) -> None:
    made = secrets.manifests(secrets.keep(tmp_path), "majlis", "db", certified=False)
    assert not [each for each in made if each["metadata"]["name"].endswith("-tls")]


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    provisioning = ROOT / "deploy" / "grafana" / "provisioning"
    source = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
    provider = yaml.safe_load((provisioning / "dashboards" / "majlis.yaml").read_text())["providers"][0]
    assert any(volume.endswith(f":{provider['options']['path']}:ro") for volume in PARTS["grafana"]["volumes"])


def test_the_bus_keeps_nothing_on_a_disk_wherever_it_runs() -> None:
    assert not [each for each in PARTS["nats"]["volumes"] if not each.endswith(":ro")]
    assert "nats" not in COMPOSE["volumes"]
    local = nats_config.local("127.0.0.1:1", "127.0.0.1:2", dict.fromkeys(nats_config.USERS, "U"))
    for text in (local, *nats_config.files().values()):
        assert "jetstream" not in text
    for kind in ("single", "cluster"):
        text = (ROOT / "k8s" / "components" / f"nats-{kind}" / "nats.yaml").read_text()
        server = next(yaml.safe_load_all(text))["spec"]
        assert "volumeClaimTemplates" not in server
        probes = {name: value for name, value in server["template"]["spec"]["containers"][0].items() if "Probe" in name}
        assert {probe["httpGet"]["path"] for probe in probes.values()} == {"/healthz"}

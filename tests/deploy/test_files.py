"""What stands in deploy/ is right by its own rules, and fits what the program does: roles, probes, times to stop."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from airworthy.app.config import DRAIN_S, DRAIN_S_MAX, Config
from airworthy.app.gateway_config import GatewayConfig
from airworthy.cli.foreground import HAND_OVER_S
from airworthy.cli.main import command
from airworthy.cli.up import ROLES, SERVING
from airworthy.core.errors import ConfigError
from airworthy.gateway.server._uvicorn import CLEARING_S_MAX, CLOSING_S_MAX

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
SCHEMAS = Path(__file__).parent / "schemas"
MANIFESTS = sorted(
    path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml"
)
PORT = 8090
# For acts under way, which are never cut in two: what most tools are given.
ACTS_S = 20.0
WORKER_S = DRAIN_S + HAND_OVER_S + ACTS_S
SERVER_S = GatewayConfig(Path()).drain_s + CLEARING_S_MAX + CLOSING_S_MAX
API_VERSIONS = {
    "Namespace": "v1",
    "ServiceAccount": "v1",
    "Service": "v1",
    "Secret": "v1",
    "Deployment": "apps/v1",
    "PodDisruptionBudget": "policy/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
}


@cache
def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@cache
def documents() -> dict[str, Any]:
    """By kind and name."""
    found = {}
    for path in MANIFESTS:
        for document in yaml.safe_load_all(path.read_text()):
            found[f"{document['kind']}/{document['metadata']['name']}"] = document
    return found


def deployments() -> dict[str, Any]:
    return {key.partition("/")[2]: each for key, each in documents().items() if each["kind"] == "Deployment"}


def pod(deployment: Any) -> Any:
    return deployment["spec"]["template"]["spec"]


def container(deployment: Any) -> Any:
    (only,) = pod(deployment)["containers"]
    return only


def parts() -> dict[str, list[str]]:
    """What each thing that is deployed is started with, after the word `airworthy`."""
    found = {
        f"compose {name}": service["command"]
        for name, service in compose()["services"].items()
        if "command" in service
    }
    found |= {f"kubernetes {name}": container(each)["args"] for name, each in deployments().items()}
    found |= {f"systemd {path.stem}": started(unit(), env(path)) for path in units()}
    docker = (DEPLOY / "Dockerfile").read_text()
    given = re.search(r"^CMD (.*)$", docker, re.MULTILINE)
    assert given is not None
    return {**found, "image": json.loads(given[1])}


def units() -> list[Path]:
    return [path for path in sorted((DEPLOY / "systemd").glob("*.env")) if path.stem != "airworthy"]


def env(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@cache
def unit() -> dict[str, str]:
    lines = [
        line for line in (DEPLOY / "systemd" / "airworthy@.service").read_text().splitlines() if "=" in line
    ]
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def started(given: dict[str, str], values: dict[str, str]) -> list[str]:
    words = given["ExecStart"].split()
    assert words[0].endswith("/airworthy")
    return [re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], word) for word in words[1:]]


def options(words: list[str]) -> dict[str, Any]:
    """As the command line reads them. Raises: click's errors."""
    group = command()
    context = group.make_context("airworthy", list(words), resilient_parsing=False)
    name, found, rest = group.resolve_command(context, [*context._protected_args, *context.args])
    assert found is not None
    return found.make_context(name, rest, parent=context).params


@pytest.mark.parametrize("name", sorted(parts()))
def test_each_part_is_started_with_words_that_the_command_line_takes(name: str) -> None:
    given = options(parts()[name])

    roles = (given["roles"] or ",".join(ROLES)).split(",")
    assert set(roles) <= set(ROLES)
    assert given["listen"], "or it answers no probe"


@pytest.mark.parametrize("where", ["compose", "kubernetes", "systemd"])
def test_every_role_is_somewhere(where: str) -> None:
    found = [options(words)["roles"].split(",") for name, words in parts().items() if name.startswith(where)]

    assert sorted(role for roles in found for role in roles) == sorted(ROLES)


@pytest.mark.parametrize("name", sorted(deployments()))
def test_probes_ask_what_is_answered(name: str) -> None:
    """Of the database only readiness: one that is away is no reason to start anything anew."""
    found = container(deployments()[name])
    ports = {port["name"]: port["containerPort"] for port in found["ports"]}
    asked = {kind: found[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}

    assert {kind: get["path"] for kind, get in asked.items()} == {
        "startupProbe": "/livez",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }
    assert {ports[get["port"]] for get in asked.values()} == {PORT}
    assert options(found["args"])["listen"].endswith(f":{PORT}")


@pytest.mark.parametrize("name", sorted(deployments()))
def test_a_pod_has_the_time_to_let_go(name: str) -> None:
    """Killed before, it loses nothing, but its tasks wait for a lease and calls under way are made again."""
    spec = pod(deployments()[name])
    roles = set(options(container(deployments()[name])["args"])["roles"].split(","))
    sleep = (
        container(deployments()[name])
        .get("lifecycle", {})
        .get("preStop", {})
        .get("exec", {})
        .get("command", ["", "0"])
    )
    served = bool(SERVING & roles)
    needed = max(WORKER_S if "worker" in roles else 0, SERVER_S if served else 0) + float(sleep[1])

    assert spec["terminationGracePeriodSeconds"] >= needed
    assert (sleep[0] == "sleep") is served, "a service sends connections for a moment more"


def test_compose_and_systemd_wait_as_long() -> None:
    mine = [each for each in compose()["services"].values() if "command" in each]

    assert all(float(each["stop_grace_period"].removesuffix("s")) >= max(WORKER_S, SERVER_S) for each in mine)
    assert float(unit()["TimeoutStopSec"]) >= max(WORKER_S, SERVER_S)
    assert (unit()["KillSignal"], unit()["KillMode"], unit()["Restart"]) == ("SIGTERM", "mixed", "always")


@pytest.mark.parametrize(
    ("value", "why"), [(-1.0, "below"), (DRAIN_S_MAX + 1.0, "beyond"), (float("nan"), "no number")]
)
def test_a_time_to_drain_that_cannot_be_is_refused(value: float, why: str) -> None:
    with pytest.raises(ConfigError, match="drain_s"):
        Config(Path(), drain_s=value)

    assert Config(Path(), drain_s=0.0).drain_s == 0.0, why


# --- each by its own rules ---


def test_the_compose_file_is_one() -> None:
    jsonschema.validate(compose(), json.loads((SCHEMAS / "compose.json").read_text()))
    services = compose()["services"]

    assert set(services) == {"postgres", "worker", "monitor", "gateway", "console"}
    assert services["worker"]["deploy"]["replicas"] == 2
    for name, service in services.items():
        if "command" in service:
            assert service["depends_on"]["postgres"]["condition"] == "service_healthy", name
            assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), "keys travel as they are"


def test_the_compose_file_names_every_variable_that_must_be_set() -> None:
    text = (DEPLOY / "compose.yaml").read_text()

    asked = set(re.findall(r"\$\{(\w+)", text))
    assert asked == set(env(DEPLOY / "compose.example.env"))
    assert all(":?" in found for found in re.findall(r"\$\{[^}]*\}", text)), "none is empty by chance"


def _resolver(schema: Any, kind: str) -> Any:
    return {"$ref": schema["kinds"][kind], "definitions": schema["definitions"]}


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_is_one(path: Path) -> None:
    """By the schemas of the API server, which know every field there is, and no other."""
    schema = json.loads((SCHEMAS / "kubernetes.json").read_text())
    for document in yaml.safe_load_all(path.read_text()):
        assert document["apiVersion"] == API_VERSIONS[document["kind"]]
        jsonschema.Draft7Validator(_resolver(schema, document["kind"])).validate(document)


def test_a_field_that_does_not_exist_is_found() -> None:
    schema = json.loads((SCHEMAS / "kubernetes.json").read_text())
    broken = yaml.safe_load((DEPLOY / "kubernetes" / "namespace.yaml").read_text()) | {"sepc": {}}

    with pytest.raises(jsonschema.ValidationError, match="sepc"):
        jsonschema.Draft7Validator(_resolver(schema, "Namespace")).validate(broken)


def test_manifests_fit_each_other() -> None:
    found = documents()
    for name, deployment in deployments().items():
        spec, labels = deployment["spec"], deployment["spec"]["template"]["metadata"]["labels"]
        assert spec["selector"]["matchLabels"] == labels
        assert found[f"PodDisruptionBudget/{name}"]["spec"]["selector"]["matchLabels"] == labels
        assert spec["replicas"] > 1, "or an upgrade of a node stops it"
        assert pod(deployment)["serviceAccountName"] in {
            key.partition("/")[2] for key in found if key.startswith("ServiceAccount/")
        }
        secrets = [each["secretRef"]["name"] for each in container(deployment)["envFrom"]]
        assert all(f"Secret/{secret}" in found for secret in secrets)
        if SERVING & set(options(container(deployment)["args"])["roles"].split(",")):
            service = found[f"Service/{name}"]["spec"]
            assert service["selector"] == labels
            assert [port["targetPort"] for port in service["ports"]] == ["http"]
    listed = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    names = {path.name for path in MANIFESTS} - {"secret.example.yaml"}
    assert set(listed["resources"]) == names, "a secret is not applied with the rest"
    assert {each["name"] for each in listed["images"]} == {
        container(each)["image"] for each in deployments().values()
    }


@pytest.mark.parametrize("name", sorted(deployments()))
def test_a_pod_may_do_nothing_but_its_work(name: str) -> None:
    spec, mine = pod(deployments()[name]), container(deployments()[name])

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert mine["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= set(mine["resources"]["requests"])
    assert "memory" in mine["resources"]["limits"]


def test_nothing_holds_a_secret_or_a_version_that_changes_by_itself() -> None:
    for path in [path for path in DEPLOY.rglob("*") if path.is_file()]:
        text = path.read_text()
        assert not re.search(r"://[^/\s:@]+:[^@\s]+@", text), f"{path.name}: a password in an address"
        assert not re.search(
            r"^\s*(?:PGPASSWORD|POSTGRES_PASSWORD|\w+_API_KEY)[=:]\s*[\"']?\w", text, re.M
        ), path
        for image in re.findall(r"^\s*(?:FROM|image:)\s+(\S+)", text, re.M):
            assert not image.endswith(":latest"), path.name
            assert ":" in image or image == "airworthy-agent", f"{path.name}: {image}"
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert compose()["x-airworthy"]["image"] == f"airworthy:{version}"


def test_the_image_is_made_of_what_there_is() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    extras = re.findall(r"\"\.\[([\w,]+)\]\"", text)[0].split(",")
    assert set(extras) <= set(project["optional-dependencies"])
    assert "postgres" in extras
    allowed = {
        line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = {
        word.rstrip("/") for line in re.findall(r"^COPY (?!--)(.*) \S+$", text, re.M) for word in line.split()
    }
    assert copied == allowed
    assert all((ROOT / each).exists() for each in copied)
    assert "USER 10001" in text
    (healthy,) = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", text)
    assert healthy == (str(PORT), "/readyz")


def _program(name: str) -> str:
    """Beside the interpreter, or on the path."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found


def test_hadolint_has_nothing_to_say_of_the_image() -> None:
    done = subprocess.run(
        [_program("hadolint"), "--no-color", str(DEPLOY / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_yamllint_has_nothing_to_say() -> None:
    linter = pytest.importorskip("yamllint.linter")
    config = pytest.importorskip("yamllint.config").YamlLintConfig(
        "extends: default\nrules: {document-start: disable, line-length: {max: 120}, truthy: {check-keys: false},"
        " comments: {min-spaces-from-content: 1}}"
    )

    said = [
        f"{path.name}: {problem}"
        for path in DEPLOY.rglob("*.yaml")
        for problem in linter.run(path.read_text(), config)
    ]
    assert said == []


def test_systemd_has_nothing_to_say_of_the_unit(tmp_path: Path) -> None:
    """With a program that is here. Of what the service could do if it were taken over, little is left."""
    analyze = _program("systemd-analyze")
    text = (DEPLOY / "systemd" / "airworthy@.service").read_text()
    path = tmp_path / "airworthy@worker.service"
    path.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={shutil.which('true')}", text, flags=re.MULTILINE))

    for asked in (
        ["verify", "--man=no", "--recursive-errors=no", str(path)],
        ["security", "--offline=true", "--threshold=25", "--no-pager", str(path)],
    ):
        done = subprocess.run([analyze, *asked], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.strip()) == (0, ""), done.stdout

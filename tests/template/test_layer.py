"""The built layer, in an interpreter that has nothing else."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import botocore
import pytest

from local.stack.build import build
from local.stack.toolchain import host, uv
from tests.fakes import dynamodb, messaging, sqs
from tests.fakes.endpoint import Aws

PROJECT = Path(__file__).resolve().parents[2]
SERVICES = {"dynamodb", "events", "lambda", "secretsmanager", "sqs", "sts"}

# Imports every module of the package, makes every client the functions make, and tells where each
# loaded module came from. -I and -S leave nothing on sys.path but the standard library.
_PROBE = """
import sys
layer = sys.argv[1]
sys.path.insert(0, layer)
import importlib, importlib.metadata, json, pkgutil
import refunds
names = [found.name for found in pkgutil.walk_packages(refunds.__path__, "refunds.")]
for name in names:
    importlib.import_module(name)
from refunds.aws import AwsClients
keys = dict(aws_access_key_id="a", aws_secret_access_key="b")
with AwsClients(connections=1, endpoint_url=sys.argv[2], session=keys) as clients:
    clients.client("dynamodb").put_item(TableName="ledger", Item={"pk": {"S": "a"}})
    clients.client("events").put_events(Entries=[{"Source": "a", "DetailType": "b", "Detail": "{}"}])
    clients.client("sqs").send_message(QueueUrl=sys.argv[2] + "/queue", MessageBody="a", MessageAttributes={})
    clients.client("secretsmanager").get_secret_value(SecretId="a")
    for service in ("lambda", "sts"):
        clients.client(service)
from refunds.providers.clients import secret_reader
with AwsClients(connections=1, endpoint_url=sys.argv[2], session=keys) as clients:
    assert secret_reader(clients.client, "providers")(False) == "kept"
from refunds.providers.http.provider_http import open_http
open_http(1).close()
files = [getattr(module, "__file__", None) for module in sys.modules.values()]
print(json.dumps({
    "modules": len(names),
    "outside": sorted(file for file in files if file and "site-packages" in file),
    "versions": {name: importlib.metadata.version(name) for name in ("boto3", "botocore", "httpx")},
}))
"""


class Unchecked:
    """SQS that tells no checksum, so that botocore compares none."""

    def carry_out(self, _operation: str, _request: dict[str, Any]) -> dict[str, Any]:
        """Take the message."""
        return {"MessageId": "message-1"}


@pytest.fixture(scope="module")
def layer() -> Path:
    """The layer's ``python`` folder, built by `sam build` for this machine."""
    return build(host()).parent / "RefundsLayer" / "python"


@pytest.fixture(scope="module")
def report(layer: Path) -> dict[str, Any]:
    """What a bare interpreter finds in the layer."""
    aws = Aws(
        {
            dynamodb.TARGET: dynamodb.Tables(ledger="pk"),
            messaging.EVENTS_TARGET: messaging.Bus(),
            sqs.TARGET: Unchecked(),
            messaging.SECRETS_TARGET: messaging.Secrets("kept"),
        }
    )
    with aws.listening() as endpoint:
        probe = subprocess.run(
            [sys.executable, "-I", "-S", "-W", "error", "-c", _PROBE, str(layer), endpoint],
            env={"PATH": os.defpath, "AWS_DEFAULT_REGION": "ap-northeast-2"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert set(aws.calls) == {"PutItem", "PutEvents", "SendMessage", "GetSecretValue"}
    assert probe.returncode == 0, probe.stderr
    found: dict[str, Any] = json.loads(probe.stdout)
    return found


def test_layer_is_complete(report: dict[str, Any]) -> None:
    """All of the package and the clients it makes load from the layer and the standard library alone."""
    package = PROJECT / "layers" / "refunds" / "src" / "refunds"
    modules = [path for path in package.rglob("*.py") if path != package / "__init__.py"]
    assert report["modules"] == len(modules) > 20
    assert report["outside"] == []


def test_layer_has_the_locked_versions(report: dict[str, Any]) -> None:
    """What the tests run with is what the functions run with."""
    lock = (PROJECT / "layers" / "refunds" / "requirements.txt").read_text(encoding="utf-8")
    for name, version in report["versions"].items():
        assert f"\n{name}=={version} " in lock


def test_layer_carries_only_what_is_called(layer: Path, tmp_path: Path) -> None:
    """No other services' descriptions, no tests; less than 30 MB unpacked and 10 MB zipped."""
    services = {path.name for path in (layer / "botocore" / "data").iterdir() if path.is_dir()}
    assert services == SERVICES
    assert not list(layer.rglob("tests"))
    assert sum(path.stat().st_size for path in layer.rglob("*") if path.is_file()) < 30_000_000
    archive = shutil.make_archive(str(tmp_path / "layer"), "zip", layer.parent, layer.name)
    assert Path(archive).stat().st_size < 10_000_000


def test_layer_describes_services_as_botocore_does(layer: Path) -> None:
    """Only texts are missing of the services that are called, and of endpoints only the other services."""
    slim, whole = layer / "botocore" / "data", Path(botocore.__file__).parent / "data"
    kept = [path.relative_to(slim) for path in slim.glob("*/*/*.json")]
    assert {path.parts[0] for path in kept if path.name == "service-2.json"} == SERVICES
    for path in kept:
        packed = whole / f"{path}.gz"
        text = gzip.decompress(packed.read_bytes()) if packed.exists() else (whole / path).read_bytes()
        assert json.loads((slim / path).read_bytes()) == json.loads(text, object_hook=_without_text), path
    found, expected = (json.loads((data / "endpoints.json").read_bytes()) for data in (slim, whole))
    for partition in expected["partitions"]:
        partition["services"] = {k: v for k, v in partition["services"].items() if k in SERVICES}
    assert found == expected


def _without_text(described: dict[str, Any]) -> dict[str, Any]:
    if isinstance(described.get("documentation"), str):
        del described["documentation"]
    return described


def test_what_is_trimmed_was_there(layer: Path) -> None:
    """Each line of the list of what goes still names something that the packages bring, and it is gone."""
    lines = (PROJECT / "layers" / "refunds" / "trim.txt").read_text(encoding="utf-8").splitlines()
    patterns = [path for line in lines if (path := line.partition("#")[0].strip())]
    installed = Path(boto3.__file__).parents[1]
    of_the_build = {"bin", ".lock"}
    assert [path for path in patterns if not any(installed.glob(path))] == sorted(of_the_build, reverse=True)
    assert [path for path in patterns if any(layer.glob(path))] == []


def test_roots_one_by_one(layer: Path) -> None:
    """The folder of single roots holds every root that certifi ships, under names OpenSSL looks for."""
    roots = {
        path.name: path.read_text(encoding="ascii").strip()
        for path in (layer / "refunds" / "roots").iterdir()
    }
    bundle = (layer / "certifi" / "cacert.pem").read_text(encoding="utf-8")
    assert sorted(roots.values()) == sorted(
        re.findall(r"-----BEGIN.*?END CERTIFICATE-----", bundle, re.DOTALL)
    )
    assert all(re.fullmatch(r"[0-9a-f]{8}\.[0-9]", name) for name in roots)


def test_roots_of_aws(layer: Path) -> None:
    """The five roots that AWS's own certificates come from are found among certifi's, one of each name."""
    roots = (layer / "refunds" / "roots_of_aws.pem").read_text(encoding="ascii")
    found = re.findall(r"-----BEGIN.*?END CERTIFICATE-----", roots, re.DOTALL)
    bundle = (layer / "certifi" / "cacert.pem").read_text(encoding="utf-8")
    assert len(set(found)) == 5
    assert all(root in bundle for root in found)
    context = ssl.create_default_context(cafile=str(layer / "refunds" / "roots_of_aws.pem"))
    names = {
        part[0][1]
        for root in context.get_ca_certs()
        for part in root["subject"]
        if part[0][0] == "commonName"
    }
    assert names == {
        *(f"Amazon Root CA {number}" for number in range(1, 5)),
        "Starfield Services Root Certificate Authority - G2",
    }


def test_layer_is_compiled(layer: Path) -> None:
    """Bytecode that stays valid whatever times the files get saves the cold start from compiling."""
    (compiled,) = (layer / "refunds" / "service" / "__pycache__").glob("protocol.*.pyc")
    flags = int.from_bytes(compiled.read_bytes()[4:8], "little")
    assert flags == 0b01, "hash-based and unchecked (PEP 552)"


def test_a_plain_build_is_for_this_machine_and_a_package_for_the_template(source: dict[str, Any]) -> None:
    """Without settings the layer is built for this processor; `make package` names the template's."""
    runtime = source["Parameters"]["PythonRuntime"]["Default"].removeprefix("python")
    platform = {"arm64": "aarch64", "x86_64": "x86_64"}[source["Parameters"]["Architecture"]["Default"]]
    plan = dry_run(PROJECT / "layers" / "refunds", "build-RefundsLayer", "ARTIFACTS_DIR=artifacts")
    assert f'--python-version "{runtime}"' in plan
    assert f'--python-platform "{host().container.python_platform}"' in plan
    plan = dry_run(PROJECT, "package", "ENVIRONMENTS=")
    assert f"PYTHON_VERSION={runtime} PYTHON_PLATFORM={platform}-manylinux2014" in plan


def test_pip_builds_the_same_layer(tmp_path: Path) -> None:
    """Where no uv is, pip fetches the same wheels for the same target, whatever Python it runs on."""
    sources = tmp_path / "sources"
    shutil.copytree(PROJECT / "layers" / "refunds", sources, ignore=shutil.ignore_patterns("__pycache__"))
    pip_python = tmp_path / "pip" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(pip_python.parents[1])], check=True)
    built = {}
    for name, tools in (("uv", (uv(), "absent")), ("pip", ("absent", str(pip_python)))):
        artifacts = tmp_path / name / "artifacts"
        settings = [f"UV={tools[0]}", f"PYTHON={tools[1]}", "PYTHON_PLATFORM=aarch64-manylinux2014"]
        subprocess.run(
            ["make", "build-RefundsLayer", f"ARTIFACTS_DIR={artifacts}", *settings],
            cwd=sources,
            check=True,
            capture_output=True,
        )
        built[name] = {
            str(path.relative_to(artifacts)): path.read_bytes()
            for path in artifacts.rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }
    assert len(built["uv"]) > 500
    assert built["uv"] == built["pip"]


def test_only_the_targets_own_python_compiles(tmp_path: Path) -> None:
    """A Python of another minor version compiles nothing; the layer then goes without bytecode."""
    plan = dry_run(
        PROJECT / "layers" / "refunds",
        "build-RefundsLayer",
        f"ARTIFACTS_DIR={tmp_path}",
        "PYTHON_VERSION=3.99",
    )
    compiling = plan[plan.index("found=$") :]
    layer = tmp_path / "python"
    layer.mkdir()
    (layer / "module.py").touch()
    done = subprocess.run(["/bin/sh", "-euc", compiling], capture_output=True, text=True, check=True)
    assert "no Python 3.99 here" in done.stderr
    mine = f"{sys.version_info.major}.{sys.version_info.minor}"
    subprocess.run(
        ["/bin/sh", "-euc", compiling.replace("3.99", mine).replace('"python3"', f'"{sys.executable}"')],
        check=True,
    )
    (compiled,) = layer.rglob("*.pyc")
    assert compiled.name == f"module.cpython-{mine.replace('.', '')}.pyc"
    assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 0b01, "hash-based and unchecked (PEP 552)"


def dry_run(folder: Path, *arguments: str) -> str:
    unset = {
        "PYTHON_VERSION",
        "PYTHON_PLATFORM",
        "ARCHITECTURE",
        "PYTHON",
        "MAKEFLAGS",
        "MAKELEVEL",
        "MFLAGS",
    }
    return subprocess.run(
        ["make", "--dry-run", *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in unset},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

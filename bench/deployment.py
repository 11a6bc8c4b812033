"""What is measured: the functions with their layers, built as they would be deployed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.runtime import Function
from local.stack.build import build
from local.stack.toolchain import PROJECT, Host, StackError, clean_environment, host, uv

DOCUMENTED = "documented"
COMPILED = "documented, with bytecode"
POOLED = "pooled"
OURS = "this project"

BASELINE = PROJECT / "bench" / "baseline"
_CODE = {
    DOCUMENTED: BASELINE / "documented",
    COMPILED: BASELINE / "documented",
    POOLED: BASELINE / "pooled",
}

_SETTINGS = {
    "LEDGER_TABLE_NAME": "ledger",
    "ACCOUNTING_BUS_NAME": "accounting",
    "PROVIDER_SECRET_ID": "providers",
    "QUEUE_URL": "https://sqs.ap-northeast-2.amazonaws.com/123456789012/queue",
    "DLQ_URL": "https://sqs.ap-northeast-2.amazonaws.com/123456789012/dlq",
    "EBP_BASE_URL": "https://ebp.invalid",
    "EBP_DIVISION_CODE": "D1",
    "EBP_STORE_ID": "S1",
    "EBP_CHANNEL_CODE": "WEB",
    "EBP_RIC_CODE": "KIC",
    "EBP_COUNTRY_CODE": "KR",
    "EBP_CURRENCY_CODE": "KRW",
    "LOG_LEVEL": "INFO",
}


@dataclass(frozen=True)
class LayerSize:
    """Bytes, unpacked and as the archive that is uploaded."""

    unpacked: int
    zipped: int


@dataclass(frozen=True)
class Deployment:
    """The rivals by name, their layers, and the size of this project's."""

    functions: dict[str, Function]
    layers: dict[str, Path]
    sizes: dict[str, LayerSize]


def deploy(folder: Path, environment: dict[str, str], authority: bytes, names: Iterable[str]) -> Deployment:
    """Build anew what is to be measured.

    Args:
        folder: emptied first.
        environment: where the simulated services are.
        authority: the certificate (PEM) their certificates are issued by; every layer learns to trust it
            like any other root, so that reading the roots costs what it costs in production.
        names: of the rivals.

    Raises:
        StackError: a build failed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    python = _bare_python(folder)
    wanted = set(names)
    layers = _layers(folder, python, wanted)
    ours = layers.get(OURS)
    sizes = {OURS: _size(ours, folder / "ours.zip")} if ours else {}
    for layer in layers.values():
        _trust(layer / "python", authority)
    functions = {
        name: _function(name, layers[_LAYER_OF[name]] / "python", python, environment)
        for name in _LAYER_OF
        if name in wanted
    }
    return Deployment(functions, layers, sizes)


#: Rivals that differ in code or configuration only share a layer.
_LAYER_OF = {
    DOCUMENTED: DOCUMENTED,
    COMPILED: COMPILED,
    POOLED: DOCUMENTED,
    OURS: OURS,
}


def _layers(folder: Path, python: Path, wanted: set[str]) -> dict[str, Path]:
    machine = host()
    needed = {_LAYER_OF[name] for name in wanted}
    layers = {}
    if needed & {DOCUMENTED, COMPILED}:
        layers[DOCUMENTED] = _documented(folder / "documented", machine)
    if COMPILED in needed:
        layers[COMPILED] = _compiled(layers[DOCUMENTED], folder / "compiled", python)
    if OURS in needed:
        layers[OURS] = _ours(folder / "ours", machine)
    return layers


#: Amazon's own roots, in this project's layer.
_AWS_ROOTS = Path("refunds", "roots_of_aws.pem")


def _ours_alone(packages: Path) -> dict[str, str]:
    """What template.yaml sets, and the roots that the function trusts at AWS.

    Where an endpoint is configured, as here, it does not choose them by itself (ADR 46).
    """
    return {
        "MALLOC_ARENA_MAX": "1",
        "PYDANTIC_DISABLE_PLUGINS": "true",
        "AWS_CA_BUNDLE": str(packages / _AWS_ROOTS),
    }


def _function(name: str, packages: Path, python: Path, environment: dict[str, str]) -> Function:
    code = _CODE.get(name, PROJECT / "functions" / "payment_cancel")
    return Function(
        name=name.replace(", ", "-").replace(" ", "-"),
        folder=code,
        # The project's root comes last: only the documented way is imported from there.
        layers=(packages, _runtime_client(), *((PROJECT,) if code.is_relative_to(BASELINE) else ())),
        environment={
            **_SETTINGS,
            **(_ours_alone(packages) if _LAYER_OF[name] == OURS else {}),
            **environment,
        },
        python=python,
    )


def _bare_python(folder: Path) -> Path:
    """An interpreter without any packages, as Lambda's is."""
    _run([uv(), "venv", "--quiet", "--python", sys.executable, str(folder / "python")])
    return folder / "python" / "bin" / "python"


def _documented(layer: Path, machine: Host) -> Path:
    """As `sam build` makes it from a requirements file: every file of every package, no bytecode."""
    target = ("--target", str(layer / "python"), "--python-version", machine.python_version)
    lock = (
        "--require-hashes",
        "--no-deps",
        "--requirements",
        str(PROJECT / "requirements" / "documented.txt"),
    )
    _run([uv(), "pip", "install", "--quiet", "--link-mode", "copy", *target, *lock])
    return layer


def _compiled(source: Path, layer: Path, python: Path) -> Path:
    shutil.copytree(source, layer)
    compileall = ("-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash")
    _run([str(python), *compileall, str(layer / "python")])
    return layer


def _ours(layer: Path, machine: Host) -> Path:
    """The layer of the deployed template, as `sam build` makes it."""
    shutil.copytree(build(machine).parent / "RefundsLayer", layer)
    return layer


def _trust(packages: Path, authority: bytes) -> None:
    for bundle in (packages / "certifi" / "cacert.pem", packages / _AWS_ROOTS):
        if bundle.is_file():
            bundle.write_bytes(bundle.read_bytes() + b"\n" + authority)
    roots = packages / "refunds" / "roots"
    if roots.is_dir():
        new = roots / "new.pem"
        new.write_bytes(authority)
        name = _run(["openssl", "x509", "-noout", "-subject_hash", "-in", str(new)]).strip()
        new.rename(next(path for n in range(10) if not (path := roots / f"{name}.{n}").exists()))


def _size(layer: Path, archive: Path) -> LayerSize:
    shutil.make_archive(str(archive.with_suffix("")), "zip", layer)
    unpacked = sum(path.stat().st_size for path in layer.rglob("*") if path.is_file())
    return LayerSize(unpacked, archive.stat().st_size)


def _runtime_client() -> Path:
    found = sorted((PROJECT / ".venvs" / "bench" / "lib").glob("python*/site-packages"))
    if not found:
        raise StackError("awslambdaric is missing: run `make bench`")
    return found[0]


def _run(command: list[str], **environment: str) -> str:
    """Run a build step; its output."""
    done = subprocess.run(
        command,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout

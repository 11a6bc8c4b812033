"""What is measured: the functions with their layers, built as they would be deployed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.runtime import Function
from local.stack.toolchain import PROJECT, Host, StackError, clean_environment, host, uv

DOCUMENTED = "documented"
COMPILED = "documented, with bytecode"
POOLED = "pooled"
OURS = "this project"

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
    """The rivals by name, and the sizes of their layers."""

    functions: dict[str, Function]
    sizes: dict[str, LayerSize]


def deploy(folder: Path, environment: dict[str, str], authority: bytes) -> Deployment:
    """Build everything anew.

    Args:
        folder: emptied first.
        environment: where the simulated services are.
        authority: the certificate (PEM) their certificates are issued by; every layer learns to trust it
            like any other root, so that reading the roots costs what it costs in production.

    Raises:
        StackError: a build failed.
    """
    machine = host()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    python = _bare_python(folder)
    layers = {
        DOCUMENTED: _documented(folder / "documented", machine),
        OURS: _ours(folder / "ours", machine),
    }
    layers[COMPILED] = _compiled(layers[DOCUMENTED], folder / "compiled", python)
    sizes = {name: _size(layer, folder / f"{layer.name}.zip") for name, layer in layers.items()}
    for layer in layers.values():
        _trust(layer / "python", authority)
    baseline = PROJECT / "bench" / "baseline"
    deployed = {
        DOCUMENTED: (baseline / "documented", layers[DOCUMENTED]),
        COMPILED: (baseline / "documented", layers[COMPILED]),
        POOLED: (baseline / "pooled", layers[DOCUMENTED]),
        OURS: (PROJECT / "functions" / "payment_cancel", layers[OURS]),
    }
    functions = {
        name: Function(
            name=name.replace(", ", "-").replace(" ", "-"),
            folder=code,
            # The project's root comes last: only the documented way is imported from there.
            layers=(
                layer / "python",
                _runtime_client(),
                *((PROJECT,) if code.is_relative_to(baseline) else ()),
            ),
            environment=_SETTINGS | environment,
            python=python,
        )
        for name, (code, layer) in deployed.items()
    }
    return Deployment(functions, sizes)


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
    compileall = ("-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash")
    _run([str(python), *compileall, str(layer / "python")])
    return layer


def _ours(layer: Path, machine: Host) -> Path:
    """By the very recipe that `sam build` follows."""
    settings = {
        "ARTIFACTS_DIR": str(layer),
        "PYTHON_VERSION": machine.python_version,
        "PYTHON_PLATFORM": machine.python_platform,
        "UV": uv(),
    }
    layer.mkdir()
    recipe = PROJECT / "layers" / "refunds"
    _run(["make", "--silent", "-C", str(recipe), "build-RefundsLayer"], **settings)
    return layer


def _trust(packages: Path, authority: bytes) -> None:
    bundle = packages / "certifi" / "cacert.pem"
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

"""What stands around the template: stages, locks, skipped checks, workflows, the secrets scan."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
LOCKS = [PROJECT / "layers/refunds/requirements.txt", *sorted((PROJECT / "requirements").glob("*.txt"))]
WORKFLOWS = sorted((PROJECT / ".github/workflows").glob("*.yml"))
#: Where `make check` puts the template without its loops.
UNROLLED = ".local/unrolled/template.json"
STAGES = ("dev", "stage", "prod")

each_lock = pytest.mark.parametrize("lock", LOCKS, ids=lambda path: f"{path.parent.name}/{path.name}")
each_workflow = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)


def stage_parameters() -> dict[str, dict[str, str]]:
    """What samconfig.toml overrides in each of its environments."""
    config = tomllib.loads((PROJECT / "samconfig.toml").read_text(encoding="utf-8"))
    return {
        name: dict(one.split("=", 1) for one in section["deploy"]["parameters"]["parameter_overrides"])
        for name, section in config.items()
        if isinstance(section, dict)
        and "parameter_overrides" in section.get("deploy", {}).get("parameters", {})
    }


@pytest.mark.parametrize("stage", [*STAGES, "default", "local"])
def test_a_stage_gives_parameters_there_are(source: dict[str, Any], stage: str) -> None:
    """Every override of an environment names a parameter of the template and keeps its bounds."""
    for name, value in stage_parameters()[stage].items():
        parameter = source["Parameters"][name]
        allowed = [str(one) for one in parameter.get("AllowedValues", [value])]
        assert value in allowed, name
        assert re.fullmatch(parameter.get("AllowedPattern", ".*"), value), name
        if parameter["Type"] == "Number":
            assert parameter.get("MinValue", 0) <= float(value) <= parameter.get("MaxValue", 1e12), name


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_told_its_name(stage: str) -> None:
    """Each stage knows what it is called; those with money behind them deploy gradually, log no more."""
    given = stage_parameters()[stage]
    assert given["Stage"] == stage
    if stage != "dev":
        assert given["GradualDeployment"] == "true"
        assert "LogLevel" not in given


def test_plain_sam_local_finds_the_running_stack(source: dict[str, Any]) -> None:
    """samconfig.toml names the files that `make up` writes; the template names the variable for them."""
    config = tomllib.loads((PROJECT / "samconfig.toml").read_text(encoding="utf-8"))["default"]
    for command in ("local_invoke", "local_start_lambda"):
        given = config[command]["parameters"]
        assert given["parameter_overrides"] == "file://.local/sam/parameters.yaml"
        assert given["env_vars"] == ".local/sam/variables.json"
        assert given["add_host"] == ["host.docker.internal:host-gateway"]
    # `sam local` sets only variables that the template names; CloudFormation drops this one.
    variables = source["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["AWS_ENDPOINT_URL"] == {"Ref": "AWS::NoValue"}


@each_lock
def test_a_lock_is_nothing_but_versions_and_hashes(lock: Path) -> None:
    """Every package has one version and its hashes, wherever it comes from: no index, no address, no path."""
    text = lock.read_text(encoding="utf-8")
    entries = re.findall(r"^[A-Za-z0-9].*?(?=^[A-Za-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
    assert entries
    for entry in entries:
        first, *rest = entry.splitlines()
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,-]+\])?==[^\s;]+( ; .+)? \\$", first), first
        assert any("--hash=sha256:" in line for line in rest), first
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE), "no option that leads elsewhere"


@each_lock
def test_a_lock_is_made_by_make_lock(lock: Path) -> None:
    """No lock is forgotten when all are renewed."""
    plan = _make("--dry-run", "lock")
    folder = "requirements.in" if lock.parent.name == "refunds" else lock.with_suffix(".in").stem
    assert re.search(rf"\b{re.escape(folder)}\b", plan)
    assert lock.with_suffix(".in").exists()


@each_lock
def test_a_lock_has_nothing_newer_than_its_cut_off(lock: Path) -> None:
    """The date stands once, in the Makefile; uv is given it, and the lock's header has it."""
    (cut_off,) = set(re.findall(r"--exclude-newer (\S+)", _make("--dry-run", "lock")))
    dt.date.fromisoformat(cut_off)
    header = lock.read_text(encoding="utf-8").splitlines()[:2]
    assert header[1] == f"#    make lock CUT_OFF={cut_off}"


def test_the_lock_of_npm_is_nothing_but_versions_and_hashes() -> None:
    """Every package has its hash, and none says where it comes from."""
    lock = json.loads((PROJECT / "requirements/typescript/package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert {"node_modules/typescript", "node_modules/json-schema-to-typescript"} <= packages.keys()
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name


def test_a_skipped_check_says_why() -> None:
    """Each check of checkov that is skipped has its reason beside it."""
    lines = (PROJECT / ".checkov.yaml").read_text(encoding="utf-8").splitlines()
    skipped = [line for line in lines if re.match(r"\s+- CKV", line)]
    assert skipped
    assert [line for line in skipped if not re.search(r"# \S+.{20,}", line)] == []


def test_templates_are_all_looked_at() -> None:
    """Every CloudFormation template is linted and scanned."""
    templates = {
        path.name for path in PROJECT.glob("*.yaml") if "AWSTemplateFormatVersion" in path.read_text("utf-8")
    }
    scanned = yaml.safe_load((PROJECT / ".checkov.yaml").read_text("utf-8"))["file"]
    assert templates == {name.replace(UNROLLED, "template.yaml") for name in scanned}
    assert f"template.yaml {UNROLLED}" in _make("--dry-run", "check-template")
    (linted,) = (line for line in _make("--dry-run", "check-template").splitlines() if "cfn-lint" in line)
    assert templates <= set(linted.split())


@each_workflow
def test_actions_are_pinned(workflow: Path) -> None:
    """An action is named by the whole hash of a commit, with its version for people; a tag can be moved."""
    used = re.findall(r"uses: (.+)", workflow.read_text("utf-8"))
    assert used
    for one in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one), one


@each_workflow
def test_jobs_have_no_rights_but_their_own(workflow: Path) -> None:
    """A workflow has no rights; a job reads the code, or it deploys and shows who it is."""
    parsed = _workflow(workflow)
    assert parsed["permissions"] == {}
    for name, job in parsed["jobs"].items():
        assert job["permissions"] == ({"id-token": "write"} if name == "deploy" else {"contents": "read"})


@each_workflow
def test_jobs_run_what_developers_run(workflow: Path) -> None:
    """What a job builds or checks is a target of the Makefile or the script of the project's own check."""
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE))
    jobs = _workflow(workflow)["jobs"]
    steps = [step for name, job in jobs.items() if name != "deploy" for step in job["steps"]]
    commands = [step["run"] for step in steps if "run" in step and not step["run"].startswith("tar --create")]
    assert commands
    for command in commands:
        assert command == ".ci/run" or command.removeprefix("make ") in targets, command


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7", "unpinned-uses"),
        (".ci/run", "echo ${{ github.event.pull_request.title }}", "template-injection"),
        ("permissions: {}", "permissions: write-all", "excessive-permissions"),
        ("pull_request:", "pull_request_target:", "dangerous-triggers"),
    ],
)
def test_a_planted_weakness_of_a_workflow_is_found(tmp_path: Path, old: str, new: str, finding: str) -> None:
    """The audit of the workflows fails for what would let others run their code or take our rights."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    text = (PROJECT / ".github/workflows/check.yml").read_text("utf-8")
    (folder / "check.yml").write_text(text.replace(old, new, 1), encoding="utf-8")
    audited = subprocess.run(
        [str(PROJECT / ".venvs/security/bin/zizmor"), "--offline", "--pedantic", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert audited.returncode != 0
    assert finding in audited.stdout


def test_no_key_of_aws_is_stored() -> None:
    """A deployment gets its rights from GitHub's identity of the job, and from no secret."""
    text = "".join(workflow.read_text("utf-8") for workflow in WORKFLOWS)
    assert "secrets." not in text
    (credentials,) = (
        step["with"]
        for workflow in WORKFLOWS
        for step in _steps(workflow)
        if "configure-aws-credentials" in step.get("uses", "")
    )
    assert credentials.keys() == {"role-to-assume", "aws-region"}


def test_every_stage_can_be_deployed() -> None:
    """The workflow offers the stages of samconfig.toml, and asks who may."""
    deploy = _workflow(PROJECT / ".github/workflows/deploy.yml")
    assert deploy["on"]["workflow_dispatch"]["inputs"]["stage"]["options"] == list(STAGES)
    assert deploy["jobs"]["deploy"]["environment"] == "${{ inputs.stage }}"


def test_only_the_last_job_may_take_the_role() -> None:
    """It runs on main, after the tests, and nothing of the repository or of a package runs in it."""
    jobs = _workflow(PROJECT / ".github/workflows/deploy.yml")["jobs"]
    may_ask = [name for name, job in jobs.items() if "id-token" in job["permissions"]]
    assert may_ask == ["deploy"]
    assert {job["if"] for job in jobs.values()} == {"github.ref == 'refs/heads/main'"}
    assert set(jobs["deploy"]["needs"]) == {"test", "build"}
    assert ".ci/run" in [step.get("run") for step in jobs["test"]["steps"]]
    assert jobs["deploy"]["permissions"] == {"id-token": "write"}
    text = yaml.safe_dump(jobs["deploy"])
    assert not re.search(r"checkout|setup-|pip |make |npm |curl", text)
    assert "secrets" not in yaml.safe_dump(jobs)


def test_what_is_deployed_is_what_was_built() -> None:
    """The artifact's hash comes with the build job's outputs, not with the artifact, and is checked first."""
    jobs = _workflow(PROJECT / ".github/workflows/deploy.yml")["jobs"]
    assert "sha256" in jobs["build"]["outputs"]
    unpacking = next(step for step in jobs["deploy"]["steps"] if "tar --extract" in step.get("run", ""))
    assert unpacking["env"] == {"SHA256": "${{ needs.build.outputs.sha256 }}"}
    first, _ = unpacking["run"].splitlines()
    assert "sha256sum --check" in first
    packed = next(step["run"] for step in jobs["build"]["steps"] if "tar --create" in step.get("run", ""))
    for stage in STAGES:
        config = tomllib.loads((PROJECT / "samconfig.toml").read_text(encoding="utf-8"))
        template = Path(config[stage]["deploy"]["parameters"]["template_file"])
        assert str(template.parent) in packed


# Made here, so that this file passes the scan itself.
RANDOM = (
    base64.b64encode(hashlib.sha256(b"planted").digest()).decode().translate({43: None, 47: None, 61: None})
)
SECRETS = {
    "access key": f"AKIA{RANDOM.upper()[:16]}",
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "token of GitHub": f"ghp_{RANDOM[:36]}",
    "keyword": f'imp_secret = "{RANDOM[:20]}"',
    "entropy": f'value = "{RANDOM}"',
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_a_planted_secret_is_found(tmp_path: Path, text: str) -> None:
    """The scan of `make check` fails for a file with a secret in it, and says where."""
    planted = tmp_path / "settings.py"
    planted.write_text(f"first = 1\n{text}\n", encoding="utf-8")
    scanned = _scan(planted)
    assert scanned.returncode == 1
    assert re.search(rf"{re.escape(str(planted))}:2$", scanned.stdout, re.MULTILINE)
    planted.write_text("first = 1\n", encoding="utf-8")
    assert _scan(planted).returncode == 0


def test_what_is_scanned_is_what_would_be_committed() -> None:
    """The scan leaves nothing out but the locks and its own baseline."""
    (listing,) = (line for line in _make("--dry-run", "check-secrets").splitlines() if "git ls-files" in line)
    excluded = re.findall(r"':!([^']+)'", listing)
    locks = ["requirements/*.txt", "requirements/typescript/package-lock.json"]
    assert excluded == [*locks, "layers/refunds/requirements.txt", ".secrets.*"]
    assert {"--cached", "--others", "--exclude-standard"} <= set(listing.split())


def _scan(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            str(PROJECT / ".venvs/security/bin/detect-secrets-hook"),
            *("--baseline", str(path.with_name("baseline.json")), str(path)),
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(autouse=True)
def _baseline(tmp_path: Path) -> None:
    """A copy: the scan renews a baseline of which it found less."""
    text = (PROJECT / ".secrets.baseline").read_text(encoding="utf-8")
    tmp_path.joinpath("baseline.json").write_text(text, encoding="utf-8")


def _make(*arguments: str) -> str:
    return subprocess.run(
        ["make", *arguments], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout


def _workflow(path: Path) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true.
    parsed: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else str(key): value for key, value in parsed.items()}


def _steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in _workflow(path)["jobs"].values():
        yield from job["steps"]

"""What is shipped beside the binary says what the binary does."""

from __future__ import annotations

import contextlib
import crypt
import json
import os
import re
import subprocess

import pytest
import yaml

from service import ROOT, Prometheus, Service, labels_of, prometheus_tool
from watch import BINARY
from workload import Workload

PACKAGING = ROOT / "packaging"
COMMANDS = ("ps", "watch", "record", "report", "run", "doctor", "rules", "serve")
SHIPPED = (PACKAGING / "loophound.yaml").read_text()
# A key in a comment is one without a default: "#key: value".
WHOLE = re.sub(r"^( *)#(?=[a-z_]+:|  - |    [a-z_]+:)", r"\1", SHIPPED, flags=re.MULTILINE)


def loophound(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=30)


def known_keys(tmp_path, section: str | None) -> set[str]:
    """The program names them when it is given another."""
    path = tmp_path / "wrong.yaml"
    path.write_text(f"{section}: {{nonsense: 1}}\n" if section else "nonsense: 1\n")
    said = loophound("serve", "--check-config", "-c", str(path)).stderr
    found = re.search(r"nonsense: no such key; known are (.*)", said)
    assert found, said
    return set(found[1].split())


@pytest.mark.parametrize("text", [SHIPPED, WHOLE], ids=["as shipped", "every key"])
def test_the_shipped_configuration_is_right(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    check = loophound("serve", "--check-config", "-c", str(tmp_path / "c.yaml"))
    assert (check.returncode, check.stderr) == (0, "")


def test_the_shipped_configuration_has_every_key(tmp_path):
    config = yaml.safe_load(WHOLE)
    assert set(config) == known_keys(tmp_path, None)
    for section in ("web", "log", "breaches", "metrics"):
        assert set(config[section]) == known_keys(tmp_path, section)
    told = re.findall(r"^(\S+)\n(?:  .*\n)*?  limit +(\d+) ([a-z/]+):", loophound("rules").stdout, re.MULTILINE)
    limits = {rule: f"{limit}{unit}" if unit == "ms" else int(limit) for rule, limit, unit in told}
    assert set(limits) == set(re.findall(r"^(\S+)$", loophound("rules").stdout, re.MULTILINE))
    assert config["limits"] == limits
    assert config["rules"] == dict.fromkeys(limits, True)
    (tmp_path / "wrong.yaml").write_text("targets: [{nonsense: 1}]\n")
    said = loophound("serve", "--check-config", "-c", str(tmp_path / "wrong.yaml")).stderr
    known = set(re.search(r"nonsense: no such key; known are (.*)", said)[1].split())
    assert {key for entry in config["targets"] for key in entry} == known
    for file in ("loophound.bash", "_loophound", "loophound.fish"):
        assert " ".join(limits) in (PACKAGING / "completions" / file).read_text()


def options_of(command: str) -> set[str]:
    return set(re.findall(r"(?:^| )(--[a-z][a-z.-]*[a-z])(?:=|\s|\[)", loophound(command, "--help").stdout, re.MULTILINE))


@pytest.mark.parametrize("file", ["loophound.8", "completions/loophound.bash", "completions/_loophound", "completions/loophound.fish"])
def test_every_option_is_in(file):
    text = (PACKAGING / file).read_text()
    if file == "loophound.8":
        text = text.replace("Fl -", "--").replace(" Ns =", "=")
    elif file.endswith(".fish"):
        text = re.sub(r"(^complete .*?) -l (\S+)", r"\1 --\2", text, flags=re.MULTILINE)
    written = set(re.findall(r"--[a-z][a-z.-]*[a-z]", text))
    options = set().union(*map(options_of, COMMANDS))
    assert len(options) > 20
    missing = options - written - ({"--usage"} if file == "loophound.8" else set())
    assert not missing
    assert not written - options - {"--version"}, "there is no such option"
    assert set(re.findall(r"^  ([a-z]+) ", loophound("--help").stdout, re.MULTILINE)) == set(COMMANDS)
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", text)


def complete(*words: str) -> list[str]:
    """What bash offers for the last of them."""
    script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _loophound; printf "%s\\n" "${COMPREPLY[@]}"'
    command = ["bash", "--norc", "-c", script, "bash", PACKAGING / "completions/loophound.bash", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("command", COMMANDS)
def test_bash_offers_the_options_of_each_command(command):
    assert set(complete("loophound", command, "--")) == options_of(command)


def test_bash_completes():
    assert complete("loophound", "re") == ["record", "report"]
    assert complete("loophound", "serve", "--web.c") == ["--web.config.file"]
    assert complete("loophound", "watch", "--fail-on", "=", "a") == ["any"]
    assert complete("loophound", "watch", "--format", "=") == ["text", "jsonl"]


def test_alert_rules():
    rules = PACKAGING / "prometheus"
    for arguments in (["check", "rules", "loophound.rules.yml"], ["test", "rules", "loophound.rules.test.yml"]):
        check = subprocess.run([prometheus_tool("promtool"), *arguments], cwd=rules, capture_output=True, text=True)
        assert check.returncode == 0, check.stdout + check.stderr
    alerts = re.findall(r"alert: (\w+)", (rules / "loophound.rules.yml").read_text())
    quiet, loud = yaml.safe_load((rules / "loophound.rules.test.yml").read_text())["tests"]
    assert [test["alertname"] for test in quiet["alert_rule_test"]] == alerts
    assert [test["alertname"] for test in loud["alert_rule_test"]] == alerts
    assert all(test["exp_alerts"] for test in loud["alert_rule_test"])


def documented_metrics() -> dict[str, tuple[str, set[str]]]:
    """docs/METRICS.md: name to type and labels."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \|", (ROOT / "docs/METRICS.md").read_text(), re.MULTILINE)
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def shown_metrics(text: str) -> dict[str, tuple[str, set[str]]]:
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    shown = {name: (kind, set()) for name, kind in kinds.items()}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? ", text, re.MULTILINE):
        family = name if name in kinds else re.sub(r"_(bucket|sum|count)$", "", name)
        shown[family][1].update(set(labels_of(labels)) - {"le"})
    return shown


def queries_in(dashboard: dict) -> list[str]:
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


@contextlib.contextmanager
def run_once(service: Service, prometheus: Prometheus, python, runs: int):
    """A program that has blocked its loop and stays; the stalls of so many runs have been scraped."""
    with Workload("time_sleep", python) as program:
        service.run(program)
        wanted = runs * len(program.truths())
        prometheus.wait_value('sum(loophound_breaches_total{cause="sleep"})', lambda value: value >= wanted)
        yield
        program.end()


@contextlib.contextmanager
def connecting(service: Service, python):
    """A program that has opened connections, and stays."""
    with Workload("connections", python, "churn", "127.0.0.1") as program:
        service.run(program)
        yield
        program.end()


def check_queries(prometheus: Prometheus, queries: list[str]) -> None:
    for query in queries:
        query = query.replace("$__rate_interval", "2m")
        query = re.sub(r"\$(job|instance|process)", ".+", query)
        # NaN is no answer, and unequal to itself.
        prometheus.wait_value(f"count(({query}) == ({query}))", lambda value: value > 0)


def test_dashboard_and_documentation_before_a_real_prometheus(python, tmp_path):
    """Every query of every panel has data, every metric is in docs/METRICS.md, and nothing else is."""
    dashboard = json.loads((PACKAGING / "grafana/loophound.json").read_text())
    shape = [panel["gridPos"] for panel in dashboard["panels"]]
    assert all(each["x"] + each["w"] <= 24 for each in shape)
    cells = [(each["x"] + x, each["y"] + y) for each in shape for x in range(each["w"]) for y in range(each["h"])]
    assert len(cells) == len(set(cells)), "panels overlap"
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    variables = {each["name"] for each in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard)))
    assert used - {"__rate_interval", "__all"} == variables

    with Service("-c", str(PACKAGING / "loophound.yaml"), "--breaches.to", "none") as service:
        service.wait_serving()
        with Prometheus(service, tmp_path) as prometheus:
            with run_once(service, prometheus, python, runs=1):
                pass
            # What was scraped by now goes on to rise: the next one succeeds to the same worker.
            with connecting(service, python), run_once(service, prometheus, python, runs=2):
                check_queries(prometheus, queries_in(dashboard))
                shown, documented = shown_metrics(service.metrics()), documented_metrics()
                assert {name: kind for name, (kind, _) in shown.items()} == {name: kind for name, (kind, _) in documented.items()}
                for name, (_, labels) in shown.items():
                    # A family of connections, or of labels, may have no series here, nor what the kernel does not time.
                    may_be_empty = "connect" in name or "bpf_program_run" in name or name == "loophound_target_labels_info"
                    assert labels == documented[name][1] or (may_be_empty and not labels), name


def test_kubernetes_and_container_files(tmp_path):
    config, daemon = yaml.safe_load_all((PACKAGING / "kubernetes/daemonset.yaml").read_text())
    (tmp_path / "c.yaml").write_text(config["data"]["loophound.yaml"])
    pod = daemon["spec"]["template"]
    container = pod["spec"]["containers"][0]
    check = loophound(*container["args"][:1], "--check-config", "-c", str(tmp_path / "c.yaml"))
    assert (check.returncode, check.stderr) == (0, "")
    assert daemon["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert set(mounts) == {each["name"] for each in pod["spec"]["volumes"]}
    assert container["args"] == ["serve", "-c", mounts["config"] + "/loophound.yaml"]
    assert yaml.safe_load(config["data"]["loophound.yaml"])["web"]["config_file"].startswith(mounts["web"] + "/")
    bounded = re.search(r"^CapabilityBoundingSet=(.*)", (PACKAGING / "loophound.service").read_text(), re.MULTILINE)[1]
    given = container["securityContext"]["capabilities"]
    assert given["drop"] == ["ALL"]
    assert {"CAP_" + each for each in given["add"]} == set(bounded.split())
    file = (PACKAGING / "container/Containerfile").read_text()
    arguments = json.loads(re.search(r"^CMD (.*)", file, re.MULTILINE)[1])
    assert set(re.findall(r"--\S+", " ".join(arguments))) <= options_of(arguments[0])
    needed = subprocess.run(["ldd", BINARY], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"lib(bpf|elf|cap-ng|seccomp|yaml|crypt)[-.]", needed):
        assert f"lib{library}" in file


def test_what_is_loaded_by_name_is_named_where_it_is_installed():
    """Neither ldd nor dpkg-shlibdeps sees it; what tools for that see is the note."""
    said = subprocess.run(["readelf", "--string-dump=.note.dlopen", BINARY], capture_output=True, text=True, check=True).stdout
    (note,) = json.loads(re.search(r"\[\{.*\}\]", said)[0])
    assert sorted(note["soname"]) == ["libgnutls.so.30", "libmicrohttpd.so.12"]
    linked = subprocess.run(["readelf", "-d", BINARY], capture_output=True, text=True, check=True).stdout
    for soname in note["soname"]:
        package = soname.replace(".so.", "")  # as Debian calls it
        assert soname not in linked
        for file in "container/Containerfile", "debian/control.in":
            assert re.search(rf"\b{package}\b", (PACKAGING / file).read_text()), (package, file)


def daemonset() -> tuple[dict, dict]:
    """The configuration that it brings, and its pod."""
    config, daemon = yaml.safe_load_all((PACKAGING / "kubernetes/daemonset.yaml").read_text())
    return yaml.safe_load(config["data"]["loophound.yaml"]), daemon["spec"]["template"]["spec"]


def test_the_pod_has_least_privilege():
    _, pod = daemonset()
    (container,) = pod["containers"]
    security = container["securityContext"]
    given = security.pop("capabilities")
    assert security == {
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsUser": 0,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert set(given["add"]) == {"BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH", "CHECKPOINT_RESTORE"} and given["drop"] == ["ALL"]
    assert pod["hostPID"] is True and pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostIPC", "shareProcessNamespace", "serviceAccountName", "initContainers"} & set(pod)
    assert all(set(volume) <= {"name", "configMap", "secret"} for volume in pod["volumes"]), "nothing of the host's files"
    assert all(mount["readOnly"] for mount in container["volumeMounts"])
    assert not any("hostPort" in port for port in container["ports"])
    assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]


def test_it_works_with_what_the_pod_gives(python, tmp_path):
    """Root with these capabilities alone and no way to more, a root directory that cannot be written."""
    config, pod = daemonset()
    config["web"]["config_file"] = str(tmp_path / "web.yml")
    del config["web"]["listen_address"]  # the test's own
    (tmp_path / "web.yml").write_text(json.dumps({"basic_auth_users": {"scraper": crypt.crypt("secret", "$2b$04$abcdefghijklmnopqrstuu")}}))
    (tmp_path / "c.yaml").write_text(json.dumps(config))
    names = pod["containers"][0]["securityContext"]["capabilities"]["add"]
    bounds = ",".join(["-all", *(f"+{name.lower()}" for name in names)])
    prefix = (
        *("unshare", "--mount", "sh", "-c", 'mount -o remount,bind,ro / && exec "$@"', "sh"),
        *("setpriv", "--bounding-set", bounds, "--inh-caps", "-all", "--no-new-privs"),
    )
    with Service("-c", str(tmp_path / "c.yaml"), user="scraper:secret", prefix=prefix) as service, Workload("time_sleep", python) as program:
        service.wait_serving()
        assert not os.access(f"/proc/{service.pid}/root/etc", os.W_OK), "it is as read-only as the pod's"
        service.run(program)
        assert service.out.wait_for(lambda line: f'"pid":{program.pid},' in line and '"rule":"blocking-call"' in line), service.dump()
        assert "without CAP_" not in service.err.text(), service.dump()
        program.end()


def test_the_unit_has_room_for_what_ends_attachments():
    most = re.search(r"^#define DETACHER_MAX_THREADS (\d+)$", (ROOT / "user/probe/detacher.h").read_text(), re.MULTILINE)
    room = re.search(r"^TasksMax=(\d+)$", (PACKAGING / "loophound.service").read_text(), re.MULTILINE)
    assert int(room[1]) > int(most[1]) + 3, "and the three processes"


def test_install(tmp_path):
    """No network, nothing outside of DESTDIR, a changed configuration stays."""
    install = ["unshare", "--net", "make", "-s", "install", f"DESTDIR={tmp_path}", "PREFIX=/opt/loophound"]
    subprocess.run(install, cwd=ROOT, check=True, capture_output=True)
    unit = (tmp_path / "opt/loophound/lib/systemd/system/loophound.service").read_text()
    start = re.search(r"^ExecStart=(\S+) (.*)", unit, re.MULTILINE)
    assert (tmp_path / start[1].lstrip("/")).stat().st_mode & 0o777 == 0o755
    config = tmp_path / start[2].split(" -c ")[1].lstrip("/")
    config.write_text("log: {level: debug}\n")
    subprocess.run(install, cwd=ROOT, check=True, capture_output=True)
    assert config.read_text() == "log: {level: debug}\n"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and not path.stat().st_size]

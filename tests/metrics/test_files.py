"""The rules, the dashboard, the runbook and the page name metrics and sections that exist."""

import json
import re
import shutil
import subprocess

import pytest

from fastpay.observability.metrics import TABLE
from tests.pages.blocks import ROOT

_RULES = ROOT / "deploy/prometheus"
_ALERTS = (_RULES / "alerts.yml").read_text(encoding="utf-8")
_NAMES = r"\b(?:fastpay|http_server|http_client|db_client)_[a-z0-9_]+\b"


def _series() -> set[str]:
    suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    return {metric.name + suffix for metric in TABLE for suffix in suffixes[metric.kind]}


def test_every_alert_has_its_section_in_the_runbook() -> None:
    runbook = (ROOT / "docs/RUNBOOK.md").read_text(encoding="utf-8")
    alerts = re.findall(r"- alert: (\w+)", _ALERTS)
    assert alerts
    assert alerts == re.findall(r"^## (\w+)$", runbook, re.MULTILINE)
    links = re.findall(r"runbook: docs/RUNBOOK\.md#(\w+)", _ALERTS)
    assert links == [alert.lower() for alert in alerts]


def test_rules_and_dashboard_name_metrics_that_exist() -> None:
    dashboard = json.loads((ROOT / "deploy/grafana/fastpay.json").read_text(encoding="utf-8"))
    texts = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    texts += [_ALERTS, (_RULES / "recording.yml").read_text(encoding="utf-8")]
    named = {name for text in texts for name in re.findall(_NAMES, text)}
    assert named
    assert named <= _series()


def test_the_runbook_names_metrics_that_exist() -> None:
    runbook = (ROOT / "docs/RUNBOOK.md").read_text(encoding="utf-8")
    families = {metric.name for metric in TABLE}
    assert set(re.findall(_NAMES, runbook)) <= families | _series()


def test_the_page_lists_the_table_of_metrics() -> None:
    page = (ROOT / "docs/METRICS.md").read_text(encoding="utf-8").partition("## All metrics")[2]
    rows = []
    for metric in TABLE:
        name = metric.name + ("_total" if metric.kind == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{name}` | {metric.kind} | {labels} | {metric.help} |")
    assert [line for line in page.splitlines() if line.startswith("| `")] == rows


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool: apt install prometheus")
def test_promtool_accepts_the_rules_and_their_tests() -> None:
    rules = [str(_RULES / name) for name in ("alerts.yml", "recording.yml")]
    for command in (["check", "rules", *rules], ["test", "rules", str(_RULES / "alerts_test.yml")]):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

"""What a real Prometheus makes of what it scrapes: quantiles, connections; who is replaced adds no series."""

from __future__ import annotations

import contextlib
import json
import re

from connecting import destination
from process import poll
from service import Prometheus, Service, labels_of
from workload import Workload

BUCKET = "loophound_loop_iteration_duration_seconds_bucket"


def of(program: Workload) -> str:
    return f'* on (process, worker) group_left loophound_target_info{{pid="{program.pid}"}}'


def test_a_quantile_is_in_the_bucket_of_the_truth(python, tmp_path):
    """The stalls are the longest iterations: which quantile is which of them follows from how many there were."""
    with Service("--breaches.to", "none") as service, Prometheus(service.wait_serving(), tmp_path) as prometheus:
        with Workload("lengths", python) as program:
            service.run(program)
            longest = sorted(((truth["end_ns"] - truth["start_ns"]) / 1e9 for truth in program.truths()), reverse=True)
            breaches = 'loophound_breaches_total{rule="blocking-call",cause="sleep"} ' + of(program)
            prometheus.wait_value(breaches, lambda value: value == len(longest))
            buckets = f"sum by (le) ({BUCKET} {of(program)})"
            bounds = sorted(float(each["metric"]["le"]) for each in prometheus.query(buckets))
            assert len(bounds) == 15 and bounds[-1] == float("inf")
            # It goes on to turn, so the count is that of the same instant. The second of three, so that a
            # stranger among the longest does no harm.
            for rank in range(2, len(longest) + 1, 3):
                position = f"1 - {rank - 0.5} / scalar(sum({BUCKET}{{le=\"+Inf\"}} {of(program)}))"
                (quantile,) = prometheus.query(f"histogram_quantile(scalar(vector({position})), {buckets})")
                value, true_s = float(quantile["value"][1]), longest[rank - 1]
                low = max((bound for bound in bounds if bound < true_s), default=0)
                high = min(bound for bound in bounds if bound >= true_s)
                assert low < value <= high, (rank, true_s, value)
            program.end()


def test_connections_are_those_of_the_program(python, tmp_path):
    """Fifteen that its server has closed and it has not."""
    with Service("--breaches.to", "none") as service, Prometheus(service.wait_serving(), tmp_path) as prometheus:
        with Workload("connections", python, "leak", "127.0.0.1") as program:
            service.run(program)
            truth = next(line for line in map(json.loads, program.out.lines) if "peak" in line)
            where = f'{{destination="{destination(truth)}"}} ' + of(program)
            for name in ("outbound_connections", "outbound_connections_peak", "outbound_connects_total"):
                prometheus.wait_value(f"loophound_{name}{where}", lambda value: value == truth["peak"] == 15)
            program.end()


def series(service: Service) -> set[str]:
    """Without those that join a worker to its process of the moment."""
    lines = (re.match(r"(loophound_\w+)(\{.*\})? ", line) for line in service.metrics().splitlines())
    return {line[0] for line in lines if line and line[1] != "loophound_target_info"}


def test_who_is_replaced_adds_no_series(python, tmp_path):
    """Three workers that stall and are killed, and three in their place, twice."""
    config = tmp_path / "c.yaml"
    config.write_text("targets: [{name: time_sleep.py}]\nweb: {max_requests_per_second: 1000}\n")
    with Service("-c", str(config), "--breaches.to", "none") as service:
        service.wait_serving()
        seen, planted = [], 0
        for _ in range(3):
            with contextlib.ExitStack() as stack:
                programs = [stack.enter_context(Workload("time_sleep", python)) for _ in range(3)]
                for program in programs:
                    service.run(program)
                    planted += len(program.truths())
                text = service.wait_metrics(lambda text: stalls(text) == planted and text.count("\nloophound_tasks{") == 9)
                workers = {labels_of(line)["worker"] for line in text.splitlines() if line.startswith("loophound_target_info{")}
                assert len(workers) == 3
                seen.append(series(service))
            poll("their end", lambda: not service.value("loophound_targets", state="ok"))
        assert seen[0] and seen[1] == seen[0] and seen[2] == seen[0], (seen[1] ^ seen[0], seen[2] ^ seen[0])


def stalls(text: str) -> int:
    wanted = r'^loophound_breaches_total\{.*rule="blocking-call",cause="sleep"\} (\d+)$'
    return sum(int(count) for count in re.findall(wanted, text, re.MULTILINE))

"""Code objects that live for less than it takes to ask for their names: bodies of modules and classes."""

from __future__ import annotations

from watch import watch_workload


def test_bodies_of_modules_and_classes_are_named(interpreter):
    outcome = watch_workload("passing_code", interpreter, "--limit", "blocking-call=0.1")
    lines = [line for line in outcome.of_type("breach") if line["count"] and not line["ongoing"]]
    sites = {(line["site"]["function"], line["site"]["line"], line["site"]["file"]) for line in lines if line["site"]}
    modules = {file.rpartition("/")[2] for _, _, file in sites if file}
    for number in range(8):
        wanted = {("<module>", 2), ("Body", 7)}
        seen = {(function, line) for function, line, file in sites if file and file.endswith(f"/passing_{number}.py")}
        assert seen == wanted, f"passing_{number}: {seen}; of {sorted(modules)}{outcome.output}"
    texts = sorted(line for _, line, file in sites if file == "texts.py")
    assert texts == list(range(1, 9)), f"lines of texts {texts}{outcome.output}"
    assert outcome.summary()["lost"]["names_failed"] == 0, f"a name was lost{outcome.output}"

"""rules_units: unit files of rules, run by promtool and by `myriascope rules test`: both pass or both fail.

  rules_units.py FOLDER MYRIASCOPE      FOLDER is empty and ours
"""
import json
import os
import subprocess
import sys

RULES = """groups:
- name: basics
  rules:
  - record: job:req:rate5m
    expr: sum by (job) (rate(req_total[5m]))
  - record: job:req:rate5m:doubled
    expr: job:req:rate5m * 2
    labels: {team: web}
  - alert: Down
    expr: up == 0
    for: 5m
    labels: {severity: page, where: '{{ $labels.instance }}'}
    annotations: {summary: 'Instance {{ $labels.instance }} down', value: '{{ $value }}'}
  - alert: Sticky
    expr: hot > 90
    for: 2m
    keep_firing_for: 4m
    annotations:
      text: '{{ $labels.node | toUpper }} {{ $value | humanize }} {{ printf "%.2f" $value }}'
- name: slow
  interval: 5m
  rules:
  - record: slow:count
    expr: count(up)
"""

TEMPLATES = """groups:
- name: templates
  rules:
  - alert: Now
    expr: now > 0
    annotations:
      size: '{{ $value | humanize1024 }}B for {{ 3723 | humanizeDuration }} {{ 0.25 | humanizePercentage }}'
      others: '{{ range query "other" | sortByLabel "k" }}{{ .Labels.k }}={{ .Value }};{{ end }}'
      first: '{{ with query "other" | sortByLabel "k" }}{{ . | first | value }}{{ end }}'
      logic: '{{ if gt $value 5.0 }}high{{ else }}low{{ end }} {{ $labels.k | title }}'
  - alert: Words
    expr: words > 0
    annotations:
      v: '{{ $value }} {{ .Value }} {{ .Labels.k }} {{ $labels.nope }}|{{ "q\\"x" }} {{ `raw` }}'
      numbers: '{{ 1 }} {{ 1.5 }} {{ 1e6 }} {{ 12345678.0 }} {{ 0.00001 }} {{ printf "%d" 7 }} {{ printf "%5.1f|%e|%v|%q|%%" 2.25 1500.0 1.5 "x" }}'
      trims: 'a  {{- " b " -}}  c {{/* a comment */}}d'
      chain: '{{ if eq $labels.k "x" }}x{{ else if eq $labels.k "gpu" "y" }}gpu{{ else }}none{{ end }}'
      both: '{{ if and (gt $value 1.0) (not (eq $labels.k "z")) }}yes{{ end }}{{ if or false "" }}no{{ end }}'
      loop: '{{ range $i, $e := query "other" | sortByLabel "k" }}{{ $i }}:{{ $e.Labels.k }}={{ $e.Value }},{{ else }}none{{ end }}'
      empty: '{{ range query "nothing" }}x{{ else }}none{{ end }}{{ with query "nothing" }}x{{ else }}-{{ end }}'
      set: '{{ $x := 1.5 }}{{ $x = $value }}{{ $x }}{{ with $y := "in" }}{{ $y }}{{ . }}{{ end }}'
      first: '{{ query "other{k=\\"2\\"}" | first | label "k" }} {{ query "sum(other)" | first | value | humanize }}'
      index: '{{ len (query "other") }} {{ index $labels "k" }} {{ (index (query "other" | sortByLabel "k") 0).Value }}'
      text: '{{ toLower "ABC" }} {{ toUpper "abc" }} {{ title "ab cd" }} {{ match "g.u" $labels.k }} {{ stripPort "a:9100" }} {{ print "a" 1 2 "b" }}'
      people: '{{ humanize 0.0 }} {{ humanize 1234567.0 }} {{ humanize 0.00012 }} {{ humanize1024 123456789.0 }} {{ humanizePercentage 0.12345 }} {{ humanizeDuration 0.0012 }} {{ humanizeDuration 45.5 }} {{ humanizeDuration 90061.0 }} {{ humanizeTimestamp 1600000000.5 }} {{ humanizeTimestamp 0.0 }}'
  - alert: Wrong
    expr: wrong > 0
    annotations: {text: '{{ query "nothing" | first | value }}'}
"""

HEAD = "rule_files: [rules.yaml]\nevaluation_interval: 1m\ntests:\n"


def samples(expr, at, want, series="", interval="1m"):
    """A test of one expression; want is a list of (labels, value)."""
    lines = [f"- interval: {interval}", "  input_series:"] if series else [f"- interval: {interval}"]
    lines += [f"  - {{series: '{name}', values: '{values}'}}" for name, values in series] if series else []
    lines += ["  promql_expr_test:", f"  - expr: {expr!r}".replace("'", '"') if '"' not in expr else f"  - expr: '{expr}'", f"    eval_time: {at}"]
    if want:
        lines += ["    exp_samples:"] + [f"    - {{labels: '{labels}', value: {value}}}" for labels, value in want]
    return HEAD + "\n".join(lines) + "\n"


def alert(name, at, want, series):
    lines = ["- interval: 1m", "  input_series:"]
    lines += [f"  - {{series: '{s}', values: '{values}'}}" for s, values in series]
    lines += ["  alert_rule_test:", f"  - eval_time: {at}", f"    alertname: {name}"]
    if want:
        lines += ["    exp_alerts:"]
        for labels, annotations in want:
            lines += [f"    - exp_labels: {labels}"] + ([f"      exp_annotations: {annotations}"] if annotations else [])
    return HEAD + "\n".join(lines) + "\n"


def templated(*args):
    return alert(*args).replace("rules.yaml", "templates.yaml")


UP = [('up{instance="a",job="x"}', "1 1 0x20"), ('up{instance="b",job="x"}', "1x30")]
HOT = [('hot{node="n1"}', "95x5 10x20")]
NOW = [('now{k="gpu"}', "2048x5"), ('other{k="1"}', "7x5"), ('other{k="2"}', "9x5")]
DOWN = "{severity: page, where: a, instance: a, job: x}"
DOWN_TEXT = "{summary: Instance a down, value: '0'}"


def cases():
    yield "a rate", samples("job:req:rate5m", "10m", [('job:req:rate5m{job="a"}', 1)], [('req_total{job="a"}', "0+60x20")])
    yield "a wrong rate", samples("job:req:rate5m", "10m", [('job:req:rate5m{job="a"}', 2)], [('req_total{job="a"}', "0+60x20")])
    yield "a rule over a rule", samples("job:req:rate5m:doubled", "10m", [('job:req:rate5m:doubled{job="a",team="web"}', 2)], [('req_total{job="a"}', "0+60x20")])
    yield "time begins at nought", samples("time()", "10m", [("{}", 600)])
    yield "hours of the first day", samples("hour()", "3h", [("{}", 3)])
    yield "a scalar", samples("1 + 1", "0m", [("{}", 2)])
    yield "no samples expected, none there", samples("nothing", "5m", [])
    yield "no samples expected, one there", samples("up", "5m", [], [("up", "1x10")])
    yield "labels in another order", samples("m", "1m", [('m{b="2", a="1"}', 5)], [('m{a="1",b="2"}', "5x3")])
    yield "labels without a name", samples("sum(m)", "1m", [("{}", 10)], [('m{a="1"}', "5x3"), ('m{a="2"}', "5x3")])
    yield "expansion: up and down", samples("m", "3m", [("m", 7)], [("m", "1+2x5")])
    yield "expansion: down", samples("m", "3m", [("m", -5)], [("m", "1-2x5")])
    yield "expansion: from below", samples("m", "2m", [("m", 6)], [("m", "-2+4x3")])
    yield "expansion: the same again", samples("m", "4m", [("m", 3)], [("m", "3x4")])
    yield "expansion: one more than times", samples("count_over_time(m[1h])", "30m", [("{}", 5)], [("m", "3x4")])
    yield "expansion: gaps", samples("count_over_time(m[1h])", "30m", [("{}", 2)], [("m", "1 _ _x3 2")])
    yield "expansion: stale", samples("m", "3m", [], [("m", "1 1 1 stale")])
    yield "expansion: decimals", samples("m", "2m", [("m", 1.5)], [("m", "0.5+0.5x3")])
    yield "expansion: exponents", samples("m", "1m", [("m", 1000)], [("m", "1e3x3")])
    yield "expansion: infinity", samples("m", "0m", [("m", ".inf")], [("m", "Inf NaN")])
    yield "expansion: not a number", samples("m", "1m", [("m", ".nan")], [("m", "Inf NaN")])
    yield "expansion: nonsense", samples("m", "1m", [("m", 1)], [("m", "1 x")])
    yield "expansion: words", samples("m", "1m", [("m", 1)], [("m", "one two")])
    yield "a series that is none", samples("m", "1m", [("m", 1)], [("m{", "1 1")])
    yield "another interval of samples", samples("m", "1m", [("m", 4)], [("m", "0+1x20")], "15s")
    yield "a group with its own interval", samples("slow:count", "3m", [("slow:count", 1)], [("up", "1x20")])
    yield "ALERTS while pending", samples("ALERTS", "4m", [('ALERTS{alertname="Down",alertstate="pending",instance="a",job="x",severity="page",where="a"}', 1)], UP)
    yield "ALERTS while firing", samples("ALERTS", "8m", [('ALERTS{alertname="Down",alertstate="firing",instance="a",job="x",severity="page",where="a"}', 1)], UP)
    yield "ALERTS_FOR_STATE", samples("ALERTS_FOR_STATE", "8m", [('ALERTS_FOR_STATE{alertname="Down",instance="a",job="x",severity="page",where="a"}', 120)], UP)
    yield "an expression that is none", samples("sum(", "1m", [])
    yield "an alert that waits", alert("Down", "4m", [], UP)
    yield "an alert that fires", alert("Down", "7m", [(DOWN, DOWN_TEXT)], UP)
    yield "an alert a minute before", alert("Down", "6m", [(DOWN, DOWN_TEXT)], UP)
    yield "an alert with another label", alert("Down", "7m", [(DOWN.replace("page", "mail"), DOWN_TEXT)], UP)
    yield "an alert with another annotation", alert("Down", "7m", [(DOWN, DOWN_TEXT.replace("down", "gone"))], UP)
    yield "an alert without its annotations", alert("Down", "7m", [(DOWN, "")], UP)
    yield "an alert that nobody expects", alert("Down", "7m", [], UP)
    yield "an alert that there is not", alert("Absent", "7m", [], UP)
    yield "an alert that there is not, expected", alert("Absent", "7m", [(DOWN, DOWN_TEXT)], UP)
    yield "an alert of another rule", alert("Sticky", "7m", [], UP)
    for m in range(1, 12):
        yield f"kept firing: {m} min", alert("Sticky", f"{m}m", [("{node: n1}", "{text: 'N1 95 95.00'}")], HOT)
    yield "templates", templated("Now", "1m", [("{k: gpu}", "{size: '2kiB for 1h 2m 3s 25%', others: '1=7;2=9;', first: '7', logic: 'high Gpu'}")], NOW)
    words = {"v": "2048 2048 gpu |q\"x raw", "numbers": "1 1.5 1e+06 1.2345678e+07 1e-05 7   2.2|1.500000e+03|1.5|\"x\"|%", "trims": "a b c d", "chain": "gpu", "both": "yes",
             "loop": "0:1=7,1:2=9,", "empty": "none-", "set": "2048inin", "first": "2 16", "index": "2 gpu 7", "text": "abc ABC Ab Cd true a a1 2b",
             "people": "0 1.235M 120u 117.7Mi 12.35% 1.2ms 45.5s 1d 1h 1m 1s 2020-09-13 12:26:40.5 +0000 UTC 1970-01-01 00:00:00 +0000 UTC"}
    series = [('words{k="gpu"}', "2048x5"), *NOW[1:]]
    yield "words of templates", templated("Words", "1m", [("{k: gpu}", json.dumps(words))], series)
    for key in words:
        yield f"another {key}", templated("Words", "1m", [("{k: gpu}", json.dumps(dict(words, **{key: words[key] + "!"})))], series)
    yield "a template that fails", templated("Wrong", "1m", [("{}", "{text: x}")], [("wrong", "1x5")])
    yield "between two evaluations", alert("Down", "7m30s", [(DOWN, DOWN_TEXT)], UP)
    yield "a file that is no YAML", "rule_files: [\n"
    yield "a key that is none", HEAD.replace("tests:", "test:") + "- interval: 1m\n"
    yield "rules that are not there", HEAD.replace("rules.yaml", "absent.yaml") + "- interval: 1m\n  promql_expr_test:\n  - {expr: '1', eval_time: 1m, exp_samples: [{value: 1}]}\n"
    yield "a name for the test", HEAD + "- name: first\n  interval: 1m\n  promql_expr_test:\n  - {expr: '1', eval_time: 1m, exp_samples: [{labels: '{}', value: 1}]}\n"
    yield "labels left out", HEAD + "- interval: 1m\n  promql_expr_test:\n  - {expr: '1', eval_time: 1m, exp_samples: [{value: 1}]}\n"
    yield "the order of groups", HEAD.replace("tests:", "group_eval_order: [slow, basics]\ntests:") + "- interval: 1m\n  promql_expr_test:\n  - {expr: '1', eval_time: 1m, exp_samples: [{value: 1}]}\n"
    yield "an order of groups that are not there", HEAD.replace("tests:", "group_eval_order: [fast]\ntests:") + "- interval: 1m\n  promql_expr_test:\n  - {expr: '1', eval_time: 1m, exp_samples: [{value: 1}]}\n"
    yield "external labels", HEAD + "- interval: 1m\n  external_labels: {site: s1}\n  external_url: http://x\n  input_series: [{series: now, values: 1x5}]\n  promql_expr_test:\n  - {expr: now, eval_time: 1m, exp_samples: [{labels: now, value: 1}]}\n"
    yield "rules by a pattern", HEAD.replace("rules.yaml", "ru*.yaml") + "- interval: 1m\n  input_series: [{series: up, values: 1x5}]\n  promql_expr_test:\n  - {expr: 'slow:count', eval_time: 1m, exp_samples: [{labels: 'slow:count', value: 1}]}\n"
    yield "two tests, the second wrong", samples("1", "1m", [("{}", 1)]) + samples("1", "1m", [("{}", 2)])[len(HEAD):]
    yield "more than one sample of a label set", samples("m", "1m", [("m", 1), ("m", 1)], [("m", "1x5")])
    yield "a label with a quote", samples('m', "1m", [('m{a="x\\"y"}', 1)], [('m{a="x\\"y"}', "1x5")])


def main():
    folder, ours = sys.argv[1:]
    with open(os.path.join(folder, "rules.yaml"), "w", encoding="utf-8") as f:
        f.write(RULES)
    with open(os.path.join(folder, "templates.yaml"), "w", encoding="utf-8") as f:
        f.write(TEMPLATES)
    n = bad = 0
    for what, text in cases():
        path = os.path.join(folder, f"{n}.yaml")
        n += 1
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        a = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, check=False)
        b = subprocess.run([ours, "rules", "test", path], capture_output=True, text=True, check=False)
        if (a.returncode == 0) != (b.returncode == 0):
            bad += 1
            print(f"# {what}: promtool {a.returncode}, we {b.returncode}")
            for line in ((a.stdout + a.stderr).strip() + "\n-- we:\n" + (b.stdout + b.stderr).strip()).splitlines()[:24]:
                print(f"#   {line}")
    print(f"# {n} files, {bad} judged otherwise")
    return bad > 0


sys.exit(main())

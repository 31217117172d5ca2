"""manifests: reads Kubernetes manifests of a folder and says what does not fit together; writes the files of their config
maps to FOLDER/NAME/ and the options of their containers to FOLDER/arguments, for the programs themselves to judge."""
import os
import sys

import yaml

folder, out = sys.argv[1:]
wrong = []
objects = []
for name in sorted(os.listdir(folder)):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        objects += [(name, o) for o in yaml.safe_load_all(f) if o]


def fault(name, o, text):
    wrong.append(f"{name}: {o.get('kind')} {o['metadata']['name']}: {text}")


API = {"ServiceAccount": "v1", "ConfigMap": "v1", "Service": "v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1"}
maps = {o["metadata"]["name"]: o["data"] for _, o in objects if o["kind"] == "ConfigMap"}
accounts = {o["metadata"]["name"] for _, o in objects if o["kind"] == "ServiceAccount"}
services = {o["metadata"]["name"] for _, o in objects if o["kind"] == "Service"}
pods = [(n, o, o["spec"]["template"]) for n, o in objects if o["kind"] in ("StatefulSet", "DaemonSet")]

for name, o in objects:
    if API.get(o["kind"]) != o["apiVersion"]:
        fault(name, o, f"apiVersion {o['apiVersion']} is not that of its kind")
for name, data in maps.items():
    os.makedirs(os.path.join(out, name), exist_ok=True)
    for key, text in data.items():
        with open(os.path.join(out, name, key), "w", encoding="utf-8") as f:
            f.write(text)

arguments = []
for name, o, pod in pods:
    spec, labels = pod["spec"], pod["metadata"]["labels"]
    if o["spec"]["selector"]["matchLabels"] != labels:
        fault(name, o, "its selector is not its pods' labels")
    if spec.get("serviceAccountName") not in accounts:
        fault(name, o, "its service account is not there")
    if o["kind"] == "StatefulSet" and o["spec"]["serviceName"] not in services:
        fault(name, o, "its service is not there")
    volumes = {v["name"]: v for v in spec.get("volumes", [])}
    volumes.update({v["metadata"]["name"]: v for v in o["spec"].get("volumeClaimTemplates", [])})
    for v in volumes.values():
        if "configMap" in v and v["configMap"]["name"] not in maps:
            fault(name, o, f"config map {v['configMap']['name']} is not there")
    used = set()
    for c in spec["containers"]:
        ports = {p["name"] for p in c.get("ports", [])}
        security = c.get("securityContext", {})
        if security.get("allowPrivilegeEscalation") is not False or not security.get("readOnlyRootFilesystem"):
            fault(name, o, f"{c['name']} may gain privilege or write its image")
        if security.get("capabilities", {}).get("drop") != ["ALL"]:
            fault(name, o, f"{c['name']} keeps capabilities")
        if "memory" not in c.get("resources", {}).get("limits", {}):
            fault(name, o, f"{c['name']} has no ceiling of memory")
        for m in c.get("volumeMounts", []):
            used.add(m["name"])
            if m["name"] not in volumes:
                fault(name, o, f"volume {m['name']} is not there")
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if probe in c and c[probe]["httpGet"]["port"] not in ports:
                fault(name, o, f"{probe} asks a port that is not there")
        arguments += [f"{c['name']} {a}" for a in c.get("args", []) if a.startswith("--")]
        config = c["args"][c["args"].index("--config") + 1]
        if not any(config.endswith("/" + key) for data in maps.values() for key in data):
            fault(name, o, f"{config} is in no config map")
    for v in set(volumes) - used:
        fault(name, o, f"volume {v} is used by none")
for name, o in objects:
    if o["kind"] != "Service":
        continue
    found = [p for _, _, p in pods if o["spec"]["selector"].items() <= p["metadata"]["labels"].items()]
    if not found:
        fault(name, o, "it selects no pod")
    for port in o["spec"]["ports"]:
        if not any(port["targetPort"] == q["name"] for p in found for c in p["spec"]["containers"] for q in c.get("ports", [])):
            fault(name, o, f"port {port['targetPort']} is not there")
if not pods:
    wrong.append("no pod found: this check would see nothing")
with open(os.path.join(out, "arguments"), "w", encoding="utf-8") as f:
    f.write("".join(a + "\n" for a in arguments))
print("\n".join(wrong))
sys.exit(bool(wrong))

#!/bin/sh
# line_to_page: one kernel line by Loki push becomes one incident and, at a receiver that is away at first, one page.
src=${MS_SRCDIR:-.}
. "$src/tests/programs/server.sh"
need python3 curl
hook_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
topology >"$tmp/topology.yaml"
back=$(($(date +%s) + ${AWAY:-0}))
conf_write "topology: topology.yaml
alerts:
  receivers: [{name: oncall, webhook: {url: 'http://127.0.0.1:$hook_port/hook'}}]
  route: {receiver: oncall, group_wait: 1s}"
ok 'the server starts' server_start

line='NVRM: Xid (PCI:0000:3b:00): 79, pid=4711, name=python, GPU has fallen off the bus.'
ok 'a pushed line is answered 204' is "$(loki node00001 kernel "$line" 2>&1)" 204
opened() { [ "$(get '/api/v1/incidents' | pick 'len(d["items"])')" -ge 1 ]; }
ok 'an incident is there within 15 seconds' until_true 150 opened
get /api/v1/incidents >"$tmp/incidents"
incident() { is "$(pick "$1" <"$tmp/incidents")" "$2"; }
ok 'it is one' incident 'len(d["items"])' 1
ok 'it names the GPU at that address first' incident 'd["items"][0]["hypotheses"][0]["entity"]' gpu:node00001/3
ok 'its cause is the Xid' incident 'd["items"][0]["hypotheses"][0]["cause"]' nvidia.xid.79
ok 'its verdict is infrastructure' incident 'd["items"][0]["verdict"]' infrastructure
ok 'its evidence has the line as it came' incident 'any("fallen off the bus" in e["text"] for e in d["items"][0]["hypotheses"][0]["evidence"])' True
ok 'it is titled in both languages' incident 'all(d["items"][0]["title"][k] for k in ("en", "zh"))' True

# The receiver stays away until a delivery to it has failed twice, and for AWAY seconds at the least.
failed_twice() { [ "$(get /api/v1/alerts/deliveries | pick 'max([i["attempts"] for i in d["items"]] + [0])')" -ge 2 ]; }
until_true 80 failed_twice
gone_long() { [ "$(date +%s)" -ge "$back" ]; }
ok "the receiver stays away for ${AWAY:-0} s" until_true $((${AWAY:-0} * 12 + 50)) gone_long
python3 "$src/tests/programs/hook.py" "$hook_port" "$tmp/pages" >"$tmp/hook.out" 2>&1 &
pids="$pids $!"
paged() { [ -s "$tmp/pages" ]; }
ok 'the page comes once the receiver is back' until_true 450 paged
loki node00001 kernel "$line" >/dev/null 2>&1
sleep 3
ok 'it comes once, also when the line is said again' is "$(wc -l <"$tmp/pages")" 1
page() { is "$(head -1 "$tmp/pages" | pick "$1")" "$2"; }
ok "it is Alertmanager's payload, version 4" page 'd["body"]["version"], d["body"]["status"]' "('4', 'firing')"
ok 'it carries the incident' page 'd["body"]["myriascope"]["incident"]["hypotheses"][0]["entity"]' gpu:node00001/3
ok 'it bears an idempotency key of incident, revision and receiver' page \
    'd["headers"]["idempotency-key"].startswith(d["body"]["myriascope"]["incident"]["id"] + ":") and d["headers"]["idempotency-key"].endswith(":oncall")' True

id=$(pick 'd["items"][0]["id"]' <"$tmp/incidents")
ok 'the command lists it' has "$(ask incidents --lang en)" "$id"
ok 'the command shows its evidence' has "$(ask incidents "$id")" 'fallen off the bus'
ok 'it can be acknowledged' exits 0 ask incidents ack "$id"
ok 'and resolved' exits 0 ask incidents resolve "$id"
resolved() { is "$(get "/api/v1/incidents/$id" | pick 'd["state"]')" resolved; }
ok 'it is resolved then' until_true 30 resolved
finish

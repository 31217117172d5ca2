#!/usr/bin/env python3
"""redfish_bmc PORT [--schema old|new] [--expand] [--sessions N] [--tls CERT KEY]: a management controller for tests.

Answers as one of its kind does, and as a lying or wedged one does when it is told to: POST /test/KEY/VALUE sets
  lie      0; 1 sends documents of wrong types, links in circles, absurd numbers and an answer without an end
  wedge    0; 1 takes connections and says nothing
  expire   any value: all sessions end now
  log      VALUE more entries are written
  clear    the log is emptied
  watts    what it draws
GET /test/seen gives counts of what was asked, as JSON.
"""
import argparse
import json
import os
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

p = argparse.ArgumentParser()
p.add_argument('port', type=int)
p.add_argument('--schema', default='old')
p.add_argument('--expand', action='store_true')
p.add_argument('--sessions', type=int, default=4)
p.add_argument('--newest-first', action='store_true')
p.add_argument('--tls', nargs=2)
args = p.parse_args()

lock = threading.Lock()
state = {'lie': 0, 'wedge': 0, 'watts': 812}
sessions, seen, log = {}, {}, []


def entry(text, severity='Warning', sensor=''):
    n = len(log) + state.get('cleared', 0) * 1000 + 1
    when = time.strftime('%Y-%m-%dT%H:%M:%S+00:00', time.gmtime())
    e = {'@odata.type': '#LogEntry.v1_9_0.LogEntry', '@odata.id': f'/redfish/v1/Systems/1/LogServices/SEL/Entries/{n}',
         'Id': str(n), 'EntryType': 'SEL', 'Created': when, 'Severity': severity, 'Message': text}
    if sensor:
        e['SensorType'] = sensor
    log.append(e)


def link(path):
    return {'@odata.id': path}


def members(kind, path, docs):
    """A collection: whole where expansion is on, else links."""
    return {'@odata.type': f'#{kind}Collection.{kind}Collection', '@odata.id': path, 'Members@odata.count': len(docs),
            'Members': docs}


def tree():
    """path -> document; collections carry whole members, cut to links when they are not asked to expand."""
    c, t, w = '/redfish/v1/Chassis/1', {}, state['watts']
    ok = {'State': 'Enabled', 'Health': 'OK'}
    t['/redfish/v1'] = {'@odata.type': '#ServiceRoot.v1_15_0.ServiceRoot', 'Chassis': link('/redfish/v1/Chassis'),
                        'Systems': link('/redfish/v1/Systems'), 'Managers': link('/redfish/v1/Managers'),
                        'ProtocolFeaturesSupported': {'ExpandQuery': {'NoLinks': args.expand}}}
    t['/redfish/v1/Chassis'] = members('Chassis', '/redfish/v1/Chassis', [link(c)])
    t['/redfish/v1/Managers'] = members('Manager', '/redfish/v1/Managers', [])
    t['/redfish/v1/Systems'] = members('ComputerSystem', '/redfish/v1/Systems', [link('/redfish/v1/Systems/1')])
    t['/redfish/v1/Systems/1'] = {'@odata.type': '#ComputerSystem.v1_20_0.ComputerSystem', 'Id': '1', 'PowerState': 'On',
                                  'Status': {'State': 'Enabled', 'HealthRollup': 'Warning'},
                                  'LogServices': link('/redfish/v1/Systems/1/LogServices')}
    t['/redfish/v1/Systems/1/LogServices'] = members('LogService', '/redfish/v1/Systems/1/LogServices', [
        link('/redfish/v1/Systems/1/LogServices/SEL'), link('/redfish/v1/Systems/1/LogServices/Dump')])
    for name in 'SEL', 'Dump':
        t[f'/redfish/v1/Systems/1/LogServices/{name}'] = {
            '@odata.type': '#LogService.v1_2_0.LogService', 'Id': name,
            'Entries': link(f'/redfish/v1/Systems/1/LogServices/{name}/Entries')}
    chassis = {'@odata.type': '#Chassis.v1_23_0.Chassis', 'Id': '1'}
    if args.schema == 'old':
        chassis['Power'], chassis['Thermal'] = link(c + '/Power'), link(c + '/Thermal')
        t[c + '/Power'] = {
            '@odata.type': '#Power.v1_7_0.Power',
            'PowerControl': [{'MemberId': '0', 'Name': 'System Power Control', 'PowerConsumedWatts': w,
                              'PowerMetrics': {'AverageConsumedWatts': w - 12}, 'PowerLimit': {'LimitInWatts': None}}],
            'PowerSupplies': [
                {'MemberId': '0', 'Name': 'PSU1', 'LastPowerOutputWatts': '406.5', 'LineInputVoltage': 229, 'Status': ok},
                {'MemberId': '1', 'Name': 'PSU2', 'LastPowerOutputWatts': 0, 'LineInputVoltage': 0,
                 'Status': {'State': 'Enabled', 'Health': 'Critical'}},
                {'MemberId': '2', 'Name': 'PSU3', 'LastPowerOutputWatts': 0, 'Status': {'State': 'Absent'}}]}
        t[c + '/Thermal'] = {
            '@odata.type': '#Thermal.v1_7_0.Thermal',
            'Temperatures': [
                {'MemberId': '4', 'Name': 'Inlet Temp', 'ReadingCelsius': 23.5, 'UpperThresholdCritical': 47, 'Status': ok},
                {'MemberId': '5', 'Name': 'CPU1 Temp', 'ReadingCelsius': None, 'Status': ok}],
            'Fans': [{'MemberId': '0', 'Name': 'FAN1', 'Reading': 9120, 'ReadingUnits': 'RPM', 'Status': ok},
                     {'MemberId': '1', 'FanName': 'FAN2', 'Reading': 61, 'ReadingUnits': 'Percent', 'Status': ok}]}
    else:
        chassis.update({k: link(f'{c}/{k}') for k in
                        ('PowerSubsystem', 'ThermalSubsystem', 'EnvironmentMetrics', 'Sensors')})
        t[c + '/PowerSubsystem'] = {'@odata.type': '#PowerSubsystem.v1_1_0.PowerSubsystem',
                                    'PowerSupplies': link(c + '/PowerSubsystem/PowerSupplies')}
        psu = c + '/PowerSubsystem/PowerSupplies/0'
        t[psu] = {'@odata.type': '#PowerSupply.v1_5_0.PowerSupply', '@odata.id': psu, 'Id': '0', 'Name': 'PSU1',
                  'Status': ok, 'Metrics': link(psu + '/Metrics')}
        t[c + '/PowerSubsystem/PowerSupplies'] = members('PowerSupply', c + '/PowerSubsystem/PowerSupplies', [t[psu]])
        t[psu + '/Metrics'] = {'@odata.type': '#PowerSupplyMetrics.v1_1_0.PowerSupplyMetrics', 'Id': '0', 'Name': 'PSU1',
                               'OutputPowerWatts': {'Reading': 406.5}}
        t[c + '/ThermalSubsystem'] = {'@odata.type': '#ThermalSubsystem.v1_3_0.ThermalSubsystem',
                                      'ThermalMetrics': link(c + '/ThermalSubsystem/ThermalMetrics'),
                                      'Fans': link(c + '/ThermalSubsystem/Fans'),
                                      'LeakDetection': link(c + '/ThermalSubsystem/LeakDetection')}
        t[c + '/ThermalSubsystem/ThermalMetrics'] = {
            '@odata.type': '#ThermalMetrics.v1_3_0.ThermalMetrics',
            'TemperatureReadingsCelsius': [{'DataSourceUri': c + '/Sensors/inlet', 'DeviceName': 'Inlet', 'Reading': 23.5}]}
        fan = c + '/ThermalSubsystem/Fans/1'
        t[fan] = {'@odata.type': '#Fan.v1_4_0.Fan', '@odata.id': fan, 'Id': '1', 'Name': 'FAN1', 'Status': ok,
                  'SpeedPercent': {'Reading': 61, 'SpeedRPM': 9120}}
        t[c + '/ThermalSubsystem/Fans'] = members('Fan', c + '/ThermalSubsystem/Fans', [t[fan]])
        leak = c + '/ThermalSubsystem/LeakDetection'
        t[leak] = {'@odata.type': '#LeakDetection.v1_0_0.LeakDetection', 'LeakDetectors': link(leak + '/LeakDetectors')}
        t[leak + '/LeakDetectors/1'] = {'@odata.type': '#LeakDetector.v1_1_0.LeakDetector', 'Id': '1', 'Name': 'Tray leak',
                                        '@odata.id': leak + '/LeakDetectors/1', 'DetectorState': 'Critical'}
        t[leak + '/LeakDetectors'] = members('LeakDetector', leak + '/LeakDetectors', [t[leak + '/LeakDetectors/1']])
        t[c + '/EnvironmentMetrics'] = {'@odata.type': '#EnvironmentMetrics.v1_3_0.EnvironmentMetrics', 'Id': 'Env',
                                        'Name': 'Environment', 'PowerWatts': {'Reading': w}, 'EnergykWh': {'Reading': 2.5}}
        inlet = c + '/Sensors/inlet'
        t[inlet] = {'@odata.type': '#Sensor.v1_7_0.Sensor', '@odata.id': inlet, 'Id': 'inlet', 'Name': 'Inlet Temp',
                    'ReadingType': 'Temperature', 'Reading': 23.5, 'Thresholds': {'UpperCritical': {'Reading': 47}}}
        t[c + '/Sensors'] = members('Sensor', c + '/Sensors', [t[inlet]])
    t[c] = chassis
    return t


def lies(path):
    """What nobody should believe."""
    root = '/redfish/v1'
    t = {'': {'@odata.type': '#ServiceRoot.v1_0_0.ServiceRoot', 'Chassis': link(root + '/Chassis'),
              'Systems': link('http://elsewhere/redfish/v1/Systems'), 'Managers': link(root + '/../../etc/passwd')},
         '/Chassis': {'@odata.type': '#ChassisCollection.ChassisCollection',
                      'Members': [link(root + '/Chassis'), link(root + '/Chassis/x'), 7, None, link(root)]},
         '/Chassis/x': {'@odata.type': '#Chassis.v1_0_0.Chassis', 'Power': link(root + '/Chassis/x/Power'),
                        'Thermal': link(root + '/endless'), 'LogServices': link(root + '/LogServices')},
         '/Chassis/x/Power': {'@odata.type': '#Power.v1_0_0.Power', 'PowerControl': [
             {'PowerConsumedWatts': 1e30}, {'PowerConsumedWatts': 'NaN'}, {'PowerConsumedWatts': [3]}, 'text'],
             'PowerSupplies': {'0': 1}},
         '/LogServices': {'@odata.type': '#LogService.v1_0_0.LogService',
                          'Entries': link(root + '/Chassis/x/LogServices/SEL/Entries')},
         '/Chassis/x/LogServices/SEL/Entries': {
             'Members': [{'Id': 1, 'Message': 'liar entry', 'Created': '2099-01-01T00:00:00Z'}, {}, 3],
             'Members@odata.count': -4, 'Members@odata.nextLink': root + '/Chassis/x/LogServices/SEL/Entries'}}
    return t.get(path[len(root):].rstrip('/'))


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *a):
        pass

    def reply(self, status, doc=None, headers=()):
        body = json.dumps(doc).encode() if doc is not None else b''
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        for k, v in headers:
            self.send_header(k, v)
        self.end_headers()
        self.wfile.write(body)

    def count(self, what):
        with lock:
            seen[what] = seen.get(what, 0) + 1

    def allowed(self):
        if state['wedge']:
            self.count('wedged')
            time.sleep(30)
            return False
        token, basic = self.headers.get('X-Auth-Token'), self.headers.get('Authorization')
        if token in sessions or basic == 'Basic bW9uaXRvcjpzZWNyZXQ=':
            return True
        self.count('denied')
        self.reply(401, {})
        return False

    def endless(self):
        self.send_response(200)
        self.send_header('Connection', 'close')
        self.end_headers()
        try:
            while True:
                self.wfile.write(b'[' * 65536)
        except OSError:
            self.close_connection = True

    def entries(self, url):
        q = parse_qs(url.query)
        with lock:
            rows, n = list(log), len(log)
        if args.newest_first:
            rows.reverse()
        skip, top = int(q.get('$skip', ['0'])[0]), int(q.get('$top', ['50'])[0])
        page = rows[skip:skip + top]
        doc = {'@odata.type': '#LogEntryCollection.LogEntryCollection', 'Members@odata.count': n, 'Members': page}
        if skip + top < n and '$top' not in q:
            doc['Members@odata.nextLink'] = url.path + f'?$skip={skip + top}'
        self.count('entries-sent-%s' % ('tail' if skip or '$top' in q else 'whole'))
        self.reply(200, doc)

    def do_GET(self):
        url = urlsplit(self.path)
        path = url.path.rstrip('/')
        if path == '/test/seen':
            return self.reply(200, dict(seen, sessions=len(sessions)))
        if not self.allowed():
            return
        self.count('get')
        if state['lie']:
            if path.endswith('/endless'):
                return self.endless()
            doc = lies(path)
            return self.reply(200 if doc is not None else 404, doc)
        if path.endswith('/SEL/Entries'):
            return self.entries(url)
        doc = tree().get(path)
        if doc is None:
            return self.reply(404, {})
        if 'Members' in doc and '$expand' not in url.query:
            doc = dict(doc, Members=[link(m['@odata.id']) for m in doc['Members']])
        self.reply(200, doc)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        part = self.path.split('/')
        if part[1] == 'test':
            with lock:
                if part[2] == 'expire':
                    sessions.clear()
                elif part[2] == 'clear':
                    log.clear()
                    state['cleared'] = state.get('cleared', 0) + 1
                elif part[2] == 'log':
                    for _ in range(int(part[3])):
                        state['written'] = state.get('written', 0) + 1
                        entry(f'Correctable ECC, event {state["written"]} | Asserted', sensor='Memory')
                    entry(f'marker{len(log)} Power Supply AC lost', 'Critical')
                else:
                    state[part[2]] = int(part[3])
            return self.reply(200, {})
        if state['wedge']:
            return time.sleep(30)
        doc = json.loads(body or b'{}')
        if doc.get('UserName') != 'monitor' or doc.get('Password') != 'secret':
            return self.reply(401, {})
        with lock:
            if len(sessions) >= args.sessions:
                return self.reply(503, {})
            token = f't{time.time_ns()}'
            sessions[token] = path = f'/redfish/v1/SessionService/Sessions/{token}'
        self.count('login')
        self.reply(201, {}, [('X-Auth-Token', token), ('Location', path)])

    def do_DELETE(self):
        with lock:
            sessions.pop(self.path.rsplit('/', 1)[-1], None)
        self.reply(204)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


entry('System boot')
server = Server(('127.0.0.1', args.port), Handler)
if args.tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*args.tls)
    server.socket = context.wrap_socket(server.socket, server_side=True)
def orphan(parent=os.getppid()):
    """A test that fails leaves nobody behind."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


threading.Thread(target=orphan, daemon=True).start()
server.serve_forever()

// node-opcua's server as a plant: items that count, points to write, requests counted as they come in.
//
// node server.js '{"port", "pki", "items", "every_ms", "fast", "fast_ms", "namespaces": [uri, …], "secure": bool}'
// Says "ready" on stdout; then answers each line of stdin with one line of JSON: "counts", "holds NAME", "trust FILE", "set NAME VALUE",
// "alarm NAME on|off|ack|quiet SEVERITY TEXT" (an alarm condition of Stand4; quiet: back to normal and acknowledged, so forgotten),
// "refresh" (tell clients that what they know is out of date), "called" (what method Stand4.Trim was called with).
// Item Ti holds i * 1000 + n % 1000 at the n-th change, so that a value tells whose it is; so do the `fast` items Fi. Namespace urn:decoy has the same
// names with -1 in them.
const path = require("path");
const readline = require("readline");
const { createRequire } = require("module");

const say = (line) => process.stdout.write(line + "\n");
console.log = console.info = console.warn = console.error; // node-opcua's own words: stdout is for answers alone

const given = JSON.parse(process.argv[2]);
const {
  OPCUAServer, OPCUACertificateManager, Variant, DataType, StatusCodes, MessageSecurityMode, SecurityPolicy, DataValue, NodeId,
} = createRequire(path.join(given.modules, "package.json"))("node-opcua");

const MILL = "urn:holdfast:mill";
const held = { "Stand4.Tension.PV": 101.5, "Stand4.Tension.SP": 100.0, "Stand4.Speed": 812, "Stand4.Run": true, "Stand4.Locked": 1.0, "Stand4.Grade": "DC01" };
const types = {
  "Stand4.Tension.PV": DataType.Double, "Stand4.Tension.SP": DataType.Float, "Stand4.Speed": DataType.UInt16,
  "Stand4.Run": DataType.Boolean, "Stand4.Locked": DataType.Double, "Stand4.Grade": DataType.String,
};
const writable = new Set(["Stand4.Tension.SP", "Stand4.Speed", "Stand4.Run"]);

async function main() {
  const manager = new OPCUACertificateManager({ rootFolder: given.pki, automaticallyAcceptUnknownCertificate: !given.secure });
  await manager.initialize();
  const server = new OPCUAServer({
    port: given.port,
    hostname: "127.0.0.1",
    alternateHostname: ["127.0.0.1"],
    serverInfo: { applicationUri: "urn:holdfast:peer" },
    serverCertificateManager: manager,
    allowAnonymous: true,
    securityModes: given.secure ? [MessageSecurityMode.SignAndEncrypt] : [MessageSecurityMode.None],
    securityPolicies: given.secure ? [SecurityPolicy.Basic256Sha256] : [SecurityPolicy.None],
    serverCapabilities: { maxSessions: 500, maxSubscriptions: 1000, maxMonitoredItemsPerCall: 2000, minSupportedSampleRate: 10 },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  for (const uri of given.namespaces) space.registerNamespace(uri);
  const mill = space.getNamespace(space.getNamespaceIndex(MILL));
  const counting = plant(space, mill, "mill", "T", given.items, (i) => i * 1000);
  const fast = given.fast ? plant(space, mill, "fast", "F", given.fast, (i) => i * 1000) : [];
  const decoy = space.getNamespaceIndex("urn:decoy");
  if (decoy > 0) plant(space, space.getNamespace(decoy), "decoy", "T", given.items, () => -1);
  space.installAlarmsAndConditionsService();
  const stand = points(space, mill, server);
  const counts = {};
  server.on("request", (request) => {
    const name = request.schema.name;
    counts[name] = (counts[name] || 0) + 1;
  });
  await server.start();
  let n = 0;
  let m = 0;
  if (fast.length) setInterval(() => { m += 1; change(fast, m); }, given.fast_ms);
  if (given.every_ms) setInterval(() => { n += 1; change(counting, n); }, given.every_ms);
  readline.createInterface({ input: process.stdin }).on("line", (line) => answer(line, counts, counting, manager, stand)).on("close", () => process.exit(0));
  say("ready");
}

function plant(space, namespace, name, letter, count, value) {
  const folder = namespace.addFolder(space.rootFolder.objects, { browseName: name, nodeId: `s=${name}` });
  const found = [];
  for (let i = 0; i < count; i++) {
    found.push(namespace.addVariable({
      componentOf: folder, browseName: `${letter}${i}`, nodeId: `s=${letter}${i}`, dataType: DataType.Double, minimumSamplingInterval: 10,
      value: { dataType: DataType.Double, value: value(i) },
    }));
  }
  return found;
}

function points(space, namespace, server) {
  const folder = namespace.addObject({
    organizedBy: space.rootFolder.objects, browseName: "Stand4", nodeId: "s=Stand4", eventNotifier: 1, notifierOf: space.rootFolder.objects.server,
  });
  for (const name of Object.keys(held)) {
    const options = {
      componentOf: folder, browseName: name.split(".").pop(), nodeId: `s=${name}`, dataType: types[name], minimumSamplingInterval: 10,
      accessLevel: writable.has(name) ? "CurrentRead | CurrentWrite" : "CurrentRead",
      userAccessLevel: writable.has(name) ? "CurrentRead | CurrentWrite" : "CurrentRead",
      value: {
        get: () => new Variant({ dataType: types[name], value: held[name] }),
        set: (variant) => { held[name] = variant.value; return StatusCodes.Good; },
      },
    };
    if (name !== "Stand4.Tension.PV") { namespace.addVariable(options); continue; }
    namespace.addAnalogDataItem({
      ...options, description: "strip tension", engineeringUnitsRange: { low: 0, high: 150 },
      engineeringUnits: { namespaceUri: "http://www.opcfoundation.org/UA/units/un/cefact", unitId: 4403510, displayName: "kN", description: "kilonewton" },
    });
  }
  const drive = namespace.addObject({ componentOf: folder, browseName: "Drive", nodeId: "s=Stand4.Drive", eventSourceOf: folder });
  return { space, namespace, drive, server, alarms: {}, called: method(namespace, folder) };
}

// Stand4.Trim takes a float and a whole number; it acts on the first one alone. 13 is refused, 99 is answered never.
function method(namespace, folder) {
  const called = [];
  const trim = namespace.addMethod(folder, {
    browseName: "Trim", nodeId: "s=Stand4.Trim",
    inputArguments: [{ name: "tension", dataType: DataType.Float, valueRank: -1 }, { name: "steps", dataType: DataType.Int16, valueRank: -1 }],
    outputArguments: [],
  });
  trim.bindMethod((given, context, done) => {
    const values = given.map((one) => one.value);
    called.push(values);
    if (values[0] === 99) return;
    done(null, { statusCode: values[0] === 13 ? StatusCodes.BadOutOfRange : values[0] === 14 ? StatusCodes.BadDeviceFailure : StatusCodes.Good });
  });
  return called;
}

function alarm(stand, name, what, severity, text) {
  const { namespace, drive, alarms } = stand;
  const made = (alarms[name] ||= namespace.instantiateAlarmCondition("AlarmConditionType", {
    browseName: name, componentOf: drive, conditionSource: drive, conditionName: name, inputNode: NodeId.nullNodeId,
  }));
  made.setEnabledState(true);
  const branch = made.currentBranch();
  if (what === "ack") branch.setAckedState(true);
  else {
    branch.setActiveState(what === "on");
    branch.setAckedState(what === "quiet");
  }
  made.raiseNewCondition({ severity, message: text, retain: what !== "quiet" });
}

function change(items, n) {
  const at = new Date();
  for (let i = 0; i < items.length; i++) {
    items[i].setValueFromSource({ dataType: DataType.Double, value: i * 1000 + (n % 1000) }, StatusCodes.Good, at);
  }
}

async function answer(line, counts, items, manager, stand) {
  const [what, name, value, ...more] = line.split(" ");
  if (what === "counts") say(JSON.stringify(counts));
  else if (what === "holds") say(JSON.stringify(held[name]));
  else if (what === "set") { held[name] = JSON.parse(value); say("true"); }
  else if (what === "alarm") {
    alarm(stand, name, value, Number(more[0] || 500), more.slice(1).join(" ") || name);
    say("true");
  } else if (what === "refresh") {
    stand.space.rootFolder.objects.server.raiseEvent("RefreshRequiredEventType", { message: { dataType: DataType.LocalizedText, value: { text: "again" } } });
    say("true");
  } else if (what === "called") say(JSON.stringify(stand.called));
  else if (what === "change") { change(items, Number(name)); say("true"); }
  else if (what === "trust") {
    await manager.trustCertificate(require("fs").readFileSync(name));
    say("true");
  } else say("null");
}

main().catch((error) => { console.error(error.message); process.exit(1); });

// An edge node with one device. Orders come as lines of JSON on standard input, what happened goes out as lines of JSON.
"use strict";
const [port, group, edge, device, modules] = process.argv.slice(2);
const need = require("module").createRequire(modules + "/package.json");
const mqtt = need("mqtt");
const { encodePayload, decodePayload } = need("sparkplug-payload").get("spBv1.0");
const Long = need("long");

const topic = (kind, behind) => `spBv1.0/${group}/${kind}/${edge}` + (behind ? `/${behind}` : "");
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const properties = {
  engUnit: { type: "String", value: "Cel" },
  EngLow: { type: "Double", value: -50 },
  EngHigh: { type: "Double", value: 250 },
};
const values = {
  "Temps/Inlet": { type: "Float", value: 21.5, alias: 10, properties },
  "Offset": { type: "Int32", value: -7, alias: 11 },
  "Small": { type: "Int8", value: -100, alias: 12 },
  "Count": { type: "UInt32", value: 4000000000, alias: 13 },
  "Wide": { type: "Int64", value: -5, alias: 14 },
  "Speed": { type: "Double", value: 10.0, alias: 15 },
  "Running": { type: "Boolean", value: true, alias: 16 },
  "Name": { type: "String", value: "oven", alias: 17 },
};
let seq = 0;
let births = 0;
let bdSeq = 0;
let deaf = false;
const next = () => { const at = seq; seq = (seq + 1) % 256; return at; };
const wire = (m) => (m.type === "Int64" ? Long.fromNumber(m.value) : m.value);
const publish = (kind, behind, metrics, more) =>
  client.publish(topic(kind, behind), Buffer.from(encodePayload({ timestamp: Date.now(), metrics, seq: next(), ...more })));
const death = () => Buffer.from(encodePayload({ timestamp: Date.now(), metrics: [{ name: "bdSeq", type: "UInt64", value: bdSeq }] }));

const birth = () => {
  births += 1;
  seq = 0;
  publish("NBIRTH", "", [
    { name: "bdSeq", type: "UInt64", value: bdSeq },
    { name: "Node Control/Rebirth", type: "Boolean", value: false },
    { name: "Uptime", type: "UInt64", value: Long.fromNumber(12345678901), alias: 1 },
  ]);
  publish("DBIRTH", device, Object.entries(values).map(([name, m]) => ({ name, ...m, value: wire(m) })));
  if (births === 1) process.stdout.write("ready\n");
  say({ event: "born", births });
};

const client = mqtt.connect({
  host: "127.0.0.1", port: Number(port), protocolVersion: 4, clean: true, reconnectPeriod: 0,
  will: { topic: topic("NDEATH"), payload: death(), qos: 1, retain: false },
});
client.on("connect", () => client.subscribe([topic("NCMD"), topic("DCMD", device)], birth));
client.on("message", (name, data, packet) => {
  const payload = decodePayload(data);
  for (const metric of payload.metrics) {
    say({ event: "command", topic: name, qos: packet.qos, retain: packet.retain, name: metric.name || null,
          alias: metric.alias === undefined || metric.alias === null ? null : Number(metric.alias), type: metric.type, value: Number(metric.value) });
    if (metric.name === "Node Control/Rebirth") { if (!deaf) birth(); continue; }
    if (deaf) continue;
    const found = Object.values(values).find((m) => m.alias === Number(metric.alias));
    if (found) {
      found.value = found.type === "Boolean" ? Boolean(metric.value) : Number(metric.value);
      publish("DDATA", device, [{ alias: found.alias, type: found.type, value: wire(found) }]);
    }
  }
});

const orders = {
  // The node's own encoder makes the payload; without `named` metrics go by their alias alone, as the specification wants.
  data: ({ name, value, historical, named, timestamp }) => {
    if (!historical) values[name].value = value;
    const m = values[name];
    const metric = { alias: m.alias, type: m.type, value: m.type === "Int64" ? Long.fromNumber(value) : value };
    if (named) metric.name = name;
    if (historical) metric.isHistorical = true;
    if (value === null) { metric.isNull = true; delete metric.value; }
    if (timestamp) metric.timestamp = timestamp;
    publish("DDATA", device, [metric]);
  },
  skip: () => { next(); },
  deaf: ({ on }) => { deaf = on; },
  garbage: () => { next(); client.publish(topic("DDATA", device), Buffer.from([0x12, 0xff, 0x01, 0x02])); },
  ddeath: () => publish("DDEATH", device, []),
  dbirth: () => publish("DBIRTH", device, Object.entries(values).map(([name, m]) => ({ name, ...m, value: wire(m) }))),
  // A death certificate of an earlier session, come late.
  lateDeath: () => client.publish(topic("NDEATH"), Buffer.from(encodePayload({ timestamp: Date.now(), metrics: [{ name: "bdSeq", type: "UInt64", value: 99 }] })), { qos: 1 }),
  birth,
};
require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line);
  orders[order.do](order);
  say({ event: "done", do: order.do });
});
process.stdin.on("end", () => process.exit(0));

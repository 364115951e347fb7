// node-opcua's client, subscribed to items; CPU of this process while values come in, as one line of JSON.
//
// node client.js '{"url", "items", "every_ms", "seconds", "modules"}'
const path = require("path");
const { createRequire } = require("module");

const given = JSON.parse(process.argv[2]);
const { OPCUAClient, ClientSubscription, ClientMonitoredItemGroup, AttributeIds, TimestampsToReturn, MessageSecurityMode, SecurityPolicy } =
  createRequire(path.join(given.modules, "package.json"))("node-opcua");

async function main() {
  const client = OPCUAClient.create({ endpointMustExist: false, securityMode: MessageSecurityMode.None, securityPolicy: SecurityPolicy.None });
  await client.connect(given.url);
  const session = await client.createSession();
  const index = (await session.readNamespaceArray()).indexOf("urn:holdfast:mill");
  const subscription = ClientSubscription.create(session, {
    requestedPublishingInterval: given.every_ms, requestedLifetimeCount: 1000, requestedMaxKeepAliveCount: 10,
    maxNotificationsPerPublish: 0, publishingEnabled: true,
  });
  let values = 0;
  let sum = 0;
  for (let first = 0; first < given.items; first += 1000) {
    const nodes = [];
    for (let i = first; i < Math.min(first + 1000, given.items); i++) nodes.push({ nodeId: `ns=${index};s=T${i}`, attributeId: AttributeIds.Value });
    const group = ClientMonitoredItemGroup.create(subscription, nodes, { samplingInterval: given.every_ms, queueSize: 1, discardOldest: true }, TimestampsToReturn.Both);
    group.on("changed", (item, dataValue) => { values += 1; sum += dataValue.value.value; });
  }
  await new Promise((done) => setTimeout(done, 3000));
  const [before, at] = [process.cpuUsage(), values];
  await new Promise((done) => setTimeout(done, given.seconds * 1000));
  const spent = process.cpuUsage(before);
  console.log(JSON.stringify({ values: values - at, cpu_s: (spent.user + spent.system) / 1e6, sum }));
  process.exit(0);
}

main().catch((error) => { console.error(error.message); process.exit(1); });

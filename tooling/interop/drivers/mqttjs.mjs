// MQTT.js, of the version that is asked for: reads what to do as lines of JSON, writes an answer to each, and the messages
// that come.
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'

/** @typedef {import('mqtt').MqttClient} Client */
/** @typedef {import('../peer.js').SubscriberOptions & { port: number, transport: string, version: 3 | 4 | 5, aliases?: boolean }} Options */
/** @typedef {import('../peer.js').Publication} Publication */

const { default: mqtt } = await import(process.argv[2] === '4' ? 'mqtt4' : 'mqtt')
/** @type {Map<string, Client>} */
const clients = new Map()

/** @param {object} answer */
const write = (answer) => void process.stdout.write(`${JSON.stringify(answer)}\n`)

/** @param {import('../peer.js').Properties} [given] */
function propertiesOf({ userProperties, correlationData, ...rest } = {}) {
  /** @type {Record<string, string[]>} */
  const pairs = {}
  for (const [name, value] of userProperties ?? []) pairs[name] = [...(pairs[name] ?? []), value]
  return {
    ...rest,
    ...(userProperties && { userProperties: pairs }),
    ...(correlationData !== undefined && { correlationData: Buffer.from(correlationData) }),
  }
}

/** As `digest` of the scenarios. @param {Buffer} payload */
const digest = (payload) =>
  payload.length <= 4096
    ? payload.toString()
    : `${payload.length} bytes, ${createHash('sha256').update(payload).digest('hex')}`

/** @param {any} packet */
function messageOf({
  topic,
  payload,
  qos,
  retain,
  dup,
  properties: { userProperties, ...rest } = /** @type {any} */ ({}),
}) {
  const pairs = Object.entries(userProperties ?? {}).flatMap(([name, values]) =>
    [values].flat().map((value) => [name, value]),
  )
  const properties = {
    ...rest,
    ...(userProperties && { userProperties: pairs }),
    ...(rest.correlationData && { correlationData: rest.correlationData.toString() }),
  }
  return { topic, payload: digest(payload), qos, retain, dup, properties }
}

/** @param {string} name @param {Options} options */
function open(name, { version, transport, port, clientId, sessionExpiry, will, reconnect, aliases }) {
  const isNew = version === 5
  /** @type {Client} */
  const client = mqtt.connect(`${transport === 'websockets' ? 'ws' : 'mqtt'}://127.0.0.1:${port}`, {
    protocolVersion: version,
    protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
    clientId,
    clean: sessionExpiry === undefined,
    reconnectPeriod: reconnect ? 50 : 0,
    resubscribe: false,
    // The maximum is an option of version 4, and a property of version 5.
    ...(aliases && { autoAssignTopicAlias: true, topicAliasMaximum: 10 }),
    ...(isNew && {
      properties: { sessionExpiryInterval: sessionExpiry ?? 0, ...(aliases && { topicAliasMaximum: 10 }) },
    }),
    ...(will && {
      will: {
        topic: will.topic,
        payload: Buffer.from(will.payload),
        qos: will.qos ?? 0,
        retain: will.retain ?? false,
        ...(isNew && { properties: { willDelayInterval: will.delay ?? 0, ...propertiesOf(will.properties) } }),
      },
    }),
  })
  clients.set(name, client)
  client.on('message', (topic, payload, packet) =>
    write({ client: name, message: messageOf({ ...packet, topic, payload }) }),
  )
  return new Promise((resolve, reject) => {
    client.once('connect', ({ sessionPresent }) => resolve(sessionPresent))
    client.on('error', reject)
    client.on('close', () => reject(new Error('the connection is closed')))
  })
}

/** @param {string} name @param {string[]} filters @param {Options} options */
function subscribe(name, filters, { qos, retainAsPublished, retainHandling, subscriptionIdentifier }) {
  const options = {
    qos: qos ?? 2,
    rap: retainAsPublished ?? false,
    rh: retainHandling ?? 0,
    ...(subscriptionIdentifier && { properties: { subscriptionIdentifier } }),
  }
  return new Promise((resolve, reject) => {
    // What is refused is an error in one version, and a granted QoS in the other.
    clients
      .get(name)
      ?.subscribe(filters, options, (error, granted = []) =>
        error ? reject(error) : resolve(granted.map((each) => each.qos)),
      )
  })
}

/** @param {string} name @param {Publication[]} messages @param {boolean} persists */
function publish(name, messages, persists) {
  const client = clients.get(name)
  if (client === undefined) throw new Error(`there is no client ${name}`)
  const ended = new Promise((_, reject) => {
    if (!persists) client.once('close', () => reject(new Error('the connection is closed')))
  })
  const sent = messages.map(
    ({ topic, payload, qos = 0, retain = false, properties }) =>
      /** @type {Promise<void>} */ (
        new Promise((resolve, reject) => {
          const options = { qos, retain, ...(properties && { properties: propertiesOf(properties) }) }
          client.publish(topic, payload, options, (error) => (error ? reject(error) : resolve()))
        })
      ),
  )
  return Promise.race([Promise.all(sent).then(() => {}), ended])
}

/** @param {string} name */
function close(name) {
  const client = clients.get(name)
  clients.delete(name)
  return new Promise((resolve) => {
    if (client === undefined) resolve(undefined)
    else client.end(false, {}, () => resolve(undefined))
  })
}

/** @param {any} call */
async function act({ do: kind, client, options, filters, messages, persists }) {
  if (kind === 'open') return await open(client, options)
  if (kind === 'subscribe') return await subscribe(client, filters, options)
  if (kind === 'publish') return await publish(client, messages, persists)
  if (kind === 'close') return await close(client)
  throw new Error(`there is no ${kind}`)
}

for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line)
  act(call).then(
    (result) => write({ call: call.call, result }),
    (error) => write({ call: call.call, error: String(error) }),
  )
}
process.exit()

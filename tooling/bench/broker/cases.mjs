/** The rows of the table: what is done to each broker, and which figures are taken. */

/**
 * Publishers and subscribers that belong together. `pairs`: each publisher has a subscriber of its own. `fan-in`: all
 * publish to one. `fan-out`: all subscribers get the same. `shared`: the subscribers share what comes.
 * @typedef {object} Group
 * @property {'pairs' | 'fan-in' | 'fan-out' | 'shared'} shape
 * @property {number} publishers
 * @property {number} subscribers
 * @property {0 | 1 | 2} qos
 * @property {number} window Messages of a publisher that some of its receivers may not have yet.
 * @property {number} size Bytes of a payload, 16 at least.
 * @property {number} [frozen] Subscribers that stop reading after half of the time, and are not waited for.
 */

/**
 * @typedef {object} Figure
 * @property {string} key Of the result.
 * @property {string} unit
 * @property {string} [name] Where a case has more than one.
 */

/**
 * @typedef {object} Case
 * @property {string} id
 * @property {string} name
 * @property {'traffic' | 'connects' | 'retained' | 'queued'} kind
 * @property {readonly Figure[]} figures
 * @property {readonly Group[]} groups
 * @property {number} count Connections, or messages that are kept.
 * @property {4 | 5} version
 * @property {boolean} properties Three of them in each PUBLISH.
 * @property {'mqtt' | 'ws' | 'mqtts'} transport
 * @property {number} rate Messages for a second, sent at their time whatever the broker does; 0: as many as the windows let.
 * @property {boolean} idle Connections subscribe and stay.
 */

/** @type {readonly Figure[]} */
const perMessage = [{ key: 'cpu', unit: 'us' }]

/** @param {string} id @param {string} name @param {Partial<Case>} rest @returns {Case} */
function row(id, name, rest) {
  return {
    id,
    name,
    kind: 'traffic',
    figures: perMessage,
    groups: [],
    count: 0,
    version: 4,
    properties: false,
    transport: 'mqtt',
    rate: 0,
    idle: false,
    ...rest,
  }
}

/** @param {Group['shape']} shape @param {number} publishers @param {number} subscribers @param {0 | 1 | 2} qos @param {number} window @param {number} size @returns {Group} */
const group = (shape, publishers, subscribers, qos, window, size = 64) => ({
  shape,
  publishers,
  subscribers,
  qos,
  window,
  size,
})

/** @param {Parameters<typeof group>} parts */
const of = (...parts) => ({ groups: [group(...parts)] })

/** @type {readonly Case[]} */
export const cases = [
  row('pairs-0', '50 to 50, QoS 0', of('pairs', 50, 50, 0, 100)),
  row('pairs-1', '50 to 50, QoS 1', of('pairs', 50, 50, 1, 100)),
  row('pairs-2', '50 to 50, QoS 2', of('pairs', 50, 50, 2, 100)),
  row('properties', '50 to 50, MQTT 5 QoS 1, 3 properties', {
    ...of('pairs', 50, 50, 1, 100),
    version: 5,
    properties: true,
  }),
  row('single-0', '500 to 500, one at a time, QoS 0', of('pairs', 500, 500, 0, 1)),
  row('single-1', '500 to 500, one at a time, QoS 1', of('pairs', 500, 500, 1, 1)),
  row('fan-in-0', '100 to 1, QoS 0', of('fan-in', 100, 1, 0, 100)),
  row('fan-in-1', '100 to 1, QoS 1', of('fan-in', 100, 1, 1, 20)),
  row('fan-out-100-0', '1 to 100, QoS 0', of('fan-out', 1, 100, 0, 20)),
  row('fan-out-100-1', '1 to 100, QoS 1', of('fan-out', 1, 100, 1, 20)),
  row('fan-out-1000-0', '1 to 1,000, QoS 0', of('fan-out', 1, 1000, 0, 20)),
  row('fan-out-1000-1', '1 to 1,000, QoS 1', of('fan-out', 1, 1000, 1, 20)),
  row('1k', '50 to 50, QoS 0, 1 KiB', of('pairs', 50, 50, 0, 100, 1024)),
  row('16k', '50 to 50, QoS 0, 16 KiB', of('pairs', 50, 50, 0, 20, 16384)),
  row('shared', 'shared subscription 100 to 10, QoS 1', of('shared', 100, 10, 1, 20)),
  row('retained', '100,000 retained to #', { kind: 'retained', count: 100_000 }),
  row('queued', '60,000 queued to a returning client, QoS 1', { kind: 'queued', count: 60_000 }),
  row('connects', '5,000 connects', {
    kind: 'connects',
    count: 5_000,
    figures: [{ key: 'cpu', unit: 'us per connection' }],
  }),
  row('idle', '5,000 idle connections, one subscription each', {
    kind: 'connects',
    count: 5_000,
    idle: true,
    figures: [{ key: 'memory', unit: 'KiB per connection' }],
  }),
  row('open', '10,000 messages for a second, QoS 0', {
    ...of('pairs', 50, 50, 0, 100),
    rate: 10_000,
    figures: [
      { name: 'latency p50', key: 'p50', unit: 'us' },
      { name: 'latency p99', key: 'p99', unit: 'us' },
      { name: 'CPU', key: 'cpu', unit: 'us' },
    ],
  }),
  row('websocket', '50 to 50, QoS 0, WebSocket', { ...of('pairs', 50, 50, 0, 100), transport: 'ws' }),
  row('tls', '50 to 50, QoS 0, TLS', { ...of('pairs', 50, 50, 0, 100), transport: 'mqtts' }),
  row('frozen', 'one of 20 subscribers stops reading', {
    groups: [{ ...group('fan-out', 1, 20, 0, 20, 1024), frozen: 1 }, group('pairs', 5, 5, 0, 20)],
    figures: [
      { name: 'rate of the other 19', key: 'others', unit: '% of before' },
      { name: 'rate of other topics', key: 'unrelated', unit: '% of before' },
    ],
  }),
]

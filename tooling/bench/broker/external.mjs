/** Another load generator, with the options and the output of `loadgen`, in place of the own one. */

/** @typedef {import('./generator.mjs').Order} Order */

const scenarios = { pairs: 'p2p', 'fan-in': 'fanin', 'fan-out': 'fanout', shared: 'shared' }

/** Why it cannot do a case. @param {import('./cases.mjs').Case} what */
export function lacks({ transport, properties, groups }) {
  if (transport !== 'mqtt') return 'the generator knows only TCP'
  if (properties) return 'the generator sends no properties'
  return groups.length > 1 ? 'the generator has publishers of one kind only' : undefined
}

/** @param {Order} order @returns {Record<string, string | number>} */
function options({ case: what, seconds, warmUp, patience }) {
  const [group] = what.groups
  if (what.kind === 'connects') return { scn: 'connect', subs: what.count, conc: 100 }
  if (what.kind === 'retained') return { scn: 'retained', pubs: 1, count: what.count }
  if (what.kind === 'queued' || group === undefined)
    return { scn: 'offline', pubs: 10, subs: 1, qos: 1, count: what.count }
  const { publishers: pubs, subscribers: subs, qos, size, window } = group
  const load = what.rate > 0 ? { rate: what.rate } : { window }
  return {
    scn: scenarios[group.shape],
    pubs,
    subs,
    qos,
    size,
    ...load,
    secs: seconds,
    warm: warmUp,
    drain: patience / 1000,
  }
}

/** The command for a case. @param {string} path @param {Order} order */
export function command(path, order) {
  const { pid, address } = order
  const all = { port: address.port, pid, prefix: 'bench', ...options(order) }
  const flags = [...(order.case.idle ? ['--idlesub'] : []), ...(address.version === 5 ? ['--v5'] : [])]
  return [path, ...Object.entries(all).flatMap(([name, value]) => [`--${name}`, String(value)]), ...flags]
}

/** What it printed, as the own generator puts it. @param {string} output @returns {import('./generator.mjs').Result} */
export function result(output) {
  const {
    broker_us_per_msg: cpu,
    conn_cpu_us: perConnection,
    rss_per_conn: bytes,
    lat_us: latency,
    rss_mb: rss,
    hwm_mb: peak,
    conn_per_s: connections,
    msgs_per_s: rate = connections,
    recv: messages,
    lost = 0,
    dup: duplicates = 0,
    ooo: disordered = 0,
  } = JSON.parse(output)
  return {
    messages,
    rate,
    cpu: perConnection ?? cpu,
    lost,
    duplicates,
    disordered,
    strange: 0,
    rss: rss * 1024,
    peak: peak * 1024,
    ...(bytes === undefined ? {} : { memory: bytes / 1024 }),
    ...latency,
  }
}

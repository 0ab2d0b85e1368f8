/** Who may do what on the brokers that are measured: ten rules, the same for each. */

import { matches } from '@tidewire/topics'

/** @typedef {'read' | 'write' | 'readwrite'} Access */

/** In this order; what none allows is forbidden. @type {readonly (readonly [Access, filter: string])[]} */
const rules = [
  ['write', 'devices/+/telemetry'],
  ['read', 'devices/+/commands'],
  ['readwrite', 'rooms/+/light'],
  ['readwrite', 'rooms/+/heating'],
  ['write', 'logs/#'],
  ['read', 'alarms/#'],
  ['read', 'weather/+/today'],
  ['readwrite', 'idle/#'],
  ['readwrite', 'bench/#'],
  ['read', '#'],
]

/** @param {'read' | 'write'} access @param {string} topic A Topic Name, or a Topic Filter that is asked for. */
export function isAllowed(access, topic) {
  return rules.some(([allowed, filter]) => (allowed === access || allowed === 'readwrite') && matches(filter, topic))
}

/** As mosquitto reads them. */
export const aclFile = rules.map(([access, filter]) => `topic ${access} ${filter}\n`).join('')

/** As nats-server reads them. @param {'read' | 'write'} access */
export function natsSubjects(access) {
  const filters = rules.filter(([allowed]) => allowed === access || allowed === 'readwrite').map(([, filter]) => filter)
  return filters.map((filter) => filter.replaceAll('/', '.').replaceAll('+', '*').replace('#', '>'))
}

/** UNSUBSCRIBE (section 3.10). */

import { ReasonCode, type Unsubscribe } from '@tidewire/codec'
import type { Connection } from '../connection.js'
import { checkCount, checkUserProperties } from './subscribe.js'

export function handleUnsubscribe(connection: Connection, { packetId, topicFilters, properties }: Unsubscribe): void {
  const { core, session } = connection
  checkCount(connection, topicFilters.length)
  checkUserProperties(connection, properties)
  // What is in flight or queued already is still delivered [MQTT-3.10.4-3].
  const reasonCodes = topicFilters.map((topicFilter) =>
    core.router.unsubscribe(session!, topicFilter) ? ReasonCode.Success : ReasonCode.NoSubscriptionExisted,
  )
  connection.send({ type: 'unsuback', packetId, reasonCodes })
}

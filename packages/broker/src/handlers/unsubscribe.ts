/** UNSUBSCRIBE (section 3.10). */

import { ReasonCode, type Unsubscribe } from '@tidewire/codec'
import type { Connection } from '../connection.js'
import { checkCount } from './subscribe.js'

export function handleUnsubscribe(connection: Connection, { packetId, topicFilters }: Unsubscribe): void {
  const { core, session } = connection
  checkCount(connection, topicFilters.length)
  // What is in flight or queued already is still delivered [MQTT-3.10.4-3].
  const reasonCodes = topicFilters.map((topicFilter) =>
    core.router.unsubscribe(session!, topicFilter) ? ReasonCode.Success : ReasonCode.NoSubscriptionExisted,
  )
  connection.send({ type: 'unsuback', packetId, reasonCodes })
}

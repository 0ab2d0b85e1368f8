/** DISCONNECT (section 3.14): a client says goodbye. */

import { type Disconnect, protocolError, ReasonCode } from '@tidewire/codec'
import type { Connection } from '../connection.js'

export function handleDisconnect(connection: Connection, { reasonCode, properties }: Disconnect): void {
  const { core, session } = connection
  if (session === undefined) return connection.close() // in the midst of an exchange of enhanced authentication
  const { sessionExpiryInterval } = properties
  if (sessionExpiryInterval !== undefined) {
    if (session.expiryInterval === 0 && sessionExpiryInterval > 0) {
      throw protocolError('a Session Expiry Interval where CONNECT had none', '3.14.2.2.2')
    }
    session.expiryInterval = Math.min(sessionExpiryInterval, connection.limits.maxSessionExpiry)
  }
  connection.goodbye = { reasonCode, byBroker: false }
  if (reasonCode === ReasonCode.NormalDisconnection) core.wills.discard(session) // [MQTT-3.14.4-3]
  connection.close()
}

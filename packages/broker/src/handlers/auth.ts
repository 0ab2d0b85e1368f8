/** AUTH (sections 3.15 and 4.12): the exchange of enhanced authentication, for CONNECT and again later. */

import { type Auth, mayCarry, protocolError, ReasonCode } from '@tidewire/codec'
import type { AuthenticationMethod, AuthenticationStep } from '../authentication.js'
import type { Authentication, Connection } from '../connection.js'
import { isPromise } from '../environment.js'
import type { Client } from '../hooks.js'

/** The method of a name, if there is one. */
export function methodOf({ core }: Connection, name: string): AuthenticationMethod | undefined {
  const { authenticationMethods = {} } = core.environment.options
  return Object.hasOwn(authenticationMethods, name) ? authenticationMethods[name] : undefined
}

/** Begins an exchange with the data of a first packet. */
export function authenticate(
  connection: Connection,
  client: Client,
  data: Uint8Array | undefined,
  outcome: Omit<Authentication, 'exchange'>,
): void | Promise<void> {
  try {
    const exchange = methodOf(connection, connection.authenticationMethod!)!(client)
    connection.authentication = { exchange, ...outcome }
  } catch (error) {
    return failed(connection, error, outcome)
  }
  return advance(connection, data)
}

/** One more packet of the client. */
export function handleAuth(connection: Connection, { reasonCode, properties }: Auth): void | Promise<void> {
  const { authenticationMethod, authenticationData } = properties
  const { authentication, session } = connection
  if (authenticationMethod === undefined || authenticationMethod !== connection.authenticationMethod) {
    throw protocolError('another Authentication Method than in CONNECT', '4.12.1-1')
  }
  const data = authenticationData?.slice()
  if (reasonCode === ReasonCode.ContinueAuthentication && authentication !== undefined) return advance(connection, data)
  if (reasonCode !== ReasonCode.ReAuthenticate || session === undefined || authentication !== undefined) {
    throw protocolError('an AUTH that nothing asked for', '4.12.0-6')
  }
  return authenticate(connection, session.client, data, {
    succeed: (last, userName = session.client.userName) => {
      if (userName !== session.client.userName) return connection.disconnect(ReasonCode.NotAuthorized)
      sendAuth(connection, ReasonCode.Success, last)
    },
    refuse: ({ reasonCode: code, reasonString = 'not authenticated' }) =>
      connection.disconnect(mayCarry('disconnect', code) ? code : ReasonCode.NotAuthorized, { reasonString }),
  })
}

function advance(connection: Connection, data: Uint8Array | undefined): void | Promise<void> {
  const authentication = connection.authentication!
  const { environment } = connection.core
  const apply = (step: AuthenticationStep): void | Promise<void> => {
    if (connection.authentication !== authentication) return
    if (step.state === 'continue') return sendAuth(connection, ReasonCode.ContinueAuthentication, step.data)
    connection.authentication = undefined
    if (step.state === 'success') return authentication.succeed(step.data, step.userName)
    const { reasonCode = ReasonCode.NotAuthorized, ...rest } = step
    authentication.refuse({ reasonCode, ...rest })
  }
  try {
    const step = authentication.exchange.next(data)
    if (!isPromise(step)) return apply(step)
    return environment
      .inTime(step, 'authentication')
      .then(apply)
      .catch((error) => failed(connection, error, authentication))
  } catch (error) {
    return failed(connection, error, authentication)
  }
}

function failed(connection: Connection, error: unknown, { refuse }: Omit<Authentication, 'exchange'>): void {
  const { log, metrics } = connection.core.environment
  connection.authentication = undefined
  metrics.hooksFailed++
  log.error(`an authentication method failed: ${error instanceof Error ? error.stack : String(error)}`)
  refuse({ reasonCode: ReasonCode.NotAuthorized })
}

function sendAuth(connection: Connection, reasonCode: number, data: Uint8Array | undefined): void {
  connection.send({
    type: 'auth',
    reasonCode,
    properties: {
      authenticationMethod: connection.authenticationMethod!, // [MQTT-4.12.0-5]
      ...(data !== undefined && { authenticationData: data }),
    },
  })
}

/** AUTH (sections 3.15 and 4.12): the exchange of enhanced authentication, for CONNECT and again later. */

import { inspect } from 'node:util'
import { type Auth, encodedLength, mayCarry, protocolError, ReasonCode } from '@tidewire/codec'
import type { AuthenticationMethod, AuthenticationStep } from '../authentication.js'
import type { Authentication, Connection } from '../connection.js'
import { checkGrant, isPromise, refusalOf } from '../environment.js'
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
    connection.core.environment.failed('authentication', error)
    return outcome.refuse({ reasonCode: ReasonCode.NotAuthorized })
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
    succeed: (last, { userName = session.client.userName, expiresAt }) => {
      if (userName !== session.client.userName) return connection.disconnect(ReasonCode.NotAuthorized)
      connection.expireAt(expiresAt)
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
    const { state } = connection
    if (state === 'closing' || state === 'closed') return
    if (step.state === 'continue') return sendAuth(connection, ReasonCode.ContinueAuthentication, step.data)
    connection.authentication = undefined
    if (step.state === 'success') return authentication.succeed(step.data, step)
    const { reasonCode = ReasonCode.NotAuthorized, ...rest } = step
    authentication.refuse({ reasonCode, ...rest })
  }
  const no = (error: unknown): AuthenticationStep => {
    environment.failed('authentication', error)
    return { state: 'failure' }
  }
  let step: AuthenticationStep
  try {
    const answer = authentication.exchange.next(data)
    if (isPromise(answer)) return environment.inTime(answer, 'authentication').then(checked).catch(no).then(apply)
    step = checked(answer)
  } catch (error) {
    step = no(error)
  }
  return apply(step)
}

/** A step that can be told to the client. Throws TypeError or RangeError for one that cannot. */
function checked(step: AuthenticationStep): AuthenticationStep {
  const { state } = step
  if (state === 'failure') {
    refusalOf({ reasonCode: ReasonCode.NotAuthorized, ...step })
    return step
  }
  if (state !== 'continue' && state !== 'success') throw new TypeError(`there is no step called ${inspect(state)}`)
  const { data } = step
  const authenticationData = data ?? new Uint8Array(0)
  encodedLength({ type: 'auth', reasonCode: 0, properties: { authenticationMethod: '', authenticationData } })
  if (state === 'success') checkGrant(step)
  return step
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

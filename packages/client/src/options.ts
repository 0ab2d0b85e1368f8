/** What a client may be told. */

import type { ConnectProperties, ProtocolVersion, QoS, WillProperties } from '@tidewire/codec'

/** The message that the server publishes when the client is lost (section 3.1.2.5). */
export interface WillOptions {
  readonly topic: string
  readonly payload: string | Uint8Array
  /** Default 0. */
  readonly qos?: QoS
  /** Default false. */
  readonly retain?: boolean
  readonly properties?: WillProperties
}

/** How to connect, and as whom. */
export interface ConnectOptions {
  /** 3 is MQTT 3.1, 4 is MQTT 3.1.1, 5 is MQTT 5.0. Default 5. */
  readonly protocolVersion?: ProtocolVersion
  /** Default: empty, and the server assigns one; before MQTT 5.0 a random one. */
  readonly clientId?: string
  /** Seconds without traffic after which the connection is tried; 0 never. Default 60. */
  readonly keepAlive?: number
  /** Default: that of the URL. */
  readonly userName?: string
  /** Default: that of the URL. */
  readonly password?: string | Uint8Array
  /** Default: none. */
  readonly will?: WillOptions
  /** Properties of CONNECT, of MQTT 5.0. */
  readonly properties?: Pick<
    ConnectProperties,
    'receiveMaximum' | 'maximumPacketSize' | 'requestResponseInformation' | 'requestProblemInformation' | 'userProperty'
  >
  /** Milliseconds for the connection to be open and CONNACK to come. Default 10,000. */
  readonly connectTimeout?: number
  /** Gives the attempt to connect up. */
  readonly signal?: AbortSignal
}

const names = [
  'protocolVersion',
  'clientId',
  'keepAlive',
  'userName',
  'password',
  'will',
  'properties',
  'connectTimeout',
  'signal',
]

/** Throws TypeError for what cannot be meant, such as an option that is misspelt. */
export function checkOptions(options: ConnectOptions): void {
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) throw new TypeError(`there is no option called ${name}`)
  }
  const { protocolVersion = 5, clientId = '', userName = '' } = options
  if (![3, 4, 5].includes(protocolVersion)) throw new TypeError('protocolVersion must be 3, 4 or 5')
  if (typeof clientId !== 'string' || typeof userName !== 'string') {
    throw new TypeError('clientId and userName must be strings')
  }
}

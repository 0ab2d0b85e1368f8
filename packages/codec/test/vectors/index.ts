/** The vectors of all packets, by packet. */

import { auth } from './auth.js'
import { connack } from './connack.js'
import { connect } from './connect.js'
import { disconnect } from './disconnect.js'
import { pingreq } from './pingreq.js'
import { pingresp } from './pingresp.js'
import { puback } from './puback.js'
import { pubcomp } from './pubcomp.js'
import { publish } from './publish.js'
import { pubrec } from './pubrec.js'
import { pubrel } from './pubrel.js'
import { suback } from './suback.js'
import { subscribe } from './subscribe.js'
import { unsuback } from './unsuback.js'
import { unsubscribe } from './unsubscribe.js'

export const vectors = {
  connect,
  connack,
  publish,
  puback,
  pubrec,
  pubrel,
  pubcomp,
  subscribe,
  suback,
  unsubscribe,
  unsuback,
  pingreq,
  pingresp,
  disconnect,
  auth,
} as const

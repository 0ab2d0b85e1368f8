/** All tests, in the order of the standard. */

import type { Test } from '../suite.js'
import data from './1.5-data.js'
import packetFormat from './2-packet-format.js'
import connect from './3.1-connect.js'
import connack from './3.2-connack.js'
import publish from './3.3-publish.js'
import acknowledgements from './3.4-acknowledgements.js'
import subscribe from './3.8-subscribe.js'
import ping from './3.12-ping-disconnect.js'
import shared from './4.8-shared.js'
import authentication from './4.12-authentication.js'
import behaviour from './4-behaviour.js'
import webSocket from './6-websocket.js'

export const tests: readonly Test[] = [
  ...data,
  ...packetFormat,
  ...connect,
  ...connack,
  ...publish,
  ...acknowledgements,
  ...subscribe,
  ...ping,
  ...behaviour,
  ...shared,
  ...authentication,
  ...webSocket,
]

/**
 * The plan of the house: packages and their files in reading order. A file may import what stands above it: files of its
 * own package, and packages that its package names.
 */

export interface Room {
  /** Packages that it may import. */
  readonly uses: readonly string[]
  /** Whether it may import `node:`: never, everywhere, or in the files that begin so. */
  readonly node: boolean | string
  /** Files that may not, though others may: they are for browsers too. */
  readonly pure?: readonly string[]
  /** Files without `.ts`. */
  readonly files: readonly string[]
}

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '')

export const plan: Readonly<Record<string, Room>> = {
  codec: {
    uses: [],
    node: false,
    files: words(`packet-type reason-code mqtt-error relaxations range varint platform known-strings topic utf8
      properties fields property reader output reason input acks connect connack publish subscribe suback
      unsubscribe ping disconnect auth packet description framer decode encode index`),
  },
  topics: {
    uses: [],
    node: false,
    files: words(
      `utf8 topic-name topic-filter topic-pattern levels hash-table records values prefixes filter-tree name-tree index`,
    ),
  },
  session: {
    uses: ['codec'],
    node: false,
    files: words('maximum packet-ids packet-table sender receiver incoming-aliases outgoing-aliases index'),
  },
  security: {
    uses: ['topics'],
    node: true,
    pure: words(`scram-verifier scram-messages scram-client scram-server scram-file scram replay-window sealed`),
    files:
      words(`client turns verdict-cache reloading scram-verifier scram-messages scram-client scram-server scram-file
      scram scram-users password password-file passwords secret-file secret-input passwd passwd-main rules permissions
      access acl-file acl compose limits http guard index policy-file policy pem psk-file tls-settings tls-server
      tls-client certificate-identity tls jwt replay-window sealed development-ca certificates-command certificates-main
      certificates`),
  },
  client: {
    uses: ['codec', 'topics', 'session'],
    node: 'node/',
    files:
      words(`transport abortable queue web-socket server store memory-store indexed-db-store options reconnect connection
      authenticator parts acknowledger message subscription publisher subscriber client mqtt-client connect payload topic request common
      node/socket node/tcp node/tls node/unix node/ws node/read-until node/http-proxy node/socks node/file-store node
      slim browser index`),
  },
  broker: {
    uses: ['codec', 'topics', 'session', 'security'],
    node: true,
    files:
      words(`clock policy hooks store/store store/memory-store store/records store/index store/contract authentication
      options metrics overload journal environment queue memory message outgoing subscription
      route shared slabs session sessions router retained will core recovery local sys transport connection handlers/auth
      handlers/connect handlers/publish handlers/acks handlers/subscribe handlers/unsubscribe handlers/disconnect
      dispatch receive listeners/remote-address listeners/tls-peer listeners/proxy-protocol listeners/admission listeners/entrance
      listeners/listener listeners/endpoint listeners/unix-socket listeners/shared-reads listeners/stream listeners/websocket
      listeners/server listeners/attach broker index main`),
  },
  'store-log': {
    uses: ['broker'],
    node: true,
    files: words(
      'lock files options format group table segment replay load spare compaction log-store portable index main',
    ),
  },
  'store-level': { uses: ['broker'], node: true, files: words('level-store index') },
}

// hot: runs per packet
/** One buffer in which all connections of a server are read, where Node can be brought to it. */

import { type Server, Socket } from 'node:net'

// As much as Node itself reads at once.
const buffer = Buffer.allocUnsafeSlow(64 * 1024)

type Reader = (bytes: Uint8Array) => void
const reader = Symbol('reader')

interface Read extends Socket {
  [reader]?: Reader
}

function onRead(this: Read, length: number): boolean {
  this[reader]?.(buffer.subarray(0, length))
  return true
}

// What Node has inside, as far as it is used here.
interface Handle {
  onconnection(error: number | undefined, connection: unknown): void
}

/**
 * Has a server that listens read all its connections into the same buffer: what is read must be dealt with at once. Where
 * Node is not built as expected, all stays as it is.
 */
export function shareReads(server: Server): void {
  // measured: messages one at a time: without it 64 KiB are allocated for each read, a fifth of all CPU. There is no other
  // way: `onread` is documented for connections that a client makes.
  const handle = (server as unknown as { _handle?: Partial<Handle> })._handle
  const accept = handle?.onconnection
  if (handle === undefined || typeof accept !== 'function') return
  handle.onconnection = function (this: Handle, error, connection) {
    const socket = error || connection == null ? undefined : readInPlace(connection)
    if (socket === undefined) return accept.call(this, error, connection)
    socket.setNoDelay(true)
    server.emit('connection', socket)
  }
}

let isPossible: boolean | undefined

/** A socket that reads into the buffer; undefined where that cannot be. */
function readInPlace(connection: unknown): Socket | undefined {
  if (isPossible === false) return undefined
  const onread = { buffer, callback: onRead }
  const options = { handle: connection, readable: true, writable: true, manualStart: true, onread }
  const socket: Read = new Socket(options as ConstructorParameters<typeof Socket>[0])
  isPossible ??= Object.getOwnPropertySymbols(socket).some((key) => Reflect.get(socket, key) === buffer)
  if (!isPossible) return undefined
  socket[reader] = nobody
  return socket
}

function nobody(): void {}

/** Begins to read from a socket, in whatever way it does. */
export function readFrom(socket: Socket, read: Reader): void {
  if (!(reader in socket)) return void socket.on('data', read)
  ;(socket as Read)[reader] = read
  socket.resume()
}

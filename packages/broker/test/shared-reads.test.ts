import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { readFrom, shareReads } from '../src/listeners/shared-reads.js'

let server: Server
afterEach(() => void server.close())

/** The sizes of pieces in which a server reads what a client sends, and whether its end is seen. */
async function read(prepare: (server: Server) => void): Promise<string> {
  server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  prepare(server)
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const address = server.address()
  const client = connect(typeof address === 'object' ? (address?.port ?? 0) : 0, '127.0.0.1')
  const [socket] = await accepted
  let text = ''
  readFrom(socket, (bytes) => {
    text += Buffer.from(bytes).toString()
  })
  client.write('abc')
  await once(client, 'ready')
  while (text.length < 3) await new Promise(setImmediate)
  socket.pause()
  client.end('def')
  socket.resume()
  await once(socket, 'close')
  return text
}

describe('a server whose connections are read', () => {
  it('in place sees all bytes and the end', async () => {
    let before: unknown
    const text = await read((each) => {
      before = Reflect.get(Reflect.get(each, '_handle'), 'onconnection')
      shareReads(each)
      expect(Reflect.get(Reflect.get(each, '_handle'), 'onconnection')).not.toBe(before)
    })
    expect(text).toBe('abcdef')
  })

  it('as Node does it sees the same, where Node is built in another way', async () => {
    const text = await read((each) => {
      const handle = Reflect.get(each, '_handle')
      const { onconnection } = handle
      handle.onconnection = undefined
      shareReads(each)
      expect(handle.onconnection).toBeUndefined()
      handle.onconnection = onconnection
    })
    expect(text).toBe('abcdef')
    expect(() => shareReads(createServer())).not.toThrow() // not listening
  })
})

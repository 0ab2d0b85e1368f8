import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { dial, temporaryFolder } from './dial.js'
import { startBroker } from './fixture.js'

/** Leaves the file of a socket behind, as a program does that is killed. */
function leaveStale(path: string): void {
  const listen = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  spawnSync(process.execPath, ['-e', listen])
  expect(statSync(path).isSocket()).toBe(true)
}

it('a Unix socket is for its own user unless others are let in', async () => {
  const { broker } = await startBroker()
  const folder = temporaryFolder()
  const [own, shared] = [join(folder, 'own sock'), join(folder, 'shared')]
  const { url, port, name } = await broker.listen(`unix://${own.replace(' ', '%20')}`)
  expect({ url, port, name }).toEqual({ url: `unix://${own}`, port: 0, name: `unix://${own}` })
  await broker.listen(`unix:${shared}`, { mode: 0o666 })
  expect(statSync(own).mode & 0o777).toBe(0o600)
  expect(statSync(shared).mode & 0o777).toBe(0o666)
})

it('a Unix socket goes with its listener', async () => {
  const { broker } = await startBroker()
  const path = join(temporaryFolder(), 's')
  const listener = await broker.listen(`unix://${path}`)
  const client = await dial(listener)
  client.send({ type: 'connect', protocolVersion: 5, clientId: 'x' })
  await client.expect('connack')
  await listener.close()
  expect(existsSync(path)).toBe(false)
  await broker.listen(`unix://${path}`)
  await broker.close()
  expect(existsSync(path)).toBe(false)
})

it('a Unix socket at which nobody listens any more is replaced', async () => {
  const { broker } = await startBroker()
  const path = join(temporaryFolder(), 's')
  leaveStale(path)
  const client = await dial(await broker.listen(`unix://${path}`))
  client.send({ type: 'connect', protocolVersion: 5, clientId: 'x' })
  await client.expect('connack')
})

it('a Unix socket that is in use is left alone', async () => {
  const [first, second] = [await startBroker(), await startBroker()]
  const path = join(temporaryFolder(), 's')
  const listener = await first.broker.listen(`unix://${path}`)
  await expect(second.broker.listen(`unix://${path}`)).rejects.toThrow('EADDRINUSE')
  const client = await dial(listener)
  client.send({ type: 'connect', protocolVersion: 5, clientId: 'x' })
  await client.expect('connack')
})

it('what is no socket is left alone', async () => {
  const { broker } = await startBroker()
  const folder = temporaryFolder()
  const [file, directory] = [join(folder, 'file'), join(folder, 'directory')]
  writeFileSync(file, 'precious')
  mkdirSync(directory)
  for (const path of [file, directory]) {
    await expect(broker.listen(`unix://${path}`)).rejects.toThrow('EADDRINUSE')
    expect(existsSync(path)).toBe(true)
  }
  await expect(broker.listen(`unix://${join(folder, 'none', 's')}`)).rejects.toThrow('EACCES')
})

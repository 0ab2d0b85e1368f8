/** Brokers in processes of their own. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectNet, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** @typedef {{ pid: number, port: number, stop: () => Promise<void> }} Running */

/** Starts a broker, and waits until it listens. @param {readonly string[]} command @param {number} port @returns {Promise<Running>} */
export async function start(command, port) {
  const [program = '', ...args] = command
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text
  })
  const stop = async () => {
    const end = once(child, 'exit')
    child.kill('SIGKILL')
    await end
  }
  for (let tries = 0; ; tries++) {
    const socket = connectNet(port, '127.0.0.1')
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isOpen) return { pid: child.pid ?? 0, port, stop }
    if (tries > 200 || child.exitCode !== null) {
      await stop()
      throw new Error(`${program} does not start: ${said}`)
    }
    await sleep(25)
  }
}

export async function freePort() {
  const probe = createServer()
  await once(probe.listen(0, '127.0.0.1'), 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address())
  await new Promise((resolve) => probe.close(resolve))
  return port
}

/** Measures one contestant in one case: a fresh broker on one core, the generator on another. */

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { pinned, reason } from './contestants.mjs'
import * as external from './external.mjs'

/** @typedef {import('./cases.mjs').Case} Case */
/** @typedef {import('./generator.mjs').Result & { said?: string }} Measured With what the broker said where messages were lost. */
/** @typedef {Pick<import('./generator.mjs').Order, 'seconds' | 'warmUp' | 'patience'>} Times */

const generatorCore = '1'
const generator = fileURLToPath(new URL('generator.mjs', import.meta.url))

/** Why a contestant, or the generator, cannot do a case. @param {import('./contestants.mjs').Contestant} contestant @param {Case} what @param {string | undefined} loadgen */
export function lacks(contestant, what, loadgen) {
  return contestant.lacks(what) ?? (loadgen === undefined ? undefined : external.lacks(what))
}

/**
 * @param {import('./contestants.mjs').Contestant} contestant
 * @param {Case} what
 * @param {import('./contestants.mjs').Certificate} certificate
 * @param {Times} times
 * @param {string} [loadgen] Path of another generator.
 * @returns {Promise<Measured>}
 */
export async function measure(contestant, what, certificate, times, loadgen) {
  const broker = await contestant.start(what, certificate)
  let said = ''
  /** @type {import('./generator.mjs').Result} */
  let result
  try {
    const { transport, version } = what
    const ca = transport === 'mqtts' ? { ca: readFileSync(certificate.certificate, 'utf8') } : {}
    const order = { case: what, address: { port: broker.port, transport, version, ...ca }, pid: broker.pid, ...times }
    const own = [execPath, generator, JSON.stringify(order)]
    const [executable = '', ...args] = pinned(
      generatorCore,
      loadgen === undefined ? own : external.command(loadgen, order),
    )
    const stdout = await output(executable, args, 60 + 4 * (times.seconds + times.warmUp))
    result = loadgen === undefined ? JSON.parse(stdout) : external.result(stdout)
  } finally {
    said = await broker.stop()
  }
  return { ...result, ...(result.lost === 0 ? {} : { said }) }
}

/** What a program prints. @param {string} executable @param {readonly string[]} args @param {number} limit Seconds. */
async function output(executable, args, limit) {
  try {
    return (await promisify(execFile)(executable, args, { timeout: limit * 1000 })).stdout
  } catch (error) {
    const { killed, stderr, message } = /** @type {Error & { killed?: boolean, stderr?: string }} */ (error)
    throw new Error(killed ? `the generator took more than ${limit} seconds` : reason(stderr || message), {
      cause: error,
    })
  }
}

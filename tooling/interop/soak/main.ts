/** The command: a broker between hostile clients and well-behaved ones, and what becomes of it. */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Attacked } from './attacker.js'
import type { Memory } from './broker.js'
import { happens, WellBehaved } from './well-behaved.js'

const usage = `Usage: npm run soak -- [options]

Attacks a broker in a process of its own, beside clients that do nothing wrong. Ends with status 1 when these lose
messages or wait too long, when the memory of the broker grows, or when its log cannot be read.

  --seconds N      how long (default 60), a quarter of it to warm up
  --max-delay MS   the longest that a message may take (default 2000)
  --max-growth MB  how much more memory may be held in the end than after the warm-up, garbage not counted (default 16)
  --seed N         of the order and the bytes of the attacks
  --json           the report as JSON
  -h, --help       show this
`

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    'max-delay': { type: 'string', default: '2000' },
    'max-growth': { type: 'string', default: '16' },
    seed: { type: 'string', default: `${(Date.now() % 1_000_000) + 1}` },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

function numberOf(name: 'seconds' | 'max-delay' | 'max-growth' | 'seed'): number {
  const value = Number(values[name])
  if (!(value > 0)) throw new TypeError(`--${name} must be a number above 0, not ${values[name]}`)
  return value
}

const megabytes = (bytes: number): number => Math.round(bytes / 1024 / 102.4) / 10
const script = (name: string): string => fileURLToPath(new URL(`${name}.js`, import.meta.url))

/** The broker, its log and its memory. */
class Subject {
  readonly #process: ChildProcess
  lines = 0
  /** Lines that could not be read. */
  readonly unreadable: string[] = []
  longest = 0
  peak = 0

  readonly #end: Promise<never>

  constructor() {
    this.#process = fork(script('broker'), { execArgv: ['--expose-gc'], stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
    this.#end = once(this.#process, 'exit').then(() => {
      throw new Error('the broker has ended')
    })
    this.#end.catch(() => {}) // for who asks it
    createInterface({ input: this.#process.stdout! }).on('line', (line) => {
      this.lines++
      this.longest = Math.max(this.longest, line.length)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      if (line.length > 600 || /[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/.test(line)) this.unreadable.push(line)
    })
  }

  async started(): Promise<{ port: number; webSocketPort: number }> {
    return (await once(this.#process, 'message'))[0]
  }

  async memory(question: 'memory' | 'memory without garbage'): Promise<Memory> {
    const answer = once(this.#process, 'message')
    this.#process.send(question)
    const memory: Memory = (await Promise.race([answer, this.#end]))[0]
    this.peak = Math.max(this.peak, memory.rss)
    return memory
  }

  stop(): void {
    this.#process.kill()
  }
}

const held = ({ heap, buffers }: Memory): number => heap + buffers

async function run(): Promise<void> {
  const [seconds, maxDelay, maxGrowth, seed] = (['seconds', 'max-delay', 'max-growth', 'seed'] as const).map(numberOf)
  const subject = new Subject()
  const { port, webSocketPort } = await subject.started()
  const good = new WellBehaved(port, webSocketPort)
  await good.start()
  const attacker = fork(script('attacker'), [port, webSocketPort, seed!].map(String))
  const attacked = once(attacker, 'message') as Promise<[Attacked]>

  const watch = async (duration: number): Promise<Memory> => {
    for (const until = performance.now() + duration; performance.now() < until; await wait(250)) {
      await subject.memory('memory')
    }
    return subject.memory('memory without garbage')
  }
  const start = await watch(seconds! * 250)
  const middle = await watch(seconds! * 375)
  const end = await watch(seconds! * 375)
  attacker.send('stop')
  const [{ rounds, faults }] = await attacked
  // Whatever it was given, it forgets.
  let after = await subject.memory('memory without garbage')
  for (let time = 0; time < 40 && after.connections > good.connections; time++) {
    await wait(100)
    after = await subject.memory('memory without garbage')
  }
  const left = after.connections - good.connections
  const findings = await good.end()
  const late = await good.connect(`mqtt://127.0.0.1:${port}`)
  await late.subscribeAsync('good/after', { qos: 2 })
  const answered = happens(late, 'message')
  await late.publishAsync('good/after', 'still there', { qos: 2 })
  await answered
  await late.endAsync()

  const growth = held(end) - held(start)
  const problems = [
    ...good.faults,
    ...faults,
    ...findings.filter(({ lost }) => lost > 0).map(({ name, lost, sent }) => `${name}: ${lost} of ${sent} lost`),
    ...findings.filter(({ slowest }) => slowest > maxDelay!).map(({ name, slowest }) => `${name}: ${slowest} ms late`),
    ...(growth > maxGrowth! * 1024 * 1024 ? [`memory grew by ${megabytes(growth)} MB`] : []),
    ...(left > 0 ? [`${left} connections of the attackers are left`] : []),
    ...subject.unreadable.slice(0, 10).map((line) => `in the log: ${JSON.stringify(line.slice(0, 300))}`),
  ]
  subject.stop()
  const report = {
    seconds,
    seed,
    rounds: Object.values(rounds).reduce((sum, each) => sum + each, 0),
    attacks: Object.keys(rounds).length,
    messages: findings.reduce((sum, { sent }) => sum + sent, 0),
    lost: findings.reduce((sum, { lost }) => sum + lost, 0),
    refused: good.refused,
    slowest: Math.round(Math.max(...findings.map(({ slowest }) => slowest))),
    rss: {
      start: megabytes(start.rss),
      middle: megabytes(middle.rss),
      end: megabytes(end.rss),
      peak: megabytes(subject.peak),
      after: megabytes(after.rss),
    },
    held: {
      start: megabytes(held(start)),
      middle: megabytes(held(middle)),
      end: megabytes(held(end)),
      after: megabytes(held(after)),
    },
    log: { lines: subject.lines, longest: subject.longest },
    dropped: Object.fromEntries(Object.entries(after.dropped).filter(([, count]) => count > 0)),
    problems,
  }
  if (values.json) return console.log(JSON.stringify(report))
  for (const [name, value] of Object.entries(report)) console.log(`${name.padEnd(9)} ${JSON.stringify(value)}`)
  if (problems.length > 0) process.exitCode = 1
}

if (values.help) process.stdout.write(usage)
else await run()

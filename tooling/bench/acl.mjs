/** What 200 access rules cost a message: `npm run bench acl.mjs [ROUNDS]`. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AclFile, guard } from '@tidewire/security'
import { policy } from '@tidewire/security/policy'
import { matches } from '@tidewire/topics'
import { compare } from './harness.mjs'

/** @typedef {{ readonly verb: 'allow' | 'deny', readonly topics: string }} Rule */

/** Names, wildcards and placeholders, as in a plant. @type {Rule[]} */
const rules = Array.from({ length: 200 }, (_, i) => {
  const kinds = [`plant/${i}/+/state`, `area/${i}/line`, `devices/${i}/#`, `secret/${i}/#`]
  if (i % 10 === 9) return { verb: 'allow', topics: `users/%u/${i}/#` }
  return { verb: i % 4 === 3 ? 'deny' : 'allow', topics: kinds[i % 4] ?? '' }
})
const topics = Array.from({ length: 200 }, (_, i) => {
  const kinds = [`plant/${i}/x/state`, `area/${i}/line`, `users/ann/${i}/z`, `nothing/${i}`]
  return kinds[i % 4] ?? ''
})

const client = { clientId: 'c', userName: 'ann' }
const lines = rules.map(({ verb, topics }) => `pattern ${verb === 'allow' ? 'readwrite' : 'deny'} ${topics}`)
const file = new AclFile(lines.join('\n'))
const folder = mkdtempSync(join(tmpdir(), 'tidewire-acl-'))
const path = join(folder, 'policy.json')
const roles = { r: rules.map(({ verb, topics }) => ({ [verb]: ['publish', 'subscribe'], topics })) }
writeFileSync(path, JSON.stringify({ roles, everyone: 'r' }))
const hooks = guard({ authorize: await policy({ file: path }) })
rmSync(folder, { recursive: true })

const filled = rules.map(({ verb, topics }) => ({ isAllowed: verb === 'allow', filter: topics.replace('%u', 'ann') }))
const oneByOne = () => {
  for (const topic of topics) filled.find(({ filter }) => matches(filter, topic))?.isAllowed
  return topics.length
}

compare(
  [
    {
      name: 'a topic that the client has used before',
      contestants: {
        Tidewire: () => () => {
          for (const topic of topics) hooks.authorize.authorize(client, 'publish', topic)
          return topics.length
        },
        'rule by rule': () => oneByOne,
      },
    },
    {
      name: 'a new topic',
      contestants: {
        Tidewire: () => {
          const decider = file.deciderFor(client)
          return () => {
            for (const topic of topics) decider.explain('publish', topic)
            return topics.length
          }
        },
        'rule by rule': () => oneByOne,
      },
    },
    {
      name: 'reading the file, for a rule',
      contestants: {
        Tidewire: () => () => {
          new AclFile(lines.join('\n'))
          return lines.length
        },
      },
    },
  ],
  ['Tidewire', 'rule by rule'],
)

import { expect, it } from 'vitest'
import { idsOfName, idsOfTable, reportOf } from './statements.mjs'

it('statements are told apart by their version', () => {
  const table = 'id\ttext\nMQTT-1.5.3-1\tsome\nMQTT-3.1.2-22\tmore\n'
  expect(idsOfTable('mqtt-3.1.1-statements.tsv', table)).toEqual(['3.1.1 MQTT-1.5.3-1', '3.1.1 MQTT-3.1.2-22'])
  expect(idsOfTable('mqtt-5.0-statements.tsv', table)).toEqual(['MQTT-1.5.3-1', 'MQTT-3.1.2-22'])
  expect(idsOfName('a rule [MQTT-3.1.2-22, 3.1.1 MQTT-3.1.2-22, PE-3.1.2.11.10-2] of 3.1.1')).toEqual([
    'MQTT-3.1.2-22',
    '3.1.1 MQTT-3.1.2-22',
    'PE-3.1.2.11.10-2',
  ])
})

it('a statement is tested or explained, once, and exists', () => {
  const report = reportOf(
    ['MQTT-1.0.0-1', 'MQTT-1.0.0-2', 'MQTT-1.0.0-3', 'MQTT-1.0.0-4'],
    ['x [MQTT-1.0.0-1]', 'y [MQTT-1.0.0-1, MQTT-1.0.0-4]', 'z [MQTT-9.0.0-1]'],
    { reason: ['MQTT-1.0.0-2', 'MQTT-1.0.0-4', 'MQTT-9.0.0-2'], other: ['MQTT-1.0.0-2'] },
  )
  expect(report.statements.map(({ tests }) => tests)).toEqual([2, 0, 0, 1])
  expect(report.faults).toEqual([
    'MQTT-9.0.0-1 is named by a test and does not exist',
    'MQTT-9.0.0-2 has a reason and does not exist',
    'MQTT-1.0.0-2 has two reasons',
    'MQTT-1.0.0-3 is neither tested nor explained',
    'MQTT-1.0.0-4 is tested and needs no reason',
  ])
})

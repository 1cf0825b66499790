import t from 'tap'
import { EndLog } from '../../../lib/process/explain/end-log.js'
import type { EndFacts } from '../../../lib/process/explain/end-log.js'
import type { Pid } from '../../../types/pid.js'

const pid = (serial: number): Pid => `${serial}@local.1` as Pid

function facts (serial: number, more: Partial<EndFacts> = {}): EndFacts {
  return {
    pid: pid(serial),
    kind: 'ws',
    label: 'ws',
    name: undefined,
    time: 0,
    uptime: serial,
    reason: 'target_down',
    cause: 'target',
    because: undefined,
    by: undefined,
    error: undefined,
    closing: false,
    code: 1011,
    closeReason: undefined,
    target: undefined,
    away: undefined,
    ...more
  }
}

t.test('shares a record between ends of one cause', async (t) => {
  const log = new EndLog(2)
  const [first, second] = [pid(1), pid(2)]
  // The clients of two rooms that end at the same time.
  for (let serial = 10; serial < 30; serial += 2) {
    log.add(facts(serial, { because: first }))
    log.add(facts(serial + 1, { because: second }))
  }
  t.equal(log.records.length, 2)
  const record = log.find(pid(28))!
  t.equal(record.facts.because, first)
  t.equal(record.count, 10)
  t.equal(record.uptimeOf(pid(28)), 28)
  t.equal(record.uptimeOf(pid(29)), undefined)
  for (let serial = 10; serial < 30; serial++) {
    t.equal(log.find(pid(serial))!.facts.because, serial % 2 === 0 ? first : second)
  }
})

t.test('gives an end a record of its own when anything about it is different', async (t) => {
  const because = pid(1)
  const cases: Partial<EndFacts>[] = [
    { because }, { because: pid(2) }, { because, by: pid(3) }, { because, code: 1013 },
    { because, label: 'other' }, { because, reason: 'other' }, { because, cause: 'exit' },
    { because, closeReason: 'other' }, { because, target: pid(4) }, { by: because },
    { closing: true }, {}, {}, { because, cause: 'failed' }, { because, cause: 'failed' },
    { because, cause: 'sibling' }, { because, cause: 'sibling' }
  ]
  const log = new EndLog(100)
  for (const [i, more] of cases.entries()) log.add(facts(i + 1, more))
  t.strictSame(log.records.map(({ count }) => count), cases.map(() => 1))
})

t.test('begins a new record when the shared one was forgotten', async (t) => {
  const log = new EndLog(1)
  log.add(facts(1, { because: pid(9) }))
  log.add(facts(2))
  t.equal(log.find(pid(1)), undefined)
  log.add(facts(3, { because: pid(9) }))
  t.strictSame(log.records.map(({ facts: { pid }, count }) => [pid, count]), [[pid(3), 1]])
})

t.test('is bounded, and forgets single ends before their cause', async (t) => {
  const log = new EndLog(2)
  const [room, other] = [pid(1), pid(2)]
  for (let serial = 100; serial < 110; serial++) log.add(facts(serial, { because: other }))
  for (let serial = 1000; serial < 1200; serial++) log.add(facts(serial, { because: room }))
  const [older, newer] = log.records
  t.equal(older.count, 10)
  t.equal(newer.count, 200)
  t.ok(older.members.length + newer.members.length <= 2 * 2 * 32)
  t.equal(log.find(pid(109)), undefined, 'the oldest record forgets its members first')
  t.equal(log.find(pid(100)), older)
  t.equal(log.find(pid(1001)), undefined)
  t.equal(log.find(pid(1199)), newer)
})

t.test('counts the members of a forgotten record no more', async (t) => {
  const log = new EndLog(1)
  for (let round = 1; round < 5; round++) {
    for (let i = 0; i < 32; i++) log.add(facts(100 * round + i, { because: pid(round) }))
    t.equal(log.records[0].members.length, 2 * 31, 'all are remembered')
  }
})

t.test('notes the successor of a process, and ignores an unknown one', async (t) => {
  const log = new EndLog(5)
  log.add(facts(1))
  log.add(facts(2))
  log.restarted(pid(1), pid(7), 10)
  log.restarted(pid(5), pid(8), 10)
  t.match(log.records, [{ restartedAs: pid(7), restartedTime: 10 }, { restartedAs: undefined }])
})

import t from 'tap'
import {
  countOf, EndLog, EndRecord, unknownTime, uptimeOf
} from '../../../lib/process/explain/end-log.js'
import type { Pid } from '../../../types/pid.js'

const pid = (serial: number): Pid => `${serial}@local.1` as Pid

/** The record of a connection whose uptime equals its serial. */
function end (serial: number, more: Partial<EndRecord> = {}): EndRecord {
  return Object.assign(new EndRecord(), {
    pid: pid(serial),
    kind: 'ws',
    label: 'ws',
    time: 5000,
    startedAt: 5000 - serial,
    reason: 'target_down',
    cause: 'target',
    code: 1011,
    ...more
  } satisfies Partial<EndRecord>)
}

t.test('shares a record between ends of one cause', async (t) => {
  const log = new EndLog(2)
  const [first, second] = [pid(1), pid(2)]
  // The clients of two rooms that end at the same time.
  for (let serial = 10; serial < 30; serial += 2) {
    log.add(end(serial, { because: first }))
    log.add(end(serial + 1, { because: second }))
  }
  t.equal(log.records.length, 2)
  const record = log.find(pid(28))!
  t.equal(record.because, first)
  t.equal(countOf(record), 10)
  t.equal(uptimeOf(record, pid(28)), 28)
  t.equal(uptimeOf(record, pid(29)), undefined)
  for (let serial = 10; serial < 30; serial++) {
    t.equal(log.find(pid(serial))!.because, serial % 2 === 0 ? first : second)
  }
})

t.test('gives an end a record of its own when anything about it is different', async (t) => {
  const because = pid(1)
  const cases: Partial<EndRecord>[] = [
    { because }, { because: pid(2) }, { because, by: pid(3) }, { because, code: 1013 },
    { because, label: 'other' }, { because, reason: 'other' }, { because, cause: 'exit' },
    { because, closeReason: 'other' }, { because, target: pid(4) }, { by: because },
    { closing: true }, {}, {}, { because, cause: 'failed' }, { because, cause: 'failed' },
    { because, cause: 'sibling' }, { because, cause: 'sibling' }
  ]
  const log = new EndLog(100)
  for (const [i, more] of cases.entries()) log.add(end(i + 1, more))
  t.strictSame(log.records.map(countOf), cases.map(() => 1))
})

t.test('begins a new record when the shared one was forgotten', async (t) => {
  const log = new EndLog(1)
  log.add(end(1, { because: pid(9) }))
  log.add(end(2))
  t.equal(log.find(pid(1)), undefined)
  log.add(end(3, { because: pid(9) }))
  t.strictSame(log.records.map((record) => [record.pid, countOf(record)]), [[pid(3), 1]])
})

t.test('is bounded, and forgets single ends before their cause', async (t) => {
  const log = new EndLog(2)
  const [room, other] = [pid(1), pid(2)]
  for (let serial = 100; serial < 110; serial++) log.add(end(serial, { because: other }))
  for (let serial = 1000; serial < 1200; serial++) log.add(end(serial, { because: room }))
  const [older, newer] = log.records
  t.equal(countOf(older), 10)
  t.equal(countOf(newer), 200)
  t.ok(older.further!.members.length + newer.further!.members.length <= 2 * 2 * 32)
  t.equal(log.find(pid(109)), undefined, 'the oldest record forgets its members first')
  t.equal(log.find(pid(100)), older)
  t.equal(log.find(pid(1001)), undefined)
  t.equal(log.find(pid(1199)), newer)
})

t.test('counts the members of a forgotten record no more', async (t) => {
  const log = new EndLog(1)
  for (let round = 1; round < 5; round++) {
    for (let i = 0; i < 32; i++) log.add(end(100 * round + i, { because: pid(round) }))
    t.equal(log.records[0].further!.members.length, 2 * 31, 'all are remembered')
  }
})

t.test('notes the successor of a process, and ignores an unknown one', async (t) => {
  const log = new EndLog(5)
  log.add(end(1))
  log.add(end(2))
  log.restarted(pid(1), pid(7), 10)
  log.restarted(pid(5), pid(8), 10)
  const successors = log.records.map(({ successor }) => successor)
  t.strictSame(successors, [{ pid: pid(7), time: 10 }, undefined])
})

t.test('uses the record of a forgotten end again, and nothing of it is left', async (t) => {
  const log = new EndLog(2)
  const first = log.nextRecord
  log.add(Object.assign(first, end(1, { because: pid(9) })))
  log.restarted(pid(1), pid(7), 10)
  log.add(end(2))
  t.not(log.nextRecord, first)
  log.add(end(3))
  t.equal(log.nextRecord, first)
  log.add(Object.assign(log.nextRecord, end(4)))
  t.strictSame(log.records.map(({ pid }) => pid), [pid(3), pid(4)], 'the oldest comes first')
  t.match(log.find(pid(4)), { further: undefined, successor: undefined })
})

t.test('does not put a record into the log that shares another one', async (t) => {
  const log = new EndLog(1)
  log.add(end(1, { because: pid(9) }))
  const spare = log.nextRecord
  log.add(Object.assign(spare, end(2, { because: pid(9) })))
  t.equal(log.nextRecord, spare)
  t.not(log.find(pid(2)), spare)
})

t.test('sets the time of the latest ends that have none', async (t) => {
  const log = new EndLog(3)
  log.setTime(1)
  for (const serial of [1, 2]) log.add(end(serial))
  for (const serial of [3, 4]) log.add(end(serial, { time: unknownTime }))
  log.setTime(6000)
  log.setTime(7000)
  t.strictSame(log.records.map(({ time }) => time), [5000, 6000, 6000])
  const fresh = new EndLog(3)
  for (const serial of [1, 2]) fresh.add(end(serial, { time: unknownTime }))
  fresh.setTime(6000)
  t.strictSame(fresh.records.map(({ time }) => time), [6000, 6000])
})

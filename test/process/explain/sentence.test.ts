// The sentences that no other test of `explain` sees.
import t from 'tap'
import { endedText } from '../../../lib/process/explain/sentence.js'
import type { End } from '../../../types/explain.js'
import type { Pid } from '../../../types/pid.js'

const pid = '7@local.1' as Pid
const none = { connections: 0, processes: 0 }

function end (more: Partial<End>): End {
  return { pid, kind: 'ws', label: 'ws', at: 0, ago: 0, uptime: 0, reason: 'x', cause: 'lost', ...more }
}

t.test('tells the causes of connections', async (t) => {
  const texts: [Partial<End>, string][] = [
    [{ cause: 'lost' }, 'lost its socket 0 ms ago'],
    [{ cause: 'lost', closing: true }, 'lost its socket 0 ms ago while its node was closing'],
    [{ cause: 'ping_timeout' }, 'was cut off 0 ms ago because its client did not answer a ping'],
    [{ cause: 'slow', code: 1013, closeReason: 'messages missed' },
      'was closed with 1013 `messages missed` 0 ms ago because messages of another node did not ' +
      'reach it'],
    [{ cause: 'client' }, 'was closed by its client 0 ms ago'],
    [{ cause: 'client', code: 4000, closing: true }, 'was closed by its client with 4000 0 ms ago'],
    [{ cause: 'process', code: 1000, closeReason: '' }, 'was closed with 1000 0 ms ago']
  ]
  for (const [more, text] of texts) {
    t.equal(endedText([end(more)], none), `connection 7@local.1 ${text}`)
  }
})

t.test('names a process by its name, its label or its kind', async (t) => {
  const texts: [Partial<End>, string][] = [
    [{ name: 'room:1', label: 'room' }, 'process `room:1` (7@local.1)'],
    [{ label: 'room' }, 'process `room` (7@local.1)'],
    [{ label: '' }, 'process 7@local.1'],
    [{ kind: 'supervisor', label: 'rooms' }, 'supervisor `rooms` (7@local.1)']
  ]
  for (const [more, subject] of texts) {
    const text = endedText([end({ kind: 'process', cause: 'killed', ...more })], none)
    t.equal(text, `${subject} was killed 0 ms ago`)
  }
})

t.test('gives times in the largest unit that fits', async (t) => {
  const texts: [number, string][] = [
    [0.4, '0 ms'], [999, '999 ms'], [1000, '1.0 s'], [59_900, '59.9 s'], [60_000, '1 min'],
    [3_599_000, '60 min'], [3_600_000, '1.0 h'], [90_000_000, '25.0 h']
  ]
  for (const [ago, text] of texts) t.match(endedText([end({ ago })], none), ` ${text} ago`)
})

t.test('counts the ends of one cause, if there are others', async (t) => {
  const texts: [number, number, string][] = [
    [0, 0, ''], [1, 0, ''], [0, 1, ''], [2, 0, '; 2 connections ended with it'],
    [1, 1, '; 1 connection and 1 process ended with it'], [0, 2, '; 2 processes ended with it'],
    [3, 2, '; 3 connections and 2 processes ended with it']
  ]
  for (const [connections, processes, text] of texts) {
    const all = endedText([end({})], { connections, processes })
    t.equal(all, `connection 7@local.1 lost its socket 0 ms ago${text}`)
  }
})

t.test('cuts a long text, and keeps a short one', async (t) => {
  const of = (reason: string): string => {
    return endedText([end({ kind: 'process', cause: 'exit', reason })], none).split('`')[3]
  }
  t.equal(of('y'.repeat(200)), 'y'.repeat(200))
  t.equal(of('y'.repeat(201)), `${'y'.repeat(200)}…`)
})

t.test('omits what an error does not tell', async (t) => {
  const of = (name: string, message: string, frames: string[]): string => {
    const error = { name, message, frames }
    return endedText([end({ kind: 'process', cause: 'failed', label: '', error })], none)
      .replace('process 7@local.1 failed 0 ms ago', '')
  }
  t.equal(of('Error', '', []), ': Error')
  t.equal(of('', 'message', ['f (/a/b.ts:1:2)']), ': message (b.ts:1)')
  t.equal(of('', '', []), '')
  t.equal(of('E', 'm', ['C:\\dir\\file.ts:10:20']), ': E: m (file.ts:10)')
  t.equal(of('E', 'm', ['native']), ': E: m')
})

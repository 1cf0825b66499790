import fc from 'fast-check'
import t from 'tap'
import {
  checkGroupName,
  checkName,
  isGroupName,
  isName,
  NameTable
} from '../../../lib/process/registry/names.js'
import { groupTopic } from '../../../lib/cluster/groups/group.js'
import { nameKey } from '../../../lib/cluster/names/records.js'
import { PidFactory } from '../../../lib/process/pid.js'
import type { Pid } from '../../../types/pid.js'

const [a, b] = ['1@local.a', '2@local.a'] as Pid[]

/** A name as a line of a report. */
const label = (name: unknown): string =>
  JSON.stringify(String(name)).replace(/[^ -~]/g, (char) => `<${char.charCodeAt(0).toString(16)}>`)

/** Examples of user ids. */
const people = [
  'a',
  'room:lobby',
  'A_b.C-9',
  'x'.repeat(256),
  '__proto__',
  'auth0|5f7c',
  'ada@example.com',
  'user:ada+1@mail.example.com',
  'José',
  'Jose\u0301',
  '日本語',
  '😀',
  'a b',
  ' ',
  '/',
  '[1]',
  '"quoted"',
  'a\u2028b',
  'a{',
  'a@',
  '1@',
  '1@host',
  'x1@local.abc',
  '1@mail.example.com',
  '1@local.',
  'é'.repeat(128),
  '日'.repeat(85)
]
/** Strings that look like an address of a process. */
const addresses = [
  '@',
  '@room/1',
  '@cluster/leader',
  '{',
  '{"target_pid":"a"}',
  '1@local.mi3k9x2a',
  '007@a.b',
  `${'9'.repeat(30)}@local.x`,
  new PidFactory('node_1').nextPid()
]
const invalid = [
  '',
  'x'.repeat(257),
  'é'.repeat(129),
  '日'.repeat(86),
  'a\n',
  '\0',
  'a\u007fb',
  'a\u0085b',
  '\ud800',
  'a\udc00b',
  5,
  null,
  undefined,
  {},
  [],
  Symbol('a')
]

t.test('accepts names of up to 256 bytes that do not look like an address', async (t) => {
  for (const name of people) {
    t.ok(isName(name), label(name))
    checkName(name)
  }
  for (const name of [...addresses, ...invalid]) {
    t.notOk(isName(name), label(name))
    t.throws(
      () => {
        checkName(name)
      },
      {
        code: 'FST_PROCESS_INVALID_NAME',
        message: /1 to 256 bytes of UTF-8 without control characters, not beginning/
      }
    )
  }
})

t.test('accepts group names of up to 256 bytes, addresses included', async (t) => {
  for (const name of [...people, ...addresses]) {
    t.ok(isGroupName(name), label(name))
    checkGroupName(name)
  }
  for (const name of invalid) {
    t.notOk(isGroupName(name), label(name))
    t.throws(
      () => {
        checkGroupName(name)
      },
      {
        code: 'FST_PROCESS_INVALID_NAME',
        message: /1 to 256 bytes of UTF-8 without control characters$/
      }
    )
  }
})

t.test('has a distinct valid engine key and topic for each name', async (t) => {
  const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }).filter(isGroupName)
  fc.assert(fc.property(name, name, (one, other) => {
    for (const encoded of [nameKey, (name: string) => groupTopic(name, 'p'.repeat(32))]) {
      if ((encoded(one) === encoded(other)) !== (one === other)) return false
      // Characters that NATS, Redis and their clients accept in a key and in a topic.
      if (!/^[A-Za-z0-9_.-]{1,511}$/.test(encoded(one)) || encoded(one).includes('..')) return false
    }
    return true
  }))
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 260 }),
      (text) =>
        isGroupName(text) ===
        (text.length > 0 &&
          Buffer.byteLength(text) <= 256 &&
          Buffer.from(text).toString() === text &&
          !/\p{Cc}/u.test(text))
    )
  )
})

t.test('registers a name for one PID only', async (t) => {
  const names = new NameTable()
  names.register('lobby', a)
  t.throws(() => { names.register('lobby', b) }, { code: 'FST_PROCESS_NAME_TAKEN' })
  t.throws(
    () => {
      names.register('lobby', a)
    },
    { code: 'FST_PROCESS_NAME_TAKEN' },
    'as in OTP, also for the same process'
  )
  t.equal(names.lookup('lobby'), a)
})

t.test('frees all names of a PID at its end', async (t) => {
  const names = new NameTable()
  names.register('one', a)
  names.register('two', a)
  names.register('other', b)
  t.strictSame(names.namesOf(a), ['one', 'two'])
  names.release(a)
  t.equal(names.lookup('one'), undefined)
  t.equal(names.lookup('two'), undefined)
  names.release(b)
  t.equal(names.size, 0)
})

t.test('frees a name by unregister', async (t) => {
  const names = new NameTable()
  names.register('one', a)
  t.ok(names.unregister('one'))
  t.notOk(names.unregister('one'))
  t.equal(names.size, 0)
})

import t from 'tap'
import { checkName, isName, NameTable } from '../../lib/process/names.js'
import type { Pid } from '../../types/pid.js'

const [a, b] = ['1@local.a', '2@local.a'] as Pid[]

t.test('names are 1 to 128 letters, digits and _ . : -', async (t) => {
  for (const name of ['a', 'room:lobby', 'A_b.C-9', 'x'.repeat(128), '__proto__']) t.ok(isName(name), name)
  for (const name of ['', 'x'.repeat(129), 'a b', 'a@b', 'é', 'a\n', 5, null, undefined, {}]) {
    t.notOk(isName(name))
    t.throws(() => { checkName(name) }, { code: 'FST_PROCESS_INVALID_NAME' })
  }
})

t.test('a name is held by one', async (t) => {
  const names = new NameTable()
  names.register('lobby', a)
  t.throws(() => { names.register('lobby', b) }, { code: 'FST_PROCESS_NAME_TAKEN' })
  t.throws(() => { names.register('lobby', a) }, { code: 'FST_PROCESS_NAME_TAKEN' }, 'as in OTP, also for the same process')
  t.equal(names.lookup('lobby'), a)
})

t.test('a PID may have several names, and all are free when it ends', async (t) => {
  const names = new NameTable()
  names.register('one', a)
  names.register('two', a)
  names.register('other', b)
  t.strictSame(names.of(a), ['one', 'two'])
  names.release(a)
  t.equal(names.lookup('one'), undefined)
  t.equal(names.lookup('two'), undefined)
  names.release(b)
  t.equal(names.size, 0)
})

t.test('a name can be given back', async (t) => {
  const names = new NameTable()
  names.register('one', a)
  t.ok(names.unregister('one'))
  t.notOk(names.unregister('one'))
  t.equal(names.size, 0)
})

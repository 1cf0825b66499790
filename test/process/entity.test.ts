import t from 'tap'
import { asTarget } from '../../lib/process/entity.js'
import type { Entity } from '../../lib/process/entity.js'

t.test('binds connections only to processes that accept mail', async t => {
  const process = (refusesMail: boolean): Entity => {
    return { accept () {}, refusesMail } as unknown as Entity
  }
  const connection = {} as unknown as Entity
  const running = process(false)
  t.strictSame(asTarget(running), { ok: true, value: running })
  t.strictSame(asTarget(process(true)), { ok: false, problem: 'it is stopping' })
  t.strictSame(asTarget(connection), { ok: false, problem: 'it is a connection' })
  t.strictSame(asTarget(undefined), { ok: false, problem: 'it is not alive' })
})

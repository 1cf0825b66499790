import t from 'tap'
import { asTarget } from '../../lib/process/entity.js'
import type { Entity } from '../../lib/process/entity.js'

t.test('binds connections only to processes that accept mail', async t => {
  const process = (stopping: boolean): Entity => ({ accept () {}, stopping }) as unknown as Entity
  const connection = {} as unknown as Entity
  const running = process(false)
  t.equal(asTarget(running), running)
  t.equal(asTarget(process(true)), 'it is stopping')
  t.equal(asTarget(connection), 'it is a connection')
  t.equal(asTarget(undefined), 'it is not alive')
})

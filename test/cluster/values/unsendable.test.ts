import t from 'tap'
import { classOf, propertyStep, Unsendable } from '../../../lib/cluster/values/unsendable.js'

t.test('writes the path from the outside to the inside', async (t) => {
  t.equal(new Unsendable('RegExp').path, 'payload')
  const found = new Unsendable('RegExp')
    .within(propertyStep('user'))
    .within('[3]')
    .within(propertyStep('all items'))
  t.equal(found.path, 'payload["all items"][3].user')
  t.equal(Unsendable.of(found), found)
  const cycle = new Unsendable('a cycle', 2).within('.c').within('.b').within('.a')
  t.equal(cycle.path, 'payload.a.b')
})

t.test('hides the thrown value', async (t) => {
  t.equal(Unsendable.of(new Error('secret')).type, 'a value that throws when it is read')
})

t.test('names an object by its class', async (t) => {
  t.equal(classOf(new URL('http://127.0.0.1')), 'URL')
  t.equal(classOf(new (class {})()), 'object')
  t.equal(classOf(Object.create(null) as object), 'object')
})

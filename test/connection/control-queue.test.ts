import t from 'tap'
import { ControlQueue } from '../../lib/connection/control-queue.js'
import type { Binding } from '../../lib/connection/binding.js'
import type { Control, Controlled } from '../../lib/connection/control-queue.js'
import type { Target } from '../../lib/process/entity.js'

type FakeAnswer = Target | 'it is not alive'

/** A bond that a test answers. */
class FakeBond {
  released = 0
  answer!: (answer: FakeAnswer) => void
  ask (answered: (answer: FakeAnswer) => void): void { this.answer = answered }
  release (): void { this.released++ }
}

const target = {} as Target

function control (to?: string): Control {
  return { change: { ...to !== undefined && { target: to } }, call: undefined }
}

/** A connection that notes what is done to it; targets that begin with `there` are elsewhere. */
function build () {
  const log: string[] = []
  const bonds: FakeBond[] = []
  const connection: Controlled = {
    bondFor ({ change }) {
      if (change.target?.startsWith('there') !== true) return undefined
      const bond = new FakeBond()
      bonds.push(bond)
      return bond as unknown as Binding
    },
    control: ({ change }) => { log.push(`did ${change.target ?? 'a change'}`) },
    targetAnswered: ({ change }, bond, answer) => { log.push(`${change.target}: ${typeof answer === 'string' ? answer : 'moved'}`) },
    controlsOver: () => { log.push('over') }
  }
  return { log, bonds, controls: new ControlQueue(connection) }
}

t.test('one after the other, in the order sent', async t => {
  const { log, bonds, controls } = build()
  for (const to of ['there 1', undefined, 'here', 'there 2', 'there 3', 'here again']) t.ok(controls.add(control(to)))
  t.strictSame(log, [])
  bonds[0].answer(target)
  t.strictSame(log, ['there 1: moved', 'did a change', 'did here'])
  bonds[1].answer('it is not alive')
  bonds[2].answer(target)
  t.strictSame(log.slice(3), ['there 2: it is not alive', 'there 3: moved', 'did here again', 'over'])
  t.ok(controls.add(control('there 4')), 'and again')
})

t.test('not endlessly many wait', async t => {
  const { bonds, controls } = build()
  t.strictSame(Array.from({ length: 65 }, () => controls.add(control('there'))).indexOf(false), 64)
  bonds[0].answer(target)
  t.ok(controls.add(control()))
})

t.test('a connection that ends carries out none of those that wait', async t => {
  const { log, bonds, controls } = build()
  const waiting = [control('there'), control(), control('here')]
  for (const each of waiting) controls.add(each)
  t.strictSame(controls.abandon(), waiting)
  t.equal(bonds[0].released, 1)
  t.strictSame(controls.abandon(), [])
  t.strictSame(log, [])
})

import t from 'tap'
import { ControlQueue } from '../../../lib/connection/control/control-queue.js'
import type { Binding } from '../../../lib/connection/target/binding.js'
import type { ControlRequest, ControlledConnection } from '../../../lib/connection/control/control-queue.js'
import { failure, success } from '../../../lib/shared/result.js'
import type { BindResult } from '../../../lib/process/remote/remote-nodes.js'
import type { Target } from '../../../lib/process/entity.js'

/** A binding that a test answers. */
class FakeBinding {
  released = 0
  answer!: (answer: BindResult) => void
  requestBinding (answered: (answer: BindResult) => void): void { this.answer = answered }
  release (): void { this.released++ }
}

const target = success({} as Target)

function control (to?: string): ControlRequest {
  return { change: { ...to !== undefined && { target: to } }, call: undefined }
}

/** A connection that records its calls. Targets that begin with `there` are remote. */
function build () {
  const log: string[] = []
  const bindings: FakeBinding[] = []
  const connection: ControlledConnection = {
    bindingFor ({ change }) {
      if (change.target?.startsWith('there') !== true) return undefined
      const binding = new FakeBinding()
      bindings.push(binding)
      return binding as unknown as Binding
    },
    applyControl: ({ change }) => {
      log.push(`did ${change.target ?? 'a change'}`)
    },
    applyRemoteControl: ({ change }, binding, answer) => {
      log.push(`${change.target}: ${answer.ok ? 'moved' : answer.problem}`)
    },
    controlQueueEmptied: () => {
      log.push('over')
    }
  }
  return { log, bindings, controls: new ControlQueue(connection) }
}

t.test('carries out requests one after the other, in the order sent', async t => {
  const { log, bindings, controls } = build()
  for (const to of ['there 1', undefined, 'here', 'there 2', 'there 3', 'here again']) {
    t.ok(controls.enqueue(control(to)))
  }
  t.strictSame(log, [])
  bindings[0].answer(target)
  t.strictSame(log, ['there 1: moved', 'did a change', 'did here'])
  bindings[1].answer(failure('it is not alive'))
  bindings[2].answer(target)
  t.strictSame(log.slice(3), [
    'there 2: it is not alive',
    'there 3: moved',
    'did here again',
    'over'
  ])
  t.ok(controls.enqueue(control('there 4')), 'and again')
})

t.test('refuses requests when too many wait', async t => {
  const { bindings, controls } = build()
  t.strictSame(
    Array.from({ length: 65 }, () => controls.enqueue(control('there'))).indexOf(false),
    64
  )
  bindings[0].answer(target)
  t.ok(controls.enqueue(control()))
})

t.test('carries out no waiting request when the connection ends', async t => {
  const { log, bindings, controls } = build()
  const waiting = [control('there'), control(), control('here')]
  for (const each of waiting) controls.enqueue(each)
  t.strictSame(controls.cancelAll(), waiting)
  t.equal(bindings[0].released, 1)
  t.strictSame(controls.cancelAll(), [])
  t.strictSame(log, [])
})

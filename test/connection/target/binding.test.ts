import t from 'tap'
import { failure, success } from '../../../lib/shared/result.js'
import { Binding } from '../../../lib/connection/target/binding.js'
import { buildRuntime, recordingLogger, settle } from '../../process/helpers.js'
import type { BindResult, RemoteNodes } from '../../../lib/process/remote/remote-nodes.js'
import type { Target } from '../../../lib/process/entity.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

const there = '7@b.abc' as Pid
const target = { pid: there } as Target

/** A binding to a remote target. Its node answers when a test calls `resolve` or `reject`. */
function build () {
  const { logger, lines } = recordingLogger()
  const { runtime } = buildRuntime({ node: 'a', logger })
  let bind!: { resolve (answer: BindResult): void, reject (err: Error): void }
  const unwatched: Pid[] = []
  runtime.clusterAccess.joinCluster({
    bind: () => new Promise((resolve, reject) => { bind = { resolve, reject } }),
    demonitor: (pid: Pid) => { unwatched.push(pid) }
  } as unknown as RemoteNodes)
  const binding = Binding.ifRemote(runtime, there)!
  const answers: BindResult[] = []
  binding.requestBinding((answer) => { answers.push(answer) })
  return { runtime, binding, answers, unwatched, lines, ...bind }
}

t.test('returns a binding only when the target is on another node', async t => {
  const { runtime } = build()
  t.equal(Binding.ifRemote(runtime, '7@a.abc'), undefined)
  t.equal(Binding.ifRemote(runtime, 'a-name'), undefined)
  t.equal(Binding.ifRemote(buildRuntime().runtime, there), undefined, 'a system that is alone')
  t.type(Binding.ifRemote(runtime, there), Binding)
})

t.test('holds from the answer until it is released', async t => {
  const { binding, answers, unwatched, resolve } = build()
  resolve(success(target))
  await settle()
  t.strictSame(answers, [success(target)])
  const exits: Exit[] = []
  binding.attachConnection({ targetEnded: (exit) => { exits.push(exit) } })
  binding.release()
  t.strictSame(unwatched, [there])
  binding.targetEnded({ pid: there, reason: 'boom' })
  t.strictSame(exits, [], 'a released binding passes no exit on')
})

t.test('answers with the problem when the target cannot be bound', async t => {
  const { answers, resolve } = build()
  resolve(failure('it is stopping'))
  await settle()
  t.strictSame(answers, [failure('it is stopping')])
})

t.test(
  'passes the exit of the target to the connection, and needs no release after it',
  async (t) => {
    const { binding, unwatched, resolve } = build()
    resolve(success(target))
    await settle()
    const exits: Exit[] = []
    binding.attachConnection({
      targetEnded: (exit) => {
        exits.push(exit)
      }
    })
    binding.targetEnded({ pid: there, reason: 'boom' })
    binding.release()
    t.strictSame(exits, [{ pid: there, reason: 'boom' }])
    t.strictSame(unwatched, [])
  }
)

t.test('answers with a problem when the target ends together with the answer', async t => {
  const table = [
    [{ reason: 'boom' }, 'it is not alive'],
    [{ reason: 'noconnection' }, 'its node cannot be reached'],
    [{ reason: 'noconnection', nodeClosing: true }, 'its node is closing']
  ] as const
  for (const [exit, problem] of table) {
    const { binding, answers, resolve } = build()
    resolve(success(target))
    binding.targetEnded({ pid: there, ...exit })
    await settle()
    t.strictSame(answers, [failure(problem)])
  }
})

t.test('leaves nothing behind when it is released before the answer', async t => {
  for (const answer of [success(target), failure('it is not alive' as const)]) {
    const { binding, answers, unwatched, resolve } = build()
    binding.release()
    t.strictSame(unwatched, [there], 'at once')
    resolve(answer)
    await settle()
    t.strictSame(answers, [])
    t.equal(unwatched.length, answer.ok ? 2 : 1, 'and again where it came to be')
  }
})

t.test('logs an error and answers with a problem when the cluster fails', async t => {
  const { answers, lines, reject } = build()
  reject(new Error('broken'))
  await settle()
  t.strictSame(answers, [failure('its node cannot be reached')])
  t.match(lines, [{ level: 'error', args: [{ relayPid: there, err: { message: 'broken' } }] }])
  const released = build()
  released.binding.release()
  released.reject(new Error('broken'))
  await settle()
  t.strictSame(released.answers, [])
})

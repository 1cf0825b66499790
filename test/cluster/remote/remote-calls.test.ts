import t from 'tap'
import { frame, Pair, receive } from '../fixtures/pair.js'
import { errorCodes } from '../../../lib/errors.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { encodePayload } from '../../../lib/cluster/values/payload.js'
import { isCaller, RemoteCalls } from '../../../lib/cluster/remote/remote-calls.js'
import { keyTopic } from '../../../lib/process/remote/key-directory.js'
import { watcher } from '../support.js'
import type { Caller } from '../../../lib/cluster/remote/remote-calls.js'
import type { KeyAnswer } from '../../../lib/process/remote/key-directory.js'
import type { Pid } from '../../../types/pid.js'

interface TestCaller extends Caller {
  readonly outcomes: unknown[][]
}

function caller (): TestCaller {
  const outcomes: unknown[][] = []
  return {
    outcomes,
    reply (value) { outcomes.push(['reply', value]) },
    fail (error) { outcomes.push(['fail', error]) },
    reject (error) { outcomes.push(['reject', error]) },
    targetEnded (exit) { outcomes.push(['ended', exit]) }
  }
}

interface Called {
  nodes: Pair<RemoteCalls>
  callee: Pid
  /** Calls it from `a`. */
  call: (payload?: unknown, to?: Pid) => TestCaller
}

function make (): Called {
  const nodes = new Pair((hub) => new RemoteCalls(hub))
  const callee = nodes.b.local.spawn()
  const from = nodes.a.local.spawn()
  const call = (payload: unknown = undefined, to = callee): TestCaller => {
    const one = caller()
    if (!nodes.a.unit.call(nodes.a.peer, to, 'topic', encodePayload(payload)!, from, one)) {
      one.outcomes.push(['not taken'])
    }
    return one
  }
  return { nodes, callee, call }
}

t.test('resolves a call with the first reply of its callee', async (t) => {
  const { nodes, callee, call } = make()
  nodes.b.local.answers = (answer, payload) => {
    answer.reply({ echo: payload })
    answer.reply('again')
    answer.fail(new Error('again'))
  }
  const one = call({ question: 1 })
  nodes.deliverAll()
  t.strictSame(one.outcomes, [['reply', { echo: { question: 1 } }]])
  t.strictSame(nodes.b.local.mail, [
    { to: callee, topic: 'topic', payload: { question: 1 }, from: '1@a.1' }
  ])
  nodes.b.local.end(callee, 'done')
  nodes.deliverAll()
  nodes.resetChannel()
  t.equal(one.outcomes.length, 1)
  t.equal(nodes.size, 0)
})

t.test('a call from code outside any process has no sender', async (t) => {
  const { nodes, callee } = make()
  nodes.a.unit.call(nodes.a.peer, callee, 'topic', encodePayload(1)!, undefined, caller())
  nodes.deliverAll()
  t.match(nodes.b.local.mail, [{ payload: 1, from: undefined }])
})

t.test('calls are answered in any order, each to its own caller', async (t) => {
  const { nodes, call } = make()
  const answers: (() => void)[] = []
  nodes.b.local.answers = (answer, payload) => { answers.unshift(() => { answer.reply(payload) }) }
  const calls = [1, 2, 3].map((payload) => call(payload))
  nodes.deliverAll()
  for (const answer of answers) answer()
  nodes.deliverAll()
  t.strictSame(calls.map(({ outcomes }) => outcomes), [[['reply', 1]], [['reply', 2]], [['reply', 3]]])
  t.equal(nodes.size, 0)
})

t.test('passes the error or value of `fail` to the caller, or the encoding error', async (t) => {
  const { nodes, call } = make()
  const refused = (error: unknown): unknown[] => {
    nodes.b.local.answers = (answer) => {
      answer.fail(error)
    }
    const one = call()
    nodes.deliverAll()
    return one.outcomes[0]
  }
  t.match(refused(Object.assign(new TypeError('no'), { code: 'E_NO' })), [
    'fail',
    { name: 'TypeError', message: 'no', code: 'E_NO' }
  ])
  t.strictSame(refused({ code: 7 }), ['fail', { code: 7 }])
  t.strictSame(refused('no'), ['fail', 'no'])
  t.strictSame(refused(undefined), ['fail', undefined])
  t.match(
    refused(() => {}),
    ['fail', { code: 'FST_CLUSTER_INVALID_PAYLOAD' }]
  )
})

t.test('fails the call and logs when an answer cannot be encoded', async (t) => {
  const { nodes, call } = make()
  nodes.b.local.answers = (answer) => { answer.reply(() => {}) }
  const one = call()
  nodes.deliverAll()
  t.match(one.outcomes, [
    ['fail', { code: 'FST_CLUSTER_INVALID_PAYLOAD', message: /a function at 'payload'/ }]
  ])
  t.match(nodes.b.node.logged, [
    { what: 'answer', topic: 'topic', type: 'a function', path: 'payload' }
  ])
  nodes.b.local.answers = (answer) => {
    answer.reply(1)
    answer.reply(() => {})
  }
  call()
  nodes.deliverAll()
  t.equal(nodes.b.node.logged.length, 1, 'what comes after the answer is nobody\'s')
  nodes.b.local.answers = (answer) => { answer.reply(() => {}) }
  nodes.b.peer.refuses = ({ type }) => type === frameTypes.reply
  nodes.b.local.answers = (answer) => { answer.reply('too long') }
  const other = call()
  nodes.deliverAll()
  t.match(other.outcomes, [['fail', { name: 'RangeError', message: /too large/ }]])
  t.equal(nodes.size, 0)
})

t.test('rejects a call when the mailbox of the callee is full', async (t) => {
  const { nodes, call } = make()
  nodes.b.local.full = true
  const one = call()
  nodes.deliverAll()
  t.match(one.outcomes, [['reject', { code: 'FST_PROCESS_REFUSED' }]])
  t.ok(one.outcomes[0][1] instanceof errorCodes.FST_PROCESS_REFUSED)
  t.equal(nodes.size, 0)
})

t.test('rejects a call to a dead process with FST_PROCESS_NOT_ALIVE', async (t) => {
  const { nodes, call } = make()
  const one = call(1, nodes.b.node.pid(99))
  nodes.deliverAll()
  t.match(one.outcomes, [['reject', { code: 'FST_PROCESS_NOT_ALIVE' }]])
  t.equal(nodes.b.local.mail.length, 0)
  t.equal(nodes.size, 0)
})

t.test('reports the exit of a callee that ends before it answers', async (t) => {
  const { nodes, callee, call } = make()
  const one = call()
  nodes.deliverAll()
  nodes.b.local.end(callee, 'boom')
  nodes.deliverAll()
  t.strictSame(one.outcomes, [['ended', { pid: callee, reason: 'boom' }]])
  t.equal(nodes.size, 0)
})

t.test('refuses a call when the channel is full, and keeps nothing', async (t) => {
  const { nodes, call } = make()
  nodes.a.peer.refuses = (fields, urgency) => urgency !== 'system'
  t.strictSame(call().outcomes, [['not taken']])
  t.equal(nodes.size, 0)
})

t.test(
  'ends calls with noconnection once when the channel resets, and drops late answers',
  async (t) => {
    const { nodes, callee, call } = make()
    let answer = (): void => {}
    nodes.b.local.answers = (waiting) => {
      answer = () => {
        waiting.reply('late')
      }
    }
    const calls = [call(), call()]
    nodes.deliverAll()
    nodes.resetChannel()
    for (const { outcomes } of calls) {
      t.strictSame(outcomes, [['ended', { pid: callee, reason: 'noconnection' }]])
    }
    t.strictSame(nodes.b.local.watched, [])
    answer()
    t.equal(nodes.b.peer.sent.length, 0)
    t.equal(nodes.size, 0)
  }
)

t.test('answers no abandoned call, and the remote node removes it', async (t) => {
  const { nodes, callee, call } = make()
  let answer = (): void => {}
  nodes.b.local.answers = (waiting) => { answer = () => { waiting.reply('late') } }
  const one = call()
  nodes.deliverAll()
  t.strictSame(nodes.b.local.watched, [callee])
  answer()
  nodes.a.unit.abandon(one)
  nodes.a.unit.abandon(one)
  t.equal(nodes.a.peer.sent.length, 1, 'said once')
  nodes.deliverAll()
  nodes.resetChannel()
  t.strictSame(one.outcomes, [])
  const other = call()
  nodes.deliverAll()
  nodes.a.unit.abandon(other)
  nodes.deliverAll()
  t.strictSame(nodes.b.local.watched, [])
  answer()
  t.equal(nodes.b.peer.sent.length, 0)
  t.equal(nodes.size, 0)
})

t.test('rejects a call with a malformed payload without delivering it', async (t) => {
  const { nodes, call } = make()
  const one = call()
  nodes.b.peer.sent.length = 0
  t.equal(
    receive(nodes.b, frame({ type: frameTypes.call, to: 1, from: 1, ref: 1, text: 'topic', kind: 9 })
    ),
    false
  )
  t.equal(nodes.b.local.mail.length, 0)
  nodes.a.peer.sent.length = 0
  nodes.deliverAll()
  t.match(one.outcomes, [['reject', { code: 'FST_PROCESS_REFUSED', message: /cannot be read/ }]])
  t.equal(nodes.size, 0)
})

t.test('ends a call with noconnection when its answer is malformed', async (t) => {
  for (const type of [frameTypes.reply, frameTypes.fail, frameTypes.reject, frameTypes.callEnded]) {
    const { nodes, callee, call } = make()
    const one = call()
    nodes.deliverAll()
    t.equal(receive(nodes.a, frame({ type, ref: 1, kind: 9 })), false)
    t.strictSame(one.outcomes, [['ended', { pid: callee, reason: 'noconnection' }]])
    t.equal(nodes.a.unit.size, 0)
  }
})

t.test('notifies the other callers when one of them throws', async (t) => {
  const { nodes, callee, call } = make()
  const thrown = new Error('no')
  const failing: Caller = {
    ...caller(),
    targetEnded () {
      throw thrown
    },
    reply () {
      throw thrown
    }
  }
  for (let i = 0; i < 2; i++) {
    nodes.a.unit.call(nodes.a.peer, callee, 'topic', encodePayload(1)!, undefined, failing)
  }
  const last = call()
  nodes.deliverTo(nodes.b)
  receive(nodes.a, frame({ type: frameTypes.reply, ref: 1 }))
  nodes.resetChannel()
  t.equal(last.outcomes.length, 1)
  t.strictSame(nodes.a.node.failures, [thrown, thrown])
})

t.test('does not notify a call that another caller abandons during the notification', async (t) => {
  const { nodes, callee, call } = make()
  const first: Caller = { ...caller(), targetEnded () { nodes.a.unit.abandon(second) } }
  nodes.a.unit.call(nodes.a.peer, callee, 'topic', encodePayload(1)!, undefined, first)
  const second = call()
  nodes.deliverAll()
  nodes.resetChannel()
  t.strictSame(second.outcomes, [])
  nodes.deliverAll()
  t.equal(nodes.size, 0)
})

t.test('isCaller distinguishes callers from exit listeners', async (t) => {
  t.ok(isCaller(caller()))
  t.notOk(isCaller(watcher()))
})

t.test('does not handle frames of other types', async (t) => {
  const { nodes } = make()
  for (const type of [frameTypes.send, frameTypes.down, 127]) {
    t.equal(receive(nodes.a, frame({ type })), undefined)
  }
})

t.test('hands a request about a key to the node, and sends its answer', async (t) => {
  const { nodes } = make()
  const asked: unknown[] = []
  const answers: KeyAnswer[] = []
  nodes.b.local.answerKeyRequest = (request, node, answer) => {
    asked.push([request, node])
    answers.push(answer)
  }
  const ask = (request: unknown): TestCaller => {
    const one = caller()
    const { unit, peer } = nodes.a
    unit.call(peer, '0@b.1' as Pid, keyTopic, encodePayload(request)!, undefined, one)
    return one
  }
  const calls = [ask({ do: 'start' }), ask(1), ask(2), ask(3)]
  nodes.deliverAll()
  t.same(asked, [[{ do: 'start' }, 'a'], [1, 'a'], [2, 'a'], [3, 'a']])
  t.equal(nodes.b.unit.size, 0, 'the node that answers keeps nothing')
  answers[0].reply({ pid: '1@b.1' })
  answers[1].reject(new TypeError('boom'))
  nodes.b.peer.refuses = ({ body }) => body !== undefined && body.length > 10_000
  answers[2].reject(new Error('x'.repeat(20_000)))
  nodes.deliverAll()
  t.match(calls.map(({ outcomes }) => outcomes), [
    [['reply', { pid: '1@b.1' }]],
    [['reject', { name: 'TypeError', message: 'boom' }]],
    [['reject', { name: 'RangeError', message: 'The error is too large for another node' }]],
    []
  ])
  nodes.resetChannel()
  t.match(calls[3].outcomes, [['ended', { reason: 'noconnection' }]])
  answers[3].reply('late')
  nodes.deliverAll()
  t.equal(calls[3].outcomes.length, 1)
  t.equal(nodes.size, 0)
})

t.test('answers a request about a key that cannot be read', async (t) => {
  const { nodes } = make()
  const asked: unknown[] = []
  nodes.b.local.answerKeyRequest = (request) => { asked.push(request) }
  const garbage = frame({ type: frameTypes.call, text: keyTopic, ref: 1, kind: 99 })
  t.equal(receive(nodes.b, garbage), false)
  t.same(asked, [undefined])
})

// docs/relay.md, "Transfer": a connection moves from one target to another.
import t from 'tap'
import { Keeper, allGone, joined, mailOfTransfer, start } from '../support.js'
import { until } from '../../../helpers.js'

t.test(
  'a transfer leaves the old target, joins the new one, and sends later frames there',
  async (t) => {
    const rig = await start(t)
    const { peer, pid, target: old } = await joined(t, rig, { metadata: { old: true } })
    const next = new Keeper(rig, { monitors: false })
    peer.text('1')
    await old.until('ws.message')
    t.equal(
      await rig.others.call(pid, 'ws.control', {
        target_pid: next.pid,
        message_topic: 'chat',
        metadata: { new: true }
      }),
      undefined
    )
    peer.text('2')
    await next.until('chat')
    t.strictSame({ old: old.mail.slice(1), next: next.mail }, mailOfTransfer(pid))
    t.match(rig.processes.info(pid), { target: next.pid, monitors: [next.pid] })
    rig.others.exit(old.pid, 'boom')
    peer.text('3')
    await next.until('chat', 2)
    t.equal(peer.seen, undefined, 'the exit of the old target is ignored')
    rig.others.exit(next.pid, 'boom')
    t.strictSame(await peer.end(), { code: 1011, reason: 'target process exited' })
    await allGone(rig)
  }
)

t.test('keeps fields that are not given, and null resets a field', async t => {
  const rig = await start(t)
  const { peer, pid, target } = await joined(t, rig, {
    message_topic: 'chat',
    heartbeat_interval: '1h',
    metadata: { a: 1 }
  })
  const beating = rig.relay.deadlines.size
  const table: Array<[control: object, topic: string, metadata: object, timers: number]> = [
    [{}, 'chat', { a: 1 }, beating],
    [{ message_topic: 'other' }, 'other', { a: 1 }, beating],
    [{ metadata: { b: 2 } }, 'other', { b: 2 }, beating],
    [{ message_topic: null }, 'ws.message', { b: 2 }, beating],
    [{ heartbeat_interval: null }, 'ws.message', { b: 2 }, beating - 1],
    [{ metadata: null, heartbeat_interval: '2h' }, 'ws.message', {}, beating],
    [{ target_pid: target.pid, message_topic: 'same' }, 'same', {}, beating],
    [{ message_topic: undefined, unknown: 1 }, 'same', {}, beating]
  ]
  for (const [control, topic, metadata, timers] of table) {
    const count = target.mail.length
    await rig.others.call(pid, 'ws.control', control)
    peer.text('x')
    await until(() => target.mail.length > count)
    t.match(target.mail[count], { topic, payload: { metadata } }, JSON.stringify(control))
    t.equal(rig.relay.deadlines.size, timers)
  }
  t.strictSame(
    target.topics.filter((one) => one === 'ws.join' || one === 'ws.leave'),
    ['ws.join'],
    'nothing was left or joined'
  )
})

t.test('changes nothing when a transfer is refused', async t => {
  const lines: any[] = []
  const rig = await start(
    t,
    {},
    {
      logger: {
        level: 'warn',
        stream: {
          write: (line) => {
            lines.push(JSON.parse(line))
          }
        }
      }
    }
  )
  const { peer, pid, target } = await joined(t, rig, { metadata: { a: 1 } })
  const other = await joined(t, rig)
  const dead = rig.processes.spawn(() => {})
  await rig.processes.exited(dead)
  const stopping = rig.processes.spawn(async (self) => {
    await self.serve({}, () => {})
    await new Promise(() => {})
  })
  await new Promise(setImmediate)
  rig.processes.cancel(stopping)
  const refused = 'FST_WS_RELAY_TRANSFER_REFUSED'
  const invalid = 'FST_WS_RELAY_INVALID_PAYLOAD'
  const table: Array<[what: string, control: object, code: string]> = [
    ['a dead process', { target_pid: dead }, refused],
    ['an unknown name', { target_pid: 'nobody' }, refused],
    ['a process of another node', { target_pid: '1@elsewhere.abc' }, refused],
    ['a malformed PID', { target_pid: '1@@' }, refused],
    ['a process that is stopping', { target_pid: stopping }, refused],
    ['a connection', { target_pid: other.pid }, refused],
    ['itself', { target_pid: pid }, refused],
    ['a target that is no string', { target_pid: 5 }, invalid],
    ['null as the target', { target_pid: null }, invalid],
    ['a topic of the system', { target_pid: other.target.pid, message_topic: '@exit' }, invalid],
    ['a topic of the relay', { target_pid: other.target.pid, message_topic: 'ws.join' }, invalid],
    ['an empty topic', { target_pid: other.target.pid, message_topic: '' }, invalid],
    [
      'a heartbeat that is too short',
      { target_pid: other.target.pid, heartbeat_interval: 99 },
      invalid
    ],
    [
      'a heartbeat that is too long',
      { target_pid: other.target.pid, heartbeat_interval: '24.1h' },
      invalid
    ],
    ['metadata that is no object', { target_pid: other.target.pid, metadata: 'x' }, invalid],
    [
      'metadata that is too large',
      { target_pid: other.target.pid, metadata: { x: 'x'.repeat(5000) } },
      invalid
    ]
  ]
  for (const [what, control, code] of table) {
    lines.length = 0
    // A remote node has to be asked first: the send is accepted, and the log has the result.
    const isAsked = what === 'a process of another node' && rig.processes.cluster !== undefined
    t.equal(
      rig.processes.send(pid, 'ws.control', { metadata: { b: 2 }, ...control } as never),
      isAsked,
      what
    )
    await until(() => lines.length === 1)
    await t.rejects(
      rig.processes.call(pid, 'ws.control', { metadata: { b: 2 }, ...control }),
      { code },
      what
    )
  }
  peer.text('still here')
  const [message] = await target.until('ws.message')
  t.match(message, { data: 'still here', metadata: { a: 1 } })
  t.equal(target.of('ws.leave').length, 0)
  t.equal(other.target.of('ws.join').length, 1)
  rig.processes.exit(stopping, 'kill')
})

t.test('accepts the name of a process as the new target', async t => {
  const rig = await start(t)
  const { pid } = await joined(t, rig)
  const next = new Keeper(rig)
  if (rig.neighbours !== undefined) {
    t.pass('', { skip: 'names are those of a node' })
    return
  }
  rig.processes.names.register('next', next.pid)
  await rig.processes.call(pid, 'ws.control', { target_pid: 'next' })
  await next.until('ws.join')
  t.equal(rig.processes.info(pid)!.target, next.pid)
})

// docs/relay.md, "Pressure": a target that has no room does not get the messages of clients that
// come to it, by an upgrade or a transfer, until it has some.
import t from 'tap'
import { start, textOf, type Rig } from './support.js'
import { connectTo, type Peer } from './peer.js'
import { until } from '../../helpers.js'
import type { Test } from 'tap'
import type { Pid } from '../../../types/pid.js'

const limit = 10

/** A process that takes nothing before it is released, and whose mailbox is full. */
class Full {
  readonly pid: Pid
  readonly texts: string[] = []
  #release!: () => void

  constructor (rig: Rig) {
    const released = new Promise<void>((resolve) => { this.#release = resolve })
    this.pid = rig.processes.spawn(async (self) => {
      await released
      for await (const { topic, payload } of self.inbox) {
        if (topic === 'ws.message') this.texts.push(payload.data as string)
      }
    })
    for (let i = 0; i < limit; i++) rig.processes.send(this.pid, 'fill')
  }

  /** Lets it take all. @returns the texts of clients, when there are `count` */
  async released (count: number): Promise<string[]> {
    this.#release()
    await until(() => this.texts.length === count)
    return this.texts
  }
}

function connections ({ processes }: Rig): Pid[] {
  return processes.list().filter((pid) => processes.info(pid)!.kind === 'ws')
}

/** Resolves when the server has read what other clients have sent before. */
async function roundTrip (peer: Peer): Promise<void> {
  const answers = peer.texts.length
  peer.text('ping')
  await until(() => peer.texts.length > answers)
}

/** A client whose messages are sent back. */
async function connectToEcho (t: Test, rig: Rig): Promise<Peer> {
  const pid = rig.processes.spawn((self) => self.serve({
    'ws.message': ({ client_pid, data }) => { self.send(client_pid, 'ws.send', { data }) }
  }))
  return await connectTo(t, rig, { target_pid: pid })
}

async function withEcho (t: Test): Promise<{ rig: Rig, echo: Peer }> {
  const rig = await start(t, { mailboxLimit: limit })
  return { rig, echo: await connectToEcho(t, rig) }
}

const texts = Array.from({ length: 20 }, (_, i) => String(i))

t.test('a new client is read when its target has room', async (t) => {
  const { rig, echo } = await withEcho(t)
  const target = new Full(rig)
  const early = Buffer.concat(texts.slice(0, 5).map((text) => textOf(text)))
  const peer = await connectTo(t, rig, { target_pid: target.pid }, { early })
  for (const text of texts.slice(5)) peer.text(text)
  await roundTrip(echo)
  const [, pid] = connections(rig)
  t.equal(rig.processes.info(pid)!.paused, true)
  t.equal(rig.processes.info(target.pid)!.mailbox, limit + 1, 'the join alone was added')
  t.strictSame(await target.released(texts.length), texts)
})

t.test('so is a client that was transferred', async (t) => {
  const { rig, echo } = await withEcho(t)
  const target = new Full(rig)
  const [pid] = connections(rig)
  await rig.processes.call(pid, 'ws.control', { target_pid: target.pid })
  for (const text of texts) echo.text(text)
  await roundTrip(await connectToEcho(t, rig))
  t.equal(rig.processes.info(target.pid)!.mailbox, limit + 1)
  t.strictSame(await target.released(texts.length), texts)
})

t.test('clients that come and go leave no messages in a full mailbox', async (t) => {
  const { rig, echo } = await withEcho(t)
  const target = new Full(rig)
  for (let i = 0; i < 5; i++) {
    const peer = await connectTo(t, rig, { target_pid: target.pid })
    const pid = connections(rig).at(-1)!
    peer.write(...texts.map((text) => textOf(text)))
    await roundTrip(echo)
    rig.processes.exit(pid, 'kill')
    await until(() => rig.processes.info(pid) === undefined)
  }
  const joinsAndLeaves = 10
  t.equal(rig.processes.info(target.pid)!.mailbox, limit + joinsAndLeaves)
  await target.released(0)
  await until(() => rig.processes.info(target.pid)!.mailbox === 0)
  t.strictSame(target.texts, [])
})

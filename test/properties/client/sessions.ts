// Histories of one client and the reference server: cuts, half-open sockets, lost hellos, stale
// tokens, takeovers, advice. What is received each way is what was sent, without a gap or a double.
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { ticks } from '../../client/fixtures/world.js'
import { equal, suiteOf } from '../suite.js'
import { Network } from './network.js'

type Data = string | Uint8Array

type Step =
  | { readonly do: 'say' | 'tell', readonly kind: number, readonly count: number }
  | { readonly do: 'up' | 'down', readonly link: number, readonly count: number }
  | { readonly do: 'connect' | 'accept' | 'wake' | 'forget' | 'loseHello' }
  | { readonly do: 'cut', readonly link: number, readonly server: boolean, readonly client: boolean }
  | { readonly do: 'time', readonly time: number }
  | { readonly do: 'advise', readonly after: number, readonly by: number }

/** The end of an offer: the number of messages that the client has received in the session. */
const offered = /^resume\.ws-relay\..*\.(\d+)$/

/** Mostly the newest one. */
const link = fc.constantFrom(0, 0, 0, 0, 1, 1, 2)
const count = fc.integer({ min: 1, max: 5 })
const steps: fc.Arbitrary<Step[]> = fc.array(fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constantFrom('say', 'tell'), kind: fc.nat(3), count }) },
  { weight: 14, arbitrary: fc.record({ do: fc.constantFrom('up', 'down'), link, count }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('accept', 'connect', 'connect') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('wake', 'loseHello') }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('cut'), link, server: fc.boolean(), client: fc.boolean()
    })
  },
  {
    weight: 7,
    arbitrary: fc.record({ do: fc.constant('time'), time: fc.constantFrom(10, 1000, 5000, 30_000) })
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('advise'), after: fc.constantFrom(0, 100), by: fc.constantFrom(50, 5000)
    })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget') }) }
) as fc.Arbitrary<Step>, { minLength: 1, maxLength: 60, size: 'max' })

/** A text, a text that needs an escape, one that looks like a control, or bytes. */
function dataOf (kind: number, n: number): Data {
  if (kind === 3) return new TextEncoder().encode(`${n}`)
  return `${['', '\0', '\0a'][kind]}${n}`
}

const plain = (data: unknown): unknown => data instanceof ArrayBuffer ? new Uint8Array(data) : data

function isPrefix (part: readonly unknown[], whole: readonly unknown[], what: string): void {
  const same = part.every((data, i) => isDeepStrictEqual(plain(data), whole[i]))
  if (same && part.length <= whole.length) return
  throw new Error(`${what}: ${JSON.stringify(part)} is no beginning of ${JSON.stringify(whole)}`)
}

/** One client: its messages by session, and what it was told. */
class Observer {
  readonly network = new Network()
  /** The messages that the client had in the session with each serial. */
  readonly received = new Map<number, unknown[]>()
  /** The messages that the client sent in it; those before any session have the number 0. */
  readonly said = new Map<number, Data[]>([[0, []]])
  serial = 0
  forgets = 0
  readonly #wrongOffers: string[] = []
  #n = 0

  constructor () {
    const { client } = this.network.lab
    this.network.onDial = (protocols) => {
      const match = offered.exec(protocols[1] ?? '')
      const { length } = this.received.get(this.serial) ?? []
      if (match === null || Number(match[1]) === length) return
      this.#wrongOffers.push(`an offer tells ${match[1]} of ${length} messages`)
    }
    client.on('state', ({ state, resumed }) => {
      if (state === 'open' && resumed === false) this.#begin()
    })
    client.on('message', (data) => { this.received.get(this.serial)!.push(data) })
  }

  say (kind: number): void {
    const data = dataOf(kind, this.#n++)
    if (!this.network.lab.client.send(data)) throw new Error('the queue is full')
    this.said.get(this.serial)!.push(data)
  }

  tell (kind: number): void {
    this.network.server.send(dataOf(kind, this.#n++))
  }

  /** Checks all sessions so far. */
  check (): void {
    if (this.#wrongOffers.length > 0) throw new Error(this.#wrongOffers.join())
    for (const { serial, sent, inbox } of this.network.server.sessions) {
      isPrefix(this.received.get(serial) ?? [], sent, `the client in session ${serial}`)
      isPrefix(inbox, this.said.get(serial) ?? [], `the server in session ${serial}`)
    }
    if (this.network.lab.resets.length > this.forgets) throw new Error('a session was given up')
  }

  /** The server's newest session is new to the client, too. */
  #begin (): void {
    const old = this.said.get(this.serial)!
    const before = this.serial
    this.serial = this.network.server.last!.serial
    this.received.set(this.serial, [])
    this.said.set(this.serial, before === 0 ? old : [])
    if (before === 0) return
    // `reset` follows.
    const inbox = this.network.server.sessions[before - 1].inbox
    queueMicrotask(() => {
      const unsent = this.network.lab.resets.at(-1)!.unsent
      equal(isDeepStrictEqual(unsent, old.slice(old.length - unsent.length)), true, 'unsent')
      equal(inbox.length + unsent.length >= old.length, true, 'all are taken or handed out')
    })
  }
}

/** The client gets its next hello. */
async function connect ({ lab, links }: Network): Promise<void> {
  if (lab.client.state === 'away') await lab.world.pass(lab.states.at(-1)!.wait!)
  links[0].accept()
  links[0].deliverDown(1)
}

async function play (observer: Observer, step: Step): Promise<void> {
  const { network } = observer
  const { lab, links, server } = network
  if (step.do === 'say') for (let i = 0; i < step.count; i++) observer.say(step.kind)
  if (step.do === 'tell') for (let i = 0; i < step.count; i++) observer.tell(step.kind)
  if (step.do === 'up') links[step.link]?.deliverUp(step.count)
  if (step.do === 'down') links[step.link]?.deliverDown(step.count)
  if (step.do === 'accept') links[0]?.accept()
  if (step.do === 'connect') await connect(network)
  if (step.do === 'loseHello') links[0]?.loseHello()
  if (step.do === 'wake') lab.world.dispatchEvent(new Event('online'))
  if (step.do === 'cut') links[step.link]?.lose(step.server, step.client)
  if (step.do === 'time') await lab.world.pass(step.time)
  if (step.do === 'advise') {
    server.advise(step.after, step.by)
    links[0]?.deliverDown(Infinity)
    await lab.world.pass(step.after + 1)
  }
  if (step.do === 'forget' && server.last?.isOver === false) {
    server.last.isOver = true
    observer.forgets++
  }
  await ticks()
}

/** The network is well from now on: everything arrives. */
async function calm ({ network: { lab, links, server } }: Observer): Promise<void> {
  for (let round = 0; round < 200; round++) {
    for (const each of links) {
      each.accept()
      each.deliverUp(Infinity)
      each.deliverDown(Infinity)
      each.deliverUp(Infinity)
    }
    await ticks()
    const isOpen = lab.client.state === 'open' && links[0].isAlive && !links[0].isDialing
    if (isOpen && server.last!.isOver === false && server.last!.peer === links[0]) return
    await lab.world.pass(round < 100 ? 1000 : 40_000)
  }
  throw new Error(`it is ${lab.client.state} in a network that is well`)
}

export const clientSessions = suiteOf('client-sessions', steps, async (history) => {
  const observer = new Observer()
  const { lab, server } = observer.network
  await ticks()
  await connect(observer.network)
  for (const step of history) {
    await play(observer, step)
    observer.check()
  }
  await calm(observer)
  observer.check()
  const last = server.last!
  equal(last.serial, observer.serial, 'both have the same session')
  equal(observer.received.get(last.serial)!.length, last.sent.length, 'the client has everything')
  equal(last.inbox.length, observer.said.get(last.serial)!.length, 'the server has everything')
  let isDelivered = false
  lab.client.delivered().then(() => { isDelivered = true }, () => {})
  await calm(observer)
  equal(isDelivered, true, 'everything is acknowledged')
  lab.client.close()
  equal(lab.world.pending, 0, 'no timer is left')
})

// Random events of connections and processes, over sockets without a network. In any order,
// targets, watchers and clients must see one of the histories that the contract allows.
import fc from 'fast-check'
import { opcodes } from '../../../lib/websocket/frames.js'
import { closeOf, frameOf, textOf } from '../../client-frames.js'
import { held } from '../../process/helpers.js'
import { ticks } from '../clock.js'
import { allowed } from './allowed-ends.js'
import { ConnectionBench } from './connection-bench.js'
import { EventLog } from './event-log.js'
import { equal, suiteOf } from '../suite.js'
import { step } from './connection-steps.js'
import type { LeaveCause } from '../../../types/messages.js'
import type { Modelled, Story, Watching } from './connection-bench.js'
import type { Step } from './connection-steps.js'

class Bench extends ConnectionBench {
  do (step: Step): void {
    const connection = 'of' in step ? this.connections[step.of] : undefined
    if ('of' in step && connection === undefined) return
    switch (step.do) {
      case 'connect':
        return this.connect(step.target, step.heartbeat)
      case 'text':
        return this.#text(connection!, step)
      case 'send':
        return this.#send(connection!, step)
      case 'burst':
        return this.#burst(connection!, step.count)
      case 'transfer':
        return this.#transfer(connection!, this.targets[step.target])
      case 'hold':
        return this.targets[step.target].hold()
      case 'release':
        return this.targets[step.target].release()
      case 'turn':
        this.clock.choice = step.choice
        this.clock.tasks.shift()?.()
        return
      case 'breathe':
        return this.yieldOnce()
      case 'time':
        return this.clock.advance(step.ms)
      case 'fall behind':
        this.#stall(connection!)
        this.#burst(connection!, step.count)
        for (let i = 0; i < 8; i++) this.yieldOnce()
        return this.#burst(connection!, 2)
      case 'stall':
        return this.#stall(connection!)
      case 'read':
        return connection!.client.reads()
      case 'mute':
        connection!.client.answers = false
        connection!.underWay.add('ping_timeout')
        return
      case 'ping':
        this.buffered(connection!)
        if (connection!.pinged !== undefined && !connection!.client.silent) connection!.pinged++
        connection!.client.sends(frameOf(opcodes.ping, 'p'))
        return
      case 'monitor':
        return this.watchers[step.by].monitor(connection!)
      case 'link':
        return this.#link(connection!, this.watchers[step.by])
      case 'unlink':
        if (!this.watchers[step.by].alive) return
        this.watchers[step.by].self.unlink(connection!.pid)
        // An unlink does not remove a @link_down that was delivered.
        if (this.processes.alive(connection!.pid)) this.watchers[step.by].links.delete(connection!)
        return
      case 'name':
        return this.#name(connection!)
      case 'join':
        equal(
          this.processes.groups.join('room', connection!.pid),
          this.processes.alive(connection!.pid)
        )
        return
      case 'broadcast':
        this.broadcast()
        return
      case 'client close':
        this.#lastWords(connection!, 'client')
        connection!.client.sends(closeOf(step.code, step.code === undefined ? '' : 'mine'))
        return
      case 'client reset':
        connection!.underWay.add('lost')
        connection!.wasReset = true
        connection!.client.resets()
        return
      case 'client end':
        connection!.underWay.add('lost')
        connection!.client.ends()
        return
      case 'client error':
        this.#lastWords(connection!, 'protocol')
        connection!.client.sends(frameOf(opcodes.text, 'x', { rsv1: true }))
        return
      case 'exit':
        this.ends(connection!, 'exit', () => this.processes.exit(connection!.pid, 'over'))
        return
      case 'kill':
        this.ends(connection!, 'killed', () => this.processes.exit(connection!.pid, 'kill'))
        return
      case 'cancel':
        this.ends(connection!, 'shutdown', () => this.processes.cancel(connection!.pid))
        return
      case 'ws.close':
        this.ends(connection!, 'process', () =>
          this.processes.send(connection!.pid, 'ws.close', { code: step.code, reason: 'asked' })
        )
        return
      case 'target exit':
        return this.#targetExits(this.targets[step.target], step.reason)
      case 'watcher exit':
        return this.#watcherExits(this.watchers[step.by], step.reason)
    }
  }

  /** The client's later messages do not count. */
  #lastWords (connection: Modelled, cause: 'client' | 'protocol'): void {
    if (connection.client.silent) return
    connection.underWay.add(cause)
    connection.writtenBeforeEnd ??= connection.written
  }

  #text (connection: Modelled, { count, cut }: Extract<Step, { do: 'text' }>): void {
    if (connection.client.silent || connection.client.destroyed) return
    // Bytes after a close frame are no messages.
    if (connection.writtenBeforeEnd !== undefined) return
    const bytes = Buffer.concat(
      Array.from({ length: count }, () => textOf(`${connection.written++}`))
    )
    const at = Math.min(cut, bytes.length)
    connection.client.sends(bytes.subarray(0, at), bytes.subarray(at))
  }

  #send (connection: Modelled, { count, call }: Extract<Step, { do: 'send' }>): void {
    for (let i = 0; i < count; i++) {
      const data = `s${connection.accepted}${'.'.repeat(40)}`
      if (!this.processes.alive(connection.pid)) {
        equal(this.processes.send(connection.pid, 'ws.send', { data }), false)
        return
      }
      const expected = this.mayBeSent(connection)
      if (expected !== true) connection.underWay.add('slow')
      const { accepted } = connection
      if (call) this.call(connection, data)
      else if (this.processes.send(connection.pid, 'ws.send', { data })) connection.accepted++
      equal(connection.accepted > accepted, expected ?? connection.accepted > accepted, 'a frame')
    }
  }

  #stall (connection: Modelled): void {
    connection.client.stalls()
    connection.pinged = undefined
    // It receives no ping either.
    connection.underWay.add('ping_timeout')
  }

  /** Sends frames in one loop iteration, up to more than the limit of a burst. */
  #burst (connection: Modelled, count: number): void {
    for (let i = 0; i < count && this.processes.alive(connection.pid); i++) {
      const expected = this.mayBeSent(connection)
      if (expected !== true) connection.underWay.add('slow')
      const accepted = this.processes.send(connection.pid, 'ws.send', {
        data: `s${connection.accepted}${'.'.repeat(1000)}`
      })
      if (accepted) connection.accepted++
      equal(accepted, expected ?? accepted, 'a frame of a burst')
    }
    this.buffered(connection)
  }

  #transfer (connection: Modelled, target: Story): void {
    const isAlive = this.processes.alive(connection.pid)
    const accepted = this.processes.send(connection.pid, 'ws.control', {
      target_pid: target.pid,
      metadata: { at: target.number }
    })
    equal(accepted, isAlive && target.alive, 'a transfer')
    if (!accepted || connection.target === target) return
    connection.target = target
    connection.joins.set(target, (connection.joins.get(target) ?? 0) + 1)
    this.moved()
  }

  #link (connection: Modelled, watcher: Watching): void {
    if (!watcher.alive) return
    const isAlive = this.processes.alive(connection.pid)
    if (!isAlive) return
    watcher.self.link(connection.pid)
    watcher.links.add(connection)
    connection.underWay.add('exit')
  }

  #name (connection: Modelled): void {
    const isAlive = this.processes.alive(connection.pid)
    try {
      this.processes.names.register(`name${connection.number}`, connection.pid)
      equal(isAlive, true)
    } catch (err) {
      equal(
        (err as { code: string }).code,
        isAlive ? 'FST_PROCESS_NAME_TAKEN' : 'FST_PROCESS_NOT_ALIVE'
      )
    }
    equal(
      this.processes.names.lookup(`name${connection.number}`),
      isAlive ? connection.pid : undefined
    )
  }

  #targetExits (target: Story, reason: string): void {
    const bound = this.connections.filter(
      (one) => this.processes.alive(one.pid) && one.target === target
    )
    const others = this.connections.filter(
      (one) => this.processes.alive(one.pid) && one.target !== target
    )
    for (const one of bound) one.underWay.add('target')
    this.processes.exit(target.pid, reason)
    for (const one of bound) {
      equal(this.processes.alive(one.pid), false, 'a connection without its target')
      equal(one.exits[0].value.cause, 'target')
      const taken = target.mail.filter(
        ({ topic, from }) => topic === 'ws.join' && from === one.pid
      ).length
      const isHeard = taken === one.joins.get(target)
      equal(
        one.exits[0].value.code,
        !isHeard ? 1013 : reason === 'boom' || reason === 'kill' ? 1011 : 1000
      )
      equal(one.exits[0].reason, one.exits[0].value.code === 1000 ? 'normal' : 'target_down')
    }
    // The end of one process may have ended others through links.
    for (const one of others) {
      if (!this.watchers.some(({ links }) => links.has(one))) {
        equal(this.processes.alive(one.pid), true, 'the exit of another target')
      }
    }
  }

  #watcherExits (watcher: Watching, reason: string): void {
    if (!watcher.alive) return
    const linked = [...watcher.links].filter(({ pid }) => this.processes.alive(pid))
    this.processes.exit(watcher.pid, reason)
    for (const one of linked) {
      equal(this.processes.alive(one.pid), reason === 'normal', 'what is linked')
      if (reason !== 'normal') equal(one.exits[0].value.cause, 'exit')
    }
  }

  judge (): void {
    for (const connection of this.connections) {
      equal(connection.exits.length, 1, 'ends of a connection')
      const { reason, value: { cause, code } } = connection.exits[0]
      const rule = allowed[cause as keyof typeof allowed]
      equal(rule.codes.includes(code), true, `code ${code} for ${cause}`)
      equal(rule.exits.includes(reason), true, `exit ${reason} for ${cause}`)
      equal(connection.underWay.has(cause), true, `an end by ${cause}`)
      this.#judgeClient(connection, code)
      if (cause === 'client' && connection.client.seen !== undefined) {
        equal(
          connection.client.seen.reason,
          code === undefined ? '' : 'mine',
          'the reason that comes back'
        )
      }
      this.#judgeTargets(connection, cause, code)
    }
    for (const watcher of this.watchers) watcher.judge()
  }

  #judgeClient ({ client, accepted }: Modelled, code: number | undefined): void {
    equal(client.late, 0, 'frames behind the close frame')
    if (client.seen !== undefined) equal(client.seen.code, code, 'the code that the client sees')
    const sends = client.texts.filter((text) => text.startsWith('s'))
    for (const [i, text] of sends.entries()) equal(parseInt(text.slice(1)), i, 'a frame')
    const broadcasts = client.texts
      .filter((text) => text.startsWith('b'))
      .map((text) => parseInt(text.slice(1)))
    equal(
      broadcasts.every((number, i) => i === 0 || number > broadcasts[i - 1]),
      true,
      'the order of broadcasts'
    )
    if (client.seen !== undefined) equal(sends.length, accepted, 'frames before the close frame')
    equal(sends.length <= accepted, true, 'frames that were not accepted')
  }

  #judgeTargets (connection: Modelled, cause: LeaveCause, code: number | undefined): void {
    const numbers: number[] = []
    let joins = 0
    for (const { mail, alive, number: place } of this.targets) {
      let isIn = false
      let isGone = false
      let last = -1
      for (const { topic, payload } of mail.filter(
        ({ topic, payload, from }) =>
          from === connection.pid || (topic === '@exit' && payload.pid === connection.pid)
      )) {
        // A target that was joined twice monitors the connection twice.
        if (topic !== '@exit') equal(isGone, false, 'mail from a connection after its end')
        if (topic === '@exit') isGone = true
        else if (topic === 'ws.heartbeat') equal(isIn, true, 'a heartbeat while not joined')
        else if (topic === 'ws.join') {
          equal(isIn, false, 'a join while joined')
          isIn = true
          if (joins++ > 0 && payload.metadata.at !== undefined) {
            equal(payload.metadata.at, place, 'the metadata of a join')
          }
        } else if (topic === 'ws.leave') {
          equal(isIn, true, 'a leave without a join')
          isIn = false
          if (payload.cause === 'transfer') {
            equal(payload.metadata.at ?? place, place, 'the old metadata')
          } else {
            equal(payload.cause, cause, 'the cause of a leave')
            equal(payload.code, code, 'the code of a leave')
          }
        } else {
          equal(isIn, true, `${topic} while not joined`)
          equal(payload.client_pid, connection.pid)
          equal(Number(payload.data) > last, true, 'the order of messages')
          last = Number(payload.data)
          numbers.push(last)
        }
      }
      if (alive) equal(isIn, false, 'a join without a leave')
    }
    numbers.sort((a, b) => a - b)
    equal(new Set(numbers).size, numbers.length, 'messages twice')
    if (!this.targets.every(({ alive }) => alive)) return
    equal(numbers.every((number, i) => number === i), true, 'a gap')
    // All bytes that were read are delivered, for any end.
    const { writtenAtEnd, writtenBeforeEnd = Infinity, wasReset } = connection
    if (!wasReset) {
      equal(numbers.length, Math.min(writtenAtEnd, writtenBeforeEnd), 'messages before the end')
    }
  }
}

async function play (bench: Bench, steps: readonly Step[]): Promise<void> {
  bench.connect(0, false)
  for (const step of steps) {
    bench.do(step)
    if (step.do !== 'turn') await ticks()
    bench.bounds()
  }
  await bench.rest()
  bench.atRest()
  await bench.end()
}

export const connections = suiteOf(
  'connections',
  fc.array(step, { minLength: 10, maxLength: 50, size: 'max' }),
  async (steps) => {
    const bench = new Bench()
    const log = new EventLog()
    log.start()
    try {
      await play(bench, steps)
    } finally {
      log.stop()
    }
    bench.judge()
    for (const connection of bench.connections) log.judge(connection)
    const { alive, relations, names, groups } = held(bench.runtime)
    equal(relations + names + groups, 0, 'what remains')
    equal(alive, [...bench.targets, ...bench.watchers].filter((one) => one.alive).length)
    equal(bench.relay.connections.size, 0, 'sockets that remain')
    equal(bench.relay.deadlines.size, 0, 'deadlines that remain')
    equal(bench.clock.runningTimers, 0, 'timers that remain')
  }
)

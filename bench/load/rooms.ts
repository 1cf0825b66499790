import { setTimeout as sleep } from 'node:timers/promises'
import { gather, type CrowdSpec } from './crowd.js'
import { Histogram } from './histogram.js'
import { Window } from './usage.js'
import type { Client } from './client.js'

/** Rooms in which members send in turns. An echo is a room with one member. */
export interface RoomsSpec extends CrowdSpec {
  kind: 'rooms'
  pid: number
  /** The processes to measure when there are several. */
  pids?: readonly number[]
  connections: number
  rooms?: number
  /** The messages in flight in each room. When all members have received one, the next is sent. */
  depth: number
  /** Whether the first member of a room is its only sender. */
  oneSpeaker?: boolean
  warmup: number
  seconds: number
  /** Milliseconds until all members have entered their rooms. @defaultValue 50 */
  settle?: number
}

interface Room {
  members: Client[]
  turn: number
  /** The deliveries to all members. */
  got: number
  /** The send time of each message in flight. */
  sent: number[]
  oldest: number
}

/** Measures the server CPU of a delivery in microseconds, in a closed loop. */
export async function measureRooms (spec: RoomsSpec) {
  const { connections, depth, oneSpeaker = false } = spec
  const count = spec.rooms ?? connections
  const rooms: Room[] = Array.from({ length: count }, () => ({
    members: [],
    turn: 0,
    got: 0,
    sent: new Array(depth).fill(0),
    oldest: 0
  }))
  const latencies = new Histogram()
  let deliveries = 0

  const answered = (client: Client, messages: number): void => {
    const room = rooms[client.room]
    const size = room.members.length
    deliveries += messages
    room.got += messages
    if (room.got < size) return
    const now = performance.now()
    const complete = Math.floor(room.got / size)
    room.got -= complete * size
    for (let i = 0; i < complete; i++) {
      latencies.add((now - room.sent[room.oldest]) * 1000)
      room.sent[room.oldest] = now
      room.oldest = (room.oldest + 1) % depth
    }
    speak(room, complete)
  }

  const crowd = await gather(spec, connections, answered)
  for (const client of crowd.clients) rooms[client.room].members.push(client)
  const bursts = new Map(crowd.clients.map((client) => [client, crowd.burst(depth)]))
  const frameLength = bursts.get(crowd.clients[0])!.length / depth

  /** Sends `count` messages, in one write when one member sends them all. */
  function speak (room: Room, messages: number): void {
    const { members } = room
    if (oneSpeaker || members.length === 1) {
      members[0].send(bursts.get(members[0])!.subarray(0, messages * frameLength))
      return
    }
    for (let i = 0; i < messages; i++) {
      const start = Math.floor(room.turn / members.length) % depth * frameLength
      const member = members[room.turn++ % members.length]
      member.send(bursts.get(member)!.subarray(start, start + frameLength))
    }
  }

  await sleep(spec.settle ?? 50) // a server may enter a room only after its answer to the upgrade
  for (const room of rooms) {
    room.sent.fill(performance.now())
    speak(room, depth)
  }
  const window = new Window(spec.pids ?? [spec.pid], spec.port)
  await crowd.until(sleep(spec.warmup * 1000), 10_000, 'the warm-up')
  deliveries = 0
  latencies.clear()
  await window.begin()
  await crowd.until(sleep(spec.seconds * 1000), 60_000, 'the measurement')
  const result = await window.end(() => deliveries)
  const [p50, p99] = [0.5, 0.99].map((share) => latencies.percentile(share))
  if (deliveries === 0) throw new Error('nothing came back')
  await crowd.close()
  return { ...result, p50, p99 }
}

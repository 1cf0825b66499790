// `stats()` of a server after a history of which every number is known.
import t from 'tap'
import { until } from '../helpers.js'
import { play } from './history.js'

t.test('counts a known history', async (t) => {
  const { app: { processes }, bytes, paused, release } = await play(t)
  const { turns, longestTurn, ...stats } = processes.stats()
  t.strictSame(stats, {
    alive: 5,
    aliveBy: { process: 2, supervisor: 0, ws: 3 },
    // 2 processes, 5 connections, a supervisor with 3 starts of its child, and one with full mail
    spawned: 12,
    exited: { normal: 1, protocol_error: 1, error: 3, restart_intensity: 1, full: 1 },
    restarts: 2,
    giveUps: 1,
    sent: 22,
    delivered: 14,
    deadLetters: 3,
    deadLettersBy: { none: 1, unhandled: 0, ended: 2 },
    refused: 3,
    refusedBy: {
      ended: 0,
      stopping: 0,
      full: 3,
      slow: 0,
      payload: 0,
      topic: 0,
      control: 0,
      remote: 0,
      missed: 0
    },
    invalid: 0,
    keyed: {},
    connections: {
      open: 3,
      suspended: 1,
      paused: 1,
      parked: 0,
      limits: { open: Infinity, suspended: 10_000 },
      opened: 5,
      closed: 2,
      transferred: 0,
      limited: 0,
      closedBy: [
        { cause: 'client', code: 1000, times: 1 },
        { cause: 'protocol', code: 1002, times: 1 }
      ],
      messagesIn: 7,
      messagesOut: 2,
      bytesIn: bytes.written,
      bytesOut: bytes.read,
      resumes: { resumed: 1, ended: 0, refused: 1, node: 0, gap: 0, expired: 0, full: 0 },
      unknownControls: 0,
      nativeSender: false
    },
    upgrades: {
      accepted: 5,
      abandoned: 1,
      refused: {
        application: 1,
        handshake: 0,
        protocol: 0,
        origin: 1,
        overloaded: 0,
        config: 0,
        target: 0,
        timeout: 0,
        closing: 0
      }
    }
  })
  t.ok(turns.count > 0)
  t.ok(longestTurn > 0 && longestTurn <= turns.total)
  t.equal(turns.buckets.length, 8)
  release()
  await until(() => processes.info(paused)!.paused === false)
  t.equal(processes.stats().connections.paused, 0)
})

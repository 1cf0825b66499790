// The rows of docs/relay.md, "The end of a connection".
import { frameOf, Keeper, closeOf, textOf } from '../support.js'
import { opcodes } from '../../../../lib/websocket/frames.js'
import type { Peer, Seen } from '../peer.js'
import type { Rig } from '../support.js'
import type { Pid } from '../../../../types/pid.js'
import type { WsRelayOptions } from '../../../../types/relay.js'

interface Case {
  name: string
  end (peer: Peer, pid: Pid, rig: Rig, target: Keeper): unknown
  sees: Seen
  /** Undefined when the target has ended. */
  leave: { reason: string, code: number | undefined, cause: string } | undefined
  exit: string
  options?: WsRelayOptions
  prepare? (peer: Peer): void
}

const cut: Seen = { code: 1006, reason: '' }
export const saw = (code: number, reason = ''): Seen => ({ code, reason })
const left = (cause: string, code: number | undefined, reason: string): Case['leave'] => ({
  reason,
  code,
  cause
})

export const cases: Case[] = [
  {
    name: 'the client closes with a code and a reason',
    end: (peer) => peer.close(4001, 'bye'),
    sees: saw(4001, 'bye'),
    leave: left('client', 4001, 'bye'),
    exit: 'normal'
  },
  {
    name: 'the client closes with a code',
    end: (peer) => peer.close(1000),
    sees: saw(1000),
    leave: left('client', 1000, 'client closed'),
    exit: 'normal'
  },
  {
    name: 'the client closes without a code',
    end: (peer) => peer.close(),
    sees: { code: undefined, reason: '' },
    leave: left('client', undefined, 'client closed'),
    exit: 'normal'
  },
  {
    name: 'the client resets the connection',
    end: (peer) => {
      peer.rst()
    },
    sees: cut,
    leave: left('lost', undefined, 'connection lost'),
    exit: 'connection_lost'
  },
  {
    name: 'the client ends its side without a close frame',
    end: (peer) => {
      peer.fin()
    },
    sees: cut,
    leave: left('lost', undefined, 'connection lost'),
    exit: 'connection_lost'
  },
  {
    name: 'the client ends its side in the middle of a frame',
    end: (peer) => {
      peer.write(textOf('hello').subarray(0, 8)).fin()
    },
    sees: cut,
    leave: left('lost', undefined, 'connection lost'),
    exit: 'connection_lost'
  },
  {
    name: 'the client answers no ping',
    options: { pingInterval: 20, pongTimeout: 20 },
    prepare: (peer) => {
      peer.answersPings = false
    },
    end: () => {},
    sees: cut,
    leave: left('ping_timeout', undefined, 'ping timeout'),
    exit: 'ping_timeout'
  },
  {
    name: 'ws.close with a code and a reason',
    end: (_peer, pid, { others }) => others.send(pid, 'ws.close', { code: 4002, reason: 'enough' }),
    sees: saw(4002, 'enough'),
    leave: left('process', 4002, 'enough'),
    exit: 'normal'
  },
  {
    name: 'the target returns',
    end: (_peer, _pid, { others }, target) => others.exit(target.pid, 'normal'),
    sees: saw(1000, 'target process exited'),
    leave: undefined,
    exit: 'normal'
  },
  {
    name: 'the target is told to stop',
    end: (_peer, _pid, { others }, target) => others.cancel(target.pid),
    sees: saw(1000, 'target process exited'),
    leave: undefined,
    exit: 'normal'
  },
  ...['kill', 'boom', 'error', 'noconnection'].map((reason): Case => ({
    name: `the target exits with '${reason}'`,
    end: (_peer, _pid, { others }, target) => others.exit(target.pid, reason),
    sees: saw(1011, 'target process exited'),
    leave: undefined,
    exit: 'target_down'
  })),
  ...(
    [
      [
        'a message that is too large',
        1009,
        'message too large',
        [frameOf(opcodes.text, 'x'.repeat(101))]
      ],
      [
        'fragments that are too large together',
        1009,
        'message too large',
        [
          frameOf(opcodes.text, 'x'.repeat(60), { fin: false }),
          frameOf(opcodes.continuation, 'x'.repeat(60))
        ]
      ],
      [
        'text that is not UTF-8',
        1007,
        'invalid UTF-8',
        [frameOf(opcodes.text, Buffer.from([0xff]))]
      ],
      [
        'a frame that is not masked',
        1002,
        'protocol error: frame not masked',
        [Buffer.from([0x81, 0])]
      ],
      [
        'a reserved bit',
        1002,
        'protocol error: reserved bits set',
        [frameOf(opcodes.text, 'x', { rsv1: true })]
      ],
      [
        'a close code that may not be sent',
        1002,
        'protocol error: invalid close code 1005',
        [closeOf(1005)]
      ],
      [
        'too many fragments',
        1008,
        'too many fragments',
        [
          frameOf(opcodes.text, 'x', { fin: false }),
          ...Array.from({ length: 4 }, () => frameOf(opcodes.continuation, 'x', { fin: false }))
        ]
      ]
    ] as const
  ).map(([name, code, reason, frames]): Case => ({
    name: `the client sends ${name}`,
    options: { maxPayload: 100, maxFragments: 4 },
    end: (peer) => peer.write(...frames),
    sees: saw(code, reason),
    leave: left('protocol', code, reason),
    exit: 'protocol_error'
  })),
  {
    name: 'it expires',
    end: (_peer, pid, { others }) => others.send(pid, 'ws.control', { expires_at: 1e11 }),
    sees: saw(1008, 'session expired'),
    leave: left('expired', 1008, 'session expired'),
    exit: 'expired'
  },
  {
    name: 'the server is closing',
    end: (_peer, _pid, { app }) => {
      app.close()
    },
    sees: saw(1001, 'server shutting down'),
    leave: left('shutdown', 1001, 'server shutting down'),
    exit: 'shutdown'
  },
  {
    name: 'cancel',
    end: (_peer, pid, { others }) => others.cancel(pid, 'whatever'),
    sees: saw(1001, 'server shutting down'),
    leave: left('shutdown', 1001, 'server shutting down'),
    exit: 'shutdown'
  },
  {
    name: "exit without a reason, which is 'shutdown'",
    end: (_peer, pid, { others }) => others.exit(pid),
    sees: saw(1001, 'server shutting down'),
    leave: left('shutdown', 1001, 'server shutting down'),
    exit: 'shutdown'
  },
  {
    name: 'exit with a reason that the client is not told',
    end: (_peer, pid, { others }) => others.exit(pid, 'secret'),
    sees: saw(1011, 'closed by server'),
    leave: left('exit', 1011, 'secret'),
    exit: 'secret'
  },
  {
    name: "exit with 'normal'",
    end: (_peer, pid, { others }) => others.exit(pid, 'normal'),
    sees: saw(1000, 'closed by server'),
    leave: left('exit', 1000, 'normal'),
    exit: 'normal'
  },
  {
    name: 'a kill',
    end: (_peer, pid, { others }) => others.exit(pid, 'kill'),
    sees: cut,
    leave: left('killed', undefined, 'killed'),
    exit: 'killed'
  },
  {
    name: 'a linked process fails',
    end: async (_peer, pid, { others }) => (await others.linked(pid)).fail(),
    sees: saw(1011, 'closed by server'),
    leave: left('exit', 1011, 'error'),
    exit: 'error'
  },
  {
    name: 'a linked process is killed',
    end: async (_peer, pid, { others }) => (await others.linked(pid)).exit('kill'),
    sees: saw(1011, 'closed by server'),
    leave: left('exit', 1011, 'killed'),
    exit: 'killed'
  }
]

import { Type } from '@sinclair/typebox'
import { describe, expect, test } from 'tstyche'
import { WebSocket as WsSocket } from 'ws'
import { connect } from '../lib/client/index.js'
import { Call, protocol } from '../lib/protocol/index.js'
import type {
  ClientClose, ClientProtocol, ClientSocket, ClientState, ConnectOptions, InvalidEvent, ResetEvent,
  StateEvent, TopicData, WebSocketClass
} from './client.js'

interface Chat {
  client: { say: { text: string } }
  server: { said: { from: string, text: string }, count: number }
}

describe('connect', () => {
  test('takes a URL, a path, or a function', () => {
    expect(connect).type.toBeCallableWith('/rooms/7')
    expect(connect).type.toBeCallableWith(() => 'ws://x/')
    expect(connect).type.toBeCallableWith(async () => 'ws://x/', { resend: true })
    expect(connect).type.not.toBeCallableWith(7)
    expect(connect).type.not.toBeCallableWith('/x', { timeout: '1s' })
    expect(connect).type.not.toBeCallableWith('/x', { retries: 1 })
  })

  test('takes the classes of browsers and of `ws`', () => {
    expect<WebSocketClass>().type.toBeAssignableFrom<typeof WebSocket>()
    expect<WebSocketClass>().type.toBeAssignableFrom<typeof WsSocket>()
    expect<WebSocketClass>().type.not.toBeAssignableFrom<typeof EventTarget>()
    expect({ WebSocket: WsSocket }).type.toBeAssignableTo<ConnectOptions>()
  })

  test('gives its own events their types', () => {
    const socket = connect('/x')
    expect(socket.send).type.toBeCallableWith('text')
    expect(socket.send).type.toBeCallableWith(new Uint8Array(1))
    expect(socket.send).type.toBeCallableWith(Buffer.from('x'))
    expect(socket.send).type.not.toBeCallableWith({})
    expect(socket.state).type.toBe<'connecting' | 'open' | 'away' | 'closed'>()
    expect(socket.delivered()).type.toBe<Promise<void>>()
    socket.on('message', (data) => { expect(data).type.toBe<string | ArrayBuffer>() })
    socket.on('state', (event) => { expect(event).type.toBe<StateEvent>() })
    socket.on('reset', (event) => { expect(event).type.toBe<ResetEvent>() })
    expect(socket.on('state', () => {})).type.toBe<() => void>()
    expect<ResetEvent['unsent']>().type.toBe<readonly (string | Uint8Array)[]>()
  })

  test('has any topic, with unknown data, without a protocol', () => {
    connect('/x').on('said', (data) => { expect(data).type.toBe<unknown>() })
  })

  test('has the topics of a protocol', () => {
    const socket = connect<Chat>('/x')
    expect(socket).type.toBe<ClientSocket<Chat>>()
    socket.on('said', (data) => {
      expect(data).type.toBe<{ from: string, text: string }>()
    })
    socket.on('count', (data) => { expect(data).type.toBe<number>() })
    socket.on('message', (data) => { expect(data).type.toBe<string | ArrayBuffer>() })
    expect(socket.on).type.not.toBeCallableWith('siad', () => {})
  })

  test('has the topics of a protocol with schemas', () => {
    const chat = {
      client: { say: Type.Object({ text: Type.String() }) },
      server: { said: Type.Object({ text: Type.String() }), left: Type.Integer() }
    }
    expect(chat).type.toBeAssignableTo<ClientProtocol>()
    const socket = connect<typeof chat>('/x')
    socket.on('said', (data) => { expect(data).type.toBe<{ text: string }>() })
    socket.on('left', (data) => { expect(data).type.toBe<number>() })
  })

  test('has the calls of a protocol', () => {
    const chat = {
      client: {
        say: { data: Type.Object({ text: Type.String() }), reply: Type.Integer() },
        typing: Type.Boolean()
      },
      server: {
        said: Type.String(),
        confirm: { data: Type.String(), reply: Type.Boolean() }
      }
    }
    expect(chat).type.toBeAssignableTo<ClientProtocol>()
    const socket = connect<typeof chat>('/x')
    expect(socket.call('say', { text: 'hi' })).type.toBe<Promise<number>>()
    expect(socket.call).type.toBeCallableWith('say', { text: 'hi' }, { timeout: 5000 })
    expect(socket.call).type.not.toBeCallableWith('say', { text: 1 })
    expect(socket.call).type.not.toBeCallableWith('say')
    expect(socket.call).type.not.toBeCallableWith('say', { text: 'hi' }, { timeout: '5s' })
    expect(socket.call).type.not.toBeCallableWith('typing', true)
    expect(socket.send('typing', true)).type.toBe<boolean>()
    expect(socket.send).type.not.toBeCallableWith('typing', 1)
    expect(socket.send).type.not.toBeCallableWith('say', { text: 'hi' })
    expect(socket.handle).type.toBeCallableWith('confirm', (question: string) => question !== '')
    expect(socket.handle).type.toBeCallableWith('confirm', async () => true)
    expect(socket.handle('confirm', () => true)).type.toBe<() => void>()
    expect(socket.handle).type.not.toBeCallableWith('confirm', () => 'yes')
    expect(socket.handle).type.not.toBeCallableWith('said', () => true)
    expect(socket.on).type.not.toBeCallableWith('confirm', () => {})
    socket.on('said', (data) => { expect(data).type.toBe<string>() })
  })

  test('takes the type of a value of `protocol`', () => {
    const chat = protocol('chat', {
      client: {
        say: Call({ data: Type.String(), reply: Type.Integer() }), typing: Type.Boolean()
      },
      server: {
        said: Type.String(), confirm: Call({ data: Type.String(), reply: Type.Boolean() })
      }
    })
    expect(chat).type.toBeAssignableTo<ClientProtocol>()
    const socket = connect<typeof chat>('/x')
    expect(socket.call('say', 'hi')).type.toBe<Promise<number>>()
    expect(socket.call).type.not.toBeCallableWith('say', 1)
    expect(socket.call).type.not.toBeCallableWith('typing', true)
    expect(socket.send).type.toBeCallableWith('typing', true)
    expect(socket.send).type.not.toBeCallableWith('typing', 'yes')
    expect(socket.handle).type.toBeCallableWith('confirm', async (data: string) => data !== '')
    expect(socket.handle).type.not.toBeCallableWith('confirm', () => 1)
    socket.on('said', (data) => { expect(data).type.toBe<string>() })
    expect(socket.on).type.not.toBeCallableWith('confirm', () => {})
  })

  test('has calls with plain types, and any call without a protocol', () => {
    const typed = connect<{ client: { add: { data: number, reply: string } } }>('/x')
    expect(typed.call('add', 1)).type.toBe<Promise<string>>()
    const socket = connect('/x')
    expect(socket.call('say', { text: 'hi' })).type.toBe<Promise<unknown>>()
    expect(socket.send).type.toBeCallableWith('say', { text: 'hi' })
    socket.handle('confirm', (data) => { expect(data).type.toBe<unknown>() })
  })

  test('tells of invalid messages', () => {
    connect('/x').on('invalid', (event) => { expect(event).type.toBe<InvalidEvent>() })
  })

  test('does not let a topic replace an event of the client', () => {
    const socket = connect<{ server: { state: number } }>('/x')
    socket.on('state', (event) => { expect(event).type.toBe<StateEvent>() })
  })

  test('loops over messages', async () => {
    for await (const data of connect<Chat>('/x')) expect(data).type.toBe<string | ArrayBuffer>()
  })
})

describe('the options of connect', () => {
  test('have the types of the reference', () => {
    expect<ConnectOptions['protocols']>().type.toBe<readonly string[] | undefined>()
    expect<ConnectOptions['negotiate']>().type.toBe<boolean | undefined>()
    expect<ConnectOptions['timeout']>().type.toBe<number | undefined>()
    expect<ConnectOptions['queue']>().type.toBe<number | undefined>()
    expect<ConnectOptions['stableAfter']>().type.toBe<number | undefined>()
    expect<ConnectOptions['resend']>().type.toBe<boolean | undefined>()
    expect<ConnectOptions['WebSocket']>().type.toBe<WebSocketClass | undefined>()
  })

  test('take each part of `backoff` alone', () => {
    expect(connect).type.toBeCallableWith('/x', { backoff: {} })
    expect(connect).type.toBeCallableWith('/x', { backoff: { min: 100 } })
    expect(connect).type.toBeCallableWith('/x', { backoff: { max: 1000 } })
    expect(connect).type.not.toBeCallableWith('/x', { backoff: { min: '1s' } })
    expect(connect).type.not.toBeCallableWith('/x', { backoff: 500 })
  })

  test('refuse other types', () => {
    expect(connect).type.not.toBeCallableWith('/x', { protocols: 'chat' })
    expect(connect).type.not.toBeCallableWith('/x', { negotiate: 'no' })
    expect(connect).type.not.toBeCallableWith('/x', { queue: '1mb' })
    expect(connect).type.not.toBeCallableWith('/x', { stableAfter: true })
    expect(connect).type.not.toBeCallableWith('/x', { resend: 1 })
  })

  test('have a `reconnect` that decides or gives a delay', () => {
    connect('/x', {
      reconnect (close, attempt) {
        expect(close).type.toBe<ClientClose>()
        expect(close.code).type.toBe<number>()
        expect(close.reason).type.toBe<string>()
        expect(attempt).type.toBe<number>()
        return close.code === 4000 ? 1000 : true
      }
    })
    expect(connect).type.not.toBeCallableWith('/x', { reconnect: () => '1s' })
    expect(connect).type.not.toBeCallableWith('/x', { reconnect: async () => true })
    expect(connect).type.not.toBeCallableWith('/x', { reconnect: true })
  })
})

describe('the events of the client', () => {
  test('have the fields of the reference', () => {
    expect<StateEvent['state']>().type.toBe<ClientState>()
    expect<StateEvent['attempt']>().type.toBe<number>()
    expect<StateEvent['wait']>().type.toBe<number | undefined>()
    expect<StateEvent['resumed']>().type.toBe<boolean | undefined>()
    expect<StateEvent['why']>().type.toBe<string | undefined>()
    expect<StateEvent['code']>().type.toBe<number | undefined>()
    expect<StateEvent['reason']>().type.toBe<string | undefined>()
    expect<StateEvent['error']>().type.toBe<unknown>()
    expect<StateEvent['unsent']>().type
      .toBe<readonly (string | Uint8Array)[] | undefined>()
    expect<'gap' | 'node' | 'plain' | 'off'>().type.toBeAssignableTo<ResetEvent['why']>()
    expect<ResetEvent['why']>().type.toBeAssignableTo<string>()
  })

  test('cannot be changed by a listener', () => {
    expect<StateEvent>().type.not.toBeAssignableTo<{ state: 'open' }>()
    expect<ResetEvent['unsent']>().type.not.toBeAssignableTo<(string | Uint8Array)[]>()
  })

  test('have a socket that is closed with a code and a reason', () => {
    const socket = connect('/x')
    expect(socket.close).type.toBeCallableWith()
    expect(socket.close).type.toBeCallableWith(4000, 'why')
    expect(socket.close).type.not.toBeCallableWith('why')
    expect(socket.protocol).type.toBe<string>()
    expect(socket).type.toBeAssignableTo<AsyncIterable<string | ArrayBuffer>>()
  })
})

describe('TopicData', () => {
  test('is the type, or the output of a schema', () => {
    expect<TopicData<string>>().type.toBe<string>()
    expect<TopicData<{ static: boolean }>>().type.toBe<{ static: boolean }>()
    type Standard = { '~standard': { types?: { input: string, output: number } } }
    expect<TopicData<Standard>>().type.toBe<number>()
  })
})

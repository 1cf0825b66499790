import { Type } from '@sinclair/typebox'
import { describe, expect, test } from 'tstyche'
import { WebSocket as WsSocket } from 'ws'
import { connect } from '../lib/client/index.js'
import type {
  ClientProtocol, ClientSocket, ConnectOptions, ResetEvent, StateEvent, TopicData, WebSocketClass
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

  test('does not let a topic replace an event of the client', () => {
    const socket = connect<{ server: { state: number } }>('/x')
    socket.on('state', (event) => { expect(event).type.toBe<StateEvent>() })
  })

  test('loops over messages', async () => {
    for await (const data of connect<Chat>('/x')) expect(data).type.toBe<string | ArrayBuffer>()
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

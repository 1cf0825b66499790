import { expect, test } from 'tstyche'
import type { FastifyReply } from 'fastify'
import type { Call, Keyed, Pid, Process, Processes } from '../../lib/index.js'

declare const processes: Processes
declare const reply: FastifyReply

interface Topics { notice: { text: string }, size: Call<undefined, number> }

const plain = (_self: Process): void => {}
const room = (_self: Process<Topics>, id: string): void => {
  expect(id).type.toBe<string>()
}
const sized = (_self: Process<Topics>, id: string, size: number): void => {
  expect([id, size]).type.toBeAssignableTo<unknown[]>()
}

test('a body that takes the key, or nothing, needs no args', () => {
  const optional = (_self: Process, _id?: string, _size?: number): void => {}
  const more = (_self: Process, _id: string, _size = 1): void => {}
  expect(processes.keyed).type.toBeCallableWith('room', { start: optional })
  expect(processes.keyed).type.toBeCallableWith('room', { start: more })
  expect(processes.keyed).type.toBeCallableWith('room', { start: room })
  expect(processes.keyed).type.toBeCallableWith('room', { start: plain })
  expect(processes.keyed).type.toBeCallableWith('room', { start: room, max: 5, idle: '1m' })
  expect(processes.keyed).type.toBeCallableWith('room', { start: room, place: 'spread' })
  expect(processes.keyed).type.not.toBeCallableWith('room', { start: room, place: 'there' })
  expect(processes.keyed).type.not.toBeCallableWith('room', { start: room, maxx: 5 })
  expect(processes.keyed).type.not.toBeCallableWith('room', {})
  expect(processes.keyed).type.not.toBeCallableWith('room')
})

test('a body that takes more needs args', () => {
  expect(processes.keyed).type.toBeCallableWith('room', {
    start: sized, args: (key: string) => [key, 5] as const
  })
  expect(processes.keyed).type.not.toBeCallableWith('room', { start: sized })
  expect(processes.keyed).type.not.toBeCallableWith('room', {
    start: sized, args: (key: string) => [key] as const
  })
})

test('a key has the topics of its body', () => {
  const rooms = processes.keyed('room', { start: room })
  expect(rooms).type.toBe<Keyed<Topics>>()
  expect(rooms.key('a')).type.toBe<Pid<Topics>>()
  expect(rooms.get('a')).type.toBe<Promise<Pid<Topics>>>()
  expect(rooms.peek('a')).type.toBe<Pid<Topics> | undefined>()
  expect(rooms.list()).type.toBe<string[]>()
  expect(processes.send(rooms.key('a'), 'notice', { text: 'tea' })).type.toBe<boolean>()
  expect(processes.call(rooms.key('a'), 'size')).type.toBe<Promise<number>>()
  expect(reply.relay).type.toBeCallableWith(rooms.key('a'), { park: '1s' })
})

test('a body that is written in place knows its self and its key', () => {
  processes.keyed('room', {
    start: async (self: Process<Topics>, key: string) => {
      await self.serve({ notice: ({ text }) => { expect(text).type.toBe<string>() } })
      expect(key).type.toBe<string>()
    }
  })
})

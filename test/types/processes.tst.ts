import { expect, test } from 'tstyche'
import type { Pid } from '../../types/pid.js'
import type { Process, Processes } from '../../types/processes.js'
import type { WsMessage } from '../../types/messages.js'

type Notices = { notice: { text: string } }

declare const processes: Processes
declare const self: Process<Notices>
declare const lobby: Pid<Notices>

test('a PID is a string, and a string is not a PID', () => {
  expect<Pid>().type.toBeAssignableTo<string>()
  expect<string>().type.not.toBeAssignableTo<Pid>()
})

test('spawn returns a PID that knows the topics of its process', () => {
  expect(processes.spawn<Notices>(async () => {})).type.toBe<Pid<Notices>>()
})

test('a declared topic takes its own payload only', () => {
  expect(processes.send).type.toBeCallableWith(lobby, 'notice', { text: 'hello' })
  expect(processes.send).type.not.toBeCallableWith(lobby, 'notice', { text: 42 })
  expect(processes.send).type.not.toBeCallableWith(lobby, 'notice')
})

test('the topic of a message tells its payload', async () => {
  for await (const message of self.inbox) {
    if (message.topic === 'notice') expect(message.payload).type.toBe<{ text: string }>()
    if (message.topic === 'ws.message') expect(message.payload).type.toBe<WsMessage>()
  }
})

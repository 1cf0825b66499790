import { expect, test } from 'tstyche'
import type { Processes } from '../../types/processes.js'
import type { Trace, TraceEvent } from '../../types/trace.js'

declare const processes: Processes
declare const event: TraceEvent

test('trace takes a PID, options and a listener', () => {
  const listener = (_event: TraceEvent): void => {}
  expect(processes.trace).type.toBeCallableWith('1@local.1', {}, listener)
  expect(processes.trace).type.toBeCallableWith('name', { payloads: true, max: 5 }, () => {})
  expect(processes.trace).type.not.toBeCallableWith('name', listener)
  expect(processes.trace).type.not.toBeCallableWith('name', { payload: true }, listener)
  expect(processes.trace).type.not.toBeCallableWith(1, {}, listener)
  expect(processes.trace('name', {}, listener)).type.toBe<Trace>()
})

test('the type of an event tells its fields', () => {
  if (event.type === 'sent') expect(event.accepted).type.toBe<boolean | undefined>()
  if (event.type === 'client') expect(event.payload).type.toBe<Buffer | undefined>()
  if (event.type === 'received') expect(event.payload).type.toBe<unknown>()
  if (event.type === 'ended') expect(event).type.not.toHaveProperty('payload')
})

import { metrics, trace } from '@opentelemetry/api'
import { expect, test } from 'tstyche'
import { instrument } from '../../lib/otel/index.js'
import type { Processes, ProcessSystem } from '../../types/processes.js'

declare const processes: Processes
declare const system: ProcessSystem

test('instrument takes a process system, and a tracer if one is given', () => {
  expect(instrument(processes)).type.toBe<() => void>()
  expect(instrument).type.toBeCallableWith(system, trace.getTracer('test'))
  expect(instrument).type.not.toBeCallableWith()
  expect(instrument).type.not.toBeCallableWith(trace.getTracer('test'))
  expect(instrument).type.not.toBeCallableWith(processes, metrics.getMeter('test'))
})

import { metrics } from '@opentelemetry/api'
import * as successor from '@prometheus-io/client'
import * as client from 'prom-client'
import { expect, test } from 'tstyche'
import { collect, observe } from '../../lib/metrics/index.js'
import type { Processes } from '../../types/processes.js'

declare const processes: Processes

test('collect takes both clients of Prometheus as they are', () => {
  const registry = new client.Registry()
  expect(collect(processes, client)).type.toBe<void>()
  expect(collect).type.toBeCallableWith(processes, successor)
  expect(collect).type.toBeCallableWith(processes, client, { registry, labels: { zone: 'west' } })
})

test('collect takes neither a registry for a client nor a number for a label', () => {
  expect(collect).type.not.toBeCallableWith(processes)
  expect(collect).type.not.toBeCallableWith(processes, client.register)
  expect(collect).type.not.toBeCallableWith(processes, client, { labels: { zone: 1 } })
  expect(collect).type.not.toBeCallableWith(processes, client, { unknown: true })
})

test('observe takes a meter of OpenTelemetry', () => {
  const meter = metrics.getMeter('test')
  expect(observe(processes, meter)).type.toBe<void>()
  expect(observe).type.not.toBeCallableWith(processes, metrics)
  expect(observe).type.not.toBeCallableWith(processes, meter, { labels: {} })
})

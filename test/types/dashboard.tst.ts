import Fastify from 'fastify'
import { expect, test } from 'tstyche'
import { dashboard, showNode } from '../../lib/dashboard/index.js'
import type { Answer, AnswerTo, DashboardOptions } from '../../lib/dashboard/index.js'
import type { Processes } from '../../types/processes.js'

declare const processes: Processes
const app = Fastify()

test('register takes hooks, and a list of actions that exist', () => {
  expect(app.register(dashboard, {
    prefix: '/processes',
    onRequest: [async (request, reply) => { await reply.code(401).send(request.id) }],
    preHandler: (_request, _reply, done) => { done() },
    actions: ['close', 'exit']
  })).type.toBeAssignableTo<PromiseLike<unknown>>()
  expect<DashboardOptions>().type.toBeAssignableFrom<{ unprotected: true, actions: false }>()
  expect<DashboardOptions>().type.not.toBeAssignableFrom<{ actions: ['restart'] }>()
  expect<DashboardOptions>().type.not.toBeAssignableFrom<{ onRequest: string }>()
})

test('showNode takes a process system', () => {
  expect(showNode(processes)).type.toBe<void>()
  expect(showNode).type.not.toBeCallableWith(app)
})

test('an answer is known by its view', () => {
  expect<AnswerTo<'groups'>['rows'][number]['members']>().type.toBe<number>()
  expect<Extract<Answer, { view: 'trace' }>>().type.toBe<AnswerTo<'trace'>>()
})

import t from 'tap'
import { connectionCodec } from '../../lib/connection/remote.js'
import type { Pid } from '../../types/pid.js'

const client = '1@a.1' as Pid
const metadata = { user: 'ada' }

t.test('names the topics of connections', async (t) => {
  const { sharedTopic, joinTopic, leaveTopic, isUrgent } = connectionCodec
  t.strictSame([sharedTopic, joinTopic, leaveTopic], ['ws.send', 'ws.join', 'ws.leave'])
  t.strictSame(
    ['ws.send', 'ws.close', 'ws.control', 'topic'].map((topic) => isUrgent(topic)),
    [false, true, true, false]
  )
})

t.test('finds the text of a payload that has nothing else but a type', async (t) => {
  const { textOf, typeOf } = connectionCodec
  const typed = { type: 'text', data: 'news' }
  t.equal(typeOf(typed), 'text')
  t.equal(textOf(typed, 'text'), 'news')
  t.equal(textOf(typed, undefined), undefined)
  t.equal(textOf({ data: 'news' }, undefined), 'news')
  t.equal(textOf({ data: 'news' }, 'text'), undefined)
  for (const payload of [undefined, null, 'news', { data: 'news' }]) {
    t.equal(typeOf(payload), undefined)
  }
  for (const payload of [
    undefined, null, 'news', {}, { data: Buffer.from('news') }, { data: 'news', more: 1 },
    Object.assign(Object.create({}), { data: 'news' })
  ]) t.equal(textOf(payload, undefined), undefined)
})

t.test('recognizes the payloads that the connection of a client has made', async (t) => {
  const { isOfClient } = connectionCodec
  t.ok(isOfClient({ client_pid: client, metadata: {} }, client))
  t.notOk(isOfClient({ client_pid: '2@a.1', metadata: {} }, client))
  for (const payload of [undefined, null, 'text', { client_pid: client }]) {
    t.notOk(isOfClient(payload, client))
  }
})

t.test('makes the same payload of the parts of a message, text or bytes', async (t) => {
  const { metadataOf, dataOf, fromData } = connectionCodec
  for (const data of ['text', Buffer.from('bytes')]) {
    const type = typeof data === 'string' ? 'text' : 'binary'
    const payload = { client_pid: client, type, data, metadata }
    t.equal(metadataOf(payload), metadata)
    t.equal(dataOf(payload), data)
    t.strictSame(fromData(dataOf(payload)!, client, metadata), payload)
  }
})

t.test('makes the same payload of the parts of any other message', async (t) => {
  const { dataOf, contentOf, fromContent } = connectionCodec
  const payload = { client_pid: client, uptime: 5, message_count: 2, metadata }
  t.equal(dataOf(payload), undefined)
  t.strictSame(contentOf(payload), { uptime: 5, message_count: 2 })
  t.strictSame(fromContent(contentOf(payload), client, metadata), payload)
})

t.test('lets no content set the client or the metadata, and refuses other values', async (t) => {
  const { fromContent } = connectionCodec
  const forged = { client_pid: '9@b.1', metadata: { user: 'root' }, code: 1000 }
  t.strictSame(fromContent(forged, client, metadata), { client_pid: client, metadata, code: 1000 })
  for (const content of [undefined, null, 5, 'text', [1], Buffer.from('bytes')]) {
    t.equal(fromContent(content, client, metadata), undefined)
  }
})

t.test('makes a leave when the node of the target closes, or that of the client is lost', async (t) => {
  const { leaveOf } = connectionCodec
  t.strictSame(leaveOf(client, metadata, 'node closing'), {
    client_pid: client, reason: 'node closing', code: 1012, cause: 'target', metadata
  })
  t.strictSame(leaveOf(client, metadata, 'node lost'), {
    client_pid: client, reason: 'node lost', code: undefined, cause: 'lost', metadata
  })
})

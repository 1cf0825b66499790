// Frames are cut from slabs, and a kept frame keeps its slab. Those that stay for long are copied:
// otherwise a few bytes for one client would hold the frames of many others.
import t from 'tap'
import { closeCodes } from '../../lib/connection/close-codes.js'
import { textFrame } from '../../lib/websocket/frames.js'
import { FakeServer, type FakeTransport } from './fake-transport.js'
import { areHeld, smallSlice } from '../held.js'
import type { Session } from '../../lib/session/session.js'

/** Sends a message whose slab has no other frame. @returns its slab */
function send (session: Session, text: string): WeakRef<ArrayBufferLike> {
  const frame = smallSlice(textFrame(text).bytes)
  session.writer.sendEncoded(frame)
  return new WeakRef(frame.memory.buffer)
}

t.test('the messages for a client that is away hold their own bytes only', async (t) => {
  const server = new FakeServer()
  const { session, socket, token } = server.start()
  socket.text('hello')
  const refs = ['one', 'two', 'three'].map((text) => send(session, text))
  t.same(await areHeld(refs), [true, true, true], 'an acknowledgement is expected soon')
  socket.lose(closeCodes.lost)
  t.same(await areHeld(refs), [false, false, false])
  refs.push(send(session, 'four'))
  t.same(await areHeld(refs), [false, false, false, false])

  const second = server.resume(token, 1) as FakeTransport
  second.takeHello()
  t.same(second.takeLog(), ['two', 'three', 'four'])
  session.close(closeCodes.lost)
})

t.test('so do those for a client that never acknowledges', async (t) => {
  const server = new FakeServer({ maxResumeBytes: 1_000_000 })
  const { session, socket, token } = server.start({ buffer: { bytes: 100_000, frames: 1000 } })
  const texts = Array.from({ length: 700 }, (_, i) => `message ${i}`)
  socket.text('hello')
  const refs = texts.map((text) => send(session, text))
  const held = await areHeld(refs)
  t.equal(held.indexOf(true), 512)
  t.equal(held.lastIndexOf(false), 511)

  socket.lose(closeCodes.lost)
  const second = server.resume(token, 0) as FakeTransport
  second.takeHello()
  t.same(second.takeLog(), texts)
  session.close(closeCodes.lost)
})

// What processes promise each other, with the peer in another operating-system process: the sentences
// of test/process. Node `a` is in the test's process, `b` and `c` are in one each.
import t from 'tap'
import { calls, order, payloads } from './messages.js'
import { nodesOf } from './nodes.js'
import { ends, links } from './relations.js'
import { shared } from './shared.js'
import type { Sentence, Tap } from './nodes.js'
import type { EngineName } from './worker.js'

/** @param engine what joins the nodes */
export function contract (engine: EngineName): void {
  const sentence: Sentence = (text, body) => {
    t.test(text, async (t) => { await body(t as unknown as Tap, await nodesOf(engine)) })
  }
  for (const part of [order, calls, ends, links, shared, payloads]) part(sentence)
}

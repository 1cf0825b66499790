import t from 'tap'
import { dismissed, enlisted, isWaiting, waiterFor, type PendingReceive } from '../../../lib/process/actor/pending-receives.js'

const waiter = (topic?: string): PendingReceive => ({
  wanted: topic === undefined ? undefined : (candidate) => candidate === topic,
  behind: undefined,
  settle () {},
  stop () {}
})

function line (...waiters: PendingReceive[]): PendingReceive | undefined {
  let first: PendingReceive | undefined
  for (const one of waiters) first = enlisted(first, one)
  return first
}

function all (first: PendingReceive | undefined): PendingReceive[] {
  const waiters: PendingReceive[] = []
  for (let one = first; one !== undefined; one = one.behind) waiters.push(one)
  return waiters
}

t.test('who asks is last, even where it waited before', async (t) => {
  const [a, b, c] = [waiter(), waiter(), waiter()]
  t.strictSame(all(line(a, b, c)), [a, b, c])
  const rest = dismissed(line(a, b, c), a)
  t.strictSame(all(enlisted(rest, a)), [b, c, a])
})

t.test('each may leave, from wherever it stands, and still knows who was behind it', async (t) => {
  for (const leaves of [0, 1, 2]) {
    const waiters = [waiter(), waiter(), waiter()]
    const gone = waiters[leaves]!
    t.strictSame(all(dismissed(line(...waiters), gone)), waiters.filter((one) => one !== gone))
    t.equal(gone.behind, waiters[leaves + 1])
  }
  const alone = waiter()
  t.equal(dismissed(line(alone), alone), undefined)
})

t.test('who does not wait is not found, and its leaving changes nothing', async (t) => {
  const [a, b, stranger] = [waiter(), waiter(), waiter()]
  const first = line(a, b)
  t.strictSame([a, b, stranger].map((one) => isWaiting(first, one)), [true, true, false])
  t.equal(isWaiting(undefined, a), false)
  t.strictSame(all(dismissed(first, stranger)), [a, b])
})

t.test('the first that wants a topic gets it', async (t) => {
  const [a, b, any] = [waiter('a'), waiter('b'), waiter()]
  const first = line(a, b, any)
  t.strictSame(['a', 'b', 'c'].map((topic) => waiterFor(first, topic)), [a, b, any])
  t.equal(waiterFor(line(a, b), 'c'), undefined)
  t.equal(waiterFor(undefined, 'a'), undefined)
})

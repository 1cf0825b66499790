import { headers, type NatsConnection } from '@nats-io/transport-node'
import t from 'tap'
import { NatsRegister } from '../../../../lib/cluster/engines/nats/nats-register.js'
import type { NatsClient } from '../../../../lib/cluster/engines/nats/nats-client.js'
import type { KvEntry } from '@nats-io/kv'

/**
 * A client whose answers the test controls. A real server cannot change data between two given
 * requests.
 */
async function register (answers: {
  publish: () => Promise<{ seq: number }>
  get?: () => Promise<Partial<KvEntry> | null>
  erase?: () => Promise<void>
}): Promise<NatsRegister> {
  const client = {
    headers,
    jetstream: () => ({ publish: answers.publish }),
    jetstreamManager: async () => ({ streams: { deleteMessage: answers.erase } }),
    Kvm: class {
      create = async () => ({ get: answers.get })
    }
  }
  const made = new NatsRegister(client as unknown as NatsClient, {} as NatsConnection, 'fwr')
  await made.open(1)
  return made
}

const conflict = Object.assign(new Error('wrong last sequence'), { code: 10071 })

t.test('reports a conflict when a key disappears during the write', async (t) => {
  let writes = 0
  const made = await register({
    publish: async () => {
      writes++
      throw conflict
    },
    get: async () => null
  })
  t.equal(await made.cas('k', new Uint8Array(1), 0), 0)
  t.equal(writes, 1)
})

t.test('overwrites the marker of a deleted key, unless another writer was faster', async (t) => {
  const outcomes = [Promise.reject(conflict), Promise.resolve({ seq: 8 })]
  const made = await register({
    publish: () => outcomes.shift() as Promise<{ seq: number }>,
    get: async () => ({ operation: 'DEL', revision: 7 })
  })
  t.equal(await made.cas('k', new Uint8Array(1), 0), 8)
  const late = await register({
    publish: async () => {
      throw conflict
    },
    get: async () => ({ operation: 'DEL', revision: 7 })
  })
  t.equal(await late.cas('k', new Uint8Array(1), 0), 0)
})

t.test('ignores a failure to delete a marker, and rejects when a read fails', async (t) => {
  let erased = 0
  const made = await register({
    publish: async () => ({ seq: 9 }),
    get: async () => { throw Object.assign(new Error('no'), { name: 'PermissionViolationError' }) },
    erase: async () => { erased++; throw new Error('not allowed') }
  })
  t.equal(await made.cas('k', undefined, 8), 9)
  t.equal(erased, 1)
  await t.rejects(made.get('k'), { code: 'FST_CLUSTER_ACCESS_DENIED' })
})

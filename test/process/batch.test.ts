import t from 'tap'
import { Batch } from '../../lib/process/batch.js'

t.test('keeps one encoding for each encoder', async (t) => {
  const batch = new Batch()
  const encoders = [{ name: 'a' }, { name: 'b' }, { name: 'c' }]
  const made: string[] = []
  for (const encoder of [...encoders, ...encoders.reverse(), ...encoders]) {
    if (batch.encoder !== encoder) batch.selectEncoder(encoder)
    if (batch.encoded === undefined) {
      made.push(encoder.name)
      batch.encoded = `by ${encoder.name}`
    }
    t.equal(batch.encoded, `by ${encoder.name}`)
  }
  t.strictSame(made, ['a', 'b', 'c'])
})

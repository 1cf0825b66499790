import { sizeOf } from './wire.js'

/** Settles one promise of `delivered`. */
type Settle = (error?: Error) => void
type Data = string | Uint8Array

/** Messages that the server has not acknowledged: first those that were sent, then the others. */
export interface Outbox {
  /** The number of messages in it. */
  readonly left: () => number
  /**
   * @param isOfSession whether it is a call or an answer, which another session cannot take
   * @returns false: all messages together would have more bytes than `most`
   */
  readonly enqueue: (data: Data, most: number, isOfSession?: true) => boolean
  /** The next message to send on this socket. It counts as sent from now on. */
  readonly nextToSend: () => Data | undefined
  /** The server has taken all messages up to this one. @returns false: it was never sent */
  readonly acknowledge: (number: number) => boolean
  /** In plain mode nothing is acknowledged: a message leaves when the socket has it. */
  readonly forgetSent: (error: Error) => void
  /**
   * Another socket gets what is left.
   *
   * @param received the number of messages that the server has taken in this session
   * @param isNew whether it is another session, which counts from there
   * @returns as `acknowledge`
   */
  readonly begin: (received: number, isNew: boolean) => boolean
  /**
   * Removes all messages, or with `isPartial` the calls and answers only.
   *
   * @returns the removed ones but for calls and answers
   */
  readonly take: (error: Error, isPartial?: boolean) => Data[]
  /** Settles when the last present message leaves, with an error unless it is acknowledged. */
  readonly whenDelivered: (settle: Settle) => void
}

export function createOutbox (): Outbox {
  let items: { data: Data, settles: Settle[], isOfSession?: true }[] = []
  let bytes = 0
  /** How many of them were sent on the current socket. */
  let sent = 0
  /** The number of the last message of this session that was acknowledged. */
  let acknowledged = 0

  const drop = (count: number, most: number, error?: Error): boolean => {
    if (count > most) return false
    for (const { data, settles } of items.splice(0, count)) {
      acknowledged++
      sent--
      bytes -= sizeOf(data)
      for (const settle of settles) settle(error)
    }
    return true
  }

  return {
    left: () => items.length,
    enqueue (data, most, isOfSession) {
      const size = sizeOf(data)
      if (bytes + size > most) return false
      bytes += size
      items.push({ data, settles: [], isOfSession })
      return true
    },
    nextToSend: () => sent < items.length ? items[sent++].data : undefined,
    acknowledge: (number) => drop(number - acknowledged, sent),
    forgetSent (error) { drop(sent, sent, error) },
    begin (received, isNew) {
      if (isNew) acknowledged = received
      const isPossible = drop(received - acknowledged, items.length)
      sent = 0
      return isPossible
    },
    take (error, isPartial) {
      const others = items.filter(({ isOfSession }) => !isOfSession)
      if (isPartial) items = items.filter(({ isOfSession }) => isOfSession)
      drop(items.length, items.length, error)
      if (!isPartial) return others.map(({ data }) => data)
      items = others
      return []
    },
    whenDelivered (settle) {
      const last = items.at(-1)
      if (last) last.settles.push(settle)
      else settle()
    }
  }
}

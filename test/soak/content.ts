// The messages of clients and targets. Each one contains its client and its number.

/** Around the limits of the frame header's length, and a few that are larger. */
const sizes = [0, 1, 100, 125, 126, 127, 300, 1000, 4000]
/** Every so many messages, one of more than 64 KiB. */
const perLarge = 500
const filler = 'wörter '.repeat(11_000)

export function isBinary (n: number): boolean {
  return n % 3 === 2
}

/** The n-th message of a client, from 0. */
export function contentOf (client: number, n: number): string {
  const size = n % perLarge === perLarge - 1 ? 70_000 : sizes[n % sizes.length]
  return `${client}:${n}:${filler.slice(0, size)}`
}

/** The same, as `ws` and `ws.send` take it. */
export function dataOf (client: number, n: number): string | Buffer {
  const content = contentOf(client, n)
  return isBinary(n) ? Buffer.from(content) : content
}

/** Whether these bytes or this text is that message, and under the right opcode. */
export function isContent (
  data: string | Buffer,
  binary: boolean,
  client: number,
  n: number
): boolean {
  return binary === isBinary(n) && data.toString() === contentOf(client, n)
}

/** The number of a message. */
export function numberOf (data: string | Buffer): number {
  const [, n] = data.toString().split(':', 2)
  return Number(n)
}

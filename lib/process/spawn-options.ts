import { errorCodes, show } from '../errors.js'

/** @throws `FST_PROCESS_INVALID_SPEC`: names and PIDs are checked where they are used */
export function checkSpawn (body: unknown, options: unknown): void {
  check(typeof body === 'function', 'a function as the body', body)
  check(typeof options === 'object' && options !== null, 'an object of options', options)
  const { args, mailboxLimit, trapLinks } = options as Record<string, unknown>
  check(args === undefined || Array.isArray(args), "an array as 'args'", args)
  check(mailboxLimit === undefined || (Number.isSafeInteger(mailboxLimit) && mailboxLimit as number > 0), "a positive integer as 'mailboxLimit'", mailboxLimit)
  check(trapLinks === undefined || typeof trapLinks === 'boolean', "a boolean as 'trapLinks'", trapLinks)
}

function check (valid: boolean, expected: string, value: unknown): void {
  if (!valid) throw new errorCodes.FST_PROCESS_INVALID_SPEC(`expected ${expected}, got '${show(value)}'`)
}

import { show } from '../errors.js'
import { RecentKeys } from './recent-keys.js'
import type { Clock } from './clock.js'
import type { Logger } from '../../types/options.js'

/** Labels that are remembered for each text. */
const maxLabels = 100
/** Lines in each interval. A warning that is left out comes when its cause occurs again. */
const maxLines = 10
/** Milliseconds. */
const interval = 10_000

/** The place of a probable mistake. */
export interface WarningPlace {
  /** The process, the route or the topic. */
  readonly label: string
  /** @defaultValue that of the process system */
  readonly logger?: Logger
}

/**
 * Logs the probable mistakes of an application: each text once per label, at most 100 labels per
 * text, and at most 10 lines in 10 seconds.
 */
export class Warnings {
  readonly #logger: Logger
  readonly #clock: Pick<Clock, 'now'>
  readonly #labels = new Map<string, RecentKeys>()
  #intervalStart = -Infinity
  #lines = 0

  constructor (logger: Logger, clock: Pick<Clock, 'now'>) {
    this.#logger = logger
    this.#clock = clock
  }

  /** @param text a constant: there is one set of labels for each text */
  warn ({ label, logger = this.#logger }: WarningPlace, fields: object, text: string): void {
    const now = this.#clock.now()
    if (now - this.#intervalStart >= interval) {
      this.#intervalStart = now
      this.#lines = 0
    }
    if (this.#lines >= maxLines || !this.#labelsOf(text).add(show(label))) return
    this.#lines++
    try {
      logger.warn(fields, text)
    } catch {
      // A logger that throws must not change what a process or an upgrade does.
    }
  }

  #labelsOf (text: string): RecentKeys {
    let labels = this.#labels.get(text)
    if (labels === undefined) {
      labels = new RecentKeys({ limit: maxLabels }, this.#clock)
      this.#labels.set(text, labels)
    }
    return labels
  }
}

/** The methods of a process of the rig, by name. Arguments and results are JSON. */
export type Methods<M> = { [K in keyof M]: (...args: never[]) => unknown }

export interface Question { id: number, method: string, args: unknown[] }
export interface Answer { id: number, value?: unknown, error?: string }

/** The first message of a process, which reports that it is ready. */
export const ready = 0

/**
 * Answers requests of the parent until the channel closes. Call it once, when the process is ready.
 */
export function answer<M extends Methods<M>> (methods: M): void {
  process.on('message', ({ id, method, args }: Question) => {
    const call = methods[method as keyof M] as unknown as (...args: unknown[]) => unknown
    Promise.resolve()
      .then(() => call.apply(methods, args))
      .then((value) => ({ id, value }), (err: Error) => ({ id, error: err.stack ?? err.message }))
      .then((given: Answer) => { process.send?.(given) })
  })
  process.send?.({ id: ready } satisfies Answer)
}

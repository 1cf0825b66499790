/** What a process of the rig can be asked for, by name. Arguments and results are JSON. */
export type Methods<M> = { [K in keyof M]: (...args: never[]) => unknown }

export interface Question { id: number, method: string, args: unknown[] }
export interface Answer { id: number, value?: unknown, error?: string }

/** The first answer, to no question: the process is ready. */
export const ready = 0

/** Answers its parent's questions until the channel is closed. To be called once, when all is ready. */
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

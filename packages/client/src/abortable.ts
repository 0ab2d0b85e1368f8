/** Promises that a signal ends early. */

/** Settles as the promise does, or rejects with the reason of the signal if that comes first. */
export function abortable<T>(promise: T | Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal?.reason)
    if (signal?.aborted === true) abort()
    signal?.addEventListener('abort', abort)
    Promise.resolve(promise)
      .then(resolve, reject)
      .finally(() => signal?.removeEventListener('abort', abort))
  })
}

/**
 * Whether this process wants work:
 *
 *     starting ──markReady──► ready ──drain──► draining
 *
 * `/readyz`, `grpc.health.v1` and the launcher all read this one state.
 */
export interface Health {
  isReady(): boolean
  isDraining(): boolean
  /** The process has started. Does nothing while draining. */
  markReady(): void
  /** The process is about to stop: from now on it is not ready, and stays so. */
  drain(): void
  /** Calls back on every change. */
  onChange(listener: (isReady: boolean) => void): void
}

export function createHealth(): Health {
  let state: 'starting' | 'ready' | 'draining' = 'starting'
  const listeners = new Set<(isReady: boolean) => void>()
  const enter = (next: typeof state): void => {
    state = next
    for (const listener of listeners) listener(state === 'ready')
  }
  return {
    isReady: () => state === 'ready',
    isDraining: () => state === 'draining',
    markReady() {
      if (state === 'starting') enter('ready')
    },
    drain() {
      if (state !== 'draining') enter('draining')
    },
    onChange: (listener) => void listeners.add(listener),
  }
}

import type { WatchApiKeysRequest, WatchApiKeysResponse } from '@flowforge/proto/flowforge/accounts/v1/auth_service.ts'
import type { ServerStreamHandler } from '@flowforge/runtime/server'
import type { KeyChanges } from '../engine/key-changes.ts'

// Well within the stream's idle timeout.
const heartbeatMs = 20_000

export function watchApiKeys(changes: KeyChanges): ServerStreamHandler<WatchApiKeysRequest, WatchApiKeysResponse> {
  return async (_request, context, send) => {
    // What came before the stream is unknown to whoever opens it.
    let missed = true
    let names = new Set<string>()
    let wake = (): void => undefined
    const unwatch = changes.watch((change) => {
      if (change === 'missed') missed = true
      else names.add(change.name)
      wake()
    })
    const over = AbortSignal.any([context.signal, context.draining])
    over.addEventListener('abort', () => wake(), { once: true })
    const heartbeat = setInterval(() => wake(), heartbeatMs)
    try {
      while (!over.aborted) {
        const woken = new Promise<void>((resolve) => (wake = resolve))
        const told = { apiKeys: [...names], missed }
        missed = false
        names = new Set()
        await send(told)
        if (names.size === 0 && !missed && !over.aborted) await woken
      }
    } finally {
      clearInterval(heartbeat)
      unwatch()
    }
  }
}

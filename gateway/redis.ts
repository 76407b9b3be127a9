/** The connection to Redis that limits and cache share. It may be gone at any time: nothing waits for it for long. */
import { createClient } from '@redis/client'
import type { Logger } from '@flowforge/runtime/log'

/** A client whose commands fail at once while there is no connection, and after `commandMsMax` while there is. */
export type Redis = ReturnType<typeof open>

// Redis in the same place answers within a millisecond; whoever takes this long is as good as gone.
const commandMsMax = 250
const reconnectMs = 500

/** Connects in the background, again and again whenever the connection is lost. */
export function connectRedis(url: string, log: Logger): Redis {
  const redis = open(url)
  let isTold = false
  redis.on('error', (error: Error) => {
    // Each attempt to reconnect ends here; only the first is news.
    if (!isTold) log.warn({ err: error }, 'Redis is not available: limits and cache are this instance’s own')
    isTold = true
  })
  redis.on('ready', () => {
    if (isTold) log.info('Redis is available again')
    isTold = false
  })
  // Its own attempts go on after a failed one, so that the failure of the first is no other news.
  redis.connect().catch(() => undefined)
  return redis
}

function open(url: string) {
  return createClient({
    url,
    disableOfflineQueue: true,
    commandOptions: { timeout: commandMsMax },
    pingInterval: 5_000,
    socket: { connectTimeout: 2_000, reconnectStrategy: () => reconnectMs },
  })
}

/** The connection to Redis that limits and cache share. It may be gone at any time: nothing waits for it for long. */
import { readFileSync } from 'node:fs'
import { createClient } from '@redis/client'
import { ConfigError } from '@flowforge/runtime/config'
import type { Logger } from '@flowforge/runtime/log'

/** A client whose commands fail at once while there is no connection, and after `commandMsMax` while there is. */
export type Redis = ReturnType<typeof open>

// Redis in the same place answers within a millisecond; whoever takes this long is as good as gone.
const commandMsMax = 250
const reconnectMs = 500

export interface RedisOptions {
  /** `redis://`, or `rediss://` for TLS. */
  readonly url: string
  /** The file of those who may have signed the server's certificate; the public ones when undefined. */
  readonly authority: string | undefined
}

/** Connects in the background, again and again whenever the connection is lost. */
export function connectRedis(options: RedisOptions, log: Logger): Redis {
  const redis = open(options)
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

function open({ url, authority }: RedisOptions) {
  // Each connection looks into this list, so a renewed authority is trusted from the next one on.
  const trusted = authority === undefined ? undefined : { tls: true as const, ca: [readAuthority(authority)] }
  const reconnectStrategy = (): number => {
    if (trusted) trusted.ca[0] = readAuthority(authority!)
    return reconnectMs
  }
  return createClient({
    url,
    disableOfflineQueue: true,
    commandOptions: { timeout: commandMsMax },
    pingInterval: 5_000,
    socket: { ...trusted, connectTimeout: 2_000, reconnectStrategy },
  })
}

function readAuthority(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new ConfigError(
      `FLOWFORGE_REDIS_AUTHORITY must be a file of certificates, but ${(error as Error).message}; example: FLOWFORGE_REDIS_AUTHORITY=/etc/redis/ca.pem`,
    )
  }
}

/** Whom an API key stands for: asked of the accounts service, remembered briefly, and forgotten as soon as it changes. */
import { hash, randomUUID } from 'node:crypto'
import { setTimeout as setTimeoutAsync } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import { status } from '@grpc/grpc-js'
import { AuthServiceClient } from '@flowforge/proto/flowforge/accounts/v1/auth_service.ts'
import { Role } from '@flowforge/proto/flowforge/mesh/v1/policy.ts'
import { client, type Channel, type PromiseClient } from '@flowforge/runtime/client'
import type { Logger } from '@flowforge/runtime/log'
import { StatusError } from '@flowforge/runtime/status'
import { invalidCredential, type Principal, type Verify } from './principal.ts'
import { asRefusal } from './refusal.ts'
import type { RpcError } from './transcoder/transcoder.ts'

interface Known {
  readonly principal: Principal
  readonly expiresMs: number
}

export interface ApiKeys {
  readonly verify: Verify
  close(): void
}

const keysMax = 10_000
// Wrong keys are forgotten sooner, and apart from right ones, which a flood of them must not push out.
const refusedMs = 1_000
const rewatchMs = 500

/**
 * Verifies keys, each remembered for `cacheMs` by its hash (which takes half a microsecond), so that our memory holds nothing
 * that opens a door. The accounts service tells of keys that change, wherever that was done; only while that stream is
 * broken is a revoked key accepted for up to `cacheMs`.
 */
export function apiKeys(accounts: Channel, cacheMs: number, log: Logger): ApiKeys {
  const auth = client(AuthServiceClient, accounts)
  // Its clock of 1 ms would be a timer, and a process that wakes up for it, with every few requests.
  const known = new LRUCache<string, Known>({ max: keysMax, ttl: Math.max(1, cacheMs), ttlResolution: 0 })
  const refused = new LRUCache<string, RpcError>({ max: keysMax, ttl: refusedMs, ttlResolution: 0 })
  const asking = new Map<string, Promise<Principal>>()
  const stopped = new AbortController()
  // Of this process alone: what is remembered is of no use anywhere else, and nobody can aim at how it compares.
  const salt = randomUUID()
  let changes = 0

  const ask = async (secret: string, digest: string): Promise<Principal> => {
    const changesBefore = changes
    try {
      const answer = await auth.verifyApiKey({ secret })
      const roles = new Set(answer.roles.map(roleWord))
      const principal: Principal = { name: answer.principal, projects: [answer.project], roles }
      // A change that was told meanwhile may be of this key: the answer holds for those who asked, and is not kept.
      if (changes === changesBefore) {
        known.set(digest, { principal, expiresMs: answer.expireTime?.getTime() ?? Number.POSITIVE_INFINITY })
      }
      return principal
    } catch (error) {
      if (!(error instanceof StatusError) || error.code !== status.UNAUTHENTICATED) throw asRefusal(error as Error)
      const wrong = invalidCredential('API_KEY_INVALID', 'the API key is not valid')
      refused.set(digest, wrong)
      throw wrong
    } finally {
      asking.delete(digest)
    }
  }

  void watch(auth, log, stopped.signal, (names) => {
    changes++
    if (names === 'all') return known.clear()
    for (const [digest, { principal }] of known) if (names.has(principal.name)) known.delete(digest)
  })

  return {
    close: () => stopped.abort(),
    verify(secret) {
      const digest = hash('sha256', salt + secret, 'base64')
      const entry = known.get(digest)
      if (entry !== undefined && entry.expiresMs > Date.now()) return entry.principal
      const wrong = refused.get(digest)
      if (wrong !== undefined) throw wrong
      // Everybody who comes with the same key meanwhile waits for the one question.
      let question = asking.get(digest)
      if (question === undefined) asking.set(digest, (question = ask(secret, digest)))
      return question
    },
  }
}

/** Calls `forget` with every change until the signal; a broken stream is opened again. */
async function watch(
  auth: PromiseClient<AuthServiceClient>,
  log: Logger,
  signal: AbortSignal,
  forget: (names: ReadonlySet<string> | 'all') => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const { apiKeys: names, missed } of auth.watchApiKeys({}, { signal })) {
        if (missed) forget('all')
        else if (names.length > 0) forget(new Set(names))
      }
    } catch (error) {
      if (!signal.aborted) log.debug({ err: error }, 'cannot watch for changed API keys; trying again')
    }
    await setTimeoutAsync(rewatchMs, undefined, { signal }).catch(() => undefined)
  }
}

const roleWords = new Map<Role, string>([
  [Role.ROLE_VIEWER, 'viewer'],
  [Role.ROLE_SUBMITTER, 'submitter'],
  [Role.ROLE_WORKER, 'worker'],
  [Role.ROLE_ADMIN, 'admin'],
])

function roleWord(role: Role): string {
  return roleWords.get(role) ?? ''
}

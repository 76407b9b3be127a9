/** `Authorization: Bearer KEY` → whom the key stands for, asked of the accounts service and remembered briefly. */
import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { status } from '@grpc/grpc-js'
import { AuthServiceClient } from '@flowforge/proto/flowforge/accounts/v1/auth_service.ts'
import { Role } from '@flowforge/proto/flowforge/mesh/v1/policy.ts'
import { client, type Channel } from '@flowforge/runtime/client'
import { StatusError } from '@flowforge/runtime/status'
import type { RpcError } from './transcoder/transcoder.ts'
import { asRefusal, refusal } from './refusal.ts'

/** Whoever a request acts for. */
export interface Principal {
  /** `projects/{project}/apiKeys/{api_key}`. */
  readonly name: string
  readonly project: string
  /** `viewer`, `submitter`, `worker`, `admin`. */
  readonly roles: ReadonlySet<string>
}

export type Authenticate = (authorization: string | undefined) => Principal | Promise<Principal>

interface Known {
  readonly principal: Principal
  readonly expiresMs: number
}

const keysMax = 10_000
// Wrong keys are forgotten sooner, and apart from right ones, which a flood of them must not push out.
const refusedMs = 1_000
const challenge = { 'www-authenticate': 'Bearer realm="flowforge"' }
const wrongChallenge = { 'www-authenticate': 'Bearer realm="flowforge", error="invalid_token"' }

/** Keys are remembered for `cacheMs`, by their hash; a revoked key is accepted that long at most. */
export function authenticator(accounts: Channel, cacheMs: number): Authenticate {
  const auth = client(AuthServiceClient, accounts)
  const known = new LRUCache<string, Known>({ max: keysMax, ttl: Math.max(1, cacheMs) })
  const refused = new LRUCache<string, RpcError>({ max: keysMax, ttl: refusedMs })
  const asking = new Map<string, Promise<Principal>>()

  const ask = async (secret: string, digest: string): Promise<Principal> => {
    try {
      const answer = await auth.verifyApiKey({ secret })
      const roles = new Set(answer.roles.map(roleWord))
      const principal = { name: answer.principal, project: answer.project, roles }
      known.set(digest, { principal, expiresMs: answer.expireTime?.getTime() ?? Number.POSITIVE_INFINITY })
      return principal
    } catch (error) {
      if (!(error instanceof StatusError) || error.code !== status.UNAUTHENTICATED) throw asRefusal(error as Error)
      const wrong = refusal(status.UNAUTHENTICATED, 'API_KEY_INVALID', 'the API key is not valid', {
        headers: wrongChallenge,
      })
      refused.set(digest, wrong)
      throw wrong
    } finally {
      asking.delete(digest)
    }
  }

  return (authorization) => {
    const secret = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(authorization ?? '')?.[1]
    if (secret === undefined) {
      throw refusal(status.UNAUTHENTICATED, 'API_KEY_MISSING', 'an API key is needed: Authorization: Bearer KEY', {
        headers: challenge,
      })
    }
    const digest = hash('sha256', secret, 'base64')
    const entry = known.get(digest)
    if (entry !== undefined && entry.expiresMs > Date.now()) return entry.principal
    const wrong = refused.get(digest)
    if (wrong !== undefined) throw wrong
    // Everybody who comes with the same key meanwhile waits for the one question.
    let question = asking.get(digest)
    if (question === undefined) asking.set(digest, (question = ask(secret, digest)))
    return question
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
